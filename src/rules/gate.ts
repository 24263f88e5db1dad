import { limits } from '../core/limits.ts'

/**
 * `throttle` and `debounce` of one rule, for each topic by itself: two sensors under one filter do not
 * silence each other. At most `ruleTimersMax` topics are remembered; beyond it the oldest is let through
 * early (debounce) or forgotten (throttle).
 */
export class Gate<Item> {
  readonly #throttleMs: number
  readonly #debounceMs: number
  readonly #pass: (topic: string, item: Item) => void
  readonly #openAtMs = new Map<string, number>()
  readonly #pending = new Map<string, { item: Item; readonly timer: NodeJS.Timeout }>()

  constructor(
    times: { readonly throttleMs?: number; readonly debounceMs?: number },
    pass: (topic: string, item: Item) => void,
  ) {
    this.#throttleMs = times.throttleMs ?? 0
    this.#debounceMs = times.debounceMs ?? 0
    this.#pass = pass
  }

  /** Lets the item through now, later, or never. */
  offer(topic: string, item: Item): void {
    if (this.#debounceMs > 0) this.#settle(topic, item)
    else this.#limit(topic, item)
  }

  /** Forgets what waits. */
  close(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer)
    this.#pending.clear()
    this.#openAtMs.clear()
  }

  #settle(topic: string, item: Item): void {
    const pending = this.#pending.get(topic)
    if (pending !== undefined) {
      pending.item = item
      pending.timer.refresh()
      return
    }
    for (const oldest of this.#pending.keys()) {
      if (this.#pending.size < limits.ruleTimersMax) break
      this.#release(oldest)
    }
    this.#pending.set(topic, { item, timer: setTimeout(() => this.#release(topic), this.#debounceMs) })
  }

  #release(topic: string): void {
    const pending = this.#pending.get(topic)
    if (pending === undefined) return
    clearTimeout(pending.timer)
    this.#pending.delete(topic)
    this.#limit(topic, pending.item)
  }

  #limit(topic: string, item: Item): void {
    if (this.#throttleMs > 0) {
      const nowMs = performance.now()
      if (nowMs < (this.#openAtMs.get(topic) ?? 0)) return
      this.#openAtMs.delete(topic)
      this.#openAtMs.set(topic, nowMs + this.#throttleMs)
      for (const oldest of this.#openAtMs.keys()) {
        if (this.#openAtMs.size <= limits.ruleTimersMax) break
        this.#openAtMs.delete(oldest)
      }
    }
    this.#pass(topic, item)
  }
}
