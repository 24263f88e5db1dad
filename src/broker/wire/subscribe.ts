import type { QoS } from '../../core/message.ts'
import { isShared } from '../../core/shared-filter.ts'
import { type Properties, readProperties } from './properties.ts'
import { Reader } from './reader.ts'
import { reasonCode } from './reason-codes.ts'

export interface Subscribe {
  readonly packetId: number
  /** 0 for none. */
  readonly subscriptionIdentifier: number
  readonly requests: readonly SubscribeRequest[]
}

export interface SubscribeRequest {
  /** UTF-8, and not checked further: a filter that is no good is answered in SUBACK. */
  readonly filter: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: 0 | 1 | 2
}

export interface Unsubscribe {
  readonly packetId: number
  readonly filters: readonly string[]
}

/** SUBSCRIBE from a client; `start` to `end` is what follows the fixed header. */
export function decodeSubscribe(bytes: Buffer, start: number, end: number, isV5: boolean): Subscribe {
  const reader = new Reader().reset(bytes, start, end, 'SUBSCRIBE')
  const packetId = readPacketId(reader)
  const properties: Properties = isV5 ? readProperties(reader, 'subscribe') : {}
  if (reader.rest === 0) throw reader.error(reasonCode.protocolError, 'it asks for nothing') // [MQTT-3.8.3-2]
  const requests: SubscribeRequest[] = []
  while (reader.rest > 0) requests.push(readRequest(reader, isV5))
  return { packetId, subscriptionIdentifier: properties.subscriptionIdentifiers?.[0] ?? 0, requests }
}

/** UNSUBSCRIBE from a client. */
export function decodeUnsubscribe(bytes: Buffer, start: number, end: number, isV5: boolean): Unsubscribe {
  const reader = new Reader().reset(bytes, start, end, 'UNSUBSCRIBE')
  const packetId = readPacketId(reader)
  if (isV5) readProperties(reader, 'unsubscribe')
  if (reader.rest === 0) throw reader.error(reasonCode.protocolError, 'it names no filter') // [MQTT-3.10.3-2]
  const filters: string[] = []
  while (reader.rest > 0) filters.push(reader.string())
  return { packetId, filters }
}

function readPacketId(reader: Reader): number {
  const packetId = reader.u16()
  if (packetId === 0) throw reader.error(reasonCode.protocolError, 'the packet identifier is 0') // [MQTT-2.2.1-3]
  return packetId
}

function readRequest(reader: Reader, isV5: boolean): SubscribeRequest {
  const filter = reader.string()
  const options = reader.u8()
  if ((options & (isV5 ? 0xc0 : 0xfc)) !== 0)
    throw reader.error(reasonCode.malformedPacket, 'reserved bits of its options are set') // [MQTT-3.8.3-5]
  const qos = options & 3
  if (qos === 3) throw reader.error(reasonCode.protocolError, 'it asks for QoS 3')
  const noLocal = (options & 4) !== 0
  if (noLocal && isShared(filter))
    throw reader.error(reasonCode.protocolError, 'No Local on a shared subscription') // [MQTT-3.8.3-4]
  const retainHandling = (options >> 4) & 3
  if (retainHandling === 3) throw reader.error(reasonCode.protocolError, 'Retain Handling is 3')
  return {
    filter,
    qos: qos as QoS,
    noLocal,
    retainAsPublished: (options & 8) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
  }
}
