import { bridgeOfSession, bridgeSessionId } from '../core/bridge.ts'
import type { Counters } from '../core/counters.ts'
import { Fifo } from '../core/fifo.ts'
import { limits } from '../core/limits.ts'
import { mainListener } from '../core/listener.ts'
import type { SharedFilter } from '../core/shared-filter.ts'
import { steadyMs } from '../core/steady-clock.ts'
import { AwaySessions } from './away-sessions.ts'
import { BridgeSession } from './bridge-session.ts'
import type { Connection, Ending } from './connection.ts'
import type { Party } from './doorkeeper.ts'
import { FairShare } from './fair-share.ts'
import type { RestoredSession, SessionRecord, StoredMessage, WillRecord } from './journal/records.ts'
import { isSameOwner, ownerKey } from './owner.ts'
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

/** How long sessions whose clients are away are looked through in one turn of the event loop, after a reload. */
const reviewMs = 5

interface DueWill {
  readonly session: Session
  readonly will: WillRecord
}

interface PendingWill {
  readonly will: WillRecord
  /** Who it is counted for. */
  readonly owner: string
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
  /** Says that a session may read something else than before. */
  readonly renewRoutes: () => void
}

/** All sessions by client identifier: who has one, who is away, whose time is up, whose will is due. */
export class Sessions {
  readonly #parts: SessionsParts
  readonly #byId = new Map<string, Session>()
  readonly #connections = new Map<Session, Connection>()
  /** Those without a connection. */
  readonly #away = new AwaySessions()
  /** Those of bridges, which have no connection of a client's and are never over. */
  readonly #bridges = new Set<BridgeSession>()
  readonly #wills = new Map<Session, PendingWill>()
  readonly #willBytes = new FairShare()
  /** Those that are due now, and have to wait for one of the next turns of the event loop. */
  readonly #dueWills = new Fifo<DueWill>()
  #isPublishing = false
  #isWillTurnArmed = false
  /** How long wills have been published in this turn. */
  #willsMs = 0
  /** Whose clients are away, and what waits for them is still to be looked through. */
  #toReview = new Set<Session>()
  #reviewed = 0

  constructor(parts: SessionsParts) {
    this.#parts = parts
    parts.house.budget.shed = () => this.#shed()
  }

  /** Clients that are connected. */
  get connectedCount(): number {
    return this.#connections.size
  }

