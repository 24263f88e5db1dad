import type { Socket } from 'node:net'
import { Aedes, type PublishPacket } from 'aedes'
import type { Counters } from '../core/counters.ts'
import type { Durability } from '../core/durability.ts'
import { reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import type { Access } from './access.ts'
import { Connection, type Ending } from './connection.ts'
import { Doorkeeper } from './doorkeeper.ts'
import { Evictions } from './evictions.ts'
import { House } from './house.ts'
import { AedesHub } from './hub.ts'
import { Journal } from './journal/journal.ts'
import type { StoredMessage } from './journal/records.ts'
import { Listeners, type ListenFailure } from './listeners.ts'
import { cut, plainAddress } from './log-fields.ts'
import { Publication } from './publication.ts'
import { Reception } from './reception.ts'
import { RetainedStore } from './retained-store.ts'
import { Router } from './router.ts'
import type { Session } from './session.ts'
import { Sessions } from './sessions.ts'
import { reasonCode } from './wire/reason-codes.ts'

/** @NOTE aedes allows no more than this; `MAX_TOPIC_LEVELS` is ours, and checked before. */
const aedesTopicLevelsMax = 100

/** How often it is looked whose time is up: a keep alive of 1 s is over after 1.5 s. */
const tickMs = 500

export interface BrokerOptions {
  readonly dataDir: string
  readonly durability?: Durability
  readonly access: Access
  /** Whether an address is one of this machine's own, IPv4-mapped forms included. */
  readonly isOwnAddress: (address: string) => boolean
  readonly log: Logger
  readonly counters: Counters
}

/**
 * The MQTT broker: sockets on one side, the `Hub` on the other.
 * Opened without listeners; `listen` opens the doors when the house is ready.
 */
export class Broker {
  readonly hub: Hub
  readonly #options: BrokerOptions
  readonly #aedes: Aedes
  readonly #router: Router
  readonly #retained: RetainedStore
  readonly #journal: Journal
  readonly #doorkeeper: Doorkeeper
  readonly #house: House
  readonly #sessions: Sessions
  readonly #listeners: Listeners
  readonly #repeats = new Repeats()
  readonly #connections = new Set<Connection>()
  /** Connections whose CONNECT has not come yet, the oldest first. */
  readonly #unanswered = new Set<Connection>()
  readonly #clock: NodeJS.Timeout
  #isClosing = false

  /** @throws DamselflyError `STORE_FAILED` */
  static async open(options: BrokerOptions): Promise<Broker> {
    const { dataDir, durability = 'power', log, counters } = options
    const journal = await Journal.open({ dataDir, durability, log, counters })
    const broker = new Broker(options, journal)
    await broker.#aedes.listen()
    broker.#restore()
    return broker
  }

  private constructor(options: BrokerOptions, journal: Journal) {
    const { log, counters, access } = options
    this.#options = options
    this.#journal = journal
    this.#router = new Router({ log, counters })
    this.#retained = new RetainedStore({ log, counters })
    this.#aedes = new Aedes({
      mq: this.#router,
      persistence: this.#retained,
      maxTopicLevels: aedesTopicLevelsMax,
    })
    this.#doorkeeper = new Doorkeeper({ access, log, counters })
    this.#house = new House({
      aedes: this.#aedes,
      router: this.#router,
      retained: this.#retained,
      ledger: journal,
      doorkeeper: this.#doorkeeper,
      counters,
      log,
      onEnded: (connection, ending) => this.#ended(connection, ending),
    })
    this.#sessions = new Sessions({
      house: this.#house,
      counters,
      publishWill: (message, retain, session) => this.#publishWill(message, retain, session),
      routeOf: (topic) => this.#router.routeOf(topic),
    })
    this.#house.reception = new Reception({
      house: this.#house,
      sessions: this.#sessions,
      evictions: new Evictions(counters),
      isOwnAddress: options.isOwnAddress,
      tellFight: (fields, message) => log.warn(fields, message),
      welcome: (connection) => {
        this.#unanswered.delete(connection)
        log.info(cut(connection.toFields()), 'client connected')
      },
    })
    this.hub = new AedesHub(this.#aedes, this.#router, this.#retained)
    this.#listeners = new Listeners(
      (socket) => this.#accept(socket),
      (error) => log.error({ reason: reasonOf(error) }, 'connection could not be accepted'),
    )
    this.#clock = setInterval(() => this.#tick(), tickMs).unref()
  }

  /** The addresses that are being listened on. */
  get addresses(): readonly string[] {
    return this.#listeners.addresses
  }

  /** Clients that are connected now. */
  get clientCount(): number {
    return this.#sessions.connectedCount
  }

  /** Sessions, of clients that are connected and of those that are away. */
  get sessionCount(): number {
    return this.#sessions.count
  }

  /** Messages that wait in all sessions. */
  get queuedMessages(): number {
    return this.#sessions.queuedMessages
  }

  get retainedMessages(): number {
    return this.#retained.count
  }

  get port(): number | undefined {
    return this.#listeners.port
  }

  /** Listens on exactly these addresses; clients of those that stay notice nothing. */
  listen(addresses: readonly string[], port: number): Promise<readonly ListenFailure[]> {
    return this.#listeners.apply(addresses, port)
  }

  /** Who may connect from now on; those who are connected stay. */
  setAccess(access: Access): void {
    this.#doorkeeper.setAccess(access)
  }

  /** Tells the clients, writes down what there is, and closes everything. */
  async close(): Promise<void> {
    this.#isClosing = true
    clearInterval(this.#clock)
    await this.#journal.flush() // what was acknowledged to nobody yet is acknowledged now
    this.#sessions.closeAll({ reasonCode: reasonCode.serverShuttingDown, reason: 'the broker stops' })
    for (const connection of [...this.#connections]) connection.close({ reason: 'the broker stops' })
    await new Promise<void>((resolve) => this.#aedes.close(resolve))
    await this.#listeners.close()
    await this.#journal.close()
  }

  #restore(): void {
    const { retained, sessions } = this.#journal.takeRestored()
    this.#retained.restore(retained)
    this.#retained.ledger = this.#journal
    this.#sessions.restore(sessions, Date.now())
  }

  #accept(socket: Socket): void {
    const peer = socket.remoteAddress
    if (peer === undefined || this.#isClosing) {
      socket.on('error', () => {})
      return void socket.destroy()
    }
    const address = plainAddress(peer)
    const { counters } = this.#options
    if (this.#connections.size >= limits.connectionsMax) {
      counters.add('connectionsMax')
      this.#doorkeeper.logRefusal({
        address,
        reason: `${limits.connectionsMax} clients are connected already`,
      })
      socket.on('error', () => {})
      return void socket.destroy()
    }
    const connection = new Connection(socket, address, this.#house)
    this.#connections.add(connection)
    this.#unanswered.add(connection)
    for (const oldest of this.#unanswered) {
      if (this.#unanswered.size <= limits.unansweredConnectionsMax) break
      counters.add('unansweredConnectionsMax')
      oldest.close({ reason: 'too many connections without CONNECT' })
    }
  }

  #ended(connection: Connection, ending: Ending): void {
    this.#connections.delete(connection)
    this.#unanswered.delete(connection)
    const { log, counters } = this.#options
    if (connection.agreement === undefined) {
      log.debug(cut(connection.toFields(ending)), 'connection ended before CONNECT')
      return
    }
    if (ending.reasonCode === undefined || this.#isClosing)
      log.info(cut(connection.toFields(ending)), 'client disconnected')
    else {
      counters.add('clients.failed')
      // who takes too much is named, each of them; of what is malformed there may be any number
      const isQuota = ending.reasonCode === reasonCode.quotaExceeded
      const who = isQuota ? connection.session.clientId : connection.address
      const repeats = this.#repeats.admit(`${ending.reasonCode} ${who}`)
      if (repeats !== undefined)
        log.warn({ ...cut(connection.toFields(ending)), ...repeats }, 'client disconnected')
    }
    this.#sessions.left(connection, ending)
  }

  #publishWill(message: StoredMessage, retain: boolean, session: Session): void {
    const { topic, payload, qos, client } = message
    const publication = Publication.fromStored(message, this.#router.routeOf(topic), retain, session)
    const packet = {
      cmd: 'publish',
      topic,
      payload: Buffer.from(payload),
      qos,
      retain,
      dup: false,
      clientId: client,
      properties: publication,
    }
    this.#aedes.publish(packet as unknown as PublishPacket, (error) => {
      if (error) this.#options.log.error({ topic, reason: reasonOf(error) }, 'will not published')
    })
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const connection of this.#connections) connection.checkTime(nowMs)
    this.#sessions.tick(Date.now())
  }
}
