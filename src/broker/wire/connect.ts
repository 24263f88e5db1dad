import type { QoS } from '../../core/message.ts'
import { topicProblem } from '../../core/topics.ts'
import type { ProtocolLevel } from './packet-types.ts'
import { type Properties, readProperties } from './properties.ts'
import { ConnectError, ProtocolError } from './protocol-error.ts'
import { PublishProperties, scanWillProperties } from './publish-properties.ts'
import { Reader } from './reader.ts'
import { reasonCode } from './reason-codes.ts'

/** What a client says of itself first. Nothing in it refers to the bytes it was read from. */
export interface Connect {
  readonly level: ProtocolLevel
  /** Before MQTT 5: it says that it is a bridge, by a bit that the standard has not; mosquitto's bridges do. */
  readonly isBridge: boolean
  /** Clean Session before MQTT 5. */
  readonly cleanStart: boolean
  /** Seconds; 0 for none. */
  readonly keepAlive: number
  /** Empty when the server is to give one. */
  readonly clientId: string
  readonly username: string | undefined
  readonly password: Buffer | undefined
  readonly will: Will | undefined
  /** Without those of the will; none before MQTT 5. */
  readonly properties: Properties
}

export interface Will {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: QoS
  readonly retain: boolean
  /** Will Delay Interval in seconds. */
  readonly delaySeconds: number
  /** Those to forward, without their length and without Will Delay Interval; undefined for none. */
  readonly properties: Buffer | undefined
}

/**
 * CONNECT; `start` to `end` is what follows the fixed header.
 * @throws ConnectError: its `answerLevel` and `reasonCode` say how to answer, see `encodeConnack`
 */
export function decodeConnect(bytes: Buffer, start: number, end: number): Connect {
  const reader = new Reader().reset(bytes, start, end)
  let level: ProtocolLevel | 0 = 0
  try {
    const read = readLevel(reader)
    level = read.level
    return readConnect(reader, bytes, read)
  } catch (error) {
    if (!(error instanceof ProtocolError) || error instanceof ConnectError) throw error
    throw new ConnectError(error.reasonCode, `CONNECT: ${error.message}`, level)
  }
}

interface Level {
  readonly level: ProtocolLevel
  readonly isBridge: boolean
}

/** Set in the protocol level of a bridge's CONNECT. */
export const bridgeBit = 0x80

function readLevel(reader: Reader): Level {
  const name = reader.string()
  if (name !== 'MQTT' && name !== 'MQIsdp')
    throw new ProtocolError(reasonCode.unsupportedProtocolVersion, 'another protocol than MQTT') // [MQTT-3.1.2-1]
  const byte = reader.u8()
  const isBridge = byte >= bridgeBit && byte !== bridgeBit + 5
  const level = isBridge ? byte - bridgeBit : byte
  if (name === 'MQTT' ? level === 4 || level === 5 : level === 3)
    return { level: level as ProtocolLevel, isBridge }
  // [MQTT-3.1.2-2] of 3.1.1 wants its return code 1; MQTT 5 allows any answer
  throw new ConnectError(
    reasonCode.unsupportedProtocolVersion,
    `CONNECT: ${name} has no protocol level ${level}`,
    4,
  )
}

const flag = {
  reserved: 1,
  cleanStart: 2,
  will: 4,
  willQos: 24,
  willRetain: 32,
  password: 64,
  username: 128,
} as const

function readConnect(reader: Reader, bytes: Buffer, { level, isBridge }: Level): Connect {
  const flags = reader.u8()
  checkFlags(flags, level)
  const cleanStart = (flags & flag.cleanStart) !== 0
  const keepAlive = reader.u16()
  const properties: Properties = level === 5 ? readProperties(reader, 'connect') : {}
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined)
    throw new ProtocolError(reasonCode.protocolError, 'Authentication Data without a method')
  const clientId = reader.string()
  const will = (flags & flag.will) === 0 ? undefined : readWill(reader, bytes, flags, level)
  const username = isThere(reader, flags & flag.username, level) ? reader.string() : undefined
  const password = isThere(reader, flags & flag.password, level) ? reader.binary() : undefined
  reader.finish()
  // [MQTT-3.1.3-8] of 3.1.1; 3.1 wants a client identifier always
  if (clientId === '' && (level === 3 || (level === 4 && !cleanStart)))
    throw new ProtocolError(reasonCode.clientIdentifierNotValid, 'a session without a client identifier')
  return { level, isBridge, cleanStart, keepAlive, clientId, username, password, will, properties }
}

function checkFlags(flags: number, level: ProtocolLevel): void {
  const willQos = (flags & flag.willQos) >> 3
  if ((flags & flag.will) !== 0 && willQos === 3)
    throw new ProtocolError(reasonCode.malformedPacket, 'the will has QoS 3') // [MQTT-3.1.2-12]
  if ((flags & flag.password) !== 0 && (flags & flag.username) === 0 && level < 5)
    throw new ProtocolError(reasonCode.malformedPacket, 'a password without a user name') // [MQTT-3.1.2-22] of 3.1.1
  if (level === 3) return // @NOTE 3.1 leaves open what the other flags are without a will
  if ((flags & flag.reserved) !== 0)
    throw new ProtocolError(reasonCode.malformedPacket, 'the reserved flag is set') // [MQTT-3.1.2-3]
  if ((flags & flag.will) === 0 && (flags & (flag.willQos | flag.willRetain)) !== 0)
    throw new ProtocolError(reasonCode.malformedPacket, 'flags of a will without a will') // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
}

// @NOTE in 3.1 the length of the packet goes before the flags: a user name or password may be announced and missing
function isThere(reader: Reader, announced: number, level: ProtocolLevel): boolean {
  return announced !== 0 && (level > 3 || reader.rest > 0)
}

function readWill(reader: Reader, bytes: Buffer, flags: number, level: ProtocolLevel): Will {
  const found = new PublishProperties()
  const properties = level === 5 ? readWillProperties(reader, bytes, found) : undefined
  const topic = reader.string()
  const problem = topicProblem(topic)
  if (problem !== undefined)
    throw new ProtocolError(reasonCode.topicNameInvalid, `the will's topic: ${problem}`)
  return {
    topic,
    payload: reader.binary(),
    qos: ((flags & flag.willQos) >> 3) as QoS,
    retain: (flags & flag.willRetain) !== 0,
    delaySeconds: found.willDelayInterval,
    properties,
  }
}

/** Reads them without Will Delay Interval. */
function readWillProperties(reader: Reader, bytes: Buffer, found: PublishProperties): Buffer | undefined {
  const size = reader.varint()
  const from = reader.at
  reader.skip(size)
  const to = reader.at
  scanWillProperties(bytes, from, to, found)
  const { delayAt, delayEnd } = found
  const kept =
    delayAt === -1
      ? Buffer.from(bytes.subarray(from, to))
      : Buffer.concat([bytes.subarray(from, delayAt), bytes.subarray(delayEnd, to)])
  return kept.length === 0 ? undefined : kept
}
