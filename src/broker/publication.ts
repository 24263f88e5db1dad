import { isUtf8 } from 'node:buffer'
import type { QoS } from '../core/message.ts'
import type { BodyRef, StoredMessage } from './journal/records.ts'
import type { Receiver } from './subscription.ts'
import { expiryIn } from './wire/publish-properties.ts'
import { putVarint, varintSize } from './wire/varint.ts'

const subscriptionIdentifierId = 11
const topicAliasId = 35

/** Up to here a payload is copied for each receiver; a larger one is shared by reference. */
export const copiedBytesMax = 16 * 1024

/** One way to write a message as a PUBLISH packet; what differs from receiver to receiver is patched in the copy. */
export interface Form {
  /** The packet, or what of it goes before `payload`; its first byte is for the one who copies it. */
  readonly bytes: Uint8Array
  /** A large payload, which is not copied. */
  readonly payload: Uint8Array | undefined
  /** Where the two bytes of the packet identifier stand; where they would, without one. */
  readonly idAt: number
  /** Where the four bytes of the Message Expiry Interval stand; -1 for none. */
  readonly expiryAt: number
}

/** What a message needs of its route. */
export interface TopicBytes {
  readonly topic: string
  /** How many `topicBytes` are; cheaper than to look at them, which may not be there yet. */
  readonly topicLength: number
  /** UTF-8, without its length. */
  readonly topicBytes: Uint8Array
}

/** All that a message says of itself beside its bytes. */
export interface PublicationFields {
  readonly route: TopicBytes
  readonly qos: QoS
  /** RETAIN as the publisher set it. */
  readonly retain: boolean
  /** Client id of the publisher. */
  readonly client: string
  /** The session that published it; undefined for the house's own, and for what was restored. */
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
  /** Queues and windows that hold it. */
  holders: number
  // plain fields, and many arguments: one of these is made for each message
  private bytes: Uint8Array
  private payloadAt: number
  private end: number
  private properties: Uint8Array | undefined
  /** Bytes right before the payload that are the properties, when these were not taken out yet. */
  private propertiesBefore: number
  private readonly expiryAt: number
  /** Where the packet begins in `bytes` that receivers of its protocol may get as it is; -1 when there is none. */
  private frameAt: number
  /** Where its packet identifier stands, from its beginning. */
  private readonly frameIdAt: number
  private readonly isFrameV5: boolean
  private isOwned: boolean
  /** Below MQTT 5 without and with a packet identifier, then of MQTT 5; there once one has been made. */
  private forms: (Form | undefined)[] | undefined

  private constructor(
    route: TopicBytes,
    qos: QoS,
    retain: boolean,
    client: string,
    source: Receiver | undefined,
    expiresAtMs: number,
    chain: readonly string[] | undefined,
    bytes: Uint8Array,
    payloadAt: number,
    end: number,
    properties: Uint8Array | undefined,
    propertiesBefore: number,
    expiryAt: number,
    frameAt: number,
    frameIdAt: number,
    isFrameV5: boolean,
    isOwned: boolean,
  ) {
    this.route = route
    this.qos = qos
    this.retain = retain
    this.client = client
    this.source = source
    this.expiresAtMs = expiresAtMs
    this.chain = chain
    this.holders = 0
    this.body = undefined
    this.bytes = bytes
    this.payloadAt = payloadAt
    this.end = end
    this.properties = properties
    this.propertiesBefore = propertiesBefore
    this.expiryAt = expiryAt
    this.frameAt = frameAt
    this.frameIdAt = frameIdAt
    this.isFrameV5 = isFrameV5
    this.isOwned = isOwned
    this.forms = undefined
  }

  /**
   * A message as a client sent it: `bytes` from `payloadAt` to `end`. Its properties are `properties`, or the
   * `propertiesBefore` bytes before the payload. `expiryAt` is the offset of the Message Expiry Interval in them, or
   * -1. `frameAt` is where its packet begins when nothing in it is for the broker alone,
   * so that receivers of the same protocol may get these very bytes, else -1; `frameIdAt` counts from there.
   */
  static received(
    route: TopicBytes,
    qos: QoS,
    retain: boolean,
    client: string,
    source: Receiver | undefined,
    bytes: Uint8Array,
    payloadAt: number,
    end: number,
    properties: Uint8Array | undefined,
    propertiesBefore: number,
    expiryAt: number,
    expiresAtMs: number,
    frameAt: number,
    frameIdAt: number,
    isV5: boolean,
  ): Publication {
    return new Publication(
      route,
      qos,
      retain,
      client,
      source,
      expiresAtMs,
      undefined,
      bytes,
      payloadAt,
      end,
      properties,
      propertiesBefore,
      expiryAt,
      frameAt,
      frameIdAt,
      isV5,
      false,
    )
  }

