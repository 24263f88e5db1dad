import type { QoS } from '../core/message.ts'
import type { BodyRef, StoredMessage } from './journal/records.ts'
import type { Receiver } from './subscription.ts'
import { putVarint, varintSize } from './wire/varint.ts'

const messageExpiryIntervalId = 2
const subscriptionIdentifierId = 11
const topicAliasId = 35

/** One way to write a message as a PUBLISH packet; what differs from receiver to receiver is patched in the copy. */
export interface Form {
  /** The packet; its first byte is for the one who copies it. */
  readonly bytes: Uint8Array
  /** Where the two bytes of the packet identifier stand; where they would, without one. */
  readonly idAt: number
  /** Where the four bytes of the Message Expiry Interval stand; -1 for none. */
  readonly expiryAt: number
}

/** What a message needs of its route. */
export interface TopicBytes {
  readonly topic: string
  /** UTF-8, without its length. */
  readonly topicBytes: Uint8Array
}

/** A PUBLISH packet in the bytes where it was read; all numbers are offsets. */
export interface Frame {
  readonly bytes: Uint8Array
  readonly start: number
  /** Where the two bytes of the topic's length stand. */
  readonly topicAt: number
  readonly payloadAt: number
  readonly end: number
  readonly isV5: boolean
}

/** All that a message says of itself beside its bytes. */
export interface PublicationFields {
  readonly route: TopicBytes
  readonly qos: QoS
  /** RETAIN as the publisher set it. */
  readonly retain: boolean
  /** Client id of the publisher. */
  readonly client: string
  /** The session that published it; undefined for what no session did, such as the house, wills, what was restored. */
  readonly source?: Receiver | undefined
  /** When it expires, ms since 1970; 0 for never. */
  readonly expiresAtMs?: number
  /** The rules that led to it, for messages of the house. */
  readonly chain?: readonly string[] | undefined
}

/**
 * A message on its way through the broker: read once, written once for each distinct form, shared by all receivers.
 * Its bytes may be a view of the chunk in which they came: what keeps a message beyond the present turn of the event
 * loop calls `own` first.
 */
export class Publication {
  readonly route: TopicBytes
  readonly qos: QoS
  readonly retain: boolean
  readonly client: string
  readonly source: Receiver | undefined
  readonly expiresAtMs: number
  readonly chain: readonly string[] | undefined
  /** Its body in the store, as long as a delivery refers to it. */
  body: BodyRef | undefined
  // plain fields: one of these is made for each message
  private bytes: Uint8Array
  private payloadAt: number
  private end: number
  private properties: Uint8Array | undefined
  private readonly expiryAt: number
  private isOwned: boolean
  private v4: Form | undefined
  private v4WithId: Form | undefined
  private v5: Form | undefined
  private v5WithId: Form | undefined

  private constructor(
    fields: PublicationFields,
    bytes: Uint8Array,
    payloadAt: number,
    end: number,
    properties: Uint8Array | undefined,
    expiryAt: number,
    isOwned: boolean,
  ) {
    this.route = fields.route
    this.qos = fields.qos
    this.retain = fields.retain
    this.client = fields.client
    this.source = fields.source
    this.expiresAtMs = fields.expiresAtMs ?? 0
    this.chain = fields.chain
    this.body = undefined
    this.bytes = bytes
    this.payloadAt = payloadAt
    this.end = end
    this.properties = properties
    this.expiryAt = expiryAt
    this.isOwned = isOwned
    this.v4 = undefined
    this.v4WithId = undefined
    this.v5 = undefined
    this.v5WithId = undefined
  }

  /**
   * A message as a client sent it. `isWhole`: nothing in the packet is for the broker alone, so that receivers of the
   * same protocol may get these very bytes. `expiryAt` is the offset of the Message Expiry Interval in `properties`.
   */
  static fromFrame(
    fields: PublicationFields,
    frame: Frame,
    properties: Uint8Array | undefined,
    expiryAt: number,
    isWhole: boolean,
  ): Publication {
    const { bytes, start, payloadAt, end, isV5 } = frame
    const made = new Publication(fields, bytes, payloadAt, end, properties, expiryAt, false)
    if (isWhole) {
      const idAt = frame.topicAt + 2 + fields.route.topicBytes.length - start
      const propertiesAt = payloadAt - (properties?.length ?? 0) - start
      const form = {
        bytes: bytes.subarray(start, end),
        idAt,
        expiryAt: expiryAt === -1 ? -1 : propertiesAt + expiryAt,
      }
      if (isV5) {
        if (fields.qos > 0) made.v5WithId = form
        else made.v5 = form
      } else if (fields.qos > 0) made.v4WithId = form
      else made.v4 = form
    }
    return made
  }

  /** A message of the house, or one that was restored. The bytes are kept, not copied. */
  static of(
    fields: PublicationFields,
    payload: Uint8Array,
    properties?: Uint8Array,
    expiryAt = -1,
  ): Publication {
    return new Publication(fields, payload, 0, payload.length, properties, expiryAt, true)
  }

  static fromStored(message: StoredMessage, route: TopicBytes, retain: boolean): Publication {
    const { qos, client, expiresAtMs, payload, properties } = message
    const expiryAt = properties === undefined ? -1 : expiryOffset(properties)
    return Publication.of({ route, qos, retain, client, expiresAtMs }, payload, properties, expiryAt)
  }

  get topic(): string {
    return this.route.topic
  }

