import { Readable } from 'node:stream'
import LevelPersistence, {
  type StoredPacket,
  type Thenable,
} from 'aedes-persistence-level/asyncPersistence.js'
import type { ClassicLevel } from 'classic-level'
import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { matchesFilter } from '../core/topics.ts'

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

/**
 * aedes' persistence over LevelDB, with the retained messages in memory as well. aedes' own reads them from
 * the disk, so that a new subscriber may get an old state after the newer one, and two writes to a topic may
 * overtake each other; here the newest is what is read, and writes go one batch after the other.
 * At most `retainedMessagesMax` messages and `retainedBytesMax` bytes are retained; one past it is still
 * delivered, and not retained.
 */
export class DurableState extends LevelPersistence {
  readonly #parts: DurableStateParts
  readonly #retained = new Map<string, StoredPacket>()
  readonly #repeats = new Repeats()
  #retainedBytes = 0
  #unwritten = new Map<string, StoredPacket>()
  #writing: Promise<void> | undefined

  constructor(parts: DurableStateParts) {
    super(parts.level)
    this.#parts = parts
  }

  override async setup(broker: unknown): Promise<void> {
    await super.setup(broker)
    for await (const packet of super.createRetainedStream('#')) this.#keep(packet as StoredPacket)
  }

  override storeRetained(packet: StoredPacket): Thenable {
    if (!this.#hasRoomFor(packet)) return done
    if (packet.payload.length === 0)
      this.#forget(packet.topic) // [MQTT-3.3.1-10]
    else this.#keep(packet)
    this.#unwritten.set(packet.topic, packet)
    this.#writing ??= this.#writeAll()
    return done
  }

  override createRetainedStream(filter: string): Readable {
    return Readable.from(this.#matching([filter]))
  }

  override createRetainedStreamCombi(filters: readonly string[]): Readable {
    return Readable.from(this.#matching(filters))
  }

  /** Resolves when all that was retained is written. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  *#matching(filters: readonly string[]): Iterable<StoredPacket> {
    const isExact = filters.every((filter) => !filter.includes('+') && !filter.includes('#'))
    // the Map is read while the stream is: what is retained meanwhile is sent as it is then
    for (const topic of isExact ? filters : this.#retained.keys()) {
      const packet = this.#retained.get(topic)
      if (packet !== undefined && filters.some((filter) => matchesFilter(filter, topic))) yield packet
    }
  }

  #keep(packet: StoredPacket): void {
    this.#forget(packet.topic)
    this.#retained.set(packet.topic, packet)
    this.#retainedBytes += packet.payload.length
  }

  #forget(topic: string): void {
    this.#retainedBytes -= this.#retained.get(topic)?.payload.length ?? 0
    this.#retained.delete(topic)
  }

  #hasRoomFor({ topic, payload }: StoredPacket): boolean {
    if (payload.length === 0) return true
    const old = this.#retained.get(topic)
    const bytes = this.#retainedBytes - (old?.payload.length ?? 0) + payload.length
    const isTooMany = old === undefined && this.#retained.size >= limits.retainedMessagesMax
    if (!isTooMany && bytes <= limits.retainedBytesMax) return true
    this.#parts.counters.add(isTooMany ? 'retainedMessagesMax' : 'retainedBytesMax')
    const repeats = this.#repeats.admit('full')
    if (repeats !== undefined)
      this.#parts.log.warn({ topic, ...repeats }, 'message not retained: there are too many already')
    return false
  }

  async #writeAll(): Promise<void> {
    await undefined // all of this turn goes into one batch
    while (this.#unwritten.size > 0) {
      const batch = this.#unwritten
      this.#unwritten = new Map()
      try {
        await Promise.all([...batch.values()].map((packet) => super.storeRetained(packet)))
      } catch (error) {
        const repeats = this.#repeats.admit('write')
        if (repeats !== undefined)
          this.#parts.log.error(
            { reason: reasonOf(error), ...repeats },
            'retained messages could not be written',
          )
      }
    }
    this.#writing = undefined
  }
}
