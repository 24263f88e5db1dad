import type { Counters } from '../core/counters.ts'
import { DamselflyError } from '../core/errors.ts'
import { overlap } from '../core/filter-cover.ts'
import { limits } from '../core/limits.ts'
import type { QoS } from '../core/message.ts'
import type { BrokerAddress } from './broker-address.ts'
import type { Connection } from './connection.ts'
import { Inbox } from './inbox.ts'
import { Link } from './link.ts'

export interface RegistrationsOptions {
  readonly broker: BrokerAddress
  readonly clientId: string
  readonly counters: Counters
  /** The first connection is there, or there again. */
  readonly onUp: (connection: Connection) => void
  readonly onDown: () => void
  /** Told after each coming and going: whether a connection is missing now, and why. */
  readonly onChange: (isDown: boolean, reason?: DamselflyError) => void
  readonly onRefused: (reason: DamselflyError) => void
}

/**
 * The filters that a program has registered, what has come for them, and the connections by which it comes.
 *
 * @NOTE filters that overlap each other have a connection each (client ids `ID`, `ID-2`, …). On one connection a broker
 * may deliver a message once for all the filters that it matches, or once for each [MQTT-3.3.5-1], and nothing in MQTT
 * 3.1.1 tells these from messages that are alike. Retained messages of a new registration would be doubles for the others.
 */
export class Registrations {
  readonly #options: RegistrationsOptions
  readonly #inboxes = new Map<string, Inbox>()
  readonly #links: Link[] = []
  #linksMade = 0

  constructor(options: RegistrationsOptions) {
    this.#options = options
  }

  /** Makes the first connection, which is there with or without registrations. */
  open(timeoutMs: number): Promise<void> {
    return this.#addLink().open(timeoutMs)
  }

  /** @throws DamselflyError `SUBSCRIPTION_REFUSED`, `CONNECTION_REFUSED`, `LIMIT_REACHED` */
  async add(filter: string, qos: QoS): Promise<void> {
    const known = this.#inboxes.get(filter)
    if (known !== undefined && !known.hasFailed) return known.registered
    const link = this.#linkFor(filter)
    const inbox = known ?? new Inbox(filter, this.#options.counters)
    this.#inboxes.set(filter, inbox) // before the broker can send anything
    inbox.begin(link.subscribe(filter, qos))
    try {
      await inbox.registered
    } catch (error) {
      if (known === undefined && this.#inboxes.get(filter) === inbox) this.#inboxes.delete(filter)
      throw error
    }
  }

  /** @throws DamselflyError `NOT_REGISTERED` */
  async remove(filter: string): Promise<void> {
    const reason = notRegistered(filter)
    this.inbox(filter).end(reason)
    this.#inboxes.delete(filter)
    const link = this.#links.find((one) => one.has(filter))
    if (link === undefined) return
    const done = link.unsubscribe(filter, reason)
    if (!link.isUnused || link === this.#links[0]) return await done
    this.#links.splice(this.#links.indexOf(link), 1)
    await link.end(goodbyeMs)
  }

  /** @throws DamselflyError `NOT_REGISTERED` */
  inbox(filter: string): Inbox {
    const inbox = this.#inboxes.get(filter)
    if (inbox === undefined) throw notRegistered(filter)
    return inbox
  }

  /** Nothing will come any more; what is here can be read. */
  fail(reason: DamselflyError): void {
    for (const link of this.#links) link.refuse(reason)
    for (const inbox of this.#inboxes.values()) inbox.fail(reason)
  }

  /** Nothing will come any more, and what is here is forgotten. */
  end(reason: DamselflyError): void {
    for (const link of this.#links) link.refuse(reason)
    for (const inbox of this.#inboxes.values()) inbox.end(reason)
  }

  /** Ends all connections gracefully, or by force after so long. */
  async disconnect(timeoutMs: number): Promise<void> {
    await Promise.all(this.#links.map((link) => link.end(timeoutMs)))
  }

  #linkFor(filter: string): Link {
    const free = this.#links.find((link) => ![...link.filters].some((other) => overlap(filter, other)))
    if (free !== undefined) return free
    if (this.#links.length >= limits.clientConnectionsMax) {
      this.#options.counters.add('clientConnectionsMax')
      throw new DamselflyError(
        'LIMIT_REACHED',
        `not registered: ${filter} overlaps too many other filters; at most ${limits.clientConnectionsMax} may overlap each other`,
        { limit: 'clientConnectionsMax' },
      )
    }
    const link = this.#addLink()
    link.start()
    return link
  }

  #addLink(): Link {
    const { broker, clientId, onUp, onDown, onChange, onRefused } = this.#options
    const isFirst = this.#linksMade++ === 0
    const link = new Link({
      broker,
      clientId: isFirst ? clientId : `${clientId}-${this.#linksMade}`,
      onMessage: (filter, message) => this.#inboxes.get(filter)?.add(message),
      onUp: (connection) => {
        if (isFirst) onUp(connection)
        onChange(this.#isDown)
      },
      onDown: (reason) => {
        if (reason.limit !== undefined) this.#options.counters.add(reason.limit)
        if (isFirst) onDown()
        onChange(this.#isDown, reason)
      },
      onFilterRefused: (filter, reason) => this.#inboxes.get(filter)?.fail(reason),
      onRefused: (reason) => {
        if (isFirst) return onRefused(reason)
        this.#links.splice(this.#links.indexOf(link), 1)
        onChange(this.#isDown, reason)
      },
    })
    this.#links.push(link)
    return link
  }

  get #isDown(): boolean {
    return this.#links.some((link) => link.isDown)
  }
}

const goodbyeMs = 1_000

function notRegistered(filter: string): DamselflyError {
  return new DamselflyError(
    'NOT_REGISTERED',
    `"${filter}" is not registered: await register('${filter}') first`,
  )
}
