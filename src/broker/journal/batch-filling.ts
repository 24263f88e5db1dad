import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ChainedBatch, ClassicLevel } from 'classic-level'
import type { Batch, SessionChanges } from './batch.ts'
import { RecordEncoder } from './codec.ts'

/** How long a batch is prepared before the event loop gets its turn. */
const turnMs = 2
/** Work between two looks at the clock: so many records, or bytes. */
const stepRecords = 32
const stepBytes = 64 * 1024

type LevelBatch = ChainedBatch<ClassicLevel<Buffer, Buffer>, Buffer, Buffer>

/**
 * Encodes batches for LevelDB, in slices that leave the event loop free; a batch of one slice takes no turn at all.
 * @NOTE its key and value are used again as soon as `put` returns: LevelDB's batch has copied them by then
 */
export class BatchFilling {
  readonly #encoder = new RecordEncoder()
  #records = 0
  #bytes = 0
  #untilMs = 0

  /** Puts all that `batch` does into `target`. */
  async fill(target: LevelBatch, batch: Batch): Promise<void> {
    const encoder = this.#encoder
    this.#begin()
    if (batch.next !== undefined) {
      encoder.numbersKey()
      encoder.numbers(batch.next)
      this.#put(target)
    }
    for (const [topic, { value }] of batch.retained.all) {
      encoder.retainedKey(topic)
      if (value !== undefined) encoder.retained(value)
      this.#putOrDelete(target, value)
      if (this.#isLong) await this.#pause()
    }
    for (const [number, { value }] of batch.bodies.all) {
      encoder.bodyKey(number)
      if (value !== undefined) encoder.body(value)
      this.#putOrDelete(target, value)
      if (this.#isLong) await this.#pause()
    }
    for (const [number, changes] of batch.sessions) {
      await this.#fillSession(target, number, changes)
      if (this.#isLong) await this.#pause()
    }
    for (const number of batch.ended) {
      encoder.sessionKey(number)
      this.#delete(target)
      if (this.#isLong) await this.#pause()
    }
  }

  async #fillSession(target: LevelBatch, number: number, changes: SessionChanges): Promise<void> {
    const encoder = this.#encoder
    if (changes.record !== undefined) {
      encoder.sessionKey(number)
      encoder.session(changes.record)
      this.#put(target)
    }
    for (const [filter, { value }] of changes.subscriptions.all) {
      encoder.subscriptionKey(number, filter)
      if (value !== undefined) encoder.subscription(value)
      this.#putOrDelete(target, value)
      if (this.#isLong) await this.#pause()
    }
    for (const [order, { value }] of changes.deliveries.all) {
      encoder.deliveryKey(number, order)
      if (value !== undefined) encoder.delivery(value.body, value.delivery)
      this.#putOrDelete(target, value)
      if (this.#isLong) await this.#pause()
    }
    for (const [packetId, { value }] of changes.receivedIds.all) {
      encoder.receivedIdKey(number, packetId)
      if (value !== undefined) encoder.receivedId()
      this.#putOrDelete(target, value)
    }
  }

  #putOrDelete(target: LevelBatch, value: unknown): void {
    if (value === undefined) this.#delete(target)
    else this.#put(target)
  }

  #put(target: LevelBatch): void {
    const { key, value } = this.#encoder
    target.put(key, value)
    this.#records++
    this.#bytes += value.length
  }

  #delete(target: LevelBatch): void {
    target.del(this.#encoder.key)
    this.#records++
  }

  #begin(): void {
    this.#records = 0
    this.#bytes = 0
    this.#untilMs = performance.now() + turnMs
  }

  get #isLong(): boolean {
    if (this.#records < stepRecords && this.#bytes < stepBytes) return false
    this.#records = 0
    this.#bytes = 0
    return performance.now() > this.#untilMs
  }

  async #pause(): Promise<void> {
    await nextTurn()
    this.#begin()
  }
}
