import { limits } from '../core/limits.ts'

/** Tells how many topics are remembered at the most, and how often that was reached. */
export interface GateParts {
  /** Called when a topic had to go early for another. */
  readonly onFull: () => void
}

/**
 * `debounce` of one rule, for each topic by itself: two sensors under one filter do not silence each other.
 * The last item passes when its topic has been quiet. At most `ruleTimersMax` topics and `ruleQueueBytesMax`
 * bytes wait; beyond it the one that waits longest passes early.
 */
export class Debounce<Item extends { readonly event: { readonly bytes: Uint8Array } }> {
  readonly #quietMs: number
  readonly #pass: (topic: string, item: Item) => void
  readonly #onFull: () => void
  readonly #pending = new Map<string, { item: Item; readonly timer: NodeJS.Timeout }>()
  #bytes = 0

  constructor(quietMs: number, pass: (topic: string, item: Item) => void, { onFull }: GateParts) {
    this.#quietMs = quietMs
    this.#pass = pass
    this.#onFull = onFull
  }

  /** Lets the item through later, unless another of its topic comes before. */
  offer(topic: string, item: Item): void {
    this.#bytes += item.event.bytes.length
    const pending = this.#pending.get(topic)
    if (pending !== undefined) {
      this.#bytes -= pending.item.event.bytes.length
      pending.item = item
      pending.timer.refresh()
    } else {
      const timer = setTimeout(() => this.#release(topic), this.#quietMs)
      this.#pending.set(topic, { item, timer })
    }
    for (const oldest of this.#pending.keys()) {
      if (this.#pending.size <= limits.ruleTimersMax && this.#bytes <= limits.ruleQueueBytesMax) break
      this.#onFull()
      this.#release(oldest)
    }
  }

  /** Lets all that waits through now. */
  flush(): void {
    for (const topic of [...this.#pending.keys()]) this.#release(topic)
  }

  /** Forgets what waits. */
  clear(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer)
    this.#pending.clear()
    this.#bytes = 0
  }

  #release(topic: string): void {
    const pending = this.#pending.get(topic)
    if (pending === undefined) return
    clearTimeout(pending.timer)
    this.#pending.delete(topic)
    this.#bytes -= pending.item.event.bytes.length
    this.#pass(topic, pending.item)
  }
}

/**
 * `throttle` of one rule, for each topic by itself: one firing in each period. At most `ruleTimersMax` topics
 * are remembered; beyond it the one that fired longest ago is forgotten.
 */
export class Throttle {
  readonly #periodMs: number
  readonly #onFull: () => void
  readonly #openAtMs = new Map<string, number>()

  constructor(periodMs: number, { onFull }: GateParts) {
    this.#periodMs = periodMs
    this.#onFull = onFull
  }

  /** Whether the topic may fire now; if so, its period begins. */
  admits(topic: string): boolean {
    const nowMs = performance.now()
    if (nowMs < (this.#openAtMs.get(topic) ?? 0)) return false
    this.#openAtMs.delete(topic)
    this.#openAtMs.set(topic, nowMs + this.#periodMs)
    for (const oldest of this.#openAtMs.keys()) {
      if (this.#openAtMs.size <= limits.ruleTimersMax) break
      this.#onFull()
      this.#openAtMs.delete(oldest)
    }
    return true
  }
}
