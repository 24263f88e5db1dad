import type { Counters } from '../core/counters.ts'
import { DamselflyError } from '../core/errors.ts'
import { Fifo } from '../core/fifo.ts'
import { limits } from '../core/limits.ts'
import type { Connection, Departure } from './connection.ts'

interface Letter {
  readonly departure: Departure
  readonly batch: Batch
  /** Connections that were lost while it was on its way. */
  attempts: number
}

/** What one call of `send` gave: it is done when all of it is. */
interface Batch {
  left: number
  readonly resolve: () => void
  readonly reject: (reason: DamselflyError) => void
  /** A rejection that nobody awaits does not end the process. */
  readonly hush: () => void
}

/**
 * What is sent and not acknowledged yet: in order, bounded, and kept while there is no connection.
 *
 * A connection that is lost gives back what was on its way. This goes first and one by one over the next connection: a
 * broker that ends the connection because of a message is thus not given the same one for ever, and innocent ones
 * beside it are not taken for it. A message of QoS 0 that was written is never sent again.
 */
export class Outbox {
  readonly #counters: Counters
  readonly #waiting = new Fifo<Letter>()
  #again: Letter[] = []
  /** A Set keeps the order and lets go of any member at once. */
  readonly #onTheirWay = new Set<Letter>()
  #isAlone = false
  #isPumping = false
  #bytes = 0
  #undelivered = 0
  #connection: Connection | undefined
  #onEmpty: (() => void)[] = []

  constructor(counters: Counters) {
    this.#counters = counters
  }

  /** Messages that the broker has not acknowledged yet. */
  get size(): number {
    return this.#waiting.size + this.#again.length + this.#onTheirWay.size
  }

  /** Messages that were taken and given up since. */
  get undelivered(): number {
    return this.#undelivered
  }

  /**
   * Takes all the messages, or none. Resolves when the broker has acknowledged them; for QoS 0 when they are written.
   * @throws DamselflyError `LIMIT_REACHED`
   */
  add(departures: readonly Departure[]): Promise<void> {
    if (departures.length === 0) return Promise.resolve()
    const bytes = departures.reduce((sum, departure) => sum + sizeOf(departure), 0)
    if (this.size + departures.length > limits.clientOutgoingMessagesMax)
      throw this.#full('clientOutgoingMessagesMax', `${this.size} messages wait to be sent`)
    if (this.#bytes + bytes > limits.clientOutgoingBytesMax)
      throw this.#full(
        'clientOutgoingBytesMax',
        `${this.#bytes} bytes wait to be sent, and ${bytes} come with it`,
      )
    this.#bytes += bytes
    const sent = new Promise<void>((resolve, reject) => {
      const hush = (): void => void sent.catch(() => {})
      const batch = { left: departures.length, resolve, reject, hush }
      for (const departure of departures) this.#waiting.push({ departure, batch, attempts: 0 })
    })
    this.#pump()
    return sent
  }

  /** From now on messages go this way. */
  up(connection: Connection): void {
    this.#connection = connection
    this.#pump()
  }

  /** The connection is gone. */
  down(): void {
    this.#connection = undefined
    const returned = [...this.#onTheirWay]
    this.#onTheirWay.clear()
    for (const letter of returned) letter.attempts++
    const [kept, written] = partition(returned, ({ departure }) => departure.qos > 0)
    const [innocent, suspect] = partition(kept, ({ attempts }) => attempts < limits.clientAttemptsMax)
    this.#again = [...innocent, ...this.#again]
    for (const letter of written) this.#delivered(letter)
    for (const letter of suspect) this.#giveUp(letter)
  }

  /** Resolves when all is acknowledged or given up, or after so long. */
  async drained(timeoutMs: number): Promise<void> {
    if (this.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#onEmpty.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** Gives all up; quietly, when somebody else is told of it. */
  fail(reason: DamselflyError, isTold = false): void {
    const letters = [...this.#onTheirWay, ...this.#again]
    for (let letter = this.#waiting.shift(); letter !== undefined; letter = this.#waiting.shift())
      letters.push(letter)
    this.#onTheirWay.clear()
    this.#again = []
    for (const letter of letters) {
      if (isTold) letter.batch.hush()
      this.#reject(letter, reason)
    }
  }

  #pump(): void {
    if (this.#isPumping) return // a message of QoS 0 may be done while it is being handed over
    this.#isPumping = true
    for (let letter = this.#next(); letter !== undefined && this.#mayLeave(letter); letter = this.#next()) {
      this.#take(letter)
    }
    this.#isPumping = false
  }

  #next(): Letter | undefined {
    return this.#again[0] ?? this.#waiting.peek()
  }

  #mayLeave(letter: Letter): boolean {
    if (this.#connection === undefined) return false
    if (this.#onTheirWay.size === 0) return true
    return !this.#isAlone && !travelsAlone(letter) && this.#onTheirWay.size < limits.clientInflightMax
  }

  #take(letter: Letter): void {
    if (this.#again.shift() === undefined) this.#waiting.shift()
    this.#isAlone = travelsAlone(letter)
    this.#onTheirWay.add(letter)
    this.#connection?.publish(letter.departure, (refusal) => {
      if (!this.#onTheirWay.delete(letter)) return // it has been given up, or goes over another connection
      if (refusal === undefined) this.#delivered(letter)
      else this.#reject(letter, notTaken(letter.departure, refusal))
      this.#pump()
    })
  }

  #delivered({ departure, batch }: Letter): void {
    this.#forget(departure)
    batch.left--
    if (batch.left === 0) batch.resolve()
  }

  #giveUp(letter: Letter): void {
    const { topic, payload } = letter.departure
    this.#counters.add('clientAttemptsMax')
    const reason = new DamselflyError(
      'LIMIT_REACHED',
      `given up: each of ${limits.clientAttemptsMax} connections ended while this message was on its way ` +
        `(topic ${topic}, ${payload.length} bytes); it may be too large for the broker, or not allowed`,
      { limit: 'clientAttemptsMax' },
    )
    this.#reject(letter, reason)
  }

  #reject({ departure, batch }: Letter, reason: DamselflyError): void {
    this.#undelivered++
    this.#forget(departure)
    batch.reject(reason)
  }

  #forget(departure: Departure): void {
    this.#bytes -= sizeOf(departure)
    if (this.size > 0) return
    for (const resolve of this.#onEmpty.splice(0)) resolve()
  }

  #full(limit: 'clientOutgoingMessagesMax' | 'clientOutgoingBytesMax', found: string): DamselflyError {
    this.#counters.add(limit)
    const advice = 'send slower, and await each send'
    return new DamselflyError(
      'LIMIT_REACHED',
      `not sent: ${found}, at most ${limits[limit]} may; ${advice}`,
      { limit },
    )
  }
}

/**
 * @NOTE of QoS 2 one at a time: aedes 1.2 delivers several in another order than they came, and mosquitto 2.0.11
 * acknowledges and loses some when there are more than twenty.
 */
function travelsAlone({ departure, attempts }: Letter): boolean {
  return attempts > 0 || departure.qos === 2
}

function notTaken({ topic }: Departure, reason: string): DamselflyError {
  return new DamselflyError(
    'CONNECTION_REFUSED',
    `the broker does not take a message for ${topic}: ${reason}`,
  )
}

function sizeOf({ topic, payload }: Departure): number {
  return payload.length + topic.length
}

function partition<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))]
}
