import type { KeepableEvent } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { GateParts } from './gate.ts'
import { TopicMap } from './topic-map.ts'

/** Told of a topic that has been silent for long enough, and its last message, if there ever was one. */
export type OnSilent = (topic: string, last: KeepableEvent | undefined) => void

interface Watched {
  last: KeepableEvent | undefined
  sinceMs: number
  /** Undefined when the silence has been told. */
  timer: NodeJS.Timeout | undefined
  hasFired: boolean
}

/**
 * `after` of one rule, for each topic by itself: tells once when a topic has been silent for so long. At most
 * `ruleTimersMax` topics and `ruleQueueBytesMax` bytes of last messages; beyond it the one that was silent for longest is
 * forgotten. It outlives a change of the rule: `serve` gives it a new master.
 */
export class Silence {
  readonly #topics: TopicMap<Watched>
  readonly #onFull: () => void
  #bytes = 0
  #afterMs = 0
  #onSilent: OnSilent = () => {}

  constructor({ onFull }: GateParts) {
    this.#onFull = onFull
    this.#topics = new TopicMap({ onFull, onForget: (watched) => this.#forget(watched) })
  }

  /** Tells `onSilent` from now on, after this time; goes on with the topics that are still wanted. */
  serve(afterMs: number, onSilent: OnSilent, isWanted: (topic: string) => boolean): void {
    this.#afterMs = afterMs
    this.#onSilent = onSilent
    for (const [topic, watched] of this.#topics.entries()) {
      if (!isWanted(topic)) {
        this.#topics.delete(topic)
        this.#forget(watched)
      } else if (watched.timer !== undefined) {
        clearTimeout(watched.timer)
        this.#wait(topic, watched)
      }
    }
  }

  /** A message: its topic's time begins anew. @returns whether the rule had fired for the silence that it ends */
  spoke(event: KeepableEvent): boolean {
    event.keep()
    const watched = this.#topics.get(event.topic) ?? this.#newly()
    this.#bytes += event.bytes.length - (watched.last?.bytes.length ?? 0)
    const { hasFired } = watched
    watched.last = event
    watched.sinceMs = performance.now()
    watched.hasFired = false
    this.#topics.put(event.topic, watched)
    // a timer that runs is left alone: it looks at the time when it ends
    if (watched.timer === undefined) this.#wait(event.topic, watched)
    while (this.#bytes > limits.ruleQueueBytesMax) {
      this.#onFull()
      this.#topics.forgetOldest()
    }
    return hasFired
  }

  /** Begins a topic's time, unless it has begun. `retained` is what is known of it. */
  expect(topic: string, retained?: KeepableEvent): void {
    const watched = this.#topics.get(topic)
    if (retained !== undefined && watched?.last === undefined) this.spoke(retained)
    else if (watched === undefined) {
      const begun = this.#newly()
      this.#topics.put(topic, begun)
      this.#wait(topic, begun)
    }
  }

  /** The rule has fired for this silence; `spoke` will say so. */
  fired(topic: string): void {
    const watched = this.#topics.get(topic)
    if (watched !== undefined) watched.hasFired = true
  }

  /** Forgets all topics. */
  clear(): void {
    for (const [topic, watched] of this.#topics.entries()) {
      this.#topics.delete(topic)
      this.#forget(watched)
    }
  }

  #newly(): Watched {
    return { last: undefined, sinceMs: performance.now(), timer: undefined, hasFired: false }
  }

  #wait(topic: string, watched: Watched): void {
    const restMs = watched.sinceMs + this.#afterMs - performance.now()
    watched.timer = setTimeout(() => this.#look(topic, watched), Math.max(1, Math.ceil(restMs)))
  }

  #look(topic: string, watched: Watched): void {
    if (performance.now() < watched.sinceMs + this.#afterMs) return this.#wait(topic, watched)
    watched.timer = undefined
    this.#onSilent(topic, watched.last)
  }

  #forget({ last, timer }: Watched): void {
    clearTimeout(timer)
    this.#bytes -= last?.bytes.length ?? 0
  }
}
