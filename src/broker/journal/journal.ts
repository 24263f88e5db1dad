import assert from 'node:assert'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Counters } from '../../core/counters.ts'
import type { Durability } from '../../core/durability.ts'
import { limits } from '../../core/limits.ts'
import type { Logger, StoreState } from '../../core/ports.ts'
import { steadyMs } from '../../core/steady-clock.ts'
import { Batch } from './batch.ts'
import { BatchWriting } from './batch-writing.ts'
import type { NextNumbers } from './codec.ts'
import type { Ledger } from './ledger.ts'
import { setLegacyAside } from './legacy-aside.ts'
import { type LegacySession, type LegacyState, legacyRange } from './legacy-state.ts'
import { causeOf } from './level-errors.ts'
import { type Level, lockStore, openStore } from './level-store.ts'
import { Outage } from './outage.ts'
import type {
  BodyRef,
  DeliveryRecord,
  RestoredDelivery,
  RestoredSession,
  RestoredState,
  SessionRecord,
  StoredMessage,
  SubscriptionRecord,
} from './records.ts'
import type { Found } from './restoring.ts'

export interface JournalOptions {
  /** The store is its folder `broker`. */
  readonly dataDir: string
  readonly durability: Durability
  readonly log: Logger
  readonly counters: Counters
  /** Called, again and again, while the disk can be written, but only by a process that is started anew. */
  readonly onOutOfReach?: (() => void) | undefined
}

/** Numbers that are written down as given before the first of them is: so many need no record of their own. */
const reserved: NextNumbers = { session: 1_000, body: 1_000_000 }
const neverSeconds = 0xffff_ffff

/**
 * The ledger over LevelDB. A batch begins to be written at the end of the turn in which its first record came, or when
 * the one before it is kept: there is one write at a time. A write that fails is tried again until it succeeds; nothing
 * is kept meanwhile (`isBarred`), and nothing is lost as long as the process lives.
 * With durability `memory` nothing is written or read; the store is only locked, and what is in it stays.
 */
export class Journal implements Ledger {
  /** Called after each batch that is kept; `kept` has been raised. It must not throw. */
  onKept: () => void = () => {}
  /** Called when `isBarred` becomes true. It must not throw. */
  onBarred: () => void = () => {}
  readonly #level: Level | undefined
  readonly #writing: BatchWriting | undefined
  readonly #outage: Outage
  readonly #counters: Counters
  #restored: RestoredState | undefined
  #next: { session: number; body: number }
  #reservedTo: NextNumbers
  #batch: Batch
  /** The one that is being written. */
  #begun: Batch | undefined
  #recorded = 0
  /** Of the last batch that has records. */
  #lastNumber = 0
  #kept = 0
  #isClosing = false
  #running: Promise<void> | undefined
  #flushes: { readonly number: number; readonly resolve: () => void }[] = []

  /**
   * Opens the store and reads it whole; on a disk that is full or read-only it reads it, and begins with `isBarred`.
   * @throws DamselflyError `STORE_FAILED`, see `openStore`
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const { dataDir, durability, log } = options
    if (durability === 'memory') return new Journal(options, await lockStore(dataDir, log), undefined)
    const { level, found, obstacle } = await openStore(dataDir, log)
    const journal = new Journal(options, level, found)
    if (obstacle !== undefined) {
      journal.#beginBarred(obstacle)
      return journal
    }
    try {
      if (found.leftovers.length > 0) await removeLeftovers(level, found.leftovers)
      if (!found.legacy.isEmpty) await journal.#takeOver(found, level, log)
    } catch (error) {
      await journal.close()
      throw error
    }
    return journal
  }

  private constructor(options: JournalOptions, level: Level | undefined, found: Found | undefined) {
    const { dataDir, durability, log, counters } = options
    this.#level = level
    this.#counters = counters
    this.#outage = new Outage({
      store: level?.location ?? dataDir,
      log,
      counters,
      onBegin: () => {
        this.#flushed(Number.POSITIVE_INFINITY)
        this.onBarred()
      },
    })
    if (level !== undefined && durability !== 'memory')
      this.#writing = new BatchWriting({
        level,
        isSynced: durability === 'power',
        log,
        counters,
        outage: this.#outage,
        onOutOfReach: () => options.onOutOfReach?.(),
      })
    this.#restored = found?.state ?? { retained: [], sessions: [] }
    this.#next = { session: 1, body: 1 }
    if (found !== undefined)
      this.#next = {
        session: Math.max(found.unseen.session, found.next?.session ?? 1),
        body: Math.max(found.unseen.body, found.next?.body ?? 1),
      }
    this.#reservedTo = { ...this.#next }
    this.#batch = new Batch(1, this.#next.session)
  }

  get recorded(): number {
    return this.#recorded
  }

  get open(): number {
    return this.#batch.number
  }

  get kept(): number {
    return this.#kept
  }

  get isBarred(): boolean {
    return this.#outage.isOn
  }

  get isFull(): boolean {
    return this.#batch.bytes + (this.#begun?.bytes ?? 0) > limits.unkeptBytesMax
  }

  /** How it is with the disk. */
  get state(): StoreState {
    return this.#outage.state
  }

