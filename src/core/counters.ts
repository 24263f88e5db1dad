/**
 * Counts what happened: limits that were reached, messages that were dropped, expressions that failed.
 * Names are dotted and fixed (`rules.dropped`), labels such as a rule's name go into the log line instead.
 */
export class Counters {
  readonly #values = new Map<string, { count: number }>()

  /** Adds `amount` (1) to the counter, which starts at 0. */
  add(name: string, amount = 1): void {
    const value = this.#values.get(name)
    if (value === undefined) this.#values.set(name, { count: amount })
    else value.count += amount
  }

  /** The counter's value; 0 when nothing was counted. */
  get(name: string): number {
    return this.#values.get(name)?.count ?? 0
  }

  /** All counters that are not 0, by name. */
  snapshot(): Record<string, number> {
    const sorted = [...this.#values].sort(([a], [b]) => a.localeCompare(b))
    return Object.fromEntries(sorted.map(([name, { count }]) => [name, count]))
  }
}
