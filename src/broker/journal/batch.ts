import { Changes } from './changes.ts'
import type { NextNumbers } from './codec.ts'
import type { DeliveryRecord, SessionRecord, StoredMessage, SubscriptionRecord } from './records.ts'

/** What a message in a batch takes beside its bytes, about: measured as `entryBytes` of queues is. */
const messageBytes = 250

/** A delivery and the body that it refers to. */
export interface BatchedDelivery {
  readonly body: number
  readonly delivery: DeliveryRecord
}

/** What a batch does to one session. */
export class SessionChanges {
  /** The session itself, when it is to be written. */
  record: SessionRecord | undefined
  readonly subscriptions = new Changes<string, SubscriptionRecord>()
  readonly deliveries = new Changes<number, BatchedDelivery>()
  readonly receivedIds = new Changes<number, true>()
}

/** Changes to messages, and how much memory they take. */
export class MessageChanges<K> extends Changes<K, StoredMessage> {
  bytes = 0

  override put(key: K, value: StoredMessage, isNew: boolean): StoredMessage | undefined {
    const before = super.put(key, value, isNew)
    this.bytes += bytesOf(value) - (before === undefined ? 0 : bytesOf(before))
    return before
  }

  override delete(key: K): StoredMessage | undefined {
    const before = super.delete(key)
    if (before !== undefined) this.bytes -= bytesOf(before)
    return before
  }
}

/**
 * What is written together, all or nothing. Records are kept as they were given and encoded when the batch is written:
 * what is deleted before that costs next to nothing.
 */
export class Batch {
  readonly number: number
  /** Sessions with this number or a higher one came with this batch. */
  readonly #firstNewSession: number
  readonly retained = new MessageChanges<string>()
  readonly bodies = new MessageChanges<number>()
  readonly sessions = new Map<number, SessionChanges>()
  /** Sessions whose records all go. */
  readonly ended: number[] = []
  /** To be remembered before one of them is used. */
  next: NextNumbers | undefined

  constructor(number: number, firstNewSession: number) {
    this.number = number
    this.#firstNewSession = firstNewSession
  }

  /** What its messages take in memory, about. */
  get bytes(): number {
    return this.retained.bytes + this.bodies.bytes
  }

  session(number: number): SessionChanges {
    let changes = this.sessions.get(number)
    if (changes === undefined) {
      changes = new SessionChanges()
      this.sessions.set(number, changes)
    }
    return changes
  }

  endSession(number: number): void {
    this.sessions.delete(number)
    if (number < this.#firstNewSession) this.ended.push(number)
  }
}

function bytesOf(message: StoredMessage): number {
  if (message.size !== undefined) return messageBytes + message.size
  const { topic, payload, properties } = message
  return messageBytes + topic.length + payload.length + (properties?.length ?? 0)
}
