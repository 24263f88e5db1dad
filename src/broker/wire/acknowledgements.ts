import type { AckType } from './packet-types.ts'
import { type Properties, readProperties } from './properties.ts'
import { ProtocolError } from './protocol-error.ts'
import { Reader } from './reader.ts'
import { reasonCode } from './reason-codes.ts'

const published = new Set([0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99])
const released = new Set([0x00, 0x92])

/** Which reason codes an acknowledgement may carry, MQTT 5 tables 3-4, 3-5, 3-6, 3-7. */
const legal = {
  4: { name: 'puback', codes: published },
  5: { name: 'pubrec', codes: published },
  6: { name: 'pubrel', codes: released },
  7: { name: 'pubcomp', codes: released },
} as const

/**
 * Checks the body of PUBACK, PUBREC, PUBREL or PUBCOMP; its packet identifier stands in the first two bytes and is not 0 [MQTT-2.2.1-3].
 * @returns its reason code, 0 where it carries none
 */
export function readAck(type: AckType, bytes: Buffer, start: number, end: number, isV5: boolean): number {
  const size = end - start
  if (size < 2 || (size > 2 && !isV5))
    throw new ProtocolError(reasonCode.malformedPacket, `${titleOf(type)}: a body of ${size} bytes`)
  if (((bytes[start] as number) | (bytes[start + 1] as number)) === 0)
    throw new ProtocolError(reasonCode.protocolError, `${titleOf(type)}: the packet identifier is 0`)
  if (size === 2) return reasonCode.success
  const code = bytes[start + 2] as number
  const { name, codes } = legal[type]
  if (!codes.has(code)) throw wrongCode(titleOf(type), code)
  if (size > 3) {
    const reader = new Reader().reset(bytes, start + 3, end, titleOf(type))
    readProperties(reader, name)
    reader.finish()
  }
  return code
}

export interface Disconnect {
  readonly reasonCode: number
  readonly properties: Properties
}

/** What a client may give as its reason, MQTT 5 table 3-10. */
const farewells = new Set([
  0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
])

/** DISCONNECT from a client [MQTT-3.14.2-1]; before 5 it has no body. */
export function decodeDisconnect(bytes: Buffer, start: number, end: number, isV5: boolean): Disconnect {
  if (start === end) return { reasonCode: reasonCode.normalDisconnection, properties: {} }
  if (!isV5) throw new ProtocolError(reasonCode.malformedPacket, 'DISCONNECT: it has a body')
  const reader = new Reader().reset(bytes, start, end, 'DISCONNECT')
  const code = reader.u8()
  if (!farewells.has(code)) throw wrongCode('DISCONNECT', code)
  const properties = reader.rest === 0 ? {} : readProperties(reader, 'disconnect')
  reader.finish()
  return { reasonCode: code, properties }
}

export interface Auth {
  readonly reasonCode: number
  readonly properties: Properties & { readonly authenticationMethod: string }
}

/** AUTH from a client: it continues or begins again [MQTT-3.15.2-1], and names its method. */
export function decodeAuth(bytes: Buffer, start: number, end: number): Auth {
  const reader = new Reader().reset(bytes, start, end, 'AUTH')
  const code = start === end ? reasonCode.success : reader.u8()
  if (code !== reasonCode.continueAuthentication && code !== reasonCode.reAuthenticate)
    throw wrongCode('AUTH', code)
  const properties = reader.rest === 0 ? {} : readProperties(reader, 'auth')
  reader.finish()
  const { authenticationMethod } = properties
  if (authenticationMethod === undefined)
    throw reader.error(reasonCode.protocolError, 'it names no Authentication Method')
  return { reasonCode: code, properties: { ...properties, authenticationMethod } }
}

function titleOf(type: AckType): string {
  return legal[type].name.toUpperCase()
}

function wrongCode(packet: string, code: number): ProtocolError {
  return new ProtocolError(
    reasonCode.protocolError,
    `${packet}: a client does not send the reason code 0x${code.toString(16).padStart(2, '0')}`,
  )
}
