import { limits } from '../core/limits.ts'
import { parseShared } from '../core/shared-filter.ts'
import { deliveryFor, type SubscribedDelivery } from './delivery.ts'
import type { SubscriptionRecord } from './journal/records.ts'
import type { SessionHouse } from './session-house.ts'
import type { Receiver } from './subscription.ts'

/** What a subscription takes beside its filter, about: measured with V8 of Node 20, with its place in the tree. */
const subscriptionBytes = 1_000

const none: ReadonlyMap<string, SubscribedDelivery> = new Map()

/** Bytes that a subscription takes, about. */
function bytesOf(filter: string): number {
  return subscriptionBytes + filter.length
}

/** The subscriptions of one session, by their filter as it stands in SUBSCRIBE. */
export class SessionSubscriptions {
  readonly #session: Receiver & { readonly number: number }
  readonly #house: SessionHouse
  #entries: Map<string, SubscribedDelivery> | undefined
  #owner = ''
  #bytes = 0

  constructor(session: Receiver & { readonly number: number }, house: SessionHouse) {
    this.#session = session
    this.#house = house
  }

  /** Who they are counted for from now on, by `ownerKey`. */
  set owner(owner: string) {
    if (owner === this.#owner) return
    this.#house.subscriptionBytes.giveBack(this.#owner, this.#bytes)
    this.#owner = owner
    this.#house.subscriptionBytes.take(owner, this.#bytes)
  }

  /** Whether its owner may have one more. */
  hasRoomFor(filter: string): boolean {
    return this.#house.subscriptionBytes.hasRoomFor(this.#owner, bytesOf(filter), limits.subscriptionBytesMax)
  }

  get count(): number {
    return this.#entries?.size ?? 0
  }

  /** All of them, by their filter as it stands in SUBSCRIBE. */
  get entries(): ReadonlyMap<string, SubscribedDelivery> {
    return this.#entries ?? none
  }

  /** As they stand in SUBSCRIBE. */
  get filters(): readonly string[] {
    return [...(this.#entries?.keys() ?? [])]
  }

  has(filter: string): boolean {
    return this.#entries?.has(filter) === true
  }

  /** Adds a subscription, or takes the place of the one with the same filter [MQTT-3.8.4-3]. Its filter is valid. */
  put(record: SubscriptionRecord): void {
    const isNew = !this.has(record.filter)
    this.restore(record)
    if (this.#session.number !== 0) this.#house.ledger.putSubscription(this.#session.number, record, isNew)
  }

  /** Adds one that is in the store already. */
  restore(record: SubscriptionRecord): void {
    this.#leave(record.filter)
    const shared = parseShared(record.filter)
    const { share, filter } =
      shared === undefined || shared === 'invalid' ? { share: undefined, filter: record.filter } : shared
    const { qos, noLocal, retainAsPublished, identifier } = record
    const delivery = deliveryFor({
      receiver: this.#session,
      filter,
      qos,
      noLocal,
      retainAsPublished,
      identifier,
      share,
    })
    this.#entries ??= new Map()
    this.#entries.set(record.filter, delivery)
    this.#count(bytesOf(record.filter))
    this.#house.hub.subscribe(filter, delivery, () => {})
  }

  /** @returns whether there was one */
  delete(filter: string): boolean {
    if (!this.#leave(filter)) return false
    if (this.#session.number !== 0) this.#house.ledger.deleteSubscription(this.#session.number, filter)
    return true
  }

  /** Ends all of them; the store forgets them with the session. */
  clear(): void {
    for (const filter of this.filters) this.#leave(filter)
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    if (bytes > 0) this.#house.subscriptionBytes.take(this.#owner, bytes)
    else this.#house.subscriptionBytes.giveBack(this.#owner, -bytes)
  }

  #leave(filter: string): boolean {
    const delivery = this.#entries?.get(filter)
    if (delivery === undefined) return false
    this.#entries?.delete(filter)
    this.#count(-bytesOf(filter))
    this.#house.hub.unsubscribe(delivery.subscription.filter, delivery, () => {})
    return true
  }
}
