import { Counters } from '../core/counters.ts'
import { DamselflyError, type ErrorCode } from '../core/errors.ts'
import type { QoS } from '../core/message.ts'
import { filterProblem, topicProblem } from '../core/topics.ts'
import { formatDuration } from '../core/units.ts'
import { type BrokerAddress, shownAddress } from './broker-address.ts'
import type { Departure } from './connection.ts'
import { encodeValue } from './encode.ts'
import type { Inbox, ReceivedMessage } from './inbox.ts'
import { checkQos, type Duration, millisecondsOf, onlyKnown } from './options.ts'
import { Outbox } from './outbox.ts'
import { Registrations } from './registrations.ts'

/** `reconnecting` until the broker is there again, `closed` for ever. */
export type ConnectionState = 'connected' | 'reconnecting' | 'closed'

/** Told at each change after `connect()` has resolved; `reason` says why it is not connected. */
export type StateListener = (state: ConnectionState, reason?: DamselflyError) => void

export interface SendOptions {
  /** 1 unless told: the broker acknowledges it, and it is sent again until it does. */
  readonly qos?: QoS
  /** The broker keeps it for those who come later. False unless told. */
  readonly retain?: boolean
  /** The value is an array, and each of its elements becomes a message. False unless told. */
  readonly each?: boolean
}

export interface RegisterOptions {
  /** The highest QoS with which messages shall come; 1 unless told. */
  readonly qos?: QoS
}

export interface NextOptions {
  /** How long to wait; for ever unless told. */
  readonly timeout?: Duration
}

export interface CloseOptions {
  /** How long what was sent may take to get through; 5 s unless told. */
  readonly timeout?: Duration
}

export interface ClientSetup {
  readonly broker: BrokerAddress
  readonly clientId: string
  readonly onState: StateListener | undefined
}

const closeMs = 5_000

/**
 * A connection to a broker, for programs; `connect` makes it. It comes back by itself after a loss, with all its
 * registrations; what was sent meanwhile is sent then, and what was received stays until it is read.
 */
export class Client implements AsyncDisposable {
  readonly #broker: BrokerAddress
  readonly #onState: StateListener | undefined
  readonly #counters = new Counters()
  readonly #outbox = new Outbox(this.#counters)
  readonly #registrations: Registrations
  #state: ConnectionState = 'connected'
  /** Why nothing goes any more. */
  #ended: DamselflyError | undefined
  #closing: Promise<void> | undefined

  /** @throws DamselflyError `BROKER_UNREACHABLE`, `CONNECTION_REFUSED` */
  static async open(setup: ClientSetup, timeoutMs: number): Promise<Client> {
    const client = new Client(setup)
    await client.#registrations.open(timeoutMs)
    return client
  }

