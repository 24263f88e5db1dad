import type { QoS } from '../core/message.ts'
import type { SubscriptionRecord } from './journal/records.ts'
import type { Publication } from './publication.ts'
import type { RetainedStore } from './retained-store.ts'
import type { Receiver, Target } from './subscription.ts'

/**
 * The retained messages that new subscriptions ask for, one at a time: there may be a hundred thousand, and the client
 * takes them at its own pace. One that was replaced meanwhile is left out, for the newer one was delivered already.
 */
export class RetainedFeed {
  readonly #receiver: Receiver
  readonly #retained: RetainedStore
  /** Subscriptions whose turn has not come, by filter. */
  readonly #due = new Map<string, SubscriptionRecord>()
  #messages: Publication[] = []
  #next = 0
  #qosMax: QoS = 0
  #target: Target | undefined

  constructor(receiver: Receiver, retained: RetainedStore) {
    this.#receiver = receiver
    this.#retained = retained
  }

  add(subscription: SubscriptionRecord): void {
    this.#due.set(subscription.filter, subscription)
  }

  /** Delivers one more. @returns false when there was none left */
  deliverNext(): boolean {
    for (;;) {
      const publication = this.#messages[this.#next]
      if (publication === undefined) {
        if (!this.#begin()) return false
        continue
      }
      this.#next++
      if (!publication.isRetained) continue
      const qos = Math.min(publication.qos, this.#qosMax) as QoS
      this.#receiver.deliver(publication, qos, true, this.#target as Target) // [MQTT-3.3.1-8]
      return true
    }
  }

  #begin(): boolean {
    this.#messages = []
    this.#next = 0
    const [first] = this.#due.values()
    if (first === undefined) return false
    this.#due.delete(first.filter)
    const { qos, noLocal, retainAsPublished, identifier } = first
    this.#qosMax = qos
    this.#target = {
      receiver: this.#receiver,
      qos,
      noLocal,
      retainAsPublished,
      identifiers: identifier === 0 ? [] : [identifier],
      share: undefined,
    }
    this.#retained.match(first.filter, (publication) => this.#messages.push(publication))
    return true
  }
}
