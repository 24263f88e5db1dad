import { Readable } from 'node:stream'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import LevelPersistence, {
  type StoredPacket,
  type Thenable,
} from 'aedes-persistence-level/asyncPersistence.js'
import type { ClassicLevel } from 'classic-level'
import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import { InOrder } from '../core/in-order.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { FilterIndex } from '../core/topics.ts'
import { SessionQueues } from './session-queues.ts'

export interface DurableStateParts {
  readonly level: ClassicLevel<string, Buffer>
  readonly log: Logger
  readonly counters: Counters
}

/** What aedes waits for is there at once: a promise would come a turn late, and lose the order [MQTT-4.6.0-6]. */
const done: Thenable = {
  // biome-ignore lint/suspicious/noThenProperty: it is meant to be one, and is never awaited
  then: (fulfil) => fulfil(),
}

/** How long until a store that could not be written is opened anew. */
const retryMs = 2_000
/** How long a search may go on before the event loop gets its turn. */
const turnMs = 2

/**
 * aedes' persistence over LevelDB, with the retained messages in memory as well. aedes' own reads them from
 * the disk, so that a new subscriber may get an old state after the newer one, and two writes to a topic may
 * overtake each other; here the newest is what is read, and writes go one batch after the other. A disk that
 * refuses them is tried again until it takes them: LevelDB is opened anew then, for after a failed write it
 * may lose what is written next.
 * What waits for the clients of persistent sessions is written side by side, and goes on in the order in which it came.
 * At most `retainedMessagesMax` messages and `retainedBytesMax` bytes, topics included, are retained; one past
 * it is still delivered, and not retained.
 */
export class DurableState extends LevelPersistence {
  readonly #parts: DurableStateParts
  readonly #retained = new Map<string, StoredPacket>()
  readonly #repeats = new Repeats()
  readonly #closing = new AbortController()
  readonly #queues: SessionQueues
  readonly #enqueued = new InOrder()
  /** For each client whose messages are about to be sent. */
  readonly #updated = new Map<string, InOrder>()
  #retainedBytes = 0
  #unwritten = new Map<string, StoredPacket>()
  #writing: Promise<void> | undefined
  #isSick = false

  constructor(parts: DurableStateParts) {
    super(parts.level)
    this.#parts = parts
    this.#queues = new SessionQueues(parts)
  }