  /** Whether a guest may leave one more will. */
  hasRoomFor(will: Will, guest: Party): boolean {
    return this.#willBytes.hasRoomFor(ownerKey(guest), bytesOf(will), limits.willBytesMax)
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

  /** All of them; those that come and go meanwhile may be among them. */
  get all(): Iterable<Session> {
    return this.#byId.values()
  }

  sessionOf(clientId: string): Session | undefined {
    return this.#byId.get(clientId)
  }

  /** Who is connected under this client identifier. */
  connectionOf(clientId: string): Connection | undefined {
    const session = this.#byId.get(clientId)
    return session === undefined ? undefined : this.#connections.get(session)
  }

  /**
   * The session for a client that connects: its old one, or a new one [MQTT-3.1.2-4], [MQTT-3.1.2-5]. Whoever has the
   * same client identifier is disconnected [MQTT-3.1.4-3]; the session of another user ends, also of one of the same name from another realm.
   */
  open(
    guest: Party,
    cleanStart: boolean,
    expirySeconds: number,
  ): { readonly session: Session; readonly isPresent: boolean } {
    const { clientId } = guest
    this.connectionOf(clientId)?.close({
      reasonCode: reasonCode.sessionTakenOver,
      reason: 'another connection has the same client identifier',
    })
    const now = steadyMs()
    const old = this.#byId.get(clientId)
    if (old !== undefined && isOver(old, now)) this.#expire(old)
    else if (old !== undefined && cleanStart) this.end(old)
    else if (old?.owner !== undefined && !isSameOwner(old.owner, guest))
      this.#endOfAnother(old, old.owner, guest)
    const kept = this.#byId.get(clientId)
    if (kept !== undefined) {
      this.#give(kept, guest)
      kept.expirySeconds = expirySeconds
      this.#away.delete(kept)
      this.#settleWill(kept, now)
      return { session: kept, isPresent: true }
    }
    const { house } = this.#parts
    const number = expirySeconds === 0 ? 0 : house.ledger.newSessionNumber()
    const session = new Session(clientId, number, house)
    session.owner = guest
    session.expirySeconds = expirySeconds
    this.#byId.set(clientId, session)
    return { session, isPresent: false }
  }

  /** How many of them are of bridges. */
  get bridgeCount(): number {
    return this.#bridges.size
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
    if (will !== undefined) this.#willBytes.take(ownerKey(session.owner), bytesOf(will))
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
    if (agreement.will !== undefined)
      this.#willBytes.giveBack(ownerKey(agreement.guest), bytesOf(agreement.will))
    session.detach()
    session.disconnectedAtMs = now
    if (session.expirySeconds === 0) {
      if (will !== undefined) this.#putWill(session, will, now)
      this.end(session)
      return
    }
    this.#away.add(session)
    const isLater = will !== undefined && will.delaySeconds > 0
    this.#record(session, isLater ? will : undefined)
    if (isLater) this.#putWill(session, will, now + will.delaySeconds * 1_000)
    else if (will !== undefined) this.#publishWill(session, will)
    this.#keepWithinBound()
  }

  /**
   * The lists that say who may read what are others now: drops what waits and may not be read any more. Of clients that
   * are away there may be much: it is looked through in the next turns of the event loop, or when they come.
   */
  review(): void {
    const { house } = this.#parts
    let lost = 0
    for (const session of this.#connections.keys()) {
      lost += session.dropUnreadable()
      session.pump()
    }
    this.#reviewed += lost
    const isBusy = this.#toReview.size > 0
    this.#toReview = new Set(house.doorkeeper.hasLists ? this.#away : [])
    if (!isBusy) this.#reviewSome()
  }

  #reviewSome(): void {
    const untilMs = performance.now() + reviewMs
    for (const session of this.#toReview) {
      this.#toReview.delete(session)
      if (!session.hasEnded && !this.#connections.has(session)) this.#reviewed += session.dropUnreadable()
      if (performance.now() > untilMs && this.#toReview.size > 0)
        return void setImmediate(() => this.#reviewSome())
    }
    this.#parts.house.droppedUnreadable(this.#reviewed)
    this.#reviewed = 0
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
      // where it was when it was last here is not kept
      session.owner = record.owner && { clientId: record.clientId, address: 'away', ...record.owner }
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
        this.#putWill(session, will, session.disconnectedAtMs + will.delaySeconds * 1_000)
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

  /** A session goes on with a client of its owner's. What was allowed at one listener may not be at another. */
  #give(session: Session, guest: Party): void {
    const before = session.owner
    session.owner = guest
    this.#parts.house.droppedUnreadable(session.dropUnreadable(), session)
    const { doorkeeper } = this.#parts.house
    const isSame = before !== undefined && doorkeeper.hasSameList(before.listener, guest.listener)
    if (doorkeeper.hasLists && !isSame) this.#parts.renewRoutes()
  }

  #endOfAnother(session: Session, owner: Party, guest: Party): void {
    this.#parts.house.endedForAnother(session, owner, guest)
    this.end(session)
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

  /** Whoever leaves many behind loses his own. */
  #keepWithinBound(): void {
    while (this.#away.size > limits.sessionsMax) {
      const oldest = this.#away.oldestOfMost as Session
      this.#parts.counters.add('sessionsMax')
      this.#parts.house.endedForRoom(oldest)
      this.end(oldest)
    }
  }

  #putWill(session: Session, will: WillRecord, atMs: number): void {
    const owner = ownerKey(session.owner)
    this.#wills.set(session, { will, atMs, owner })
    this.#willBytes.take(owner, bytesOf(will.message))
  }

  #takeWill(session: Session): PendingWill | undefined {
    const pending = this.#wills.get(session)
    if (pending === undefined) return undefined
    this.#wills.delete(session)
    this.#willBytes.giveBack(pending.owner, bytesOf(pending.will.message))
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
    const { number, clientId, expirySeconds, disconnectedAtMs, owner } = session
    const { user, realm, listener = mainListener } = owner ?? {}
    const kept = owner && { user, listener, ...(realm !== undefined && { realm }) }
    this.#parts.house.ledger.putSession({
      number,
      clientId,
      expirySeconds,
      disconnectedAtMs,
      will,
      owner: kept,
    })
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
