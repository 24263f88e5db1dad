import { createRequire } from 'node:module'
import { limits } from './limits.ts'

/** A resource record as far as services and addresses need it; the names as DNS writes them, without the last dot. */
export type DnsRecord = {
  readonly name: string
  /** Seconds for which it counts; 0 takes it back. */
  readonly ttl: number
  /** Whoever tells it tells all records of this name and type: what was known before is gone (RFC 6762 §10.2). */
  readonly flush?: boolean
} & DnsData

export type DnsData =
  | { readonly type: 'PTR'; readonly data: string }
  | { readonly type: 'A' | 'AAAA'; readonly data: string }
  | { readonly type: 'SRV'; readonly data: { readonly target: string; readonly port: number } }
  | { readonly type: 'TXT'; readonly data: readonly Uint8Array[] }

export interface DnsQuestion {
  readonly name: string
  /** `PTR`, `ANY`, … */
  readonly type: string
}

export interface DnsMessage {
  /** 0 but for those that ask from another port than 5353. */
  readonly id: number
  readonly isResponse: boolean
  readonly questions: readonly DnsQuestion[]
  /** In a query: what the asker knows already. */
  readonly answers: readonly DnsRecord[]
  /** In a query: what the asker would like to tell from now on. */
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
}

/** As the package knows a message; what it reads may have any form. */
interface Packet {
  readonly id?: number
  readonly type: 'query' | 'response'
  readonly flags?: number
  readonly opcode?: string
  readonly rcode?: string
  readonly questions?: readonly DnsQuestion[]
  readonly answers?: readonly unknown[]
  readonly authorities?: readonly unknown[]
  readonly additionals?: readonly unknown[]
}

// by `require`: what `import` does to learn the names that a CommonJS package exports costs 8 MB
const { decode, encode, AUTHORITATIVE_ANSWER } = createRequire(import.meta.url)('dns-packet') as {
  decode(bytes: Uint8Array): Packet
  encode(packet: Packet): Buffer
  readonly AUTHORITATIVE_ANSWER: number
}

const headerBytes = 12

/**
 * Reads what came from anybody. Never throws: undefined for what is no message, is larger than `mdnsBytesMax`, has more
 * than `mdnsRecordsMax` questions and records, or is no plain question or answer (RFC 6762 §18). Records of other kinds
 * than ours are left out.
 */
export function decodeMessage(bytes: Buffer): DnsMessage | undefined {
  if (bytes.length < headerBytes || bytes.length > limits.mdnsBytesMax) return undefined
  const counts = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at))
  if (counts.reduce((sum, count) => sum + count, 0) > limits.mdnsRecordsMax) return undefined
  let packet: Packet
  try {
    packet = decode(bytes)
  } catch {
    return undefined
  }
  if (packet.opcode !== 'QUERY' || packet.rcode !== 'NOERROR') return undefined
  return {
    id: packet.id ?? 0,
    isResponse: packet.type === 'response',
    questions: packet.questions ?? [],
    answers: (packet.answers ?? []).filter(isOurs),
    authorities: (packet.authorities ?? []).filter(isOurs),
    additionals: (packet.additionals ?? []).filter(isOurs),
  }
}

export function encodeMessage(message: Partial<DnsMessage>): Buffer {
  const { isResponse = false, ...sections } = message
  return encode({
    type: isResponse ? 'response' : 'query',
    flags: isResponse ? AUTHORITATIVE_ANSWER : 0,
    ...sections,
  })
}

/** Names of DNS differ in case alone, or not at all (RFC 6762 §16). */
export function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}

/** Whether two say the same, whatever the case of names in them. */
export function isSameRecord(one: DnsRecord, other: DnsRecord): boolean {
  return isSameName(one.name, other.name) && one.type === other.type && dataKey(one) === dataKey(other)
}

function dataKey(record: DnsRecord): string {
  if (record.type === 'SRV') return `${record.data.port} ${record.data.target.toLowerCase()}`
  if (record.type === 'TXT') return record.data.map((part) => Buffer.from(part).toString('base64')).join(' ')
  return record.data.toLowerCase()
}

function isOurs(found: unknown): found is DnsRecord {
  const { name, type, ttl, data } = found as { readonly [key in 'name' | 'type' | 'ttl' | 'data']?: unknown }
  if (typeof name !== 'string' || typeof ttl !== 'number') return false
  if (type === 'PTR' || type === 'A' || type === 'AAAA') return typeof data === 'string'
  if (type === 'TXT') return Array.isArray(data) && data.every((part: unknown) => part instanceof Uint8Array)
  if (type !== 'SRV' || typeof data !== 'object' || data === null) return false
  const { target, port } = data as { readonly target?: unknown; readonly port?: unknown }
  return typeof target === 'string' && typeof port === 'number'
}
