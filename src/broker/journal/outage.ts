import type { Counters } from '../../core/counters.ts'
import type { Logger, StoreState } from '../../core/ports.ts'

/** How long writes must have gone well until an outage is told to be over: a disk that fails now and then is told once. */
const calmMs = 5_000

export interface OutageParts {
  /** The folder of the store. */
  readonly store: string
  readonly log: Logger
  readonly counters: Counters
  /** Called when nothing can be written from now on. */
  readonly onBegin: () => void
}

/** Whether the store can be written now. A time in which it cannot be is told once when it begins, and once when it is over. */
export class Outage {
  readonly #parts: OutageParts
  /** Why nothing can be written now; undefined when it can be. */
  #reason: string | undefined
  /** That of which the log has the beginning only. */
  #told: { readonly since: Date; readonly sinceMs: number; refused: number; endedMs: number } | undefined
  #calm: NodeJS.Timeout | undefined

  constructor(parts: OutageParts) {
    this.#parts = parts
  }

  get isOn(): boolean {
    return this.#reason !== undefined
  }

  get state(): StoreState {
    if (this.#reason === undefined || this.#told === undefined) return { isWritten: true }
    const { since, refused } = this.#told
    return { isWritten: false, reason: this.#reason, since: since.toISOString(), refused }
  }

  /** A write has failed, or takes too long. While nothing can be written it is only known why now. */
  begin(reason: string, level: 'error' | 'warn' = 'error'): void {
    const wasOn = this.isOn
    this.#reason = reason
    if (wasOn) return
    clearTimeout(this.#calm)
    const { store, log, onBegin } = this.#parts
    if (this.#told === undefined) {
      this.#told = { since: new Date(), sinceMs: performance.now(), refused: 0, endedMs: 0 }
      log[level](
        { store, reason },
        'the store cannot be written: until it can be, what must be kept is refused, or waits for its answer',
      )
    }
    onBegin()
  }

  /** Something was written. */
  end(): void {
    if (this.#reason === undefined || this.#told === undefined) return
    this.#reason = undefined
    this.#told.endedMs = performance.now()
    this.#calm = setTimeout(() => this.settle(), calmMs).unref()
  }

  /** Tells the end of an outage that is over. */
  settle(): void {
    clearTimeout(this.#calm)
    if (this.#told === undefined || this.isOn) return
    const { refused, sinceMs, endedMs } = this.#told
    this.#told = undefined
    const { store, log } = this.#parts
    const seconds = Math.round((endedMs - sinceMs) / 1_000)
    log.info({ store, refused, seconds }, 'the store is written again')
  }

  /** A message was refused that could not be kept. */
  refused(): void {
    this.#parts.counters.add('store.refused')
    if (this.#told !== undefined) this.#told.refused++
  }
}
