import { limits } from '../core/limits.ts'

export interface TopicMapParts<Value> {
  /** Called when a topic had to go for another. */
  readonly onFull: () => void
  /** Called with what belonged to it. */
  readonly onForget?: (value: Value) => void
}

/**
 * What one rule remembers of each topic. At most `ruleTimersMax` topics; beyond it the one that was put longest ago is
 * forgotten.
 */
export class TopicMap<Value> {
  readonly #values = new Map<string, Value>()
  readonly #parts: TopicMapParts<Value>

  constructor(parts: TopicMapParts<Value>) {
    this.#parts = parts
  }

  get(topic: string): Value | undefined {
    return this.#values.get(topic)
  }

  /** Sets it, and makes it the newest. */
  put(topic: string, value: Value): void {
    this.#values.delete(topic)
    this.#values.set(topic, value)
    if (this.#values.size <= limits.ruleTimersMax) return
    this.#parts.onFull()
    this.forgetOldest()
  }

  delete(topic: string): void {
    this.#values.delete(topic)
  }

  /** Forgets the topic that was put longest ago. */
  forgetOldest(): void {
    for (const [topic, value] of this.#values) {
      this.#values.delete(topic)
      this.#parts.onForget?.(value)
      return
    }
  }

  entries(): IterableIterator<[string, Value]> {
    return this.#values.entries()
  }
}
