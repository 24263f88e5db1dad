import { limits } from '../core/limits.ts'
import { TopicMap } from './topic-map.ts'

/** Tells how many topics are remembered at the most, and how often that was reached. */
export interface GateParts {
  /** Called when a topic had to go early for another. */
  readonly onFull: () => void
}

interface Weighed {
  readonly event: { readonly bytes: Uint8Array }
  readonly memory?: { readonly heldBytes: number }
}

/**
 * `debounce` of one rule, for each topic by itself: two sensors under one filter do not silence each other.
 * The last item passes when its topic has been quiet. At most `ruleTimersMax` topics and `ruleQueueBytesMax`
 * bytes wait; beyond it the one that waits longest passes early.
 */
export class Debounce<Item extends Weighed> {
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
    this.#bytes += bytesOf(item)
    const pending = this.#pending.get(topic)
    if (pending !== undefined) {
      this.#bytes -= bytesOf(pending.item)
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
    this.#bytes -= bytesOf(pending.item)
    this.#pass(topic, pending.item)
  }
}

function bytesOf({ event, memory }: Weighed): number {
  return event.bytes.length + (memory?.heldBytes ?? 0)
}

/** `throttle` of one rule, for each topic by itself: one firing in each period. Forgotten topics may fire at once. */
export class Throttle {
  readonly #periodMs: number
  readonly #openAtMs: TopicMap<number>

  constructor(periodMs: number, parts: GateParts) {
    this.#periodMs = periodMs
    this.#openAtMs = new TopicMap(parts)
  }

  /** Whether the topic may fire now; if so, its period begins. */
  admits(topic: string): boolean {
    const nowMs = performance.now()
    if (nowMs < (this.#openAtMs.get(topic) ?? 0)) return false
    this.#openAtMs.put(topic, nowMs + this.#periodMs)
    return true
  }
}

/**
 * `until` of one rule, for each topic by itself: a topic that has fired is disarmed and does not fire again before it
 * is armed. Topics begin armed, and forgotten ones are armed again.
 */
export class Latch {
  readonly #disarmed: TopicMap<true>

  constructor(parts: GateParts) {
    this.#disarmed = new TopicMap(parts)
  }

  isDisarmed(topic: string): boolean {
    return this.#disarmed.get(topic) === true
  }

  disarm(topic: string): void {
    this.#disarmed.put(topic, true)
  }

  arm(topic: string): void {
    this.#disarmed.delete(topic)
  }
}
