import { bridgeBit } from './connect.ts'
import { frame, u16 } from './encode.ts'
import type { ProtocolLevel } from './packet-types.ts'
import { type Properties, readProperties, writeProperties } from './properties.ts'
import { Reader } from './reader.ts'
import { reasonCode } from './reason-codes.ts'
import type { SubscribeRequest } from './subscribe.ts'

/** What we say of ourselves to another broker. */
export interface OutgoingConnect {
  readonly level: 4 | 5
  /** MQTT 3.1.1: says that we are a bridge, in a bit that the standard knows nothing of; mosquitto does. */
  readonly isBridge: boolean
  readonly cleanStart: boolean
  /** Seconds. */
  readonly keepAlive: number
  readonly clientId: string
  readonly username: string | undefined
  readonly password: string | undefined
  /** Retained, QoS 1. */
  readonly will: { readonly topic: string; readonly payload: string } | undefined
  /** MQTT 5 only. */
  readonly properties: Properties
}

export function encodeConnect(connect: OutgoingConnect): Buffer {
  const { level, isBridge, will, username, password } = connect
  const flags =
    (connect.cleanStart ? 2 : 0) |
    (will === undefined ? 0 : 4 | (1 << 3) | 32) |
    (password === undefined ? 0 : 64) |
    (username === undefined ? 0 : 128)
  return frame(
    0x10,
    text('MQTT'),
    Buffer.of(level | (isBridge ? bridgeBit : 0), flags),
    u16(connect.keepAlive),
    ...(level === 5 ? [writeProperties(connect.properties)] : []),
    text(connect.clientId),
    ...(will === undefined
      ? []
      : [...(level === 5 ? [writeProperties({})] : []), text(will.topic), text(will.payload)]),
    ...(username === undefined ? [] : [text(username)]),
    ...(password === undefined ? [] : [text(password)]),
  )
}

/** SUBSCRIBE; what MQTT 3.1.1 has no bits for is left out. */
export function encodeSubscribe(
  level: ProtocolLevel,
  packetId: number,
  requests: readonly SubscribeRequest[],
): Buffer {
  const parts = requests.flatMap(({ filter, qos, noLocal, retainAsPublished, retainHandling }) => {
    const options = (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4)
    return [text(filter), Buffer.of(level === 5 ? qos | options : qos)]
  })
  return frame(0x82, u16(packetId), ...propertiesOf(level), ...parts)
}

export function encodeUnsubscribe(
  level: ProtocolLevel,
  packetId: number,
  filters: readonly string[],
): Buffer {
  return frame(0xa2, u16(packetId), ...propertiesOf(level), ...filters.map(text))
}

/** A PUBLISH of QoS 0. */
export function encodePublish(level: ProtocolLevel, topic: string, payload: string, retain: boolean): Buffer {
  return frame(retain ? 0x31 : 0x30, text(topic), ...propertiesOf(level), Buffer.from(payload))
}

export const pingreq: Uint8Array = new Uint8Array([0xc0, 0])

/** What a server says to CONNECT. */
export interface ServerConnack {
  readonly isSessionPresent: boolean
  /** MQTT 5 table 3-1, or 3.1.1 table 3.1. */
  readonly code: number
  readonly properties: Properties
}

/** @throws ProtocolError */
export function decodeConnack(bytes: Buffer, start: number, end: number, isV5: boolean): ServerConnack {
  const reader = new Reader().reset(bytes, start, end, 'CONNACK')
  const flags = reader.u8()
  if (flags > 1) throw reader.error(reasonCode.malformedPacket, 'reserved flags are set') // [MQTT-3.2.2-1]
  const code = reader.u8()
  const properties = isV5 && reader.rest > 0 ? readProperties(reader, 'connack') : {}
  reader.finish()
  return { isSessionPresent: flags === 1, code, properties }
}

/** What a server says to SUBSCRIBE or UNSUBSCRIBE. */
export interface ServerAnswer {
  readonly packetId: number
  /** For each filter; none in UNSUBACK before MQTT 5. */
  readonly codes: readonly number[]
}

/** SUBACK or UNSUBACK. @throws ProtocolError */
export function decodeAnswer(
  of: 'suback' | 'unsuback',
  bytes: Buffer,
  start: number,
  end: number,
  isV5: boolean,
): ServerAnswer {
  const reader = new Reader().reset(bytes, start, end, of.toUpperCase())
  const packetId = reader.u16()
  if (isV5) readProperties(reader, of)
  const codes: number[] = []
  while (reader.rest > 0) codes.push(reader.u8())
  return { packetId, codes }
}

/** DISCONNECT from a server of MQTT 5; before it there is none. @throws ProtocolError */
export function decodeFarewell(
  bytes: Buffer,
  start: number,
  end: number,
): { readonly code: number; readonly properties: Properties } {
  if (start === end) return { code: reasonCode.normalDisconnection, properties: {} }
  const reader = new Reader().reset(bytes, start, end, 'DISCONNECT')
  const code = reader.u8()
  const properties = reader.rest === 0 ? {} : readProperties(reader, 'disconnect')
  reader.finish()
  return { code, properties }
}

function propertiesOf(level: ProtocolLevel): Buffer[] {
  return level === 5 ? [Buffer.of(0)] : []
}

function text(value: string): Buffer {
  const body = Buffer.from(value)
  return Buffer.concat([u16(body.length), body])
}