  /** A view of the payload; `own` the message first if it is to be kept. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadAt, this.end)
  }

  get payloadLength(): number {
    return this.end - this.payloadAt
  }

  /** MQTT 5 properties to forward as they stand on the wire, without their length. */
  get forwardedProperties(): Uint8Array | undefined {
    return this.properties
  }

  /** Bytes that it holds in memory while it waits somewhere, about. */
  get size(): number {
    return (
      this.end - this.payloadAt + this.route.topicBytes.length + (this.properties?.length ?? 0) + overheadBytes
    )
  }

  /** Copies the bytes out of the chunk in which they came, once. */
  own(): this {
    if (this.isOwned) return this
    this.isOwned = true
    this.bytes = Uint8Array.prototype.slice.call(this.bytes, this.payloadAt, this.end)
    this.end -= this.payloadAt
    this.payloadAt = 0
    if (this.properties !== undefined) this.properties = Uint8Array.prototype.slice.call(this.properties)
    this.v4 = undefined
    this.v4WithId = undefined
    this.v5 = undefined
    this.v5WithId = undefined
    return this
  }

  /** How it is written for MQTT 5 or below, with or without a packet identifier. Made once each. */
  form(isV5: boolean, hasId: boolean): Form {
    if (isV5) {
      if (hasId) return (this.v5WithId ??= this.encode(true, true, none, 0, false))
      return (this.v5 ??= this.encode(true, false, none, 0, false))
    }
    if (hasId) return (this.v4WithId ??= this.encode(false, true, none, 0, false))
    return (this.v4 ??= this.encode(false, false, none, 0, false))
  }

  /**
   * A form of MQTT 5 for one receiver alone. `alias` is 0 for none; `isKnown`: the receiver knows it already, and the
   * topic is left out.
   */
  formFor(hasId: boolean, identifiers: readonly number[], alias: number, isKnown: boolean): Form {
    return this.encode(true, hasId, identifiers, alias, isKnown)
  }

  /** The same, to be kept for its topic: with bytes of its own, and without what ties it to who published it. */
  toRetained(): Publication {
    const { route, qos, client, expiresAtMs, expiryAt } = this
    const payload = Uint8Array.prototype.slice.call(this.bytes, this.payloadAt, this.end)
    const properties = this.properties && Uint8Array.prototype.slice.call(this.properties)
    return Publication.of({ route, qos, retain: true, client, expiresAtMs }, payload, properties, expiryAt)
  }

  /** For the store; `own`s it. */
  toStored(): StoredMessage {
    this.own()
    const { topic, payload, qos, properties, expiresAtMs, client } = this
    return { topic, payload, qos, properties, expiresAtMs, client }
  }

  private encode(
    isV5: boolean,
    hasId: boolean,
    identifiers: readonly number[],
    alias: number,
    isKnown: boolean,
  ): Form {
    const { topicBytes } = this.route
    const topicLength = isKnown ? 0 : topicBytes.length
    let propertiesLength = 0
    if (isV5) {
      propertiesLength = (this.properties?.length ?? 0) + (alias === 0 ? 0 : 3)
      for (const identifier of identifiers) propertiesLength += 1 + varintSize(identifier)
    }
    const length =
      2 +
      topicLength +
      (hasId ? 2 : 0) +
      (isV5 ? varintSize(propertiesLength) + propertiesLength : 0) +
      (this.end - this.payloadAt)
    const bytes = new Uint8Array(1 + varintSize(length) + length)
    let at = putVarint(bytes, 1, length)
    bytes[at++] = topicLength >> 8
    bytes[at++] = topicLength
    if (!isKnown) bytes.set(topicBytes, at)
    at += topicLength
    const idAt = at
    if (hasId) at += 2
    let expiryAt = -1
    if (isV5) {
      at = putVarint(bytes, at, propertiesLength)
      if (this.properties !== undefined) {
        if (this.expiryAt !== -1) expiryAt = at + this.expiryAt
        bytes.set(this.properties, at)
        at += this.properties.length
      }
      if (alias !== 0) {
        bytes[at++] = topicAliasId
        bytes[at++] = alias >> 8
        bytes[at++] = alias
      }
      for (const identifier of identifiers) {
        bytes[at++] = subscriptionIdentifierId
        at = putVarint(bytes, at, identifier)
      }
    }
    if (this.payloadAt === 0 && this.end === this.bytes.length) bytes.set(this.bytes, at)
    else bytes.set(this.bytes.subarray(this.payloadAt, this.end), at)
    return { bytes, idAt, expiryAt }
  }
}

const none: readonly number[] = []

/** What a message costs beside its bytes, about: measured with V8 of Node 20. */
const overheadBytes = 200

/**
 * Where the value of the Message Expiry Interval stands in properties that were checked; -1 for none.
 * The broker writes those of one message with the interval first, or finds it by scanning once.
 */
function expiryOffset(properties: Uint8Array): number {
  let at = 0
  while (at < properties.length) {
    const id = properties[at++] as number
    switch (id) {
      case messageExpiryIntervalId:
        return at
      case 1: // Payload Format Indicator
        at += 1
        break
      case 38: // User Property: a pair
        at += 2 + lengthAt(properties, at)
        at += 2 + lengthAt(properties, at)
        break
      default: // Content Type, Response Topic, Correlation Data
        at += 2 + lengthAt(properties, at)
    }
  }
  return -1
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}
