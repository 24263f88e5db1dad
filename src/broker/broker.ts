import type { Duplex } from 'node:stream'
import type { OwnIdentity } from '../core/access.ts'
import type { Bridge, BridgeState } from '../core/bridge.ts'
import type { BrokerView } from '../core/broker-view.ts'
import type { Counters } from '../core/counters.ts'
import type { Durability } from '../core/durability.ts'
import { reasonOf } from '../core/errors.ts'
import { limitFields } from '../core/limit-keys.ts'
import { type LimitName, limits } from '../core/limits.ts'
import type { Listener, OpenListener, WayIn } from '../core/listener.ts'
import { networkOf } from '../core/network.ts'
import type { Hub, Logger, StoreState } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import type { Access } from './access.ts'
import type { BridgePace } from './bridge.ts'
import type { Bridges } from './bridges.ts'
import { introductionOf } from './census.ts'
import type { Connection, Ending } from './connection.ts'
import type { Unanswered } from './connection-house.ts'
import { Evictions } from './evictions.ts'
import { Inside } from './inside.ts'
import { Journal } from './journal/journal.ts'
import type { ListenFailure } from './listen-failure.ts'
import { Listeners } from './listeners.ts'
import { cut } from './log-fields.ts'
import type { Peer } from './peer.ts'
import type { Arrival, Client } from './way.ts'
import { reasonCode } from './wire/reason-codes.ts'

/** How often it is looked whose time is up: a keep alive of 1 s is over after 1.5 s. */
const tickMs = 500

/** How often it is looked how much those have sent who are in the handshake of TLS or WebSocket. */
const weighMs = 50

export interface BrokerOptions {
  readonly dataDir: string
  readonly durability?: Durability
  readonly access: Access
  /** Whether an address is one of this machine's own, IPv4-mapped forms included. */
  readonly isOwnAddress: (address: string) => boolean
  /** How often `$SYS/broker/…` is told, in milliseconds; never unless told. */
  readonly systemIntervalMs?: number
  /** What stands in `$SYS/broker/version`. */
  readonly version?: string
  readonly log: Logger
  readonly counters: Counters
  /** Called, again and again, while the disk can be written, but only by a process that is started anew. */
  readonly onOutOfReach?: () => void
  /** Of bridges; changed by tests only. */
  readonly bridgePace?: Partial<BridgePace>
}

/**
 * The MQTT broker: sockets on one side, the `Hub` on the other.
 * Opened without listeners; `listen` opens the doors when the house is ready.
 */
export class Broker {
  readonly hub: Hub
  readonly #options: BrokerOptions
  readonly #journal: Journal
  readonly #inside: Inside
  readonly #listeners: Listeners
  readonly #repeats = new Repeats()
  /** Those whose CONNECT has not come yet, the oldest first, and those who have not come so far. */
  readonly #unanswered = new Set<Unanswered>()
  /** Who has not come through TLS or HTTP yet, the oldest first. */
  readonly #arrivals = new Map<Arrival, Unanswered>()
  #scales: NodeJS.Timeout | undefined
  readonly #clock: NodeJS.Timeout
  #bridges: Bridges | undefined
  #isClosing = false

  /** @throws DamselflyError `STORE_FAILED` */
  static async open(options: BrokerOptions): Promise<Broker> {
    const { dataDir, durability = 'power', log, counters } = options
    const { onOutOfReach } = options
    const journal = await Journal.open({ dataDir, durability, log, counters, onOutOfReach })
    const broker = new Broker(options, journal)
    await broker.#inside.start(journal.takeRestored())
    broker.setSystemInterval(options.systemIntervalMs ?? 0)
    return broker
  }

