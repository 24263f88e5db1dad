import { type PacketName, packetType } from './packet-types.ts'
import { ProtocolError } from './protocol-error.ts'
import type { Reader } from './reader.ts'
import { reasonCode } from './reason-codes.ts'
import { putVarint, varintSize } from './varint.ts'

/** MQTT 5 properties of one packet; what is absent was not sent. */
export interface Properties {
  payloadFormatIndicator?: 0 | 1
  /** Seconds. */
  messageExpiryInterval?: number
  contentType?: string
  responseTopic?: string
  correlationData?: Buffer
  /** At most one in SUBSCRIBE. */
  subscriptionIdentifiers?: readonly number[]
  /** Seconds; 0xFFFFFFFF for never. */
  sessionExpiryInterval?: number
  assignedClientIdentifier?: string
  /** Seconds. */
  serverKeepAlive?: number
  authenticationMethod?: string
  authenticationData?: Buffer
  requestProblemInformation?: boolean
  /** Seconds. */
  willDelayInterval?: number
  requestResponseInformation?: boolean
  responseInformation?: string
  serverReference?: string
  reasonString?: string
  receiveMaximum?: number
  topicAliasMaximum?: number
  topicAlias?: number
  maximumQos?: 0 | 1
  retainAvailable?: boolean
  userProperties?: readonly (readonly [name: string, value: string])[]
  /** Bytes. */
  maximumPacketSize?: number
  wildcardSubscriptionAvailable?: boolean
  subscriptionIdentifierAvailable?: boolean
  sharedSubscriptionAvailable?: boolean
}

/** What carries properties; those of a will stand in CONNECT's payload. */
export type PropertyBearer = Exclude<PacketName, 'pingreq' | 'pingresp'> | 'will'

/** `bit` is a byte of 0 or 1 read as a number, `flag` one read as a boolean. */
type Kind = 'bit' | 'flag' | 'u16' | 'u32' | 'varint' | 'string' | 'topic' | 'binary' | 'pair'

interface Property {
  readonly id: number
  readonly name: keyof Properties
  readonly kind: Kind
  readonly bearers: readonly PropertyBearer[]
  /** Where it may come more than once. */
  readonly repeatsIn?: readonly PropertyBearer[]
  readonly isNeverZero?: boolean
}

const message = ['publish', 'will'] as const
const opening = ['connect', 'connack'] as const
const authenticated = ['connect', 'connack', 'auth'] as const
const everywhere = [
  ...(Object.keys(packetType) as PacketName[]).filter((name) => name !== 'pingreq' && name !== 'pingresp'),
  'will',
] as readonly PropertyBearer[]
const reasoned = [
  'connack',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'suback',
  'unsuback',
  'disconnect',
  'auth',
] as const

/** MQTT 5 table 2-4. */
const table: readonly Property[] = [
  { id: 1, name: 'payloadFormatIndicator', kind: 'bit', bearers: message },
  { id: 2, name: 'messageExpiryInterval', kind: 'u32', bearers: message },
  { id: 3, name: 'contentType', kind: 'string', bearers: message },
  { id: 8, name: 'responseTopic', kind: 'topic', bearers: message },
  { id: 9, name: 'correlationData', kind: 'binary', bearers: message },
  {
    id: 11,
    name: 'subscriptionIdentifiers',
    kind: 'varint',
    bearers: ['publish', 'subscribe'],
    repeatsIn: ['publish'],
    isNeverZero: true,
  },
  { id: 17, name: 'sessionExpiryInterval', kind: 'u32', bearers: ['connect', 'connack', 'disconnect'] },
  { id: 18, name: 'assignedClientIdentifier', kind: 'string', bearers: ['connack'] },
  { id: 19, name: 'serverKeepAlive', kind: 'u16', bearers: ['connack'] },
  { id: 21, name: 'authenticationMethod', kind: 'string', bearers: authenticated },
  { id: 22, name: 'authenticationData', kind: 'binary', bearers: authenticated },
  { id: 23, name: 'requestProblemInformation', kind: 'flag', bearers: ['connect'] },
  { id: 24, name: 'willDelayInterval', kind: 'u32', bearers: ['will'] },
  { id: 25, name: 'requestResponseInformation', kind: 'flag', bearers: ['connect'] },
  { id: 26, name: 'responseInformation', kind: 'string', bearers: ['connack'] },
  { id: 28, name: 'serverReference', kind: 'string', bearers: ['connack', 'disconnect'] },
  { id: 31, name: 'reasonString', kind: 'string', bearers: reasoned },
  { id: 33, name: 'receiveMaximum', kind: 'u16', bearers: opening, isNeverZero: true },
  { id: 34, name: 'topicAliasMaximum', kind: 'u16', bearers: opening },
  { id: 35, name: 'topicAlias', kind: 'u16', bearers: ['publish'], isNeverZero: true },
  { id: 36, name: 'maximumQos', kind: 'bit', bearers: ['connack'] },
  { id: 37, name: 'retainAvailable', kind: 'flag', bearers: ['connack'] },
  { id: 38, name: 'userProperties', kind: 'pair', bearers: everywhere, repeatsIn: everywhere },
  { id: 39, name: 'maximumPacketSize', kind: 'u32', bearers: opening, isNeverZero: true },
  { id: 40, name: 'wildcardSubscriptionAvailable', kind: 'flag', bearers: ['connack'] },
  { id: 41, name: 'subscriptionIdentifierAvailable', kind: 'flag', bearers: ['connack'] },
  { id: 42, name: 'sharedSubscriptionAvailable', kind: 'flag', bearers: ['connack'] },
]
const byId = new Map(table.map((property) => [property.id, property]))

