import type { Socket } from 'node:net'
import type { Bridge, BridgeState } from '../core/bridge.ts'
import type { Counters } from '../core/counters.ts'
import type { Durability } from '../core/durability.ts'
import { reasonOf } from '../core/errors.ts'
import { limitFields } from '../core/limit-keys.ts'
import { limits } from '../core/limits.ts'
import { mainListener } from '../core/listener.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import type { Access } from './access.ts'
import type { BridgePace } from './bridge.ts'
import type { Bridges } from './bridges.ts'
import type { Connection, Ending } from './connection.ts'
import { Evictions } from './evictions.ts'
import { Inside } from './inside.ts'
import { Journal } from './journal/journal.ts'
import { Listeners, type ListenFailure } from './listeners.ts'
import { cut, plainAddress } from './log-fields.ts'
import type { Peer } from './peer.ts'
import { reasonCode } from './wire/reason-codes.ts'

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
  /** Connections whose CONNECT has not come yet, the oldest first. */
  readonly #unanswered = new Set<Connection>()
  readonly #clock: NodeJS.Timeout
  #bridges: Bridges | undefined
  #isClosing = false

  /** @throws DamselflyError `STORE_FAILED` */
  static async open(options: BrokerOptions): Promise<Broker> {
    const { dataDir, durability = 'power', log, counters } = options
    const journal = await Journal.open({ dataDir, durability, log, counters })
    const broker = new Broker(options, journal)
    await broker.#inside.start(journal.takeRestored())
    return broker
  }

  private constructor(options: BrokerOptions, journal: Journal) {
    const { access, log, counters } = options
    this.#options = options
    this.#journal = journal
    this.#inside = new Inside({
      ledger: journal,
      access,
      evictions: new Evictions(counters),
      log,
      counters,
      onWelcome: (connection) => {
        this.#unanswered.delete(connection)
        log.info(cut(connection.toFields()), 'client connected')
      },
      onEnded: (connection, ending) => this.#ended(connection, ending),
    })
    this.hub = this.#inside.hub
    this.#listeners = new Listeners(
      (socket) => this.#accept(socket),
      (error) => log.error({ reason: reasonOf(error) }, 'connection could not be accepted'),
    )
    this.#clock = setInterval(() => this.#inside.tick(), tickMs).unref()
  }

  /** The addresses that are being listened on. */
  get addresses(): readonly string[] {
    return this.#listeners.addresses
  }

  /** Clients that are connected now. */
  get clientCount(): number {
    return this.#inside.sessions.connectedCount
  }

  /** Sessions, of clients that are connected and of those that are away. */
  get sessionCount(): number {
    return this.#inside.sessions.count
  }

  /** Messages that wait in all sessions. */
  get queuedMessages(): number {
    return this.#inside.sessions.queuedMessages
  }

  get retainedMessages(): number {
    return this.#inside.retained.count
  }

  get port(): number | undefined {
    return this.#listeners.port
  }

  /** Listens on exactly these addresses; clients of those that stay notice nothing. */
  listen(addresses: readonly string[], port: number): Promise<readonly ListenFailure[]> {
    return this.#listeners.apply(addresses, port)
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
    await this.#inside.close({ reasonCode: reasonCode.serverShuttingDown, reason: 'the broker stops' })
    await this.#listeners.close()
    await this.#journal.close()
  }

  #accept(socket: Socket): void {
    const peer = socket.remoteAddress
    if (peer === undefined || this.#isClosing) {
      socket.on('error', () => {})
      return void socket.destroy()
    }
    const address = plainAddress(peer)
    const { counters } = this.#options
    if (this.#inside.connections.size >= limits.connectionsMax) {
      counters.add('connectionsMax')
      this.#inside.doorkeeper.logRefusal({
        address,
        reason: `${limits.connectionsMax} clients are connected already`,
        ...limitFields('connectionsMax'),
      })
      socket.on('error', () => {})
      return void socket.destroy()
    }
    this.#unanswered.add(this.#inside.connect(socket, this.#peerAt(address)))
    for (const oldest of this.#unanswered) {
      if (this.#unanswered.size <= limits.unansweredConnectionsMax) break
      counters.add('unansweredConnectionsMax')
      oldest.close({ reason: 'too many connections without CONNECT' })
    }
  }

  #peerAt(address: string): Peer {
    const isLocal = this.#options.isOwnAddress(address)
    return { address, listener: mainListener, isLocal, certificateUser: undefined, transport: 'mqtt' }
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
      const who = isQuota ? connection.session.clientId : connection.address
      const repeats = this.#repeats.admit(`${ending.reasonCode} ${who}`)
      if (repeats !== undefined)
        log.warn({ ...cut(connection.toFields(ending)), ...repeats }, 'client disconnected')
    }
  }
}