  private constructor(options: BrokerOptions, journal: Journal) {
    const { access, log, counters, version } = options
    this.#options = options
    this.#journal = journal
    this.#inside = new Inside({
      ledger: journal,
      access,
      evictions: new Evictions(counters),
      log,
      counters,
      ...(version === undefined ? {} : { version }),
      onWelcome: (connection) => {
        this.#unanswered.delete(connection)
        log.info(cut(welcomeFields(connection)), 'client connected')
      },
      onEnded: (connection, ending) => this.#ended(connection, ending),
    })
    this.hub = this.#inside.hub
    const broker = this
    this.#listeners = new Listeners({
      get open() {
        return broker.#inside.house.openListeners
      },
      hasRoom: (address, listener, clients) => this.#hasRoom(address, listener, clients),
      isOwnAddress: options.isOwnAddress,
      enter: (stream, peer, sinceMs) => this.#enter(stream, peer, sinceMs),
      arrived: (arrival) => this.#arrived(arrival),
      left: (arrival) => this.#left(arrival),
      turnedAway: (address, listener, { kind, reason, remedy, limit }) => {
        counters.add('clients.refused')
        if (limit !== undefined) counters.add(limit)
        this.#inside.doorkeeper.logRefusal({ address, listener, reason, remedy }, kind)
      },
      broken: (address, listener, { kind, reason, limit }) => {
        counters.add(limit ?? 'clients.failed')
        this.#inside.doorkeeper.logRefusal({ address, listener, reason }, kind)
      },
      failed: (error) => log.error({ reason: reasonOf(error) }, 'connection could not be accepted'),
    })
    this.#clock = setInterval(() => this.#tick(), tickMs).unref()
  }

  /** Every way in that is open. */
  get open(): readonly OpenListener[] {
    return this.#listeners.open
  }

  /** The hub for one of our own parts, which the access control list may govern. */
  hubFor(identity: OwnIdentity): Hub {
    return this.#inside.hubFor(identity)
  }

  /** Clients that are connected now. */
  get clientCount(): number {
    return this.#inside.sessions.connectedCount
  }

  /** Sessions, of clients that are connected and of those that are away. */
  get sessionCount(): number {
    const { count, bridgeCount } = this.#inside.sessions
    return count - bridgeCount
  }

  /** Messages that wait in all sessions. */
  get queuedMessages(): number {
    return this.#inside.sessions.queuedMessages
  }

  get retainedMessages(): number {
    return this.#inside.retained.count
  }

  /** How it is with the disk. */
  get store(): StoreState {
    return this.#journal.state
  }

  /** Who is there and how much goes on, for whoever asks. */
  get view(): BrokerView {
    return this.#inside.census
  }

  /** Publishes what the broker tells of itself: see `AedesHub.publishSystem`. */
  publishSystem(topic: string, payload: string): void {
    this.#inside.hub.publishSystem(topic, payload)
  }

  /** How often `$SYS/broker/…` is told from now on; 0 for never. */
  setSystemInterval(intervalMs: number): void {
    this.#inside.setSystemInterval(intervalMs)
  }

  /**
   * Listens on exactly these addresses of these listeners; clients of those that stay notice nothing.
   * One call at a time.
   */
  async listen(ways: readonly WayIn[]): Promise<readonly ListenFailure[]> {
    const failures = await this.#listeners.apply(ways)
    this.#inside.house.openListeners = this.#listeners.open
    return failures
  }

  /** Who may connect from now on; those who are connected and might not connect now are disconnected. */
  setAccess(access: Access): void {
    this.#inside.setAccess(access)
  }

  /** How it is with each bridge. */
  get bridges(): readonly BridgeState[] {
    return this.#bridges?.states ?? []
  }

  /** Has exactly these bridges from now on; those that have not changed notice nothing. */
  async setBridges(bridges: readonly Bridge[]): Promise<void> {
    const { house, sessions, hub } = this.#inside
    house.doorkeeper.setBridges(bridges)
    if (this.#bridges === undefined && bridges.length === 0 && sessions.bridgeNames.length === 0) return
    if (this.#bridges === undefined) {
      const { Bridges } = await import('./bridges.ts')
      const { log, counters, bridgePace: pace } = this.#options
      this.#bridges ??= new Bridges({ house, sessions, hub, log, counters, pace })
    }
    await this.#bridges.apply(bridges)
  }

  /** Tells the clients, writes down what there is, and closes everything. */
  async close(): Promise<void> {
    this.#isClosing = true
    clearInterval(this.#clock)
    await this.#bridges?.close()
    await this.#journal.flush() // what was acknowledged to nobody yet is acknowledged now
    for (const arrival of this.#arrivals.keys()) arrival.end()
    await this.#inside.close({ reasonCode: reasonCode.serverShuttingDown, reason: 'the broker stops' })
    await this.#listeners.close()
    await this.#journal.close()
  }

  #hasRoom(address: string, { name, connectionsMax }: Listener, clients: number): boolean {
    if (this.#isClosing) return false
    const { counters } = this.#options
    if (this.#inside.connections.size + this.#arrivals.size >= limits.connectionsMax) {
      counters.add('connectionsMax')
      this.#inside.doorkeeper.logRefusal({
        address,
        reason: `${limits.connectionsMax} clients are connected already`,
        ...limitFields('connectionsMax'),
      })
      return false
    }
    if (connectionsMax === undefined || clients < connectionsMax) return true
    counters.add('listeners.full')
    const reason = `${connectionsMax} clients are connected to this listener already`
    const remedy = `max_connections of listener ${name} says how many there may be`
    this.#inside.doorkeeper.logRefusal({ address, listener: name, reason, remedy })
    return false
  }

  #enter(stream: Duplex, peer: Peer, sinceMs: number): Client {
    const connection = this.#inside.connect(stream, peer, sinceMs)
    this.#await(connection)
    return {
      revoke: (reason) => connection.close({ reasonCode: reasonCode.notAuthorized, reason, isRevoked: true }),
      holdBelow: (bytes) => connection.holdBelow(bytes),
    }
  }

  #arrived(arrival: Arrival): void {
    const who: Unanswered = { turnAway: (bound, reason) => this.#turnAway(arrival, bound, reason) }
    this.#arrivals.set(arrival, who)
    this.#scales ??= setInterval(() => this.#weigh(), weighMs).unref()
    this.#await(who)
  }

  /** It has come through, or has gone. */
  #left(arrival: Arrival): void {
    const who = this.#arrivals.get(arrival)
    if (who === undefined) return
    this.#arrivals.delete(arrival)
    this.#unanswered.delete(who)
    this.#inside.house.holdUnanswered(who, 0)
    if (this.#arrivals.size > 0) return
    clearInterval(this.#scales)
    this.#scales = undefined
  }

  #weigh(): void {
    for (const [arrival, who] of this.#arrivals) {
      const { bytes } = arrival
      if (arrival.isInHandshake && bytes > limits.handshakeBytesMax)
        who.turnAway('handshakeBytesMax', 'it sends more than a TLS handshake has')
      else this.#inside.house.holdUnanswered(who, bytes)
    }
  }

  /** One more has not been answered yet: that may cost the oldest of them. */
  #await(who: Unanswered): void {
    this.#unanswered.add(who)
    for (const oldest of this.#unanswered) {
      if (this.#unanswered.size <= limits.unansweredConnectionsMax) break
      this.#unanswered.delete(oldest)
      oldest.turnAway('unansweredConnectionsMax', 'too many connections without CONNECT')
    }
  }

  #tick(): void {
    const dueMs = performance.now() - limits.connectTimeoutMs
    for (const [arrival, who] of this.#arrivals) {
      if (arrival.sinceMs > dueMs) break
      who.turnAway('connectTimeoutMs', 'neither TLS nor a request for a WebSocket came in time')
    }
    this.#inside.tick()
  }

  #turnAway(arrival: Arrival, bound: LimitName, reason: string): void {
    const { address, listener } = arrival
    this.#options.counters.add(bound)
    this.#inside.doorkeeper.logRefusal({ address, listener, reason, ...limitFields(bound) })
    arrival.end()
    this.#left(arrival)
  }

  #ended(connection: Connection, ending: Ending): void {
    this.#unanswered.delete(connection)
    const { log, counters } = this.#options
    if (connection.agreement === undefined) {
      log.debug(cut(connection.toFields(ending)), 'connection ended before CONNECT')
      return
    }
    if (ending.reasonCode === undefined || ending.isRevoked === true || this.#isClosing)
      log.info(cut(connection.toFields(ending)), 'client disconnected')
    else {
      counters.add('clients.failed')
      // who takes too much is named, each of them; of what is malformed there may be any number
      const isQuota = ending.reasonCode === reasonCode.quotaExceeded
      const who = isQuota ? connection.session.clientId : networkOf(connection.address)
      const repeats = this.#repeats.admit(`${ending.reasonCode} ${who}`)
      if (repeats !== undefined)
        log.warn({ ...cut(connection.toFields(ending)), ...repeats }, 'client disconnected')
    }
  }
}

/** Of the listener that most have, with plain MQTT, nothing is said of how it came. */
function welcomeFields(connection: Connection): Record<string, unknown> {
  const { transport, ...rest } = introductionOf(connection)
  const { clientId } = connection.session
  return { client: clientId, ...rest, ...(transport === 'mqtt' ? {} : { transport }) }
}