  refused(): void {
    if (!this.isBarred) this.#counters.add('unkeptBytesMax')
    this.#outage.refused()
  }

  /** What was found at the start. Once: then it is the caller's alone. */
  takeRestored(): RestoredState {
    const restored = this.#restored
    assert(restored !== undefined, 'what was restored has been taken')
    this.#restored = undefined
    return restored
  }

  putRetained(message: StoredMessage, isNew = false): void {
    if (this.#record()) this.#batch.retained.put(message.topic, message, isNew)
  }

  deleteRetained(topic: string): void {
    if (this.#record()) this.#batch.retained.delete(topic)
  }

  newSessionNumber(): number {
    const number = this.#next.session++
    if (number >= this.#reservedTo.session) this.#reserve()
    return number
  }

  putSession(session: SessionRecord): void {
    if (this.#record()) this.#batch.session(session.number).record = session
  }

  deleteSession(session: number): void {
    if (this.#record()) this.#batch.endSession(session)
  }

  putSubscription(session: number, subscription: SubscriptionRecord, isNew = false): void {
    if (this.#record())
      this.#batch.session(session).subscriptions.put(subscription.filter, subscription, isNew)
  }

  deleteSubscription(session: number, filter: string): void {
    if (this.#record()) this.#batch.session(session).subscriptions.delete(filter)
  }

  putBody(message: StoredMessage): BodyRef {
    const number = this.#next.body++
    if (number >= this.#reservedTo.body) this.#reserve()
    if (this.#record()) this.#batch.bodies.put(number, message, true)
    return { number, references: 0 }
  }

  putDelivery(session: number, order: number, body: BodyRef, delivery: DeliveryRecord, isNew: boolean): void {
    if (isNew) body.references++
    if (this.#record())
      this.#batch.session(session).deliveries.put(order, { body: body.number, delivery }, isNew)
  }

  deleteDelivery(session: number, order: number, body: BodyRef): void {
    body.references--
    if (!this.#record()) return
    this.#batch.session(session).deliveries.delete(order)
    if (body.references === 0) this.#batch.bodies.delete(body.number)
  }

  putReceivedId(session: number, packetId: number): void {
    if (this.#record()) this.#batch.session(session).receivedIds.put(packetId, true, true)
  }

  deleteReceivedId(session: number, packetId: number): void {
    if (this.#record()) this.#batch.session(session).receivedIds.delete(packetId)
  }

  /** Resolves when all that is recorded now is kept, or when it could not be written and is to be tried again. */
  async flush(): Promise<void> {
    if (this.#running === undefined || this.isBarred) return
    const number = this.#lastNumber
    await new Promise<void>((resolve) => this.#flushes.push({ number, resolve }))
  }

  /** Writes what is left, once, and closes the store. Nothing may be recorded any more. */
  async close(): Promise<void> {
    await this.flush()
    this.#isClosing = true
    this.#writing?.giveUp()
    await this.#running
    this.#outage.settle()
    if (this.#writing === undefined) await this.#level?.close()
    else await this.#writing.close()
  }

  /** @returns whether there is a store to write to */
  #record(): boolean {
    if (this.#writing === undefined) return false
    this.#recorded++
    this.#lastNumber = this.#batch.number
    if (!this.#isClosing) this.#running ??= this.#run(this.#writing)
    return true
  }

  async #run(writing: BatchWriting): Promise<void> {
    let lastRecorded: number
    do {
      await nextTurn() // what else comes in this turn goes with it
      lastRecorded = this.#recorded
      const batch = this.#batch
      this.#batch = new Batch(batch.number + 1, this.#next.session)
      this.#begun = batch
      if (!(await writing.write(batch))) break
      this.#begun = undefined
      this.#kept = batch.number
      this.#flushed(batch.number)
      this.onKept()
    } while (this.#recorded !== lastRecorded && !this.#isClosing)
    this.#running = undefined
  }

  /** Nothing can be written yet: it is tried until it can be. */
  #beginBarred(obstacle: string): void {
    this.#outage.begin(obstacle)
    if (this.#writing !== undefined) this.#running = this.#run(this.#writing)
  }

  #flushed(upTo: number): void {
    if (this.#flushes.length === 0) return
    const done = this.#flushes.filter(({ number }) => number <= upTo)
    this.#flushes = this.#flushes.filter(({ number }) => number > upTo)
    for (const { resolve } of done) resolve()
  }

  #reserve(): void {
    const { session, body } = this.#next
    this.#reservedTo = { session: session + reserved.session, body: body + reserved.body }
    this.#batch.next = this.#reservedTo
  }

  /** Brings what a version up to 0.2 wrote into our form, and removes it from where it was. */
  async #takeOver({ next, legacy }: Found, level: Level, log: Logger): Promise<void> {
    if (next !== undefined) {
      if (!(await keepAside(legacy, level, log))) return
    } else {
      this.#restored = this.#rewrite(legacy)
      await this.flush()
      if (this.#kept === 0) return
      const sessions = this.#restored.sessions
      const fields = {
        store: level.location,
        retained: legacy.retained.length,
        sessions: sessions.length,
        messages: sessions.reduce((sum, { deliveries }) => sum + deliveries.length, 0),
      }
      log.info(fields, 'took over the store of an earlier version')
    }
    try {
      await level.clear(legacyRange)
      await level.compactRange(Buffer.of(0), Buffer.of(0xff)) // its tables are compressed, and cannot be checked
    } catch (error) {
      log.debug(
        { store: level.location, reason: causeOf(error) },
        'the old store is removed at the next start',
      )
    }
  }

  #rewrite(legacy: LegacyState): RestoredState {
    this.#reserve()
    for (const message of legacy.retained) this.putRetained(message, true)
    const sessions = [...legacy.sessions].map((session) => this.#rewriteSession(session))
    return { retained: legacy.retained, sessions }
  }

  #rewriteSession({ clientId, subscriptions, deliveries: queued }: LegacySession): RestoredSession {
    const number = this.newSessionNumber()
    const record: SessionRecord = {
      number,
      clientId,
      expirySeconds: neverSeconds,
      disconnectedAtMs: steadyMs(),
      will: undefined,
    }
    this.putSession(record)
    for (const subscription of subscriptions) this.putSubscription(number, subscription, true)
    const deliveries: RestoredDelivery[] = []
    for (const { message, delivery } of queued) {
      const order = deliveries.length + 1
      const body = this.putBody(message)
      this.putDelivery(number, order, body, delivery, true)
      deliveries.push({ order, body, message, delivery })
    }
    return { record, subscriptions, deliveries, receivedIds: [] }
  }
}

/**
 * Of a store that was taken over before: the earlier version ran again meanwhile, or the removal did not succeed. What is
 * older cannot be told, so ours counts, and the other is kept in a file. @returns whether it is
 */
async function keepAside(legacy: LegacyState, level: Level, log: Logger): Promise<boolean> {
  const sessions = [...legacy.sessions]
  const fields = {
    store: level.location,
    retained: legacy.retained.length,
    sessions: sessions.length,
    messages: sessions.reduce((sum, { deliveries }) => sum + deliveries.length, 0),
  }
  if (fields.retained + fields.sessions === 0) return true
  try {
    const setAside = await setLegacyAside(level.location, legacy)
    log.warn(
      { ...fields, setAside },
      'an earlier version wrote to the store since it was taken over: this is set aside, not used',
    )
    return true
  } catch (error) {
    log.warn(
      { ...fields, reason: causeOf(error) },
      'what an earlier version wrote to the store since it was taken over cannot be set aside: it stays, not used',
    )
    return false
  }
}

/** What has no use costs room only: it stays when it cannot be removed. */
async function removeLeftovers(level: Level, keys: readonly Buffer[]): Promise<void> {
  const batch = level.batch()
  for (const key of keys) batch.del(key)
  await batch.write().catch(() => {})
}
