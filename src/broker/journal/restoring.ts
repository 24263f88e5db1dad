import { decodeRecord, type NextNumbers, RecordEncoder, type StoredRecord } from './codec.ts'
import { LegacyState } from './legacy-state.ts'
import type { BodyRef, RestoredDelivery, RestoredSession, RestoredState, StoredMessage } from './records.ts'

/** What was found in a store. */
export interface Found {
  readonly state: RestoredState
  /** Undefined when the store is new, or of version 0.2. */
  readonly next: NextNumbers | undefined
  /** Higher than all the numbers that were seen. */
  readonly unseen: NextNumbers
  /** Of versions up to 0.2. */
  readonly legacy: LegacyState
  /** Keys of what is of no use. */
  readonly leftovers: readonly Buffer[]
  readonly records: number
  readonly damagedRecords: number
}

/** A later version of Damselfly wrote the store. */
export class NewerStoreError extends Error {
  override readonly name = 'NewerStoreError'
}

interface OpenSession extends RestoredSession {
  readonly subscriptions: RestoredSession['subscriptions'][number][]
  readonly deliveries: RestoredDelivery[]
  readonly receivedIds: number[]
}

/** Puts together what a store holds from its records, which come in the order of their keys. */
export class Restoring {
  readonly #retained: StoredMessage[] = []
  readonly #bodies = new Map<number, { readonly ref: BodyRef; readonly message: StoredMessage }>()
  readonly #sessions: OpenSession[] = []
  readonly #leftovers: Buffer[] = []
  readonly #legacy = new LegacyState()
  /** Client ids, each once: they come with every message. */
  readonly #clients = new Map<string, string>()
  #next: NextNumbers | undefined
  #unseenSession = 1
  #unseenBody = 1
  #records = 0
  #damagedRecords = 0

  /** @throws NewerStoreError */
  add(key: Buffer, value: Buffer): void {
    this.#records++
    if (LegacyState.isKey(key)) {
      this.#legacy.add(key.toString('utf8'), value)
      return
    }
    const record = decodeRecord(key, value)
    if (record === 'newer')
      throw new NewerStoreError('a later version of Damselfly wrote it; install that one again')
    const isDamaged = record === 'damaged'
    if (isDamaged) this.#damagedRecords++
    if (isDamaged || !this.#admit(record)) this.#leftovers.push(Buffer.from(key))
  }

  finish(): Found {
    const encoder = new RecordEncoder()
    for (const [number, { ref }] of this.#bodies) {
      if (ref.references > 0) continue
      encoder.bodyKey(number)
      this.#leftovers.push(Buffer.from(encoder.key))
    }
    return {
      state: { retained: this.#retained, sessions: this.#sessions },
      next: this.#next,
      unseen: { session: this.#unseenSession, body: this.#unseenBody },
      legacy: this.#legacy,
      leftovers: this.#leftovers,
      records: this.#records,
      damagedRecords: this.#damagedRecords + this.#legacy.damagedRecords,
    }
  }

  /** @returns whether it is of use */
  #admit(record: StoredRecord): boolean {
    switch (record.of) {
      case 'numbers':
        this.#next = record.next
        return true
      case 'retained':
        this.#retained.push(this.#shared(record.message))
        return true
      case 'body': {
        const { number } = record
        this.#unseenBody = Math.max(this.#unseenBody, number + 1)
        this.#bodies.set(number, { ref: { number, references: 0 }, message: this.#shared(record.message) })
        return true
      }
      case 'session':
        this.#unseenSession = Math.max(this.#unseenSession, record.session.number + 1)
        this.#sessions.push({ record: record.session, subscriptions: [], deliveries: [], receivedIds: [] })
        return true
      default:
        return this.#admitOf(record)
    }
  }

  #admitOf(record: Extract<StoredRecord, { of: 'subscription' | 'delivery' | 'receivedId' }>): boolean {
    this.#unseenSession = Math.max(this.#unseenSession, record.session + 1)
    const session = this.#sessions.at(-1) // its own record comes before all others of a session
    if (session?.record.number !== record.session) return false
    if (record.of === 'subscription') session.subscriptions.push(record.subscription)
    else if (record.of === 'receivedId') session.receivedIds.push(record.packetId)
    else {
      const body = this.#bodies.get(record.body)
      if (body === undefined) return false
      body.ref.references++
      const { order, delivery } = record
      session.deliveries.push({ order, body: body.ref, message: body.message, delivery })
    }
    return true
  }

  #shared(message: StoredMessage): StoredMessage {
    const client = this.#clients.get(message.client)
    if (client !== undefined) return { ...message, client }
    this.#clients.set(message.client, message.client)
    return message
  }
}
