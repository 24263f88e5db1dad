import { bridgeOfSession, bridgeSessionId } from '../core/bridge.ts'
import type { Counters } from '../core/counters.ts'
import { Fifo } from '../core/fifo.ts'
import { limits } from '../core/limits.ts'
import type { SharedFilter } from '../core/shared-filter.ts'
import { steadyMs } from '../core/steady-clock.ts'
import { BridgeSession } from './bridge-session.ts'
import type { Connection, Ending } from './connection.ts'
import type { RestoredSession, SessionRecord, StoredMessage, WillRecord } from './journal/records.ts'
import { Publication } from './publication.ts'
import { RestoredShare } from './restored-share.ts'
import { Session } from './session.ts'
import type { SessionHouse } from './session-house.ts'
import type { Share } from './subscription.ts'
import type { Will } from './wire/connect.ts'
import { expiryIn } from './wire/publish-properties.ts'
import { reasonCode } from './wire/reason-codes.ts'

/** A session that never expires says so with this many seconds [MQTT-3.1.2-23]. */
const never = 0xffff_ffff

/** What waits for clients that are away is not shed below this share of `memoryBytesMax`: then it is others who take it. */
const awayShare = 0.5
/** Queues of this share of the longest one are shed together. */
const nearlyLongest = 0.95
/** How long that may go on in one turn of the event loop, once there is no more than the bound. */
const shedMs = 2

/** What a will takes beside its bytes, about. */
const willOverheadBytes = 300

/** How long wills are published in one turn of the event loop. */
const willsMsMax = 10

interface DueWill {
  readonly session: Session
  readonly will: WillRecord
}

interface PendingWill {
  readonly will: WillRecord
  readonly atMs: number
}

export interface SessionsParts {
  readonly house: SessionHouse
  readonly counters: Counters
  /** Publishes what the client of a session has left behind [MQTT-3.1.2-8]. */
  readonly publishWill: (message: StoredMessage, retain: boolean, session: Session) => void
  /** The route of a topic, for what is restored. */
  readonly routeOf: (topic: string) => Publication['route']
  readonly shareOf: (filter: SharedFilter) => Share | undefined
}

/** All sessions by client identifier: who has one, who is away, whose time is up, whose will is due. */
export class Sessions {
  readonly #parts: SessionsParts
  readonly #byId = new Map<string, Session>()
  readonly #connections = new Map<Session, Connection>()
  /** Those without a connection, the one that has been away longest first. */
  readonly #away = new Set<Session>()
  /** Those of bridges, which have no connection of a client's and are never over. */
  readonly #bridges = new Set<BridgeSession>()
  readonly #wills = new Map<Session, PendingWill>()
  #willBytes = 0
  /** Those that are due now, and have to wait for one of the next turns of the event loop. */
  readonly #dueWills = new Fifo<DueWill>()
  #isPublishing = false
  #isWillTurnArmed = false
  /** How long wills have been published in this turn. */
  #willsMs = 0

  constructor(parts: SessionsParts) {
    this.#parts = parts
    parts.house.budget.shed = () => this.#shed()
  }

  /** Clients that are connected. */
  get connectedCount(): number {
    return this.#connections.size
  }

  /** Whether there is room for one more will. */
  hasRoomFor(will: Will): boolean {
    return this.#willBytes + bytesOf(will) <= limits.willBytesMax
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
    const now = steadyMs()
    const old = this.#byId.get(clientId)
    if (old !== undefined && isOver(old, now)) this.#expire(old)
    else if (old !== undefined && cleanStart) this.end(old)
    const kept = this.#byId.get(clientId)
    if (kept !== undefined) {
      kept.expirySeconds = expirySeconds
      this.#away.delete(kept)
      this.#settleWill(kept, now)
      return { session: kept, isPresent: true }
    }
    const { house } = this.#parts
    const number = expirySeconds === 0 ? 0 : house.ledger.newSessionNumber()
    const session = new Session(clientId, number, house)
    session.expirySeconds = expirySeconds
    this.#byId.set(clientId, session)
    return { session, isPresent: false }
  }

