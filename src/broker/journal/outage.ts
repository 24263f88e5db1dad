import type { Counters } from '../../core/counters.ts'
import type { Logger, StoreState } from '../../core/ports.ts'

export interface OutageParts {
  /** The folder of the store. */
  readonly store: string
  readonly log: Logger
  readonly counters: Counters
  /** Called when one begins. */
  readonly onBegin: () => void
}

/** Whether the store can be written now. A time in which it cannot be is told once when it begins, and once when it is over. */
export class Outage {
  readonly #parts: OutageParts
  #now: { reason: string; readonly since: Date; readonly sinceMs: number; refused: number } | undefined

  constructor(parts: OutageParts) {
    this.#parts = parts
  }

  get isOn(): boolean {
    return this.#now !== undefined
  }

  get state(): StoreState {
    if (this.#now === undefined) return { isWritten: true }
    const { reason, since, refused } = this.#now
    return { isWritten: false, reason, since: since.toISOString(), refused }
  }

  /** A write has failed, or takes too long. While one goes on it is only known why now. */
  begin(reason: string, level: 'error' | 'warn' = 'error'): void {
    if (this.#now !== undefined) {
      this.#now.reason = reason
      return
    }
    this.#now = { reason, since: new Date(), sinceMs: performance.now(), refused: 0 }
    const { store, log, onBegin } = this.#parts
    log[level](
      { store, reason },
      'the store cannot be written: until it can be, what must be kept is refused, or waits for its answer',
    )
    onBegin()
  }

  /** Something was written. */
  end(): void {
    if (this.#now === undefined) return
    const { refused, sinceMs } = this.#now
    this.#now = undefined
    const seconds = Math.round((performance.now() - sinceMs) / 1_000)
    this.#parts.log.info({ store: this.#parts.store, refused, seconds }, 'the store is written again')
  }

  /** A message was refused that could not be kept. */
  refused(): void {
    this.#parts.counters.add('store.refused')
    if (this.#now !== undefined) this.#now.refused++
  }
}