  /** A message of the house, or one that was restored. The bytes are kept, not copied. */
  static of(
    fields: PublicationFields,
    payload: Uint8Array,
    properties?: Uint8Array,
    expiryAt = -1,
  ): Publication {
    return new Publication(
      fields.route,
      fields.qos,
      fields.retain,
      fields.client,
      fields.source,
      fields.expiresAtMs ?? 0,
      fields.chain,
      payload,
      0,
      payload.length,
      properties,
      0,
      expiryAt,
      -1,
      0,
      false,
      true,
    )
  }

  static fromStored(
    message: StoredMessage,
    route: TopicBytes,
    retain: boolean,
    source?: Receiver,
  ): Publication {
    const { qos, client, expiresAtMs, payload, properties } = message
    const expiryAt = properties === undefined || expiresAtMs === 0 ? -1 : expiryIn(properties).expiryAt
    return Publication.of({ route, qos, retain, client, source, expiresAtMs }, payload, properties, expiryAt)
  }

  get topic(): string {
    return this.route.topic
  }

  /** A view of the payload; `own` the message first if it is to be kept. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadAt, this.end)
  }

  /** The payload as text, without a copy of its bytes; undefined when it is not UTF-8, or does not lie in a Buffer. */
  get text(): string | undefined {
    const { bytes, payloadAt, end } = this
    if (!(bytes instanceof Buffer)) return undefined
    const text = bytes.toString('utf8', payloadAt, end)
    // what cannot be decoded becomes U+FFFD, which may also stand there
    return text.includes('\ufffd') && !isUtf8(this.payload) ? undefined : text
  }

  get payloadLength(): number {
    return this.end - this.payloadAt
  }

  /** MQTT 5 properties to forward as they stand on the wire, without their length. */
  get forwardedProperties(): Uint8Array | undefined {
    if (this.propertiesBefore > 0) {
      this.properties = this.bytes.subarray(this.payloadAt - this.propertiesBefore, this.payloadAt)
      this.propertiesBefore = 0
    }
    return this.properties
  }

  get propertiesLength(): number {
    return this.propertiesBefore > 0 ? this.propertiesBefore : (this.properties?.length ?? 0)
  }

  /** Bytes of topic, payload and properties. */
  get length(): number {
    return this.route.topicLength + this.propertiesLength + this.end - this.payloadAt
  }

  /** Bytes that it holds in memory while it waits somewhere, about. */
  get size(): number {
    return this.length + overheadBytes
  }

  /** Offset of the Message Expiry Interval's value in the properties; -1 for none. */
  get expiryOffset(): number {
    return this.expiryAt
  }

  /** Copies the bytes out of the chunk in which they came, once. */
  own(): this {
    if (this.isOwned) return this
    this.isOwned = true
    const properties = this.forwardedProperties
    if (properties !== undefined) this.properties = copyOf(properties)
    this.bytes = copyOf(this.payload)
    this.end -= this.payloadAt
    this.payloadAt = 0
    this.frameAt = -1
    this.forms = undefined
    return this
  }

  /**
   * Bytes of the packet as it came, when a receiver may get it so; 0 when it must be written anew.
   * To be copied with `copyFrame`, which is cheaper than a form for a short message to one receiver.
   */
  frameSize(isV5: boolean, hasId: boolean): number {
    if (this.frameAt === -1 || this.isFrameV5 !== isV5 || this.qos > 0 !== hasId) return 0
    return this.end - this.frameAt
  }

  /** Copies the packet as it came. @returns where its packet identifier stands in it */
  copyFrame(to: Uint8Array, at: number): number {
    const { bytes, end } = this
    // for some forty bytes a loop costs less than a view and a call
    for (let from = this.frameAt, target = at; from < end; from++, target++)
      to[target] = bytes[from] as number
    return this.frameIdAt
  }

  /** How it is written for MQTT 5 or below, with or without a packet identifier. Made once each. */
  form(isV5: boolean, hasId: boolean): Form {
    this.forms ??= [undefined, undefined, undefined, undefined]
    const index = (isV5 ? 2 : 0) + (hasId ? 1 : 0)
    const made = this.forms[index]
    if (made !== undefined) return made
    const form = this.plainForm(isV5, hasId)
    this.forms[index] = form
    return form
  }

