import { limits } from '../core/limits.ts'

const burstMs = 1_000

/**
 * How fast one client sends: `limits.messageRateMax` messages a second, after a quiet second as many at once. What was
 * read counts though it is too much: nothing is lost, the socket is only read later.
 */
export class MessageRate {
  /** When all messages so far have had their share of the time. */
  #paidUntilMs = Number.NEGATIVE_INFINITY

  /**
   * Takes note of messages that were read.
   * @param count how many since the last call
   * @param nowMs of a clock that does not go back
   * @returns for how many milliseconds the socket is not to be read; 0: go on
   */
  take(count: number, nowMs: number): number {
    const rate = limits.messageRateMax
    if (rate === 0) {
      this.#paidUntilMs = Number.NEGATIVE_INFINITY
      return 0
    }
    const sinceMs = Math.max(this.#paidUntilMs, nowMs - burstMs)
    this.#paidUntilMs = sinceMs + (count * 1_000) / rate
    return Math.max(0, Math.ceil(this.#paidUntilMs - nowMs))
  }
}
