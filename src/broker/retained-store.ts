import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AedesPublishPacket } from 'aedes'
import type { Counters } from '../core/counters.ts'
import { limitFields } from '../core/limit-keys.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { isSystemTopic } from '../core/topics.ts'
import { publicationOf } from './hub-packet.ts'
import type { Ledger } from './journal/ledger.ts'
import type { StoredMessage } from './journal/records.ts'
import { LevelTree } from './level-tree.ts'
import { Publication } from './publication.ts'
import { isExpired, RetainedCursor } from './retained-cursor.ts'
import { RetainedMessage } from './retained-message.ts'

export interface RetainedStoreParts {
  readonly log: Logger
  readonly counters: Counters
}

/** All that aedes asks of what it waits for. */
interface Settled<Value> {
  then(fulfil: (value: Value) => void): void
}

/** There at once: a promise would come a turn late, and lose the order of what is published [MQTT-4.6.0-6]. */
function settled<Value>(value: Value): Settled<Value> {
  // biome-ignore lint/suspicious/noThenProperty: it is meant to be one, and is never awaited
  return { then: (fulfil) => fulfil(value) }
}

const stored = settled(undefined)
const nobody = settled<readonly never[]>([])

/** How long a search may go on before the event loop gets its turn. */
const turnMs = 2
/** How often it is looked for what has expired, and at how many messages at a time. */
const sweepMs = 1_000
const sweptMax = 5_000

/**
 * The retained messages, in memory, and aedes' `persistence` as far as it has one: sessions are not its business.
 * At most `retainedMessagesMax` messages and `retainedBytesMax` bytes of topics, payloads and properties are retained;
 * one past it is still delivered, and not retained. What is below `$SYS` is in memory alone, and counts for nothing.
 */
export class RetainedStore {
  /** Where changes are written down, from when it is set. */
  ledger: Pick<Ledger, 'putRetained' | 'deleteRetained'> | undefined
  readonly #log: Logger
  readonly #counters: Counters
  readonly #repeats = new Repeats()
  readonly #tree = new LevelTree<RetainedMessage>()
  /** Those that will expire. */
  readonly #expiring = new Set<RetainedMessage>()
  #sweep = this.#expiring.values()
  #timer: NodeJS.Timeout | undefined
  #count = 0
  #bytes = 0

  constructor({ log, counters }: RetainedStoreParts) {
    this.#log = log
    this.#counters = counters
  }

  /** Messages that are retained. */
  get count(): number {
    return this.#count
  }

  /** Bytes of their topics, payloads and properties. */
  get bytes(): number {
    return this.#bytes
  }

  /** Called by aedes; an async function, for it looks at that. */
  async setup(_broker: unknown): Promise<void> {}

  /** Called by aedes before it delivers a message with RETAIN. An empty one clears [MQTT-3.3.1-6], [MQTT-3.3.1-7]. */
  storeRetained(packet: AedesPublishPacket): Settled<undefined> {
    const publication = publicationOf(packet)
    if (publication === undefined) return stored
    if (isSystemTopic(publication.topic)) this.#storeSystem(publication)
    else if (publication.payloadLength === 0) this.#clear(publication.topic)
    else if (this.hasRoomFor(publication)) {
      const kept = new RetainedMessage(publication)
      const isNew = this.#keep(kept, publication.length)
      this.ledger?.putRetained(kept, isNew)
    } else this.noteRefusal(publication)
    return stored
  }

  /** Called by aedes for each message of QoS 1 and 2. */
  subscriptionsByTopic(): Settled<readonly never[]> {
    return nobody
  }

  /** Called by aedes for each message of QoS 1 and 2. */
  outgoingEnqueueCombi(): Settled<undefined> {
    return stored
  }

  /** Called by aedes from time to time, for wills of other brokers. */
  streamWill(): readonly never[] {
    return []
  }

  /** Whether it would be retained, or clear what is. */
  hasRoomFor(publication: Publication): boolean {
    return this.#excess(publication) === undefined
  }

