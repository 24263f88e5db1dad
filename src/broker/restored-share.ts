import { parseShared, type SharedFilter } from '../core/shared-filter.ts'
import { matchesFilter } from '../core/topics.ts'
import type { SubscriptionRecord } from './journal/records.ts'

/**
 * Finds the shared subscription through which a restored message came to its session, for the store does not say. Where the
 * topic matches several of the session's subscriptions it cannot be known: then it belongs to the session alone.
 */
export class RestoredShare {
  readonly #shared: SharedFilter[] = []
  readonly #plain: string[] = []
  /** Many messages, few topics. */
  readonly #known = new Map<string, SharedFilter | undefined>()

  constructor(subscriptions: readonly SubscriptionRecord[]) {
    for (const { filter } of subscriptions) {
      const shared = parseShared(filter)
      if (shared === undefined || shared === 'invalid') this.#plain.push(filter)
      else this.#shared.push(shared)
    }
  }

  of(topic: string): SharedFilter | undefined {
    if (this.#shared.length === 0) return undefined
    if (!this.#known.has(topic)) this.#known.set(topic, this.#find(topic))
    return this.#known.get(topic)
  }

  #find(topic: string): SharedFilter | undefined {
    const [found, ...others] = this.#shared.filter(({ filter }) => matchesFilter(filter, topic))
    const isOnly = others.length === 0 && !this.#plain.some((filter) => matchesFilter(filter, topic))
    return isOnly ? found : undefined
  }
}
