import type { QoS } from '../core/message.ts'
import { detached } from './detached.ts'
import type { StoredMessage } from './journal/records.ts'
import { copiedBytesMax, Publication, type TopicBytes } from './publication.ts'
import { putVarint, varintSize } from './wire/varint.ts'

/** A topic is a view of the text, unless that would keep more than this in memory for whoever remembers the topic. */
const viewedLengthMax = 128
/** Up to here characters are copied one by one: a call costs more. */
const loopedLengthMax = 128
/** Messages are unpacked into pieces of memory of this size. */
const chunkBytes = 16 * 1024

/**
 * A message that is kept for its topic. There may be hundreds of thousands: it is one small object and one string, for
 * which V8 takes a fraction of the memory and the time of a byte array. A `Publication` is made of it when it is sent.
 */
export class RetainedMessage implements StoredMessage, TopicBytes {
  readonly qos: QoS
  readonly client: string
  readonly expiresAtMs: number
  /** The topic, and from `bodyAt` on properties and payload, a character a byte. */
  readonly text: string
  /** Where the topic ends. */
  readonly topicEnd: number
  private readonly bodyAt: number
  private readonly propertiesLength: number
  private readonly expiryAt: number
  /** All of it, when it is large: its bytes are shared with whom it is sent to. */
  private readonly large: Publication | undefined

  /** A copy of a message; nothing of who published it is held but the client id. */
  constructor(publication: Publication) {
    const { topic, propertiesLength, payloadLength } = publication
    const bodyLength = propertiesLength + payloadLength
    const isLarge = bodyLength > copiedBytesMax
    const text = isLarge ? topic : publication.toText()
    this.text = text
    this.topicEnd = topic.length
    this.bodyAt = isLarge ? topic.length : text.length - bodyLength
    this.qos = publication.qos
    this.client = publication.client
    this.expiresAtMs = publication.expiresAtMs
    this.propertiesLength = propertiesLength
    this.expiryAt = publication.expiryOffset
    this.large = isLarge ? publication.detached(this) : undefined
  }

  get topic(): string {
    const { text, topicEnd } = this
    const topic = text.slice(0, topicEnd)
    return text.length - topicEnd <= viewedLengthMax ? topic : detached(topic)
  }

  get topicLength(): number {
    return Buffer.byteLength(this.topic)
  }

  get topicBytes(): Uint8Array {
    return Buffer.from(this.topic)
  }

  get payload(): Uint8Array {
    return this.large?.payload ?? Buffer.from(this.text.slice(this.bodyAt + this.propertiesLength), 'latin1')
  }

  get properties(): Uint8Array | undefined {
    if (this.propertiesLength === 0) return undefined
    if (this.large !== undefined) return this.large.forwardedProperties
    return Buffer.from(this.text.slice(this.bodyAt, this.bodyAt + this.propertiesLength), 'latin1')
  }

  get size(): number {
    return this.large?.length ?? this.text.length
  }

  /** Bytes of topic, payload and properties. */
  get length(): number {
    return this.large?.length ?? this.topicLength + this.text.length - this.bodyAt
  }

  /** To be sent, and then forgotten. `isV5`: to whom, most likely; that saves work. */
  toPublication(isV5: boolean): Publication {
    if (this.large !== undefined) return this.large
    const { topicLength, qos, text, topicEnd, propertiesLength } = this
    const bodyLength = text.length - this.bodyAt
    const idLength = qos > 0 ? 2 : 0
    const hasFrame = isV5 || propertiesLength === 0
    const length = 2 + topicLength + idLength + (isV5 ? varintSize(propertiesLength) : 0) + bodyLength
    const start = reserve(1 + varintSize(length) + length)
    const topicAt = putVarint(chunk, start + 1, length) + 2
    chunk[topicAt - 2] = topicLength >> 8
    chunk[topicAt - 1] = topicLength
    if (topicLength === topicEnd) putText(text, 0, topicEnd, topicAt)
    else chunk.write(this.topic, topicAt)
    const bodyAt = isV5
      ? putVarint(chunk, topicAt + topicLength + idLength, propertiesLength)
      : topicAt + topicLength + idLength
    putText(text, this.bodyAt, text.length, bodyAt)
    return Publication.received(
      this,
      qos,
      true,
      this.client,
      undefined,
      chunk,
      bodyAt + propertiesLength,
      bodyAt + bodyLength,
      undefined,
      propertiesLength,
      this.expiryAt,
      this.expiresAtMs,
      hasFrame ? start : -1,
      topicAt + topicLength - start,
      isV5,
    )
  }
}

let chunk = Buffer.alloc(0)
let used = 0

/** Makes room in `chunk`, of which nothing is ever written twice. @returns where it begins */
function reserve(length: number): number {
  if (used + length > chunk.length) {
    chunk = Buffer.allocUnsafeSlow(Math.max(length, chunkBytes))
    used = 0
  }
  const at = used
  used += length
  return at
}

function putText(text: string, from: number, to: number, at: number): void {
  if (to - from > loopedLengthMax) chunk.write(text.slice(from, to), at, 'latin1')
  else
    for (let index = from, target = at; index < to; index++, target++) chunk[target] = text.charCodeAt(index)
}