/**
 * Reads a block of properties with its length. An identifier that the packet does not carry is malformed [MQTT-2.2.2],
 * one that comes twice or has a value that is not allowed a protocol error.
 */
export function readProperties(reader: Reader, bearer: PropertyBearer): Properties {
  const size = reader.varint()
  const packetEnd = reader.end
  if (size > reader.rest) {
    throw new ProtocolError(
      reasonCode.malformedPacket,
      `${bearer}: ${size} bytes of properties in ${reader.rest} that are left`,
    )
  }
  const found: Record<string, unknown> = {}
  reader.end = reader.at + size
  while (reader.rest > 0) readProperty(reader, bearer, found)
  reader.end = packetEnd
  return found as Properties
}

function readProperty(reader: Reader, bearer: PropertyBearer, found: Record<string, unknown>): void {
  const id = reader.varint()
  const property = byId.get(id)
  if (property === undefined || !property.bearers.includes(bearer))
    throw new ProtocolError(reasonCode.malformedPacket, `${bearer}: it has no property ${id}`)
  const value = readValue(reader, bearer, property)
  const { name } = property
  const isFirst = !Object.hasOwn(found, name)
  if (property.repeatsIn === undefined) {
    if (!isFirst) throw problem(bearer, property, 'comes twice')
    found[name] = value
    return
  }
  if (isFirst) found[name] = [value]
  else if (property.repeatsIn.includes(bearer)) (found[name] as unknown[]).push(value)
  else throw problem(bearer, property, 'comes twice')
}

function readValue(reader: Reader, bearer: PropertyBearer, property: Property): unknown {
  const { kind } = property
  if (kind === 'pair') return [reader.string(), reader.string()]
  if (kind === 'binary') return reader.binary()
  if (kind === 'string') return reader.string()
  if (kind === 'topic') {
    const topic = reader.string()
    if (topic === '' || topic.includes('+') || topic.includes('#'))
      throw problem(bearer, property, 'is no topic to publish to') // [MQTT-3.3.2-14], [MQTT-4.7.3-1]
    return topic
  }
  if (kind === 'bit' || kind === 'flag') {
    const value = reader.u8()
    if (value > 1) throw problem(bearer, property, `is ${value}, and may be 0 or 1`)
    return kind === 'flag' ? value === 1 : value
  }
  const value = kind === 'u16' ? reader.u16() : kind === 'u32' ? reader.u32() : reader.varint()
  if (value === 0 && property.isNeverZero === true) throw problem(bearer, property, 'is 0')
  return value
}

function problem(bearer: PropertyBearer, { id, name }: Property, what: string): ProtocolError {
  const code =
    name === 'topicAlias' && what === 'is 0' ? reasonCode.topicAliasInvalid : reasonCode.protocolError
  return new ProtocolError(code, `${bearer}: property ${id} (${name}) ${what}`)
}

/**
 * A block of properties with its length, in the order of their identifiers. That the packet may carry them is up to the caller.
 * @throws RangeError for a text or data of more than 65,535 bytes
 */
export function writeProperties(properties: Properties): Buffer {
  const parts: Buffer[] = []
  let size = 0
  for (const { id, name, kind } of table) {
    const value = properties[name]
    if (value === undefined) continue
    for (const one of kind === 'pair' || kind === 'varint' ? (value as readonly unknown[]) : [value]) {
      const part = writeValue(id, kind, one)
      parts.push(part)
      size += part.length
    }
  }
  const head = Buffer.allocUnsafe(varintSize(size))
  putVarint(head, 0, size)
  return Buffer.concat([head, ...parts])
}

function writeValue(id: number, kind: Kind, value: unknown): Buffer {
  if (kind === 'pair') {
    const [name, text] = value as readonly [string, string]
    return Buffer.concat([Buffer.of(id), prefixed(name), prefixed(text)])
  }
  if (kind === 'string' || kind === 'topic' || kind === 'binary')
    return Buffer.concat([Buffer.of(id), prefixed(value as string | Uint8Array)])
  const number = Number(value)
  if (kind === 'bit' || kind === 'flag') return Buffer.of(id, number)
  if (kind === 'u16') return Buffer.of(id, number >> 8, number & 255)
  const part = Buffer.allocUnsafe(kind === 'u32' ? 5 : 1 + varintSize(number))
  part[0] = id
  if (kind === 'u32') part.writeUInt32BE(number, 1)
  else putVarint(part, 1, number)
  return part
}

function prefixed(value: string | Uint8Array): Buffer {
  const body = typeof value === 'string' ? Buffer.from(value) : value
  if (body.length > 0xffff) throw new RangeError(`a property of ${body.length} bytes: at most 65,535`)
  return Buffer.concat([Buffer.of(body.length >> 8, body.length & 255), body])
}
