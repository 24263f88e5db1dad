import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Connection, Ending } from './connection.ts'
import type { RestoredSession, WillRecord } from './journal/records.ts'
import { Publication } from './publication.ts'
import { Session } from './session.ts'
import type { SessionHouse } from './session-house.ts'
import type { Will } from './wire/connect.ts'
import { reasonCode } from './wire/reason-codes.ts'

/** A session that never expires says so with this many seconds [MQTT-3.1.2-23]. */
const never = 0xffff_ffff

interface PendingWill {
  readonly will: WillRecord
  readonly atMs: number
}

export interface SessionsParts {
  readonly house: SessionHouse
  readonly counters: Counters
  /** Publishes what a client has left behind [MQTT-3.1.2-8]. */
  readonly publishWill: (will: WillRecord) => void
  /** The route of a topic, for what is restored. */
  readonly routeOf: (topic: string) => Publication['route']
}

/** All sessions by client identifier: who has one, who is away, whose time is up, whose will is due. */
export class Sessions {
  readonly #parts: SessionsParts
  readonly #byId = new Map<string, Session>()
  readonly #connections = new Map<Session, Connection>()
  /** Those without a connection, the one that has been away longest first. */
  readonly #away = new Set<Session>()
  readonly #wills = new Map<Session, PendingWill>()

  constructor(parts: SessionsParts) {
    this.#parts = parts
  }

  /** Clients that are connected. */
  get connectedCount(): number {
    return this.#connections.size
  }

  get count(): number {
    return this.#byId.size
  }

