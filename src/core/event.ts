import { decodePayload, decodeText, type Message, type QoS } from './message.ts'
import type { Identity } from './ports.ts'

/**
 * What a rule's expressions and an action see of the thing that happened.
 * For `every:` and `at:` there is no message: `topic` is empty and `payload` is null. For `after:` it is the topic's last
 * message, at the time at which the silence has lasted long enough.
 */
export interface Event {
  readonly topic: string
  /** The topic's levels, `a/b` → `['a', 'b']`. */
  readonly levels: readonly string[]
  /** The decoded payload: JSON, else text, else bytes. Decoded at the first look, once a message. */
  readonly payload: unknown
  /** The payload as it came. */
  readonly bytes: Uint8Array
  readonly qos: number
  readonly retain: boolean
  readonly client: string
  /** When it arrived. */
  readonly now: Date
  /** This machine's host name. */
  readonly host: string
  /** This machine's LAN address; empty when it has none. */
  readonly ip: string
}

/** An event that may be held for a while. */
export interface KeepableEvent extends Event {
  /**
   * To be called before it is kept beyond this turn: the bytes are copied out of the chunk in which they were
   * read, if that is much larger, and what was decoded from a large payload is forgotten until it is asked for.
   */
  keep(): void
}

/** Above this size what was decoded is forgotten: it may take forty times the room of the bytes. */
const decodedBytesMax = 4_096
/** A chunk may be this much larger than the part of it that is kept. */
const spareBytesMax = 1_024

const noBytes = new Uint8Array(0)

/** An event for a message that arrived. One is shared by all the rules that the message matches. */
export function eventOf(message: Message, identity: Identity, now?: Date): KeepableEvent {
  return new LazyEvent(message, identity, now)
}

/** An event for a message of which there was one already: the same at another time. */
export function eventAgain(event: Event, identity: Identity): KeepableEvent {
  const { topic, bytes, qos, retain, client } = event
  return eventOf({ topic, payload: bytes, qos: qos as QoS, retain, client, chain: [] }, identity)
}

/** An event for a moment, without a message: of no topic, or of one that has never had any. */
export function tickOf(identity: Identity, now: Date = new Date(), topic = ''): KeepableEvent {
  return {
    topic,
    levels: topic === '' ? [] : topic.split('/'),
    payload: null,
    bytes: noBytes,
    qos: 0,
    retain: false,
    client: '',
    now,
    host: identity.host,
    ip: identity.ip,
    keep() {},
  }
}

/** One is made for each message: what few rules look at is made when they do. */
class LazyEvent implements KeepableEvent {
  readonly topic: string
  readonly qos: number
  readonly retain: boolean
  readonly client: string
  readonly #identity: Identity
  readonly #nowMs: number
  #now: Date | undefined
  #levels: readonly string[] | undefined
  /** Until somebody looks at the bytes; it may hold more than them. */
  #message: Message | undefined
  #bytes: Uint8Array | undefined
  #payload: unknown
  #isDecoded = false

  constructor(message: Message, identity: Identity, now: Date | undefined) {
    this.topic = message.topic
    this.qos = message.qos
    this.retain = message.retain
    this.client = message.client
    this.#message = message
    this.#identity = identity
    this.#now = now
    this.#nowMs = now === undefined ? Date.now() : 0
  }

  get now(): Date {
    this.#now ??= new Date(this.#nowMs)
    return this.#now
  }

  get levels(): readonly string[] {
    this.#levels ??= this.topic.split('/')
    return this.#levels
  }

  get payload(): unknown {
    if (!this.#isDecoded) {
      const text = this.#message?.text
      this.#payload = text === undefined ? decodePayload(this.bytes) : decodeText(text)
      this.#isDecoded = true
    }
    return this.#payload
  }

  get bytes(): Uint8Array {
    this.#bytes ??= this.#message?.payload ?? noBytes
    this.#message = undefined
    return this.#bytes
  }

  keep(): void {
    const { bytes } = this
    if (bytes.buffer.byteLength > bytes.length + spareBytesMax) this.#bytes = Uint8Array.from(bytes)
    if (bytes.length <= decodedBytesMax) return
    this.#isDecoded = false
    this.#payload = undefined
  }

  get host(): string {
    return this.#identity.host
  }

  get ip(): string {
    return this.#identity.ip
  }
}
