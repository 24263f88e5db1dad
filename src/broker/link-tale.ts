import type { Logger } from '../core/ports.ts'
import type { LinkState, RemoteBroker } from '../core/remote-broker.ts'
import type { LinkFailure } from './link-failure.ts'

/** What was said last: connected, away (it will come back), or a refusal, by its reason. */
type Told = 'nothing' | 'connected' | 'away' | `refused: ${string}`

/** Tells how it is with the connection: each change once, however many attempts there are in between. */
export class LinkTale {
  readonly #log: Logger
  readonly #onChange: () => void
  /** Resolves when there is something to tell for the first time. */
  readonly firstAnswer: Promise<void>
  #answer = (): void => {}
  #told: Told = 'nothing'
  #reason: string | undefined

  constructor({ log, onChange }: { readonly log: Logger; readonly onChange: () => void }) {
    this.#log = log
    this.#onChange = onChange
    this.firstAnswer = new Promise((resolve) => {
      this.#answer = resolve
    })
  }

  get state(): Omit<LinkState, 'url'> {
    return { isConnected: this.#told === 'connected', reason: this.#reason }
  }

  /** @param messages how many have waited, and are on their way now */
  connected({ url }: RemoteBroker, messages: number): void {
    this.#reason = undefined
    this.#log.info({ broker: url, ...(messages > 0 ? { messages } : {}) }, 'connected to the broker')
    this.#change('connected')
  }

  /** An attempt failed, or a connection ended. */
  failed({ url }: RemoteBroker, { reason, remedy, isRefusal }: LinkFailure): void {
    const before = this.#told
    const now: Told = isRefusal === true ? `refused: ${reason}` : 'away'
    const hasChanged = this.#reason !== reason
    this.#reason = reason
    if (now === before) return hasChanged ? this.#onChange() : undefined
    const fields = { broker: url, reason, ...(remedy === undefined ? {} : { remedy }) }
    if (isRefusal === true) this.#log.error(fields, 'broker refuses us: trying again now and then')
    else if (before === 'connected') this.#log.warn(fields, 'connection to the broker lost, trying again')
    else this.#log.warn(fields, 'broker not reached yet, trying again')
    this.#change(now)
  }

  #change(now: Told): void {
    this.#told = now
    this.#answer()
    this.#onChange()
  }
}
