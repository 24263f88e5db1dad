import type {
  BrokerFigures,
  BrokerView,
  ClientReport,
  Flow,
  KickOutcome,
  RefusalReport,
  SubscriptionReport,
} from '../core/broker-view.ts'
import type { Counters } from '../core/counters.ts'
import { wallMs } from '../core/steady-clock.ts'
import { BridgeSession } from './bridge-session.ts'
import type { Agreement, Connection } from './connection.ts'
import type { House } from './house.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { Traffic, TrafficRates } from './traffic.ts'
import { reasonCode } from './wire/reason-codes.ts'

/** How often it is looked how much goes over each connection. */
const sampleMs = 2_000

/** Session Expiry Interval of a session that never expires [MQTT-3.1.2-23]. */
const never = 0xffff_ffff

const versions = { 3: '3.1', 4: '3.1.1', 5: '5' } as const

/** What CONNECT said, and from where. */
type Introduction = Pick<
  ClientReport,
  'address' | 'listener' | 'transport' | 'user' | 'version' | 'cleanStart' | 'keepAliveSeconds'
>

export interface CensusParts {
  readonly house: House
  readonly sessions: Sessions
  readonly connections: ReadonlySet<Connection>
  readonly counters: Counters
}

/** Knows who is there and how much goes on. It counts nothing while messages go: it looks at what others count. */
export class Census implements BrokerView {
  readonly #parts: CensusParts
  readonly #startedAtMs = performance.now()
  /** Of connections that have ended. */
  readonly #ended = new Traffic()
  readonly #rates = new WeakMap<Connection, TrafficRates>()
  /** Of clients that are away, as far as they were here. */
  readonly #introductions = new WeakMap<Session, Introduction>()
  #sampledAtMs = 0
  #sockets = 0
  #connects = 0
  #clientsMaximum = 0

  constructor(parts: CensusParts) {
    this.#parts = parts
  }

  socketOpened(): void {
    this.#sockets++
  }

  connectReceived(): void {
    this.#connects++
  }

  /** A client was let in. */
  welcomed(): void {
    this.#clientsMaximum = Math.max(this.#clientsMaximum, this.#parts.sessions.connectedCount)
  }

  ended(connection: Connection): void {
    this.#ended.add(connection.traffic)
    if (connection.agreement !== undefined)
      this.#introductions.set(connection.session, introductionOf(connection))
  }

