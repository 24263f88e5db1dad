import type { QoS } from '../core/message.ts'
import type { SubscriptionRecord } from './journal/records.ts'
import type { RetainedCursor } from './retained-cursor.ts'
import type { RetainedStore } from './retained-store.ts'
import type { Receiver, Target } from './subscription.ts'

/**
 * The retained messages that new subscriptions ask for, one at a time: there may be a hundred thousand, and the client
 * takes them at its own pace. What is replaced meanwhile is sent as it is then.
 */
export class RetainedFeed {
  readonly #receiver: Receiver
  readonly #retained: RetainedStore
  readonly #isV5: boolean
  /** Subscriptions whose turn has not come, by filter. */
  readonly #due = new Map<string, SubscriptionRecord>()
  #cursor: RetainedCursor | undefined
  #target: Target | undefined

  constructor(receiver: Receiver, retained: RetainedStore, isV5: boolean) {
    this.#receiver = receiver
    this.#retained = retained
    this.#isV5 = isV5
  }

  add(subscription: SubscriptionRecord): void {
    this.#due.set(subscription.filter, subscription)
  }

  /** Delivers one more, or looks for it for a while. @returns false when there is none left */
  deliverNext(): boolean {
    if (this.#cursor === undefined || this.#target === undefined) return this.#begin()
    const message = this.#cursor.next()
    if (message !== undefined) {
      const qos = Math.min(message.qos, this.#target.qos) as QoS
      this.#receiver.deliver(message.toPublication(this.#isV5), qos, true, this.#target) // [MQTT-3.3.1-8]
    } else if (this.#cursor.isDone) return this.#begin()
    return true
  }

  #begin(): boolean {
    this.#cursor = undefined
    const [first] = this.#due.values()
    if (first === undefined) return false
    this.#due.delete(first.filter)
    const { qos, noLocal, retainAsPublished, identifier } = first
    this.#target = {
      receiver: this.#receiver,
      qos,
      noLocal,
      retainAsPublished,
      identifiers: identifier === 0 ? [] : [identifier],
      share: undefined,
    }
    this.#cursor = this.#retained.cursor(first.filter)
    return true
  }
}
