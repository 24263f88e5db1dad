import type { ProtocolLevel } from './packet-types.ts'

/**
 * A packet breaks the protocol: the connection ends. The message says what, and where; of the bytes it shows none.
 * It has no stack: it tells of a client, not of us, and a flood of bad packets shall cost little.
 */
export class ProtocolError extends Error {
  override readonly name: string = 'ProtocolError'
  /** MQTT 5 reason code for DISCONNECT or CONNACK. */
  readonly reasonCode: number

  constructor(reasonCode: number, message: string) {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0 // @NOTE the frames cost eight times the rest; it is set back before anybody can see it
    super(message)
    Error.stackTraceLimit = limit
    this.reasonCode = reasonCode
  }
}

/** A CONNECT that cannot be accepted as it is. */
export class ConnectError extends ProtocolError {
  override readonly name = 'ConnectError'
  /** The level in which to answer with CONNACK; 0 when it is not known to be MQTT, and nothing is answered [MQTT-3.1.2-1]. */
  readonly answerLevel: ProtocolLevel | 0

  constructor(reasonCode: number, message: string, answerLevel: ProtocolLevel | 0) {
    super(reasonCode, message)
    this.answerLevel = answerLevel
  }
}
