import { decodePayload, type Message, type QoS } from './message.ts'
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
export function eventOf(message: Message, identity: Identity, now: Date = new Date()): KeepableEvent {
  return new LazyEvent(message, identity, now)
}

/** An event for a message of which there was one already: the same at another time. */
export function eventAgain(event: Event, identity: Identity, now: Date = new Date()): KeepableEvent {
  const { topic, bytes, qos, retain, client } = event
  return eventOf({ topic, payload: bytes, qos: qos as QoS, retain, client, chain: [] }, identity, now)
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

class LazyEvent implements KeepableEvent {
  readonly topic: string
  bytes: Uint8Array
  readonly qos: number
  readonly retain: boolean
  readonly client: string
  readonly now: Date
  readonly #identity: Identity
  #levels: readonly string[] | undefined
  #payload: { readonly value: unknown } | undefined

  constructor(message: Message, identity: Identity, now: Date) {
    this.topic = message.topic
    this.bytes = message.payload
    this.qos = message.qos
    this.retain = message.retain
    this.client = message.client
    this.now = now
    this.#identity = identity
  }

  get levels(): readonly string[] {
    this.#levels ??= this.topic.split('/')
    return this.#levels
  }

  get payload(): unknown {
    this.#payload ??= { value: decodePayload(this.bytes) }
    return this.#payload.value
  }

  keep(): void {
    if (this.bytes.buffer.byteLength > this.bytes.length + spareBytesMax)
      this.bytes = Uint8Array.from(this.bytes)
    if (this.bytes.length > decodedBytesMax) this.#payload = undefined
  }

  get host(): string {
    return this.#identity.host
  }

  get ip(): string {
    return this.#identity.ip
  }
}
