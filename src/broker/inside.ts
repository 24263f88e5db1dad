import type { Duplex } from 'node:stream'
import { Aedes } from 'aedes'
import type { OwnIdentity } from '../core/access.ts'
import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { steadyMs } from '../core/steady-clock.ts'
import type { Access } from './access.ts'
import { Census } from './census.ts'
import { Connection, type Ending } from './connection.ts'
import { Doorkeeper } from './doorkeeper.ts'
import type { Evictions } from './evictions.ts'
import { House, type KeptLedger } from './house.ts'
import { AedesHub } from './hub.ts'
import { IdentityHub } from './hub-identity.ts'
import { packetOf } from './hub-packet.ts'
import type { RestoredState, StoredMessage } from './journal/records.ts'
import type { Peer } from './peer.ts'
import { Publication } from './publication.ts'
import { Reception } from './reception.ts'
import { RetainedStore } from './retained-store.ts'
import { Router } from './router.ts'
import type { Session } from './session.ts'
import { Sessions } from './sessions.ts'
import { SystemTopics } from './system-topics.ts'
import { reasonCode } from './wire/reason-codes.ts'

/** @NOTE aedes allows no more than this; `MAX_TOPIC_LEVELS` is ours, and checked before. */
const aedesTopicLevelsMax = 100

export interface InsideParts {
  readonly ledger: KeptLedger
  readonly access: Access
  readonly evictions: Evictions
  readonly log: Logger
  readonly counters: Counters
  /** For `$SYS/broker/version`. */
  readonly version?: string
  /** A client has been let in. */
  readonly onWelcome: (connection: Connection) => void
  /** A connection is over; its session is told next. */
  readonly onEnded: (connection: Connection, ending: Ending) => void
}

/** The broker without its sockets, its clock and its disk, joined here and nowhere else. */
export class Inside {
  readonly hub: AedesHub
  readonly router: Router
  readonly retained: RetainedStore
  readonly doorkeeper: Doorkeeper
  readonly house: House
  readonly sessions: Sessions
  readonly census: Census
  readonly #system: SystemTopics
  readonly #parts: InsideParts
  readonly #aedes: Aedes
  readonly #reception: Reception
  readonly #connections = new Set<Connection>()
  readonly #ownHubs = new Map<OwnIdentity, IdentityHub>()

