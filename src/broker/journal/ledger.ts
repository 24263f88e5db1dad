import type { BodyRef, DeliveryRecord, SessionRecord, StoredMessage, SubscriptionRecord } from './records.ts'

/**
 * What the sessions and the retained messages write down, in batches: whatever is recorded until a batch begins to be
 * written goes with it. Calls return at once. What promises something waits until the batch of its records is kept:
 *
 *     const before = ledger.recorded
 *     …publish…
 *     if (ledger.recorded !== before) wait until ledger.kept >= ledger.open
 *
 * What is given is encoded when its batch is written: it must not be changed after the call, payloads included.
 * `isNew` says that the store has no such record, or that its deletion has been recorded: one that is deleted again
 * before it has been written is not written at all, and costs no room while the disk refuses to be written.
 */
export interface Ledger {
  /** Counts the records so far. */
  readonly recorded: number
  /** Number of the batch that takes records now; the first is 1. */
  readonly open: number
  /** Number of the last batch that is kept, as `DURABILITY` understands it. */
  readonly kept: number
  /**
   * Whether nothing can be kept now: a write has failed, or is not done after `limits.keepMsMax`. What is recorded
   * meanwhile is kept when it is over.
   */
  readonly isBarred: boolean
  /** Whether more than `limits.unkeptBytesMax` of messages wait to be kept. */
  readonly isFull: boolean
  /** Counts a message that was refused because it could not be kept. */
  refused(): void

  putRetained(message: StoredMessage, isNew?: boolean): void
  deleteRetained(topic: string): void

  /** A number for a new session. */
  newSessionNumber(): number
  putSession(session: SessionRecord): void
  /** With its subscriptions, deliveries and ids. The bodies of its deliveries must have been released before. */
  deleteSession(session: number): void
  putSubscription(session: number, subscription: SubscriptionRecord, isNew?: boolean): void
  deleteSubscription(session: number, filter: string): void

  /** Keeps a message body, once however many sessions it goes to. It has no reference yet, and needs one in this turn. */
  putBody(message: StoredMessage): BodyRef
  /** `order` grows within a session. A new delivery adds a reference to the body; with `isNew` false it is changed. */
  putDelivery(session: number, order: number, body: BodyRef, delivery: DeliveryRecord, isNew: boolean): void
  /** Ends a delivery, and its body with the last one. What has not been written yet is not written at all. */
  deleteDelivery(session: number, order: number, body: BodyRef): void

  /** One that is not there yet. */
  putReceivedId(session: number, packetId: number): void
  deleteReceivedId(session: number, packetId: number): void
}