  /** The names of the bridges that have one. */
  get bridgeNames(): readonly string[] {
    return [...this.#bridges].map(({ name }) => name)
  }

  /**
   * The session of a bridge: its old one, or a new one. It waits until it is ended, and takes no place among those of
   * clients. `isKept`: it outlives the process.
   */
  openBridge(name: string, isKept: boolean): BridgeSession {
    const clientId = bridgeSessionId(name)
    const old = this.#byId.get(clientId)
    if (old instanceof BridgeSession && (old.number !== 0) === isKept) return old
    if (old !== undefined) this.end(old)
    const { house } = this.#parts
    const number = isKept ? house.ledger.newSessionNumber() : 0
    const session = new BridgeSession(name, clientId, number, house, this.#parts.counters)
    session.expirySeconds = never
    this.#byId.set(clientId, session)
    this.#bridges.add(session)
    this.#record(session, undefined)
    return session
  }

  /** Ends the session of a bridge that is no more. @returns how many messages waited in it */
  endBridge(name: string): number {
    const session = this.#byId.get(bridgeSessionId(name))
    if (session === undefined) return 0
    const { unfinishedMessages } = session
    this.end(session)
    return unfinishedMessages
  }

  /** A client is there; its session is written down. */
  attach(session: Session, connection: Connection, will: Will | undefined): void {
    this.#connections.set(session, connection)
    if (will !== undefined) this.#willBytes += bytesOf(will)
    session.attach(connection)
    this.#record(session, will === undefined ? undefined : recordOf(will, session.clientId))
  }

  /** A connection has ended: its session ends as well, or waits; its will is published, now or later. */
  left(connection: Connection, ending: Ending): void {
    const { agreement } = connection
    if (agreement === undefined || this.#connections.get(agreement.session) !== connection) return
    const { session } = agreement
    const now = steadyMs()
    const will =
      ending.isRegular || agreement.will === undefined
        ? undefined
        : recordOf(agreement.will, session.clientId)
    this.#connections.delete(session)
    if (agreement.will !== undefined) this.#willBytes -= bytesOf(agreement.will)
    session.detach()
    session.disconnectedAtMs = now
    if (session.expirySeconds === 0) {
      if (will !== undefined) this.#putWill(session, { will, atMs: now })
      this.end(session)
      return
    }
    this.#away.add(session)
    const isLater = will !== undefined && will.delaySeconds > 0
    this.#record(session, isLater ? will : undefined)
    if (isLater) this.#putWill(session, { will, atMs: now + will.delaySeconds * 1_000 })
    else if (will !== undefined) this.#publishWill(session, will)
    this.#keepWithinBound()
  }

  /** Ends sessions whose time is up, and publishes wills that are due. Called twice a second. */
  tick(nowMs: number): void {
    for (const [session, { will, atMs }] of this.#wills) {
      if (nowMs < atMs) continue
      this.#takeWill(session)
      this.#record(session, undefined)
      this.#publishWill(session, will)
    }
    for (const session of this.#away) {
      if (isOver(session, nowMs)) this.#expire(session)
    }
  }

  /** Ends a session for good; a will that waits is published now [MQTT-3.1.3-9]. */
  end(session: Session): void {
    this.#byId.delete(session.clientId)
    this.#away.delete(session)
    if (session instanceof BridgeSession) this.#bridges.delete(session)
    const pending = this.#takeWill(session)
    session.end()
    if (pending !== undefined) this.#publishWill(session, pending.will)
  }

  /** Takes sessions back from the store; their clients are away. */
  restore(sessions: readonly RestoredSession[], nowMs: number): void {
    const publications = new Map<object, Publication>()
    // the process ended before the connection; or the wall clock is behind, and knows no better
    const leftAtMs = ({ record }: RestoredSession): number =>
      Math.min(record.disconnectedAtMs || nowMs, nowMs)
    for (const restored of sessions.toSorted((one, other) => leftAtMs(one) - leftAtMs(other))) {
      const { record, subscriptions, deliveries, receivedIds } = restored
      const session = this.#restored(record)
      session.expirySeconds = record.expirySeconds
      session.disconnectedAtMs = leftAtMs(restored)
      for (const subscription of subscriptions) session.subscriptions.restore(subscription)
      const shares = new RestoredShare(subscriptions)
      for (const { order, body, message, delivery } of deliveries) {
        let publication = publications.get(body)
        if (publication === undefined) {
          publication = Publication.fromStored(message, this.#parts.routeOf(message.topic), false)
          publication.body = body
          publications.set(body, publication)
        }
        const shared = shares.of(message.topic)
        const share = shared === undefined ? undefined : this.#parts.shareOf(shared)
        session.restore(publication, order, delivery, share)
      }
      session.restoreReceived(receivedIds)
      this.#byId.set(record.clientId, session)
      const { will } = record
      if (will !== undefined)
        this.#putWill(session, { will, atMs: session.disconnectedAtMs + will.delaySeconds * 1_000 })
    }
    const byAge = [...this.#byId.values()].sort((a, b) => a.disconnectedAtMs - b.disconnectedAtMs)
    for (const session of byAge)
      if (session instanceof BridgeSession) this.#bridges.add(session)
      else this.#away.add(session)
    this.#keepWithinBound()
  }

  #restored({ clientId, number }: SessionRecord): Session {
    const { house, counters } = this.#parts
    const bridge = bridgeOfSession(clientId)
    if (bridge === undefined) return new Session(clientId, number, house)
    return new BridgeSession(bridge, clientId, number, house, counters)
  }

  /** Ends all connections: the process stops. Wills that are due later are published after the next start, if then due. */
  closeAll(ending: Ending): void {
    for (const connection of [...this.#connections.values()]) connection.close(ending)
    this.#publishDueWills(Number.POSITIVE_INFINITY)
  }

  #expire(session: Session): void {
    this.#parts.counters.add('sessions.expired')
    if (session.queuedMessages > 0) this.#parts.house.expired(session)
    this.end(session)
  }

  /**
   * Memory is short: of what waits for clients that are away the oldest goes, from the longest queues, until they
   * take less than their share. @returns whether there is more that may go
   */
  #shed(): boolean {
    const { budget } = this.#parts.house
    const untilMs = performance.now() + shedMs
    while (budget.isPressing) {
      let total = 0
      let longest = 0
      const away = this.#bridges.size === 0 ? this.#away : [...this.#away, ...this.#bridgesAway()]
      for (const { queuedBytes } of away) {
        total += queuedBytes
        if (queuedBytes > longest) longest = queuedBytes
      }
      const bytesMax = limits.memoryBytesMax * awayShare
      for (const session of away) {
        // what came in this turn must go in this turn, the rest may take its time
        if (!budget.isPressing || total <= bytesMax) return false
        const { queuedBytes } = session
        if (queuedBytes < longest * nearlyLongest) continue
        session.shed(Math.min(queuedBytes - 1, longest * nearlyLongest))
        total -= queuedBytes - session.queuedBytes
        if (budget.bytes <= limits.memoryBytesMax && performance.now() > untilMs) return true
      }
      if (longest === 0) return false
    }
    return false
  }

  #bridgesAway(): BridgeSession[] {
    return [...this.#bridges].filter(({ isLive }) => !isLive)
  }

  #keepWithinBound(): void {
    for (const oldest of this.#away) {
      if (this.#away.size <= limits.sessionsMax) return
      this.#parts.counters.add('sessionsMax')
      this.end(oldest)
    }
  }

  #putWill(session: Session, pending: PendingWill): void {
    this.#wills.set(session, pending)
    this.#willBytes += bytesOf(pending.will.message)
  }

  #takeWill(session: Session): PendingWill | undefined {
    const pending = this.#wills.get(session)
    if (pending === undefined) return undefined
    this.#wills.delete(session)
    this.#willBytes -= bytesOf(pending.will.message)
    return pending
  }

  /** The client is back: its will is dropped, unless it was due before [MQTT-3.1.3-9]. */
  #settleWill(session: Session, nowMs: number): void {
    const pending = this.#takeWill(session)
    if (pending !== undefined && pending.atMs <= nowMs) this.#publishWill(session, pending.will)
  }

  /** At once, unless there are many of them: each may go to everybody, and end further connections. */
  #publishWill(session: Session, will: WillRecord): void {
    this.#dueWills.push({ session, will })
    this.#publishDueWills(willsMsMax)
  }

