import type { QoS } from '../core/message.ts'
import type { SubscriptionRecord } from './journal/records.ts'
import type { RetainedCursor } from './retained-cursor.ts'
import type { RetainedStore } from './retained-store.ts'
import type { Receiver, Target } from './subscription.ts'

/** The subscription whose messages are being sent. */
interface Current {
  readonly filter: string
  readonly target: Target
  readonly cursor: RetainedCursor
}

/**
 * The retained messages that new subscriptions ask for, one at a time: there may be a hundred thousand, and the client
 * takes them at its own pace. What is replaced meanwhile is sent as it is then.
 */
export class RetainedFeed {
  readonly #receiver: Receiver & { readonly clientId: string }
  readonly #retained: RetainedStore
  readonly #isV5: boolean
  /** Subscriptions whose turn has not come, by filter. */
  readonly #due = new Map<string, SubscriptionRecord>()
  #current: Current | undefined

  constructor(receiver: Receiver & { readonly clientId: string }, retained: RetainedStore, isV5: boolean) {
    this.#receiver = receiver
    this.#retained = retained
    this.#isV5 = isV5
  }

  /** One with the same filter begins anew. */
  add(subscription: SubscriptionRecord): void {
    this.remove(subscription.filter)
    this.#due.set(subscription.filter, subscription)
  }

  remove(filter: string): void {
    this.#due.delete(filter)
    if (this.#current?.filter === filter) this.#current = undefined
  }

  /** Delivers one more, or looks for it for a while. @returns false when there is none left */
  deliverNext(): boolean {
    this.#current ??= this.#begin()
    if (this.#current === undefined) return false
    const { cursor, target } = this.#current
    const message = cursor.next()
    if (message === undefined) {
      if (cursor.isDone) this.#current = undefined
    } else if (
      (!target.noLocal || message.client !== this.#receiver.clientId) &&
      this.#receiver.mayRead(message.topic)
    ) {
      // [MQTT-3.8.3-3] holds for those from before a restart as well
      const qos = Math.min(message.qos, target.qos) as QoS
      this.#receiver.deliver(message.toPublication(this.#isV5), qos, true, target) // [MQTT-3.3.1-8]
    }
    return true
  }

  #begin(): Current | undefined {
    const [first] = this.#due.values()
    if (first === undefined) return undefined
    const { filter, qos, noLocal, retainAsPublished, identifier } = first
    this.#due.delete(filter)
    const target: Target = {
      receiver: this.#receiver,
      qos,
      noLocal,
      retainAsPublished,
      identifiers: identifier === 0 ? [] : [identifier],
      share: undefined,
    }
    return { filter, target, cursor: this.#retained.cursor(filter) }
  }
}
