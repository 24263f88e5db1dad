import { DamselflyError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { QoS } from '../core/message.ts'
import { matchesFilter } from '../core/topics.ts'
import { type BrokerAddress, shownAddress } from './broker-address.ts'
import { type Arrival, Connection } from './connection.ts'

const retryMsDefault = 500
const retryMsMax = 10_000
/** A connection that stood so long was a good one: the next loss is answered as quickly as the first. */
const stableMs = 10_000
const answerMs = 10_000

export interface LinkOptions {
  readonly broker: BrokerAddress
  readonly clientId: string
  /** The pause before the first attempt to come back, which doubles with each failure; 500 unless told. */
  readonly retryMs?: number
  /** A message, and the filter that it matched: the first one, if several do. */
  readonly onMessage: (filter: string, message: Arrival) => void
  /** Messages that match no filter come too: those of a session that the broker has kept. Their filter is empty. */
  readonly takesAll?: boolean
  /** As of `ConnectionOptions`; without room there is no attempt to come back, either. */
  readonly room?: () => Promise<void> | undefined
  readonly onUp: (connection: Connection) => void
  readonly onDown: (reason: DamselflyError) => void
  /** The broker will not have us: there will be no further attempt. */
  readonly onRefused: (reason: DamselflyError) => void
  /** The broker refuses a filter that it had accepted, or what it sends for it is too large, again and again. */
  readonly onFilterRefused: (filter: string, reason: DamselflyError) => void
}

interface Subscription {
  readonly qos: QoS
  isAccepted: boolean
  readonly accept: () => void
  readonly refuse: (reason: DamselflyError) => void
}

/**
 * A connection that comes back: after a loss it tries again, after half a second at first, after ten at most, and then
 * subscribes anew to all its filters. After `clientAttemptsMax` connections in a row that ended soon, because of a packet
 * larger than `packetBytesMax`, it gives them up and comes back without: the next connection would end likewise.
 */
export class Link {
  readonly #options: LinkOptions
  readonly #subscriptions = new Map<string, Subscription>()
  #connection: Connection | undefined
  #opening: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #failures = 0
  /** Connections in a row that a packet too large has ended. */
  #tooLarge = 0
  #upAtMs = 0
  readonly #end = new AbortController()
  #wasUp = false

  constructor(options: LinkOptions) {
    this.#options = options
  }

  /** It was connected, and is not now. */
  get isDown(): boolean {
    return this.#wasUp && this.#connection === undefined
  }

  get filters(): Iterable<string> {
    return this.#subscriptions.keys()
  }

  get isUnused(): boolean {
    return this.#subscriptions.size === 0
  }

  has(filter: string): boolean {
    return this.#subscriptions.has(filter)
  }

  /**
   * The first attempt, and the only one whose failure is told.
   * @throws DamselflyError `BROKER_UNREACHABLE`, `CONNECTION_REFUSED`
   */
  async open(timeoutMs: number): Promise<void> {
    await this.#connect(timeoutMs)
  }

  /** Tries until it is connected or refused. */
  start(): void {
    this.#opening = this.#connect(answerMs).catch((error: DamselflyError) => this.#failed(error))
  }

  /** Resolves when the broker has accepted it, however long that takes. @throws DamselflyError `SUBSCRIPTION_REFUSED` */
  subscribe(filter: string, qos: QoS): Promise<void> {
    return new Promise((accept, refuse) => {
      this.#subscriptions.set(filter, { qos, isAccepted: false, accept, refuse })
      this.#ask(filter)
    })
  }

  /**
   * Resolves when the broker has taken note, or the connection is gone and with it the subscription.
   * @param reason for those who still wait for the broker's answer to `subscribe`
   */
  unsubscribe(filter: string, reason: DamselflyError): Promise<void> {
    this.#subscriptions.get(filter)?.refuse(reason)
    this.#subscriptions.delete(filter)
    const connection = this.#connection
    if (connection === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      connection.unsubscribe(filter, resolve)
      void connection.ended.then(resolve)
    })
  }

  /** Tells those who wait for an answer to `subscribe` that none will come. */
  refuse(reason: DamselflyError): void {
    for (const { refuse } of this.#subscriptions.values()) refuse(reason)
  }

  /** Ends the connection gracefully, or by force after so long. No callback is called any more. */
  async end(timeoutMs: number): Promise<void> {
    this.#end.abort()
    clearTimeout(this.#retry)
    const connection = this.#connection
    this.#connection = undefined
    await Promise.all([connection?.end(timeoutMs), this.#opening])
  }

  async #connect(timeoutMs: number): Promise<void> {
    const { broker, clientId } = this.#options
    let early: DamselflyError | undefined
    const connection = await Connection.open({
      broker,
      clientId,
      timeoutMs,
      signal: this.#end.signal,
      room: this.#options.room,
      onMessage: (message) => this.#arrived(message),
      onEnd: (reason) => {
        if (this.#connection === undefined) early = reason
        else this.#lost(reason)
      },
    })
    if (early !== undefined) throw early
    if (this.#end.signal.aborted) return connection.destroy()
    this.#connection = connection
    this.#wasUp = true
    this.#upAtMs = performance.now()
    for (const filter of this.#subscriptions.keys()) this.#ask(filter)
    this.#options.onUp(connection)
  }

  #lost(reason: DamselflyError): void {
    this.#connection = undefined
    if (performance.now() - this.#upAtMs >= stableMs) {
      this.#failures = 0
      this.#tooLarge = 0
    }
    if (reason.limit === 'packetBytesMax' && ++this.#tooLarge >= limits.clientAttemptsMax) {
      this.#tooLarge = 0
      this.#giveUpFilters(reason)
    }
    this.#tryLater()
    this.#options.onDown(reason)
  }

  /** Which of them it is cannot be known: the packet was not read. */
  #giveUpFilters(reason: DamselflyError): void {
    const given = [...this.#subscriptions]
    this.#subscriptions.clear()
    for (const [filter, { isAccepted, refuse }] of given) {
      if (isAccepted) this.#options.onFilterRefused(filter, reason)
      else refuse(reason)
    }
  }

  #failed(error: DamselflyError): void {
    if (this.#end.signal.aborted) return
    if (error.code !== 'CONNECTION_REFUSED') return this.#tryLater()
    this.refuse(error)
    for (const filter of this.#subscriptions.keys()) this.#options.onFilterRefused(filter, error)
    this.#options.onRefused(error)
  }

  #tryLater(): void {
    const { retryMs = retryMsDefault } = this.#options
    const delayMs = Math.min(retryMsMax, retryMs * 2 ** this.#failures++)
    // a house full of clients need not come back in the same moment
    this.#retry = setTimeout(() => void this.#startAgain(), delayMs * (0.75 + Math.random() / 2))
  }

  async #startAgain(): Promise<void> {
    await this.#options.room?.()
    if (!this.#end.signal.aborted) this.start()
  }

  #ask(filter: string): void {
    const subscription = this.#subscriptions.get(filter)
    if (subscription === undefined) return
    this.#connection?.subscribe(filter, subscription.qos, (isAccepted) => {
      if (this.#subscriptions.get(filter) !== subscription) return
      if (isAccepted) {
        subscription.isAccepted = true
        return subscription.accept()
      }
      this.#subscriptions.delete(filter)
      const where = shownAddress(this.#options.broker)
      const reason = new DamselflyError(
        'SUBSCRIPTION_REFUSED',
        `the broker at ${where} does not let us subscribe to ${filter}; its access rules say who may`,
      )
      if (subscription.isAccepted) this.#options.onFilterRefused(filter, reason)
      else subscription.refuse(reason)
    })
  }

  #arrived(message: Arrival): void {
    const filter = this.#filterOf(message.topic) ?? (this.#options.takesAll === true ? '' : undefined)
    if (filter !== undefined) this.#options.onMessage(filter, message)
  }

  #filterOf(topic: string): string | undefined {
    if (this.#subscriptions.has(topic)) return topic
    for (const filter of this.#subscriptions.keys()) if (matchesFilter(filter, topic)) return filter
    return undefined
  }
}
