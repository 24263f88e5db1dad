import { type Properties, props } from './v5-property.js'
import { type Bytes, packet, prefixed, u16, properties as withLength } from './wire-client.js'

export type QoS = 0 | 1 | 2

export interface ConnectFields {
  /** Clean Start; set unless told. */
  readonly clean?: boolean
  readonly keepAlive?: number
  readonly clientId?: string | Uint8Array
  readonly properties?: Properties
  readonly will?: Will
  readonly username?: string | Uint8Array
  readonly password?: string
}

export interface Will {
  readonly topic: string | Uint8Array
  readonly payload?: string
  readonly qos?: QoS
  readonly retain?: boolean
  readonly properties?: Properties
}

export function connectBytes(fields: ConnectFields = {}): Buffer {
  const { clean = true, keepAlive = 0, clientId = '', will, username, password } = fields
  const flags =
    (clean ? 2 : 0) |
    (will === undefined ? 0 : 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0)) |
    (password === undefined ? 0 : 64) |
    (username === undefined ? 0 : 128)
  const payload: Bytes[] = [prefixed(clientId)]
  if (will !== undefined)
    payload.push(
      withLength(props(will.properties ?? {})),
      prefixed(will.topic),
      prefixed(will.payload ?? 'gone'),
    )
  if (username !== undefined) payload.push(prefixed(username))
  if (password !== undefined) payload.push(prefixed(password))
  return rawConnect({ flags, keepAlive, properties: withLength(props(fields.properties ?? {})), payload })
}

/** CONNECT whose fields need not agree with each other; `properties` with their length, `payload` is all after them. */
export function rawConnect(
  parts: {
    readonly name?: string | Uint8Array
    readonly level?: number
    readonly flags?: number
    readonly keepAlive?: number
    readonly properties?: Uint8Array
    readonly payload?: readonly Bytes[]
  } = {},
): Buffer {
  const { name = 'MQTT', level = 5, flags = 2, keepAlive = 0, payload = [prefixed('')] } = parts
  const block = parts.properties ?? withLength()
  return packet(0x10, prefixed(name), level, flags, u16(keepAlive), block, ...payload)
}

export interface PublishFields {
  readonly qos?: QoS
  readonly retain?: boolean
  readonly dup?: boolean
  readonly id?: number
  readonly properties?: Properties
}

export function publishBytes(
  topic: string | Uint8Array,
  payload: string | Uint8Array = '',
  { qos = 0, retain = false, dup = false, id = 1, properties = {} }: PublishFields = {},
): Buffer {
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
  return packet(first, prefixed(topic), qos === 0 ? [] : u16(id), withLength(props(properties)), payload)
}

/** Subscription Options, in words. */
export interface SubscribeOptions {
  readonly qos?: QoS
  readonly noLocal?: boolean
  readonly retainAsPublished?: boolean
  readonly retainHandling?: 0 | 1 | 2
}

export function optionsByte(options: SubscribeOptions): number {
  const { qos = 0, noLocal = false, retainAsPublished = false, retainHandling = 0 } = options
  return qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4)
}

export type Asked = readonly [filter: string | Uint8Array, options: SubscribeOptions | number]

export function subscribeBytes(id: number, asked: readonly Asked[], fields: Properties = {}): Buffer {
  const payload = asked.flatMap(([filter, options]) => [
    prefixed(filter),
    typeof options === 'number' ? options : optionsByte(options),
  ])
  return packet(0x82, u16(id), withLength(props(fields)), ...payload)
}

export function unsubscribeBytes(id: number, ...filters: readonly (string | Uint8Array)[]): Buffer {
  return packet(0xa2, u16(id), withLength(), ...filters.map((filter) => prefixed(filter)))
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP by its first byte: short without a reason code, longer with one. */
export function ackBytes(first: 0x40 | 0x50 | 0x62 | 0x70, id: number, code?: number): Buffer {
  return packet(first, u16(id), code === undefined ? [] : [code])
}

export function disconnectBytes(code = 0, fields: Properties = {}): Buffer {
  return packet(0xe0, code, withLength(props(fields)))
}

export function authBytes(code: number, fields: Properties = {}): Buffer {
  return packet(0xf0, code, withLength(props(fields)))
}

export const pingreq: Buffer = packet(0xc0)
