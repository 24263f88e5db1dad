import type { Counters } from '../../core/counters.ts'
import { limits } from '../../core/limits.ts'

/** What a decision takes beside its topic, about: measured with V8 of Node 20. */
const decisionBytes = 100

/** Who remembers decisions. */
export interface Rememberer {
  /** Forgets all of them. @returns how many bytes were counted for them */
  forget(): number
}

/**
 * Counts what all lists together remember of their decisions, at most `decisionBytesMax` bytes. Beyond it whoever
 * remembers longest forgets all, and begins anew.
 */
export class DecisionMemory {
  readonly #counters: Counters
  readonly #rememberers = new Set<Rememberer>()
  #bytes = 0

  constructor(counters: Counters) {
    this.#counters = counters
  }

  /** Bytes that a decision about this topic takes, about. */
  static bytesOf(topic: string): number {
    return decisionBytes + topic.length
  }

  /** One more decision, of so many bytes. */
  add(rememberer: Rememberer, bytes: number): void {
    this.#bytes += bytes
    this.#rememberers.add(rememberer)
    if (this.#bytes <= limits.decisionBytesMax) return
    this.#counters.add('decisionBytesMax')
    for (const oldest of this.#rememberers) {
      if (this.#bytes <= limits.decisionBytesMax) break
      this.#rememberers.delete(oldest)
      this.#bytes -= oldest.forget()
    }
  }
}