  /** Counts and logs one that has no room; for who asked, and did not publish it. */
  noteRefusal(publication: Publication): void {
    const limit = this.#excess(publication)
    if (limit === undefined) return
    this.#counters.add(limit)
    const repeats = this.#repeats.admit('full')
    if (repeats !== undefined)
      this.#log.warn(
        {
          topic: publication.topic.slice(0, 100),
          client: publication.client,
          ...limitFields(limit),
          ...repeats,
        },
        'message not retained: there are too many already',
      )
  }

  /** Whether there is one for this topic. */
  has(topic: string): boolean {
    return this.#tree.get(topic) !== undefined
  }

  /** Goes through those that match a valid filter, as fast as whoever asks wants to. */
  cursor(filter: string): RetainedCursor {
    return new RetainedCursor(this.#tree, filter)
  }

  /** Those that match; the event loop gets its turn in between. */
  async *messages(filter: string): AsyncIterable<Publication> {
    const cursor = this.cursor(filter)
    let untilMs = performance.now() + turnMs
    while (!cursor.isDone) {
      const found = cursor.next()
      if (found !== undefined) yield found.toPublication(false)
      if (performance.now() < untilMs) continue
      await nextTurn()
      untilMs = performance.now() + turnMs
    }
  }

  /**
   * Takes over what was found in the store, which is not written down again; all of it, also if it is too much. Set
   * `ledger` in the same turn: what has expired is to go there as well.
   */
  restore(messages: Iterable<StoredMessage>): void {
    for (const message of messages) {
      const { topic } = message
      if (isSystemTopic(topic)) continue // rules of earlier versions could publish there
      const topicBytes = Buffer.from(topic)
      const route = { topic, topicBytes, topicLength: topicBytes.length }
      const publication = Publication.fromStored(message, route, true)
      this.#keep(new RetainedMessage(publication), publication.length)
    }
  }

  /** Ends the search for what has expired. */
  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #excess(publication: Publication): 'retainedMessagesMax' | 'retainedBytesMax' | undefined {
    if (publication.payloadLength === 0 || isSystemTopic(publication.topic)) return undefined
    if (
      this.#count < limits.retainedMessagesMax &&
      this.#bytes + publication.length <= limits.retainedBytesMax
    )
      return undefined
    const old = this.#tree.get(publication.topic)
    if (old === undefined && this.#count >= limits.retainedMessagesMax) return 'retainedMessagesMax'
    const bytes = this.#bytes - (old?.length ?? 0) + publication.length
    return bytes > limits.retainedBytesMax ? 'retainedBytesMax' : undefined
  }

  /** It is true for as long as this process runs, and there are few: neither written down nor counted. */
  #storeSystem(publication: Publication): void {
    if (publication.payloadLength === 0) return void this.#tree.delete(publication.topic)
    const kept = new RetainedMessage(publication)
    this.#tree.set(kept.text, kept.topicEnd, kept)
  }

  /** @returns whether nothing was retained for its topic */
  #keep(message: RetainedMessage, length: number): boolean {
    const old = this.#tree.set(message.text, message.topicEnd, message)
    if (old !== undefined) this.#forget(old)
    this.#count++
    this.#bytes += length
    if (message.expiresAtMs !== 0) {
      this.#expiring.add(message)
      this.#timer ??= setInterval(() => this.#sweepSome(), sweepMs).unref()
    }
    return old === undefined
  }

  #clear(topic: string): void {
    const old = this.#tree.delete(topic)
    if (old === undefined) return
    this.#forget(old)
    this.ledger?.deleteRetained(topic)
  }

  /** Of one that is to be replaced or deleted. */
  #forget(message: RetainedMessage): void {
    this.#count--
    this.#bytes -= message.length
    if (message.expiresAtMs !== 0) this.#expiring.delete(message)
  }

  #sweepSome(): void {
    for (let looked = 0; looked < sweptMax; looked++) {
      const step = this.#sweep.next()
      if (step.done) {
        this.#sweep = this.#expiring.values()
        if (this.#expiring.size === 0) this.close()
        return
      }
      if (isExpired(step.value)) this.#clear(step.value.topic)
    }
  }
}