  constructor(parts: InsideParts) {
    this.#parts = parts
    const { ledger, access, evictions, log, counters, version = 'unknown', onWelcome } = parts
    this.router = new Router({ log, counters })
    this.retained = new RetainedStore({ log, counters })
    this.#aedes = new Aedes({
      mq: this.router,
      persistence: this.retained,
      maxTopicLevels: aedesTopicLevelsMax,
    })
    this.hub = new AedesHub(this.#aedes, this.router, this.retained)
    this.doorkeeper = new Doorkeeper({ access, log, counters })
    this.house = new House({
      aedes: this.#aedes,
      router: this.router,
      retained: this.retained,
      ledger,
      doorkeeper: this.doorkeeper,
      counters,
      log,
      onEnded: (connection, ending) => this.#ended(connection, ending),
    })
    this.sessions = new Sessions({
      house: this.house,
      counters,
      publishWill: (message, retain, session) => this.#publishWill(message, retain, session),
      routeOf: (topic) => this.router.routeOf(topic),
      shareOf: (filter) => this.router.shareOf(filter),
      renewRoutes: () => this.router.renew(),
    })
    const { house, sessions } = this
    this.census = new Census({ house, sessions, connections: this.#connections, counters })
    this.#system = new SystemTopics({
      publish: (topic, payload) => this.hub.publishSystem(topic, payload),
      figures: () => this.census.figures(),
      version,
    })
    this.#reception = new Reception({
      house: this.house,
      sessions: this.sessions,
      evictions,
      tellFight: (fields, message) => log.warn(fields, message),
      welcome: (connection) => {
        this.census.welcomed()
        if (connection.agreement !== undefined) this.doorkeeper.noteUnfit(connection.agreement.guest)
        onWelcome(connection)
      },
    })
  }

  /** Connections, of clients that were let in and of those that were not yet. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections
  }

  /**
   * Who may connect from now on, and do what; those who are connected and might not connect now are disconnected.
   * Subscriptions stay, also those that are not allowed any more: they bring nothing until they are allowed again.
   */
  setAccess(access: Access): void {
    this.doorkeeper.setAccess(access)
    this.router.renew()
    for (const connection of this.#connections) {
      const { agreement } = connection
      const verdict = agreement === undefined ? undefined : this.doorkeeper.mayStay(agreement.guest)
      if (verdict === undefined || verdict.isAllowed) continue
      const reason = `it may not stay, by the settings as they are now: ${verdict.reason}`
      connection.close({ reasonCode: reasonCode.notAuthorized, reason, isRevoked: true })
    }
    this.sessions.review()
    for (const hub of this.#ownHubs.values()) hub.check()
  }

  /** The hub for one of our own parts, which the access control list may govern. */
  hubFor(identity: OwnIdentity): Hub {
    let hub = this.#ownHubs.get(identity)
    if (hub === undefined) {
      const { log, counters } = this.#parts
      hub = new IdentityHub({ identity, hub: this.hub, doorkeeper: this.doorkeeper, log, counters })
      this.#ownHubs.set(identity, hub)
    }
    return hub
  }

  /** Begins with what was found on the disk; its clients are away. Once, and first. */
  async start({ retained, sessions }: RestoredState): Promise<void> {
    await this.#aedes.listen()
    this.retained.restore(retained)
    this.retained.ledger = this.#parts.ledger
    this.sessions.restore(sessions, steadyMs())
  }

  /** Takes a stream of bytes for a client's connection, accepted at that time by `performance.now`; now unless told. */
  connect(stream: Duplex, peer: Peer, sinceMs?: number): Connection {
    const connection = new Connection(stream, peer, this.house, this.#onConnect, sinceMs)
    this.#connections.add(connection)
    this.census.socketOpened()
    return connection
  }

  /** How often `$SYS/broker/…` is told; 0 for never. */
  setSystemInterval(intervalMs: number): void {
    this.#system.setInterval(intervalMs, performance.now())
  }

  /** Looks whose time is up. */
  tick(): void {
    const nowMs = performance.now()
    for (const connection of this.#connections) connection.checkTime(nowMs)
    this.sessions.tick(steadyMs())
    this.census.sample(nowMs)
    this.#system.tick(nowMs)
  }

  /** Tells the clients why, and ends everything. */
  async close(ending: Ending): Promise<void> {
    this.sessions.closeAll(ending)
    for (const connection of [...this.#connections]) connection.close({ reason: ending.reason })
    await this.stop()
  }

  /** Ends everything but the connections. */
  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#aedes.close(resolve))
    this.retained.close()
  }

  readonly #onConnect: Connection['onConnect'] = (connection, connect) => {
    this.census.connectReceived()
    this.#reception.receive(connection, connect)
  }

  #ended(connection: Connection, ending: Ending): void {
    if (connection.isOutgoing) return // its bridge tells
    this.#connections.delete(connection)
    this.census.ended(connection)
    this.#parts.onEnded(connection, ending)
    this.sessions.left(connection, ending)
    this.#reception.ended(connection)
  }

  #publishWill(message: StoredMessage, retain: boolean, session: Session): void {
    const { topic } = message
    // what was allowed when it connected may not be now
    const party = session.owner ?? { clientId: session.clientId, address: 'away' }
    if (this.doorkeeper.mayPublish(party, topic) !== undefined) return
    const publication = Publication.fromStored(message, this.router.routeOf(topic), retain, session)
    this.#aedes.publish(packetOf(publication), (error) => {
      if (error) this.#parts.log.error({ topic, reason: reasonOf(error) }, 'will not published')
    })
  }
}
