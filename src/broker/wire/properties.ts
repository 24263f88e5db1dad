import {
  type Properties,
  type Property,
  type PropertyBearer,
  type PropertyKind,
  propertyTable,
} from './property-table.ts'
import type { ProtocolError } from './protocol-error.ts'
import type { Reader } from './reader.ts'
import { reasonCode } from './reason-codes.ts'
import { putVarint, varintSize } from './varint.ts'

export type { Properties, PropertyBearer } from './property-table.ts'

const byId = new Map(propertyTable.map((property) => [property.id, property]))

/**
 * Reads a block of properties with its length. An identifier that the packet does not carry is malformed (section 2.2.2.2),
 * one that comes twice or has a value that is not allowed a protocol error.
 */
export function readProperties(reader: Reader, bearer: PropertyBearer): Properties {
  const size = reader.varint()
  const packetEnd = reader.end
  if (size > reader.rest) {
    throw reader.error(
      reasonCode.malformedPacket,
      `${size} bytes of properties where ${reader.rest} are left`,
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
    throw reader.error(reasonCode.malformedPacket, `property ${id} does not belong to ${bearer}`)
  const { name } = property
  if (Object.hasOwn(found, name) && property.repeatsIn?.includes(bearer) !== true)
    throw problem(reader, property, 'comes twice')
  const value = readValue(reader, property)
  if (property.repeatsIn === undefined) found[name] = value
  else if (Object.hasOwn(found, name)) (found[name] as unknown[]).push(value)
  else found[name] = [value]
}

function readValue(reader: Reader, property: Property): unknown {
  const { kind } = property
  if (kind === 'pair') return [reader.string(), reader.string()]
  if (kind === 'binary') return reader.binary()
  if (kind === 'string') return reader.string()
  if (kind === 'topic') {
    const topic = reader.string()
    if (topic === '' || topic.includes('+') || topic.includes('#'))
      throw problem(reader, property, 'is no topic to publish to') // [MQTT-3.3.2-14], [MQTT-4.7.3-1]
    return topic
  }
  if (kind === 'bit' || kind === 'flag') {
    const value = reader.u8()
    if (value > 1) throw problem(reader, property, `is ${value}, and may be 0 or 1`)
    return kind === 'flag' ? value === 1 : value
  }
  const value = kind === 'u16' ? reader.u16() : kind === 'u32' ? reader.u32() : reader.varint()
  if (value === 0 && property.zeroCode !== undefined)
    throw problem(reader, property, 'is 0', property.zeroCode)
  return value
}

function problem(
  reader: Reader,
  { id, name }: Property,
  what: string,
  code: number = reasonCode.protocolError,
): ProtocolError {
  return reader.error(code, `property ${id} (${name}) ${what}`)
}

/**
 * A block of properties with its length, in the order of their identifiers. That the packet may carry them is up to the caller.
 * @throws RangeError for a text or data of more than 65,535 bytes
 */
export function writeProperties(properties: Properties): Buffer {
  const parts: Buffer[] = []
  let size = 0
  for (const { id, name, kind } of propertyTable) {
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

function writeValue(id: number, kind: PropertyKind, value: unknown): Buffer {
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