  /** Looks how much has gone over the connections; more often than every two seconds it does nothing. */
  sample(nowMs: number): void {
    if (nowMs - this.#sampledAtMs < sampleMs) return
    this.#sampledAtMs = nowMs
    for (const connection of this.#parts.connections) {
      if (connection.agreement === undefined) continue
      let rates = this.#rates.get(connection)
      if (rates === undefined) {
        rates = new TrafficRates(nowMs - Math.max(Date.now() - connection.connectedAtMs, 1))
        this.#rates.set(connection, rates)
      }
      rates.sample(connection.traffic, nowMs)
    }
  }

  figures(): BrokerFigures {
    const { house, sessions, connections, counters } = this.#parts
    const all = new Traffic()
    all.add(this.#ended)
    for (const { traffic } of connections) all.add(traffic)
    let subscriptions = 0
    let queuedMessages = 0
    let queuedBytes = 0
    let inflightMessages = 0
    for (const session of sessions.all) {
      subscriptions += session.subscriptions.count
      queuedMessages += session.queuedMessages
      queuedBytes += session.waitingBytes
      inflightMessages += session.inflightMessages
    }
    const { connectedCount } = sessions
    return {
      uptimeSeconds: Math.floor((performance.now() - this.#startedAtMs) / 1_000),
      clientsConnected: connectedCount,
      clientsDisconnected: sessions.count - sessions.bridgeCount - connectedCount,
      clientsMaximum: this.#clientsMaximum,
      clientsExpired: counters.get('sessions.expired'),
      socketsOpened: this.#sockets,
      connects: this.#connects,
      bytesReceived: all.bytesReceived,
      bytesSent: all.bytesSent,
      packetsReceived: all.packetsReceived,
      packetsSent: all.packetsSent,
      publishesReceived: all.publishesReceived,
      publishesSent: all.publishesSent,
      publishBytesReceived: all.publishBytesReceived,
      publishBytesSent: all.publishBytesSent,
      messagesDropped: counters.get('messages.dropped'),
      messagesUnkept: counters.get('store.refused'),
      storeWritten: house.ledger.isBarred ? 0 : 1,
      subscriptions,
      sharedSubscriptions: house.router.sharedCount,
      retainedMessages: house.retained.count,
      retainedBytes: house.retained.bytes,
      queuedMessages,
      queuedBytes,
      inflightMessages,
      waitingBytes: house.budget.bytes,
    }
  }

  *clients(): Iterable<ClientReport> {
    for (const session of this.#parts.sessions.all)
      if (!(session instanceof BridgeSession)) yield this.#report(session)
  }

  client(id: string): ClientReport | undefined {
    const session = this.#sessionOf(id)
    return session && this.#report(session)
  }

  *subscriptionsOf(id: string): Iterable<SubscriptionReport> {
    const entries = this.#sessionOf(id)?.subscriptions.entries ?? []
    for (const [filter, { subscription }] of entries) {
      const { qos, noLocal, retainAsPublished, identifier } = subscription
      yield { filter, qos, noLocal, retainAsPublished, identifier }
    }
  }

  refusalsAtTheDoor(): readonly RefusalReport[] {
    return this.#parts.house.doorkeeper.refusals.atTheDoor
  }

  isRetained(topic: string): boolean {
    return this.#parts.house.retained.has(topic)
  }

  kick(id: string, forget: boolean): KickOutcome {
    const { sessions } = this.#parts
    const session = this.#sessionOf(id)
    if (session === undefined) return 'unknown'
    const connection = sessions.connectionOf(id)
    const reason = 'the owner has disconnected it'
    connection?.close({ reasonCode: reasonCode.administrativeAction, reason, isRevoked: true })
    if (forget) {
      if (!session.hasEnded) sessions.end(session)
      return 'forgotten'
    }
    return connection === undefined ? 'away' : 'disconnected'
  }

  /** That of a bridge is none of a client's: it is never away, and nobody ends it but the configuration. */
  #sessionOf(id: string): Session | undefined {
    const session = this.#parts.sessions.sessionOf(id)
    return session instanceof BridgeSession ? undefined : session
  }

  #report(session: Session): ClientReport {
    const { sessions, house } = this.#parts
    const connection = sessions.connectionOf(session.clientId)
    const introduction =
      connection === undefined ? this.#introductions.get(session) : introductionOf(connection)
    const sinceMs = connection?.connectedAtMs ?? wallMs(session.disconnectedAtMs)
    const lastRefusal = house.doorkeeper.refusals.of(session.clientId)
    return {
      id: session.clientId,
      isConnected: connection !== undefined,
      since: new Date(sinceMs).toISOString(),
      ...introduction,
      sessionExpirySeconds: session.expirySeconds === never ? null : session.expirySeconds,
      subscriptions: session.subscriptions.count,
      inflightMessages: session.inflightMessages,
      queuedMessages: session.queuedMessages,
      queuedBytes: session.waitingBytes,
      droppedMessages: session.droppedMessages,
      ...(connection === undefined ? {} : flowsOf(connection.traffic, this.#rates.get(connection))),
      ...(lastRefusal === undefined ? {} : { lastRefusal }),
    }
  }
}

/** Who a client is that was let in, and on which terms. */
export function introductionOf({ peer, agreement }: Connection): Introduction {
  const { guest, level, cleanStart, keepAliveSeconds } = agreement as Agreement
  const { address, listener, transport } = peer
  return {
    address,
    listener,
    transport,
    ...(guest.user === undefined ? {} : { user: guest.user }),
    version: versions[level],
    cleanStart,
    keepAliveSeconds,
  }
}

/** Without rates: it has just come. */
function flowsOf(traffic: Traffic, rates: TrafficRates | undefined): { received: Flow; sent: Flow } {
  return {
    received: {
      messages: traffic.publishesReceived,
      bytes: traffic.bytesReceived,
      messagesPerSecond: rounded(rates?.messagesReceived ?? 0),
      bytesPerSecond: rounded(rates?.bytesReceived ?? 0),
    },
    sent: {
      messages: traffic.publishesSent,
      bytes: traffic.bytesSent,
      messagesPerSecond: rounded(rates?.messagesSent ?? 0),
      bytesPerSecond: rounded(rates?.bytesSent ?? 0),
    },
  }
}

function rounded(rate: number): number {
  return Math.round(rate * 100) / 100
}
