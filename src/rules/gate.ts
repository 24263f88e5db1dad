import { limits } from '../core/limits.ts'
import { type Shared, SharedBytes } from './shared-bytes.ts'
import { TopicMap } from './topic-map.ts'

/** Tells how many topics are remembered at the most, and how often that was reached. */
export interface GateParts {
  /** Called when a topic had to go early for another. */
  readonly onFull: () => void
}

interface Weighed {
  readonly event: { readonly bytes: Uint8Array }
  readonly memory?: { readonly held: readonly Shared[] }
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
  readonly #shared = new SharedBytes()
  #bytes = 0

  constructor(quietMs: number, pass: (topic: string, item: Item) => void, { onFull }: GateParts) {
    this.#quietMs = quietMs
    this.#pass = pass
    this.#onFull = onFull
  }

  /** Lets the item through later, unless another of its topic comes before. @returns the one whose place it takes */
  offer(topic: string, item: Item): Item | undefined {
    this.#weigh(item)
    const pending = this.#pending.get(topic)
    const replaced = pending?.item
    if (pending !== undefined) {
      this.#unweigh(pending.item)
      pending.item = item
      pending.timer.refresh()
    } else {
      const timer = setTimeout(() => this.#release(topic), this.#quietMs)
      this.#pending.set(topic, { item, timer })
    }
    for (const oldest of this.#pending.keys()) {
      const bytes = this.#bytes + this.#shared.bytes
      if (this.#pending.size <= limits.ruleTimersMax && bytes <= limits.ruleQueueBytesMax) break
      this.#onFull()
      this.#release(oldest)
    }
    return replaced
  }

  /** Lets all that waits through now. */
  flush(): void {
    for (const topic of [...this.#pending.keys()]) this.#release(topic)
  }

  /** Forgets what waits. */
  clear(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer)
    this.#pending.clear()
    this.#shared.clear()
    this.#bytes = 0
  }

  #release(topic: string): void {
    const pending = this.#pending.get(topic)
    if (pending === undefined) return
    clearTimeout(pending.timer)
    this.#pending.delete(topic)
    this.#unweigh(pending.item)
    this.#pass(topic, pending.item)
  }

  #weigh({ event, memory }: Item): void {
    this.#bytes += event.bytes.length
    this.#shared.hold(memory?.held)
  }

  #unweigh({ event, memory }: Item): void {
    this.#bytes -= event.bytes.length
    this.#shared.release(memory?.held)
  }
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

/** How one topic stands. */
interface Latched {
  isDisarmed: boolean
  /** What `isDisarmed` was made by the last firing whose steps began. */
  wasDisarmed: boolean
  /** Firings whose steps have not begun. */
  waiting: number
}

/**
 * `until` of one rule, for each topic by itself: a topic that has fired is disarmed and does not fire again before it
 * is armed. Topics begin armed. A firing counts from when it is queued; one that is dropped has not been. At most
 * `ruleTimersMax` topics are disarmed: another must not fire, for none may be forgotten before its `else` has run.
 */
export class Latch {
  readonly #topics = new Map<string, Latched>()

  isDisarmed(topic: string): boolean {
    return this.#topics.get(topic)?.isDisarmed === true
  }

  /** Whether there is room to remember that this topic has fired. */
  hasRoomFor(topic: string): boolean {
    return this.#topics.size < limits.ruleTimersMax || this.#topics.has(topic)
  }

  arm(topic: string): void {
    this.#set(topic, false)
  }

  /** A firing is about to be queued. */
  queued(topic: string): void {
    this.#of(topic).waiting++
  }

  /** The queue has taken the firing: it is the newest of its topic. */
  taken(topic: string, isElse: boolean): void {
    this.#set(topic, !isElse)
  }

  /** The steps of a queued firing begin. */
  began(topic: string, isElse: boolean): void {
    const latched = this.#of(topic)
    latched.waiting--
    latched.wasDisarmed = !isElse
    this.#tidy(topic, latched)
  }

  /** A queued firing was dropped. When no newer one of its topic waits, all is as the last one left it that ran. */
  dropped(topic: string): void {
    const latched = this.#of(topic)
    latched.waiting--
    if (latched.waiting === 0) latched.isDisarmed = latched.wasDisarmed
    this.#tidy(topic, latched)
  }

  #of(topic: string): Latched {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const latched = { isDisarmed: false, wasDisarmed: false, waiting: 0 }
    this.#topics.set(topic, latched)
    return latched
  }

  #set(topic: string, isDisarmed: boolean): void {
    const latched = this.#of(topic)
    latched.isDisarmed = isDisarmed
    if (latched.waiting === 0) latched.wasDisarmed = isDisarmed
    this.#tidy(topic, latched)
  }

  #tidy(topic: string, { isDisarmed, wasDisarmed, waiting }: Latched): void {
    if (!isDisarmed && !wasDisarmed && waiting === 0) this.#topics.delete(topic)
  }
}