  /**
   * A form of MQTT 5 for one receiver alone. `alias` is 0 for none; `isKnown`: the receiver knows it already, and the
   * topic is left out.
   */
  formFor(hasId: boolean, identifiers: readonly number[], alias: number, isKnown: boolean): Form {
    return this.encode(true, hasId, identifiers, alias, isKnown)
  }

  /** The same under another topic, for one receiver: it shares the bytes, and holds as long as they do. */
  renamed(route: TopicBytes): Publication {
    const { qos, retain, client, source, expiresAtMs, expiryAt } = this
    const fields = { route, qos, retain, client, source, expiresAtMs }
    return Publication.of(fields, this.payload, this.forwardedProperties, expiryAt)
  }

  /** The same with bytes of its own, and without what ties it to who published it. */
  detached(route: TopicBytes): Publication {
    const { qos, retain, client, expiresAtMs, forwardedProperties: properties, expiryAt } = this
    const fields = { route, qos, retain, client, expiresAtMs }
    return Publication.of(fields, copyOf(this.payload), properties && copyOf(properties), expiryAt)
  }

  /** As text: the topic first, properties and payload last, a character a byte. */
  toText(): string {
    const { bytes, payloadAt, end, properties, propertiesBefore, frameAt } = this
    const { topic, topicLength } = this.route
    if (frameAt !== -1 && topicLength === topic.length)
      return textOf(bytes, frameAt + this.frameIdAt - topicLength, end)
    const body = textOf(bytes, payloadAt - propertiesBefore, end)
    return propertiesBefore > 0 || properties === undefined
      ? topic + body
      : topic + textOf(properties, 0, properties.length) + body
  }

  /** For the store; `own`s it. */
  toStored(): StoredMessage {
    this.own()
    const { topic, payload, qos, forwardedProperties: properties, expiresAtMs, client } = this
    return { topic, payload, qos, properties, expiresAtMs, client }
  }

  private plainForm(isV5: boolean, hasId: boolean): Form {
    const frameSize = this.frameSize(isV5, hasId)
    if (frameSize === 0) return this.encode(isV5, hasId, none, 0, false)
    const propertiesAt = this.payloadAt - this.propertiesLength - this.frameAt
    const isLarge = this.payloadLength > copiedBytesMax
    return {
      bytes: this.bytes.subarray(this.frameAt, isLarge ? this.payloadAt : this.end),
      payload: isLarge ? this.payload : undefined,
      idAt: this.frameIdAt,
      expiryAt: this.expiryAt === -1 ? -1 : propertiesAt + this.expiryAt,
    }
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
    const properties = isV5 ? this.forwardedProperties : undefined
    let propertiesLength = 0
    if (isV5) {
      propertiesLength = (properties?.length ?? 0) + (alias === 0 ? 0 : 3)
      for (const identifier of identifiers) propertiesLength += 1 + varintSize(identifier)
    }
    const length =
      2 +
      topicLength +
      (hasId ? 2 : 0) +
      (isV5 ? varintSize(propertiesLength) + propertiesLength : 0) +
      (this.end - this.payloadAt)
    const size = 1 + varintSize(length) + length
    const isLarge = this.payloadLength > copiedBytesMax
    const bytes = new Uint8Array(isLarge ? size - this.payloadLength : size)
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
      if (properties !== undefined) {
        if (this.expiryAt !== -1) expiryAt = at + this.expiryAt
        bytes.set(properties, at)
        at += properties.length
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
    if (isLarge) return { bytes, payload: this.payload, idAt, expiryAt }
    if (this.payloadAt === 0 && this.end === this.bytes.length) bytes.set(this.bytes, at)
    else bytes.set(this.bytes.subarray(this.payloadAt, this.end), at)
    return { bytes, payload: undefined, idAt, expiryAt }
  }
}

/** Of a Buffer a Buffer, but never a part of a larger one, as Buffer's own `slice` is. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes)
}

function textOf(bytes: Uint8Array, from: number, to: number): string {
  const buffer =
    bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('latin1', from, to)
}

const none: readonly number[] = []

/** What a message costs beside its bytes, about, while it waits: measured with V8 of Node 20, with its row for the store. */
const overheadBytes = 430