  private constructor({ broker, clientId, onState }: ClientSetup) {
    this.#broker = broker
    this.#onState = onState
    this.#registrations = new Registrations({
      broker,
      clientId,
      counters: this.#counters,
      onUp: (connection) => this.#outbox.up(connection),
      onDown: () => this.#outbox.down(),
      onChange: (isDown, reason) => this.#tell(isDown ? 'reconnecting' : 'connected', reason),
      onRefused: (reason) => this.#refused(reason),
    })
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Messages given to `send` that the broker has not acknowledged yet. */
  get unacknowledged(): number {
    return this.#outbox.size
  }

  /** How often each limit was reached: `clientQueueMessagesMax` and its like (docs/limits.md). */
  get counters(): Readonly<Record<string, number>> {
    return this.#counters.snapshot()
  }

  /**
   * Sends text and bytes as they are, and anything else as JSON, in the order of the calls. Resolves when the broker has
   * acknowledged it, however long that takes; with QoS 0 when it is written. While the broker is away it waits.
   * @throws DamselflyError `TOPIC_INVALID`, `VALUE_INVALID`, `OPTIONS_INVALID`, `LIMIT_REACHED` (too much waits already, or
   *   the broker ended its connections because of this message), `CONNECTION_REFUSED`, `CONNECTION_CLOSED`
   */
  send(topic: string, value: unknown, options: SendOptions = {}): Promise<void> {
    try {
      this.#check()
      return this.#outbox.add(departuresOf(topic, value, options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * From now on messages that match are kept for `read`, `next` and `messages`. Resolves when the broker has agreed. A
   * second call for the same filter changes nothing and loses nothing.
   * @throws DamselflyError `TOPIC_INVALID`, `OPTIONS_INVALID`, `SUBSCRIPTION_REFUSED`, `CONNECTION_REFUSED`,
   *   `CONNECTION_CLOSED`, `LIMIT_REACHED` (too many filters overlap, or what comes is too large)
   */
  async register(filter: string, options: RegisterOptions = {}): Promise<void> {
    this.#check()
    onlyKnown('register', options, ['qos'])
    const { qos = 1 } = options
    checkQos('register', qos)
    if (typeof filter !== 'string') throw notText('register', 'filter', filter)
    // shared subscriptions are of MQTT 5
    const problem = filter.startsWith('$share/') ? '$share/ is not offered' : filterProblem(filter)
    if (problem !== undefined)
      throw new DamselflyError('TOPIC_INVALID', `"${filter}" is not a topic filter: ${problem}`)
    await this.#registrations.add(filter, qos)
  }

  /**
   * Ends a registration and forgets what was not read. Readers that wait get `NOT_REGISTERED`, `for await` ends.
   * @throws DamselflyError `NOT_REGISTERED`, `CONNECTION_CLOSED`
   */
  async unregister(filter: string): Promise<void> {
    this.#inbox(filter)
    await this.#registrations.remove(filter)
  }

  /** All messages that wait, oldest first; they do not wait any more. @throws DamselflyError `NOT_REGISTERED`, `CONNECTION_CLOSED` */
  read(filter: string): ReceivedMessage[] {
    return this.#inbox(filter).take()
  }

  /** How many messages wait. @throws DamselflyError `NOT_REGISTERED`, `CONNECTION_CLOSED` */
  pending(filter: string): number {
    return this.#inbox(filter).size
  }

  /** How many messages were dropped because too many waited. @throws DamselflyError `NOT_REGISTERED`, `CONNECTION_CLOSED` */
  dropped(filter: string): number {
    return this.#inbox(filter).dropped
  }

  /**
   * The oldest message that waits, or the next one to come. Several that wait are served in order.
   * @throws DamselflyError `TIMED_OUT`, `NOT_REGISTERED`, `CONNECTION_CLOSED`, `CONNECTION_REFUSED`, `SUBSCRIPTION_REFUSED`
   */
  async next(filter: string, options: NextOptions = {}): Promise<ReceivedMessage> {
    const inbox = this.#inbox(filter)
    onlyKnown('next', options, ['timeout'])
    return inbox.next(options.timeout === undefined ? undefined : millisecondsOf(options.timeout))
  }

  /**
   * One message after the other, as they come: `for await (const message of client.messages(filter))`. It ends when the
   * filter is unregistered or the client closed; `break` leaves the registration as it is.
   * @throws DamselflyError `NOT_REGISTERED`, `CONNECTION_CLOSED`; and while it waits as `next`
   */
  messages(filter: string): AsyncIterableIterator<ReceivedMessage> {
    return messagesOf(this.#inbox(filter))
  }

  /**
   * Waits until all that was sent is acknowledged, then says goodbye. From the call on everything else fails with
   * `CONNECTION_CLOSED`. A second call gives the same promise.
   * @throws DamselflyError `TIMED_OUT` when something could not be delivered in time, and how much; it is closed all the same
   */
  close(options: CloseOptions = {}): Promise<void> {
    try {
      onlyKnown('close', options, ['timeout'])
      this.#closing ??= this.#close(millisecondsOf(options.timeout ?? closeMs))
      return this.#closing
    } catch (error) {
      return Promise.reject(error)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs
    const closed = new DamselflyError('CONNECTION_CLOSED', 'this client has been closed')
    this.#ended = closed
    this.#registrations.end(closed)
    const before = this.#outbox.undelivered
    await this.#outbox.drained(timeoutMs)
    this.#outbox.fail(closed, true) // we throw below
    await this.#registrations.disconnect(Math.max(0, endMs - performance.now()))
    this.#tell('closed')
    const lost = this.#outbox.undelivered - before
    if (lost === 0) return
    const what = lost === 1 ? 'one message' : `${lost} messages`
    const where = shownAddress(this.#broker)
    throw new DamselflyError(
      'TIMED_OUT',
      `closed, but ${what} could not be delivered to ${where} within ${formatDuration(timeoutMs)}`,
    )
  }

  /** The broker will not have us any more. What has arrived can still be read. */
  #refused(reason: DamselflyError): void {
    this.#ended ??= reason
    this.#registrations.fail(reason)
    this.#outbox.fail(reason)
    void this.#registrations.disconnect(0)
    this.#tell('closed', reason)
  }

  #check(): void {
    if (this.#ended !== undefined) throw this.#ended
  }

  #inbox(filter: string): Inbox {
    if (this.#ended?.code === 'CONNECTION_CLOSED') throw this.#ended
    return this.#registrations.inbox(filter)
  }

  #tell(state: ConnectionState, reason?: DamselflyError): void {
    if (state === this.#state || this.#state === 'closed') return
    this.#state = state
    // in a turn of its own: whatever it throws must not break off what we are doing
    queueMicrotask(() => this.#onState?.(state, reason))
  }
}

function departuresOf(topic: string, value: unknown, options: SendOptions): Departure[] {
  onlyKnown('send', options, ['qos', 'retain', 'each'])
  const { qos = 1, retain = false, each = false } = options
  checkQos('send', qos)
  if (typeof topic !== 'string') throw notText('send', 'topic', topic)
  const problem = topicProblem(topic)
  if (problem !== undefined)
    throw new DamselflyError('TOPIC_INVALID', `"${topic}" is not a topic: ${problem}`)
  if (!each) return [{ topic, payload: encodeValue(value), qos, retain }]
  if (!Array.isArray(value))
    throw new DamselflyError('VALUE_INVALID', 'send with each: true expects an array')
  return Array.from(value, (element) => ({ topic, payload: encodeValue(element), qos, retain }))
}

/** A program without types may give anything. */
function notText(call: string, what: string, found: unknown): DamselflyError {
  const kind = found === null ? 'null' : typeof found
  return new DamselflyError('TOPIC_INVALID', `${call} expects a ${what}, which is text, not ${kind}`)
}

async function* messagesOf(inbox: Inbox): AsyncGenerator<ReceivedMessage, void> {
  for (;;) {
    let message: ReceivedMessage
    try {
      message = await inbox.next(undefined)
    } catch (error) {
      if (error instanceof DamselflyError && ownEnds.has(error.code)) return
      throw error
    }
    yield message
  }
}

/** What the program itself has ended. */
const ownEnds: ReadonlySet<string> = new Set<ErrorCode>(['CONNECTION_CLOSED', 'NOT_REGISTERED'])