  /** Messages that wait for all of them. */
  get queuedMessages(): number {
    let sum = 0
    for (const session of this.#byId.values()) sum += session.queuedMessages
    return sum
  }

  /** Who is connected under this client identifier. */
  connectionOf(clientId: string): Connection | undefined {
    const session = this.#byId.get(clientId)
    return session === undefined ? undefined : this.#connections.get(session)
  }

  /**
   * The session for a client that connects: its old one, or a new one [MQTT-3.1.2-4], [MQTT-3.1.2-5]. Whoever has the
   * same client identifier is disconnected [MQTT-3.1.4-3].
   */
  open(
    clientId: string,
    cleanStart: boolean,
    expirySeconds: number,
  ): { readonly session: Session; readonly isPresent: boolean } {
    this.connectionOf(clientId)?.close({
      reasonCode: reasonCode.sessionTakenOver,
      reason: 'another connection has the same client identifier',
    })
    const old = this.#byId.get(clientId)
    if (old !== undefined && cleanStart) this.end(old)
    const kept = this.#byId.get(clientId)
    if (kept !== undefined) {
      kept.expirySeconds = expirySeconds
      this.#away.delete(kept)
      this.#wills.delete(kept) // [MQTT-3.1.3-9]
      return { session: kept, isPresent: true }
    }
    const { house } = this.#parts
    const number = expirySeconds === 0 ? 0 : house.ledger.newSessionNumber()
    const session = new Session(clientId, number, house)
    session.expirySeconds = expirySeconds
    this.#byId.set(clientId, session)
    return { session, isPresent: false }
  }

  /** A client is there; its session is written down. */
  attach(session: Session, connection: Connection, will: Will | undefined): void {
    this.#connections.set(session, connection)
    session.attach(connection)
    this.#record(session, will === undefined ? undefined : recordOf(will, session.clientId, Date.now()))
  }

  /** A connection has ended: its session ends as well, or waits; its will is published, now or later. */
  left(connection: Connection, ending: Ending): void {
    const { agreement } = connection
    if (agreement === undefined || this.#connections.get(agreement.session) !== connection) return
    const { session } = agreement
    const now = Date.now()
    const will =
      ending.isRegular || agreement.will === undefined
        ? undefined
        : recordOf(agreement.will, session.clientId, now)
    this.#connections.delete(session)
    session.detach()
    session.disconnectedAtMs = now
    if (session.expirySeconds === 0) {
      if (will !== undefined) this.#wills.set(session, { will, atMs: now })
      this.end(session)
      return
    }
    this.#away.add(session)
    this.#keepWithinBound()
    const isLater = will !== undefined && will.delaySeconds > 0
    this.#record(session, isLater ? will : undefined)
    if (will === undefined) return
    if (isLater) this.#wills.set(session, { will, atMs: now + will.delaySeconds * 1_000 })
    else this.#parts.publishWill(will)
  }

  /** Ends sessions whose time is up, and publishes wills that are due. Called once a second. */
  tick(nowMs: number): void {
    for (const [session, { will, atMs }] of this.#wills) {
      if (nowMs < atMs) continue
      this.#wills.delete(session)
      this.#record(session, undefined)
      this.#parts.publishWill(will)
    }
    for (const session of this.#away) {
      const { expirySeconds, disconnectedAtMs } = session
      const seconds = Math.min(expirySeconds, limits.sessionExpirySecondsMax)
      if (seconds === never || nowMs < disconnectedAtMs + seconds * 1_000) continue
      this.#parts.counters.add('sessions.expired')
      this.end(session)
    }
  }

  /** Ends a session for good; a will that waits is published now [MQTT-3.1.3-9]. */
  end(session: Session): void {
    this.#byId.delete(session.clientId)
    this.#away.delete(session)
    const pending = this.#wills.get(session)
    this.#wills.delete(session)
    session.end()
    if (pending !== undefined) this.#parts.publishWill(pending.will)
  }

  /** Takes sessions back from the store; their clients are away. */
  restore(sessions: readonly RestoredSession[], nowMs: number): void {
    const publications = new Map<object, Publication>()
    const leftAtMs = ({ record }: RestoredSession): number => record.disconnectedAtMs || nowMs // the process ended before the connection
    for (const restored of sessions.toSorted((one, other) => leftAtMs(one) - leftAtMs(other))) {
      const { record, subscriptions, deliveries, receivedIds } = restored
      const session = new Session(record.clientId, record.number, this.#parts.house)
      session.expirySeconds = record.expirySeconds
      session.disconnectedAtMs = leftAtMs(restored)
      for (const subscription of subscriptions) session.subscriptions.restore(subscription)
      for (const { order, body, message, delivery } of deliveries) {
        let publication = publications.get(body)
        if (publication === undefined) {
          publication = Publication.fromStored(message, this.#parts.routeOf(message.topic), false)
          publication.body = body
          publications.set(body, publication)
        }
        session.restore(publication, order, delivery)
      }
      session.restoreReceived(receivedIds)
      this.#byId.set(record.clientId, session)
      this.#away.add(session)
      const { will } = record
      if (will !== undefined)
        this.#wills.set(session, { will, atMs: session.disconnectedAtMs + will.delaySeconds * 1_000 })
    }
    this.#keepWithinBound()
  }

  /** Writes down that all connections have ended: the process stops. Wills are not published then. */
  closeAll(ending: Ending): void {
    for (const connection of [...this.#connections.values()]) connection.close(ending)
  }

  *connections(): Iterable<Connection> {
    yield* this.#connections.values()
  }

  #keepWithinBound(): void {
    for (const oldest of this.#away) {
      if (this.#away.size <= limits.sessionsMax) return
      this.#parts.counters.add('sessionsMax')
      this.end(oldest)
    }
  }

  #record(session: Session, will: WillRecord | undefined): void {
    if (session.number === 0) return
    const { number, clientId, expirySeconds, disconnectedAtMs } = session
    this.#parts.house.ledger.putSession({ number, clientId, expirySeconds, disconnectedAtMs, will })
  }
}

function recordOf(will: Will, client: string, nowMs: number): WillRecord {
  const { topic, payload, qos, properties, messageExpiryInterval, retain, delaySeconds } = will
  // [MQTT-3.1.3.2.4]: its lifetime begins when it is published, at the earliest now
  const expiresAtMs =
    messageExpiryInterval === -1 ? 0 : nowMs + (delaySeconds + messageExpiryInterval) * 1_000
  return { message: { topic, payload, qos, properties, expiresAtMs, client }, retain, delaySeconds }
}