  /** Reads the whole store once, so that damage is found now. @throws LevelDB's error */
  async load(): Promise<void> {
    for await (const [key, value] of this.#parts.level.iterator()) this.#queues.found(key, value.length)
    for await (const packet of super.createRetainedStream('#')) this.#keep(packet as StoredPacket)
  }

  override storeRetained(packet: StoredPacket): Thenable {
    const { topic, payload } = packet
    if (payload.length === 0 && !this.#retained.has(topic)) return done
    if (!this.#hasRoomFor(packet)) return done
    if (payload.length === 0)
      this.#forget(topic) // [MQTT-3.3.1-10]
    else this.#keep(packet)
    this.#unwritten.set(topic, this.#retained.get(topic) ?? packet)
    this.#writing ??= this.#writeAll()
    return done
  }

  override createRetainedStream(filter: string): Readable {
    return Readable.from(this.#matching([filter]))
  }

  override createRetainedStreamCombi(filters: readonly string[]): Readable {
    return Readable.from(this.#matching(filters))
  }

  /**
   * Called for each client that begins a clean session, before CONNACK. What was queued for its old one goes as well
   * [MQTT-3.1.2-6]: aedes does that only while the client stays, and one may connect clean for nothing else.
   */
  override async cleanIncoming(client: { readonly id: string }): Promise<void> {
    await super.cleanIncoming(client)
    for (const kind of ['outgoing', 'outgoing-id']) {
      const prefix = `${kind}:${encodeURIComponent(client.id)}` // as the package writes its keys
      await this.#parts.level.clear({ gte: `${prefix}:`, lt: `${prefix};` })
    }
    this.#queues.forget(client.id)
  }

  override async outgoingEnqueue(
    subscription: { readonly clientId: string },
    packet: StoredPacket,
  ): Promise<void> {
    if (!this.#queues.admits(subscription.clientId, sizeOf(packet))) return
    try {
      await super.outgoingEnqueue(subscription, packet)
    } catch (error) {
      this.#queues.left(subscription.clientId, sizeOf(packet))
      throw error
    }
  }

  /** Called for each message before it is delivered: what is called first is delivered first [MQTT-4.6.0-6]. */
  override async outgoingEnqueueCombi(
    subscriptions: readonly { readonly clientId: string }[],
    packet: StoredPacket,
  ): Promise<unknown> {
    if (subscriptions.length === 0) return packet
    // several subscriptions of one client are one entry of the store
    const byClient = [...new Map(subscriptions.map((one) => [one.clientId, one])).values()]
    return await this.#enqueued.settle(super.outgoingEnqueueCombi(byClient, packet))
  }

  /** Called for each message to a client before it is sent: what is called first is sent first [MQTT-4.6.0-6]. */
  override async outgoingUpdate(client: { readonly id: string }, packet: StoredPacket): Promise<void> {
    const updated = this.#updated.get(client.id) ?? new InOrder()
    this.#updated.set(client.id, updated)
    try {
      await updated.settle(super.outgoingUpdate(client, packet))
    } finally {
      if (updated.isIdle) this.#updated.delete(client.id)
    }
  }

  override async outgoingClearMessageId(
    client: { readonly id: string },
    packet: StoredPacket,
  ): Promise<StoredPacket | undefined> {
    const cleared = await super.outgoingClearMessageId(client, packet)
    if (cleared === undefined) return cleared
    // of QoS 2 the PUBREL is left, which has neither topic nor payload
    this.#queues.left(client.id, cleared.topic ? sizeOf(cleared) : undefined)
    return cleared
  }

  /** Resolves when all that was retained is written, or when it cannot be. Nothing is tried again after that. */
  async flush(): Promise<void> {
    this.#closing.abort()
    await this.#writing
  }

  async *#matching(filters: readonly string[]): AsyncIterable<StoredPacket> {
    const index = new FilterIndex<string>()
    for (const filter of filters) index.add(filter, filter)
    const isExact = filters.every((filter) => !filter.includes('+') && !filter.includes('#'))
    let untilMs = performance.now() + turnMs
    // the Map is read while the stream is: what is retained meanwhile is sent as it is then
    for (const topic of isExact ? new Set(filters) : this.#retained.keys()) {
      const isWanted = isExact || index.match(topic).length > 0
      const packet = isWanted ? this.#retained.get(topic) : undefined
      if (packet !== undefined) yield packet
      if (performance.now() < untilMs) continue
      await nextTurn()
      untilMs = performance.now() + turnMs
    }
  }

  #keep(packet: StoredPacket): void {
    this.#forget(packet.topic)
    // a copy: the payload is a part of the chunk in which it was read, and others may hold it as well
    this.#retained.set(packet.topic, { ...packet, payload: Buffer.from(packet.payload) })
    this.#retainedBytes += sizeOf(packet)
  }

  #forget(topic: string): void {
    const old = this.#retained.get(topic)
    if (old !== undefined) this.#retainedBytes -= sizeOf(old)
    this.#retained.delete(topic)
  }

  #hasRoomFor(packet: StoredPacket): boolean {
    const { topic, payload } = packet
    if (payload.length === 0) return true
    const old = this.#retained.get(topic)
    const bytes = this.#retainedBytes - (old === undefined ? 0 : sizeOf(old)) + sizeOf(packet)
    const isTooMany = old === undefined && this.#retained.size >= limits.retainedMessagesMax
    if (!isTooMany && bytes <= limits.retainedBytesMax) return true
    this.#parts.counters.add(isTooMany ? 'retainedMessagesMax' : 'retainedBytesMax')
    const repeats = this.#repeats.admit('full')
    if (repeats !== undefined)
      this.#parts.log.warn(
        { topic: topic.slice(0, 100), ...repeats },
        'message not retained: there are too many already',
      )
    return false
  }

  async #writeAll(): Promise<void> {
    await undefined // all of this turn goes into one batch
    while (this.#unwritten.size > 0) {
      const batch = this.#unwritten
      this.#unwritten = new Map()
      try {
        await Promise.all([...batch.values()].map((packet) => super.storeRetained(packet)))
        if (this.#isSick) this.#parts.log.info({}, 'retained messages are written again')
        this.#isSick = false
      } catch (error) {
        this.#unwritten = new Map([...batch, ...this.#unwritten]) // the newer one of a topic stays
        if (!(await this.#recover(error))) break
      }
    }
    this.#writing = undefined
  }

  /** Waits, and opens the store anew. @returns whether it is worth another try */
  async #recover(error: unknown): Promise<boolean> {
    this.#isSick = true
    const { level, log } = this.#parts
    const repeats = this.#repeats.admit('write')
    if (repeats !== undefined)
      log.error(
        { store: level.location, reason: causeOf(error), ...repeats },
        'retained messages cannot be written, trying again',
      )
    const isClosing = this.#closing.signal
    await sleep(retryMs, undefined, { signal: isClosing, ref: false }).catch(() => {})
    if (isClosing.aborted) return false
    try {
      await level.close()
      await level.open()
      for (const [topic, packet] of this.#retained)
        if (!this.#unwritten.has(topic)) this.#unwritten.set(topic, packet)
    } catch {} // the next write says why
    return true
  }
}

function sizeOf({ topic, payload }: StoredPacket): number {
  return topic.length + payload.length
}

/** What LevelDB itself says: the errors around it only say where. */
export function causeOf(error: unknown): string {
  let deepest = error
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause
  return reasonOf(deepest)
}
