import assert from 'node:assert/strict'
import type { Ledger } from '#src/broker/journal/ledger.js'
import type {
  BodyRef,
  DeliveryRecord,
  RestoredState,
  SessionRecord,
  StoredMessage,
  SubscriptionRecord,
} from '#src/broker/journal/records.js'

interface StoredSession {
  record: SessionRecord
  readonly subscriptions: Map<string, SubscriptionRecord>
  readonly deliveries: Map<number, { readonly body: number; readonly delivery: DeliveryRecord }>
  readonly receivedIds: Set<number>
}

/** What would be on the disk. */
export class Disk {
  readonly retained = new Map<string, StoredMessage>()
  readonly bodies = new Map<number, StoredMessage>()
  readonly sessions = new Map<number, StoredSession>()
  nextNumber = 1

  session(number: number): StoredSession {
    const session = this.sessions.get(number)
    assert.ok(session, `the store knows no session ${number}`)
    return session
  }

  /** What a start finds. Every delivery has its body, and every body a delivery. */
  read(): RestoredState {
    const refs = new Map<number, BodyRef>()
    const sessions = [...this.sessions.values()].map((session) => ({
      record: session.record,
      subscriptions: [...session.subscriptions.values()],
      deliveries: [...session.deliveries]
        .sort(([a], [b]) => a - b)
        .map(([order, { body: number, delivery }]) => {
          const message = this.bodies.get(number)
          assert.ok(message, `a delivery has no body ${number}`)
          const body = refs.get(number) ?? { number, references: 0 }
          body.references++
          refs.set(number, body)
          return { order, body, message, delivery }
        }),
      receivedIds: [...session.receivedIds],
    }))
    for (const number of this.bodies.keys())
      assert.ok(refs.has(number), `nothing refers to the body ${number}`)
    return { retained: [...this.retained.values()], sessions }
  }
}

/** A ledger that keeps its batches when it is told to; what it has not kept, a crash forgets. */
export class MemoryLedger implements Ledger {
  readonly disk: Disk
  recorded = 0
  open = 1
  kept = 0
  onKept: () => void = () => {}
  onBarred: () => void = () => {}
  isBarred = false
  isFull = false
  /** Messages that were refused because they could not be kept. */
  refusals = 0
  /** Whether nothing is written at all, as with `DURABILITY=memory`. */
  isMemory = false
  #records: ((disk: Disk) => void)[] = []
  #writing: ((disk: Disk) => void)[] | undefined

  constructor(disk: Disk) {
    this.disk = disk
  }

  /** Whether something waits to be kept. */
  get isIdle(): boolean {
    return this.#records.length === 0 && this.#writing === undefined
  }

  /** The open batch begins to be written; what comes now goes to the next. */
  begin(): void {
    if (this.#writing !== undefined || this.#records.length === 0) return
    this.#writing = this.#records
    this.#records = []
    this.open++
  }

  /** What was begun is kept. */
  finish(): void {
    if (this.#writing === undefined) return
    for (const record of this.#writing) record(this.disk)
    this.#writing = undefined
    this.kept = this.open - 1
    this.isBarred = false
    this.onKept()
  }

  /** The disk takes nothing from now on. */
  bar(): void {
    this.isBarred = true
    this.onBarred()
  }

  refused(): void {
    this.refusals++
  }

  putRetained(message: StoredMessage): void {
    this.#record((disk) => disk.retained.set(message.topic, message))
  }

  deleteRetained(topic: string): void {
    this.#record((disk) => disk.retained.delete(topic))
  }

  newSessionNumber(): number {
    return this.disk.nextNumber++
  }

  putSession(record: SessionRecord): void {
    this.#record(({ sessions }) => {
      const known = sessions.get(record.number)
      if (known !== undefined) known.record = record
      else
        sessions.set(record.number, {
          record,
          subscriptions: new Map(),
          deliveries: new Map(),
          receivedIds: new Set(),
        })
    })
  }

  deleteSession(session: number): void {
    this.#record(({ sessions }) => sessions.delete(session))
  }

  putSubscription(session: number, subscription: SubscriptionRecord): void {
    this.#record((disk) => disk.session(session).subscriptions.set(subscription.filter, subscription))
  }

  deleteSubscription(session: number, filter: string): void {
    this.#record((disk) => disk.session(session).subscriptions.delete(filter))
  }

  putBody(message: StoredMessage): BodyRef {
    const number = this.disk.nextNumber++
    this.#record(({ bodies }) => bodies.set(number, message))
    return { number, references: 0 }
  }

  putDelivery(session: number, order: number, body: BodyRef, delivery: DeliveryRecord, isNew: boolean): void {
    if (isNew) body.references++
    this.#record((disk) => {
      const { deliveries } = disk.session(session)
      assert.equal(deliveries.has(order), !isNew, `delivery ${order} of session ${session} is new: ${isNew}`)
      deliveries.set(order, { body: body.number, delivery })
    })
  }

  deleteDelivery(session: number, order: number, body: BodyRef): void {
    const isLast = --body.references === 0
    assert.ok(body.references >= 0, 'a body was released too often')
    this.#record((disk) => {
      assert.ok(disk.session(session).deliveries.delete(order), `there is no delivery ${order}`)
      if (isLast) disk.bodies.delete(body.number)
    })
  }

  putReceivedId(session: number, packetId: number): void {
    this.#record((disk) => disk.session(session).receivedIds.add(packetId))
  }

  deleteReceivedId(session: number, packetId: number): void {
    this.#record((disk) => disk.session(session).receivedIds.delete(packetId))
  }

  #record(record: (disk: Disk) => void): void {
    if (this.isMemory) return
    this.recorded++
    this.#records.push(record)
  }
}
