import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { LastMessage } from '../core/memory.ts'
import { decodePayload, type Message } from '../core/message.ts'

/**
 * The last message on each topic that an expression names in `last(…)`, and on no other. All payloads together take at
 * most `lastBytesMax`; of one that does not fit only its size is kept.
 */
export class LastMessages {
  readonly #counters: Counters
  readonly #slots = new Map<string, LastSlot>()
  #bytes = 0

  constructor(counters: Counters) {
    this.#counters = counters
  }

  /** Begins to remember these topics as well. @returns the slots that are new, and empty */
  want(topics: Iterable<string>): readonly LastSlot[] {
    const fresh: LastSlot[] = []
    for (const topic of topics) {
      if (this.#slots.has(topic)) continue
      const slot = new LastSlot(topic, (before, after) => this.#admits(before, after))
      this.#slots.set(topic, slot)
      fresh.push(slot)
    }
    return fresh
  }

  /** Forgets all other topics. */
  keepOnly(topics: ReadonlySet<string>): void {
    for (const [topic, slot] of this.#slots) {
      if (topics.has(topic)) continue
      this.#bytes -= slot.keptBytes
      this.#slots.delete(topic)
    }
  }

  get slots(): Iterable<LastSlot> {
    return this.#slots.values()
  }

  /** Where messages on this topic are to be noted; undefined when nobody asks for them. */
  slot(topic: string): LastSlot | undefined {
    return this.#slots.get(topic)
  }

  /** The last messages on these topics as they are now. */
  capture(topics: readonly string[]): ReadonlyMap<string, LastMessage> {
    const found = new Map<string, LastMessage>()
    for (const topic of topics) {
      const message = this.#slots.get(topic)?.message
      if (message !== undefined) found.set(topic, message)
    }
    return found
  }

  #admits(bytesBefore: number, bytesAfter: number): boolean {
    const isFitting = this.#bytes - bytesBefore + bytesAfter <= limits.lastBytesMax
    this.#bytes += (isFitting ? bytesAfter : 0) - bytesBefore
    if (!isFitting) this.#counters.add('lastBytesMax')
    return isFitting
  }
}

/** One topic's last message. */
export class LastSlot {
  readonly topic: string
  readonly #admits: (bytesBefore: number, bytesAfter: number) => boolean
  #message: Remembered | undefined

  constructor(topic: string, admits: (bytesBefore: number, bytesAfter: number) => boolean) {
    this.topic = topic
    this.#admits = admits
  }

  get message(): LastMessage | undefined {
    return this.#message
  }

  get keptBytes(): number {
    return this.#message === undefined || this.#message.isTooLarge ? 0 : this.#message.bytes
  }

  note(message: Message, time: Date = new Date()): void {
    const isTooLarge = !this.#admits(this.keptBytes, message.payload.length)
    this.#message = new Remembered(message, time, isTooLarge)
  }

  /** As `note`, for a message from the store: what has come since `known` was the last one is newer. */
  noteRetained(message: Message, known: LastMessage | undefined): void {
    if (this.#message === known) this.note(message)
  }
}

class Remembered implements LastMessage {
  readonly topic: string
  readonly qos: number
  readonly retain: boolean
  readonly time: Date
  readonly bytes: number
  readonly isTooLarge: boolean
  /** A copy: the message's bytes are part of a larger chunk. */
  #encoded: Uint8Array | undefined
  #payload: unknown

  constructor({ topic, payload, qos, retain }: Message, time: Date, isTooLarge: boolean) {
    this.topic = topic
    this.qos = qos
    this.retain = retain
    this.time = time
    this.bytes = payload.length
    this.isTooLarge = isTooLarge
    if (!isTooLarge) this.#encoded = Uint8Array.from(payload)
  }

  get payload(): unknown {
    if (this.#encoded !== undefined) {
      this.#payload = decodePayload(this.#encoded)
      this.#encoded = undefined
    }
    return this.#payload
  }
}