  #publishDueWills(msMax: number): void {
    if (this.#isPublishing) return
    this.#isPublishing = true
    const beganMs = performance.now() - this.#willsMs
    try {
      while (this.#dueWills.size > 0 && performance.now() - beganMs < msMax) {
        const { session, will } = this.#dueWills.shift() as DueWill
        this.#publishNow(session, will)
      }
    } finally {
      this.#isPublishing = false
    }
    this.#willsMs = performance.now() - beganMs
    if (this.#isWillTurnArmed) return
    this.#isWillTurnArmed = true
    setImmediate(() => {
      this.#isWillTurnArmed = false
      this.#willsMs = 0
      if (this.#dueWills.size > 0) this.#publishDueWills(willsMsMax)
    })
  }

  #publishNow(session: Session, { message, retain }: WillRecord): void {
    const { properties } = message
    const seconds = properties === undefined ? -1 : expiryIn(properties).messageExpiryInterval
    // [MQTT-3.1.3.2.4]: its lifetime begins when it is published
    const expiresAtMs = seconds === -1 ? 0 : steadyMs() + Math.max(seconds * 1_000, 1)
    this.#parts.publishWill({ ...message, expiresAtMs }, retain, session)
  }

  #record(session: Session, will: WillRecord | undefined): void {
    if (session.number === 0) return
    const { number, clientId, expirySeconds, disconnectedAtMs } = session
    this.#parts.house.ledger.putSession({ number, clientId, expirySeconds, disconnectedAtMs, will })
  }
}

/** What a will takes, about. */
function bytesOf({
  topic,
  payload,
  properties,
}: Pick<StoredMessage, 'topic' | 'payload' | 'properties'>): number {
  return willOverheadBytes + topic.length + payload.length + (properties?.length ?? 0)
}

/** Whether its time is up: the one that was agreed with its client, also when there is less for others now. */
function isOver({ expirySeconds, disconnectedAtMs }: Session, nowMs: number): boolean {
  return expirySeconds !== never && nowMs >= disconnectedAtMs + expirySeconds * 1_000
}

function recordOf(will: Will, client: string): WillRecord {
  const { topic, payload, qos, properties, retain, delaySeconds } = will
  return { message: { topic, payload, qos, properties, expiresAtMs: 0, client }, retain, delaySeconds }
}
