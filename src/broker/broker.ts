import { randomBytes } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { Aedes, type AuthenticateError, type Client, type Subscription } from 'aedes'
import type { Counters } from '../core/counters.ts'
import { errnoOf, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { PacketGuard } from '../core/packet-guard.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { filterProblem, topicProblem } from '../core/topics.ts'
import { type Access, judge } from './access.ts'
import { causeOf } from './durable-state.ts'
import { holdEarlyEnd } from './early-end.ts'
import { Listeners, type ListenFailure } from './listeners.ts'
import { OldAedesHub } from './old-hub.ts'
import { allowOvertaking } from './overtaking.ts'
import { openStateStore, type StateStore } from './state-store.ts'

/** Characters of a field that a log line shows. */
const shownMax = 200

/** CONNACK return code 1 [MQTT-3.1.2-2]: what a client of MQTT 5 gets. */
const unacceptableProtocol = 1

export interface BrokerOptions {
  readonly dataDir: string
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
  readonly #aedes: Aedes
  readonly #store: StateStore
  readonly #listeners: Listeners
  readonly #options: BrokerOptions
  readonly #peers = new WeakMap<object, string>()
  /** Connections whose CONNECT has not been answered yet, the oldest first. */
  readonly #unanswered = new Set<Socket>()
  readonly #earlyEnds = new WeakMap<object, () => void>()
  readonly #refusals = new Repeats()
  #access: Access
  #connections = 0

  /** @throws DamselflyError `STORE_FAILED` */
  static async open(options: BrokerOptions): Promise<Broker> {
    const store = await openStateStore(options.dataDir, options.log, options.counters)
    const aedes = new Aedes({
      persistence: store.persistence,
      connectTimeout: limits.connectTimeoutMs,
      drainTimeout: limits.drainTimeoutMs,
      maxTopicLevels: limits.topicLevelsMax,
      queueLimit: limits.earlyPacketsMax,
    })
    const broker = new Broker(aedes, store, options)
    broker.#install()
    await aedes.listen()
    return broker
  }

  private constructor(aedes: Aedes, store: StateStore, options: BrokerOptions) {
    this.#aedes = aedes
    this.#store = store
    this.#options = options
    this.#access = options.access
    this.hub = new OldAedesHub(aedes, store.persistence)
    this.#listeners = new Listeners(
      (socket) => this.#accept(socket),
      (error) => options.log.error({ reason: reasonOf(error) }, 'connection could not be accepted'),
    )
  }

  /** The addresses that are being listened on. */
  get addresses(): readonly string[] {
    return this.#listeners.addresses
  }

  /** Clients that are connected now. */
  get clientCount(): number {
    return this.#aedes.connectedClients
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
    this.#access = access
  }

  async close(): Promise<void> {
    // the clients first, so that what was published last reaches them before the socket goes
    await new Promise<void>((resolve) => this.#aedes.close(resolve))
    await this.#listeners.close()
    await this.#store.close()
  }

  #install(): void {
    const { log, counters } = this.#options
    const allow = allowOvertaking(this.#aedes)
    this.#aedes.preConnect = (client, packet, done) => {
      allow(client)
      if (packet.clientId === '') packet.clientId = `auto-${randomBytes(4).toString('hex')}` // [MQTT-3.1.3-6]
      done(null, true)
    }
    this.#aedes.authenticate = (client, username, password, done) => {
      const peer = this.#peerOf(client)
      const isLocal = this.#options.isOwnAddress(peer)
      const verdict = judge(this.#access, {
        clientId: client.id,
        isLocal,
        username: username ?? undefined,
        password: password ?? undefined,
      })
      if (verdict.isAllowed) return done(null, true)
      counters.add('clients.refused')
      this.#logRefusal({ client: client.id, address: peer, reason: verdict.reason, remedy: verdict.remedy })
      done(
        Object.assign(new Error(verdict.reason), { returnCode: verdict.returnCode }) as AuthenticateError,
        false,
      )
    }
    this.#aedes.authorizePublish = (client, packet, done) => {
      const problem = packet.topic.startsWith('$SYS')
        ? 'topics below $SYS are the broker’s own'
        : topicProblem(packet.topic)
      if (problem === undefined) return done(null)
      counters.add('publishes.refused')
      this.#logRefusal({
        client: client?.id,
        address: client === null ? undefined : this.#peerOf(client),
        topic: packet.topic,
        reason: problem,
      })
      done(Object.assign(new Error(problem), { errorCode: 0 }))
    }
    this.#aedes.authorizeSubscribe = (client, subscription, done) => {
      const problem = filterProblem(subscription.topic)
      if (problem === undefined) return done(null, subscription)
      counters.add('subscriptions.refused')
      this.#logRefusal({
        client: client.id,
        address: this.#peerOf(client),
        filter: subscription.topic,
        reason: problem,
      })
      done(null, null as unknown as Subscription) // SUBACK 0x80 [MQTT-3.9.3-2]
    }
    // what the client sent early is handled in this turn: the end may come in the next
    this.#aedes.on('clientReady', ({ conn }) => {
      this.#unanswered.delete(conn as Socket)
      setImmediate(() => this.#earlyEnds.get(conn)?.())
    })
    this.#aedes.on('client', (client) =>
      log.info(cut({ client: client.id, address: this.#peerOf(client) }), 'client connected'),
    )
    this.#aedes.on('clientDisconnect', (client) =>
      log.info(cut({ client: client.id }), 'client disconnected'),
    )
    this.#aedes.on('clientError', (client, error) => this.#logFailure(client, error))
    this.#aedes.on('connectionError', (client, error) => this.#logFailure(client, error))
    const failures: EventEmitter = this.#aedes // the types of aedes leave its 'error' event out
    failures.on('error', (error: Error) => log.error({ reason: reasonOf(error) }, 'broker store failed'))
  }

  #accept(socket: Socket): void {
    const peer = socket.remoteAddress
    socket.on('error', () => {}) // @NOTE a peer that resets before aedes listens must not end the process
    if (peer === undefined) return void socket.destroy()
    if (this.#connections >= limits.connectionsMax) {
      this.#options.counters.add('connectionsMax')
      this.#logRefusal({ address: peer, reason: `${limits.connectionsMax} clients are connected already` })
      return void socket.destroy()
    }
    this.#connections++
    this.#unanswered.add(socket)
    socket.once('close', () => {
      this.#connections--
      this.#unanswered.delete(socket)
    })
    for (const oldest of this.#unanswered) {
      if (this.#unanswered.size <= limits.unansweredConnectionsMax) break
      this.#options.counters.add('unansweredConnectionsMax')
      this.#unanswered.delete(oldest)
      oldest.destroy()
    }
    this.#peers.set(socket, plainAddress(peer))
    this.#guard(socket)
    this.#earlyEnds.set(socket, holdEarlyEnd(socket))
    this.#aedes.handle(socket)
  }

  // aedes pulls its bytes with read(); there we see them before its parser buffers a packet
  #guard(socket: Socket): void {
    const guard = new PacketGuard()
    const read = socket.read.bind(socket)
    socket.read = (size?: number): Buffer | null => {
      const chunk = read(size) as Buffer | null
      const oversize = chunk === null ? undefined : guard.inspect(chunk)
      if (oversize === undefined) return chunk
      this.#options.counters.add(guard.isFirst ? 'connectPacketBytesMax' : 'packetBytesMax')
      this.#logRefusal({ address: this.#peers.get(socket), bytes: oversize, reason: 'packet is too large' })
      socket.destroy()
      return null
    }
  }

  #peerOf(client: Client): string {
    return this.#peers.get(client.conn) ?? 'unknown'
  }

  #logFailure(client: Client, error: Error): void {
    this.#options.counters.add('clients.failed')
    const fields = { client: client.id ?? undefined, address: this.#peerOf(client), reason: causeOf(error) }
    const { errorCode } = error as { errorCode?: number }
    if (errorCode === unacceptableProtocol) {
      this.#logRefusal({ ...fields, remedy: 'set the client to MQTT 3.1.1; version 5 is not spoken yet' })
    } else if (errnoOf(error)?.startsWith('LEVEL_')) {
      const repeats = this.#refusals.admit('store')
      if (repeats !== undefined)
        this.#options.log.error(
          { ...cut(fields), ...repeats },
          'client disconnected: its session cannot be stored',
        )
    } else if (errorCode === undefined) {
      // with a code it is a refusal, logged where it was decided
      this.#options.log.debug(cut(fields), 'client failed')
    }
  }

  #logRefusal(fields: Record<string, unknown>): void {
    // not by client id: a peer may take another one each time
    const repeats = this.#refusals.admit(`${fields['address']} ${fields['reason']}`)
    if (repeats !== undefined) this.#options.log.warn({ ...cut(fields), ...repeats }, 'client refused')
  }
}

/** Client ids, topics and filters come from anybody, in any length; a log line is for reading. */
function cut(fields: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(fields).map(([key, value]) => {
    const isLong = typeof value === 'string' && value.length > shownMax
    return [key, isLong ? `${value.slice(0, shownMax)}…` : value]
  })
  return Object.fromEntries(entries)
}

/** `::ffff:10.0.0.5` → `10.0.0.5`: what people call the address. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
