/**
 * Counts what happened: limits that were reached, messages that were dropped, expressions that failed.
 * Names are dotted and fixed (`rules.dropped`), labels such as a rule's name go into the log line instead.
 */
export class Counters {
  readonly #values = new Map<string, number>()

  /** Adds `amount` (1) to the counter, which starts at 0. */
  add(name: string, amount = 1): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + amount)
  }

  /** The counter's value; 0 when nothing was counted. */
  get(name: string): number {
    return this.#values.get(name) ?? 0
  }

  /** All counters that are not 0, by name. */
  snapshot(): Record<string, number> {
    return Object.fromEntries([...this.#values].sort(([a], [b]) => a.localeCompare(b)))
  }
}
