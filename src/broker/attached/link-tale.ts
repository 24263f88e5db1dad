import type { Logger } from '../../core/ports.ts'
import { type LinkState, type RemoteBroker, shownUrl } from '../../core/remote-broker.ts'
import type { LinkFailure } from './link-failure.ts'

/** Where a connection leads. */
type LinkPlace = Pick<RemoteBroker, 'url' | 'search'>

/** What was said last: connected, away (it will come back), or a refusal, by its reason. */
type Told = 'nothing' | 'connected' | 'away' | `refused: ${string}`

/** What is said, and of what. */
export interface LinkWords {
  /** Stands in each line. */
  readonly fields: object
  readonly connected: string
  readonly refused: string
  readonly lost: string
  readonly unreached: string
}

const ofBroker: LinkWords = {
  fields: {},
  connected: 'connected to the broker',
  refused: 'broker refuses us: trying again now and then',
  lost: 'connection to the broker lost, trying again',
  unreached: 'broker not reached yet, trying again',
}

/** After so many short connections in a row, a further one is told only when it has stood. */
const shortMax = 3

/**
 * Tells how it is with the connection: each change once, however many attempts there are in between. One that comes
 * and goes, again and again, is told as away until it stands.
 */
export class LinkTale {
  readonly #log: Logger
  readonly #words: LinkWords
  readonly #onChange: () => void
  /** Resolves when there is something to tell for the first time. */
  readonly firstAnswer: Promise<void>
  #answer = (): void => {}
  #told: Told = 'nothing'
  #reason: string | undefined
  #isConnected = false
  readonly #steadyMs: number
  /** Runs until the connection has stood for `steadyMs`. */
  #standing: NodeJS.Timeout | undefined
  #shortInARow = 0
  #url = ''

  /** @param parts `steadyMs`: a connection that ends sooner is short */
  constructor(parts: {
    readonly log: Logger
    readonly onChange: () => void
    readonly steadyMs: number
    readonly words?: LinkWords
  }) {
    this.#log = parts.log
    this.#words = parts.words ?? ofBroker
    this.#onChange = parts.onChange
    this.#steadyMs = parts.steadyMs
    this.firstAnswer = new Promise((resolve) => {
      this.#answer = resolve
    })
  }

  get state(): Omit<LinkState, 'url'> {
    return { isConnected: this.#isConnected, reason: this.#reason }
  }

  /** @param messages how many have waited, and are on their way now */
  connected(broker: LinkPlace, messages: number): void {
    const { url } = broker
    if (url !== this.#url) this.#shortInARow = 0
    this.#url = url
    this.#reason = undefined
    this.#isConnected = true
    const tell = (more: object): void => {
      this.#told = 'connected'
      this.#log.info(
        { ...this.#words.fields, broker: shownUrl(broker), ...(messages > 0 ? { messages } : {}), ...more },
        this.#words.connected,
      )
    }
    const short = this.#shortInARow
    const isHeldBack = short >= shortMax
    clearTimeout(this.#standing)
    this.#standing = setTimeout(() => {
      this.#standing = undefined
      this.#shortInARow = 0
      if (isHeldBack) tell({ shortConnections: short })
    }, this.#steadyMs).unref()
    if (!isHeldBack) tell({})
    this.#changed()
  }

  /** Nothing more is told. */
  close(): void {
    clearTimeout(this.#standing)
  }

  /** It is not connected, and need not be. */
  rests(reason: string): void {
    clearTimeout(this.#standing)
    this.#standing = undefined
    this.#told = 'nothing'
    this.#isConnected = false
    this.#reason = reason
    this.#changed()
  }

  /** An attempt failed, or a connection ended. */
  failed(broker: LinkPlace, { reason, remedy, isRefusal }: LinkFailure): void {
    const before = this.#told
    const now: Told = isRefusal === true ? `refused: ${reason}` : 'away'
    const hasChanged = this.#reason !== reason || this.#isConnected
    this.#reason = reason
    if (this.#isConnected && this.#standing !== undefined) this.#shortInARow++
    this.#isConnected = false
    clearTimeout(this.#standing)
    this.#standing = undefined
    if (now === before) return hasChanged ? this.#onChange() : undefined
    const words = this.#words
    const fields = {
      ...words.fields,
      broker: shownUrl(broker),
      reason,
      ...(remedy === undefined ? {} : { remedy }),
    }
    if (isRefusal === true) this.#log.error(fields, words.refused)
    else if (before === 'connected') this.#log.warn(fields, words.lost)
    else this.#log.warn(fields, words.unreached)
    this.#told = now
    this.#changed()
  }

  #changed(): void {
    this.#answer()
    this.#onChange()
  }
}
