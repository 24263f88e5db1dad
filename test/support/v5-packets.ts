import assert from 'node:assert/strict'
import {
  type Bytes,
  bytes,
  packet,
  prefixed,
  u16,
  u32,
  varint,
  type WirePacket,
  properties as withLength,
} from './wire-client.js'

export type QoS = 0 | 1 | 2
export type Pair = readonly [name: string, value: string]

/** The properties of MQTT 5.0 by name; those that may stand more than once are lists. */
export interface Properties {
  payloadFormat?: number
  messageExpiry?: number
  contentType?: string | Uint8Array
  responseTopic?: string | Uint8Array
  correlationData?: Uint8Array
  subscriptionIdentifiers?: readonly number[]
  sessionExpiry?: number
  assignedClientId?: string
  serverKeepAlive?: number
  authenticationMethod?: string
  authenticationData?: Uint8Array
  requestProblemInformation?: number
  willDelay?: number
  requestResponseInformation?: number
  responseInformation?: string
  serverReference?: string
  reasonString?: string
  receiveMaximum?: number
  topicAliasMaximum?: number
  topicAlias?: number
  maximumQos?: number
  retainAvailable?: number
  userProperties?: readonly Pair[]
  maximumPacketSize?: number
  wildcardsAvailable?: number
  subscriptionIdentifiersAvailable?: number
  sharedAvailable?: number
}

type Kind = 'byte' | 'two' | 'four' | 'varint' | 'text' | 'binary' | 'pair'

/** Identifier, type and the packets from a server in which it may stand: table 2-4 of the standard. */
const table: Readonly<Record<keyof Properties, readonly [id: number, kind: Kind, fromServer: string]>> = {
  payloadFormat: [0x01, 'byte', 'PUBLISH'],
  messageExpiry: [0x02, 'four', 'PUBLISH'],
  contentType: [0x03, 'text', 'PUBLISH'],
  responseTopic: [0x08, 'text', 'PUBLISH'],
  correlationData: [0x09, 'binary', 'PUBLISH'],
  subscriptionIdentifiers: [0x0b, 'varint', 'PUBLISH'],
  sessionExpiry: [0x11, 'four', 'CONNACK'],
  assignedClientId: [0x12, 'text', 'CONNACK'],
  serverKeepAlive: [0x13, 'two', 'CONNACK'],
  authenticationMethod: [0x15, 'text', 'CONNACK AUTH'],
  authenticationData: [0x16, 'binary', 'CONNACK AUTH'],
  requestProblemInformation: [0x17, 'byte', ''],
  willDelay: [0x18, 'four', ''],
  requestResponseInformation: [0x19, 'byte', ''],
  responseInformation: [0x1a, 'text', 'CONNACK'],
  serverReference: [0x1c, 'text', 'CONNACK DISCONNECT'],
  reasonString: [0x1f, 'text', 'CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH'],
  receiveMaximum: [0x21, 'two', 'CONNACK'],
  topicAliasMaximum: [0x22, 'two', 'CONNACK'],
  topicAlias: [0x23, 'two', 'PUBLISH'],
  maximumQos: [0x24, 'byte', 'CONNACK'],
  retainAvailable: [0x25, 'byte', 'CONNACK'],
  userProperties: [
    0x26,
    'pair',
    'CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH',
  ],
  maximumPacketSize: [0x27, 'four', 'CONNACK'],
  wildcardsAvailable: [0x28, 'byte', 'CONNACK'],
  subscriptionIdentifiersAvailable: [0x29, 'byte', 'CONNACK'],
  sharedAvailable: [0x2a, 'byte', 'CONNACK'],
}

const names = Object.keys(table) as (keyof Properties)[]

/** Properties as they stand on the wire, without their length, in the order in which they are named. */
export function props(fields: Properties): Buffer {
  return bytes(
    ...names.flatMap((name) => {
      const value = fields[name]
      if (value === undefined) return []
      const [id, kind] = table[name]
      const values = kind === 'pair' || kind === 'varint' ? (value as readonly unknown[]) : [value]
      return values.map((one) => bytes(id, encode(kind, one)))
    }),
  )
}

function encode(kind: Kind, value: unknown): Buffer {
  if (kind === 'pair') return bytes(...(value as Pair).map((part) => prefixed(part)))
  if (kind === 'text' || kind === 'binary') return prefixed(value as string | Uint8Array)
  const number = value as number
  if (kind === 'byte') return bytes(number)
  if (kind === 'two') return u16(number)
  return kind === 'four' ? u32(number) : varint(number)
}

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

/** An application message as it came. */
export interface Heard {
  readonly topic: string
  readonly payload: string
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  /** Packet Identifier; 0 with QoS 0. */
  readonly id: number
  readonly properties: Properties
}

export interface Ack {
  readonly id: number
  readonly code: number
  readonly properties: Properties
}

export interface Codes {
  readonly id: number
  readonly codes: readonly number[]
  readonly properties: Properties
}

export interface Ending {
  readonly code: number
  readonly properties: Properties
}

export interface Connack extends Ending {
  readonly isSessionPresent: boolean
}

/** What a server may send. */
export interface Said {
  CONNACK: Connack
  PUBLISH: Heard
  PUBACK: Ack
  PUBREC: Ack
  PUBREL: Ack
  PUBCOMP: Ack
  SUBACK: Codes
  UNSUBACK: Codes
  PINGRESP: Record<string, never>
  DISCONNECT: Ending
  AUTH: Ending
}

const types: Readonly<Record<number, keyof Said>> = {
  2: 'CONNACK',
  3: 'PUBLISH',
  4: 'PUBACK',
  5: 'PUBREC',
  6: 'PUBREL',
  7: 'PUBCOMP',
  9: 'SUBACK',
  11: 'UNSUBACK',
  13: 'PINGRESP',
  14: 'DISCONNECT',
  15: 'AUTH',
}

/** Reason codes that a server may put into each packet: the tables of chapter 3. */
const reasonCodes: Readonly<Partial<Record<keyof Said, readonly number[]>>> = {
  CONNACK: [
    0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a,
    0x9b, 0x9c, 0x9d, 0x9f,
  ],
  PUBACK: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  PUBREC: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  PUBREL: [0, 0x92],
  PUBCOMP: [0, 0x92],
  SUBACK: [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  UNSUBACK: [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  DISCONNECT: [
    0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
    0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  AUTH: [0, 0x18],
}

/**
 * What a packet of the server says. Strict: reserved bits, reason codes that the standard does not list,
 * properties that stand twice or in the wrong packet, and bytes left over fail the test.
 */
export function read({ type, flags, body }: WirePacket): [name: keyof Said, said: Said[keyof Said]] {
  const name = types[type]
  assert.ok(name !== undefined, `a server sends no packet of type ${type}`)
  if (name !== 'PUBLISH') assert.equal(flags, name === 'PUBREL' ? 2 : 0, `the flags of ${name}`)
  return [name, readBody(name, flags, new Reader(name, body))]
}

function readBody(name: keyof Said, flags: number, from: Reader): Said[keyof Said] {
  switch (name) {
    case 'PUBLISH':
      return readPublish(flags, from)
    case 'CONNACK': {
      const acknowledge = from.byte()
      assert.equal(acknowledge & 0xfe, 0, 'reserved Connect Acknowledge Flags')
      const code = from.reasonCode()
      return { isSessionPresent: acknowledge === 1, code, properties: from.properties(), ...from.end() }
    }
    case 'SUBACK':
    case 'UNSUBACK': {
      const id = from.two()
      const properties = from.properties()
      const codes: number[] = []
      while (from.left > 0) codes.push(from.reasonCode())
      return { id, codes, properties }
    }
    case 'PINGRESP':
      return from.end()
    case 'DISCONNECT':
    case 'AUTH': {
      const code = from.left > 0 ? from.reasonCode() : 0
      return { code, properties: from.left > 0 ? from.properties() : {}, ...from.end() }
    }
    default: {
      const id = from.two()
      const code = from.left > 0 ? from.reasonCode() : 0
      return { id, code, properties: from.left > 0 ? from.properties() : {}, ...from.end() }
    }
  }
}

function readPublish(flags: number, from: Reader): Heard {
  const qos = ((flags >> 1) & 3) as QoS
  assert.ok((qos as number) !== 3, 'a PUBLISH of QoS 3')
  const topic = from.prefixed().toString()
  const id = qos === 0 ? 0 : from.two()
  if (qos > 0) assert.notEqual(id, 0, 'Packet Identifier 0')
  const properties = from.properties()
  const payload = from.take(from.left).toString()
  return { topic, payload, qos, retain: (flags & 1) !== 0, dup: (flags & 8) !== 0, id, properties }
}

class Reader {
  readonly #packet: keyof Said
  readonly #bytes: Buffer
  #at = 0

  constructor(name: keyof Said, all: Buffer) {
    this.#packet = name
    this.#bytes = all
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(length: number): Buffer {
    assert.ok(length <= this.left, `${this.#packet} is too short`)
    const taken = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return taken
  }

  byte(): number {
    return this.take(1)[0] as number
  }

  two(): number {
    return this.take(2).readUInt16BE()
  }

  prefixed(): Buffer {
    return this.take(this.two())
  }

  varint(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte()
      value += (byte & 127) * factor
      if (byte >= 128) continue
      assert.ok(byte > 0 || factor === 1, 'a Variable Byte Integer of more bytes than it needs')
      return value
    }
  }

  reasonCode(): number {
    const code = this.byte()
    const allowed = reasonCodes[this.#packet]?.includes(code)
    assert.ok(allowed, `reason code 0x${code.toString(16)} in ${this.#packet}`)
    return code
  }

  end(): Record<string, never> {
    assert.equal(this.left, 0, `bytes left over in ${this.#packet}`)
    return {}
  }

  properties(): Properties {
    const length = this.varint()
    assert.ok(length <= this.left, `the properties of ${this.#packet} are longer than it`)
    const left = this.left - length
    const found: Partial<Record<keyof Properties, unknown>> = {}
    while (this.left > left) {
      const id = this.varint()
      const name = names.find((one) => table[one][0] === id)
      assert.ok(name !== undefined, `property 0x${id.toString(16)} in ${this.#packet}`)
      const [, kind, fromServer] = table[name]
      assert.ok(fromServer.split(' ').includes(this.#packet), `${name} in ${this.#packet}`)
      const value = this.#value(kind)
      const isList = kind === 'pair' || kind === 'varint'
      assert.ok(isList || !(name in found), `${name} twice in ${this.#packet}`)
      found[name] = isList ? [...((found[name] as unknown[]) ?? []), value] : value
    }
    assert.equal(this.left, left, `the properties of ${this.#packet} are longer than their length`)
    return found as Properties
  }

  #value(kind: Kind): unknown {
    if (kind === 'pair') return [this.prefixed().toString(), this.prefixed().toString()]
    if (kind === 'text') return this.prefixed().toString()
    if (kind === 'binary') return Buffer.from(this.prefixed())
    if (kind === 'byte') return this.byte()
    if (kind === 'two') return this.two()
    return kind === 'four' ? this.take(4).readUInt32BE() : this.varint()
  }
}
