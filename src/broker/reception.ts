import { randomBytes } from 'node:crypto'
import { limitFields } from '../core/limit-keys.ts'
import { limits } from '../core/limits.ts'
import { Repeats } from '../core/repeats.ts'
import { topicProblem } from '../core/topics.ts'
import { digestOf } from './access/digest.ts'
import type { Verdict } from './access.ts'
import type { Agreement, Connection } from './connection.ts'
import type { ConnectionHouse } from './connection-house.ts'
import { DelayedRefusals } from './delayed-refusals.ts'
import type { Guest } from './doorkeeper.ts'
import { connectionState } from './doorkeeper.ts'
import { type Evictions, fightMessage } from './evictions.ts'
import { bridgeProperty, peerOf } from './peer-names.ts'
import type { Sessions } from './sessions.ts'
import type { BridgeClient, Receiver } from './subscription.ts'
import type { Connect } from './wire/connect.ts'
import type { Properties } from './wire/properties.ts'
import { reasonCode } from './wire/reason-codes.ts'

/** Without a Receive Maximum of the client's own, and in protocols that know none [MQTT-3.1.2-20]. */
const receiveMaximumDefault = 65_535
const never = 0xffff_ffff

/** What a CONNECT takes beside its texts, about. */
const connectOverheadBytes = 1_024

export interface ReceptionParts {
  readonly house: ConnectionHouse
  readonly sessions: Sessions
  readonly evictions: Evictions
  readonly tellFight: (fields: object, message: string) => void
  readonly welcome: (connection: Connection) => void
}

/** A connection that has said CONNECT. */
interface Newcomer {
  readonly connection: Connection
  readonly connect: Connect
  readonly guest: Guest
  /** The client identifier is one of ours. */
  readonly isAssigned: boolean
}

/** A newcomer that waits before it takes over. */
interface Waiting {
  connection: Connection
  admit: (isLate: boolean) => void
  readonly timer: NodeJS.Timeout
}

/** Answers CONNECT: who may come in, on which terms, with which session. */
export class Reception {
  readonly #parts: ReceptionParts
  /** Newcomers that wait in a fight, by client id. */
  readonly #waiting = new Map<string, Waiting>()
  readonly #repeats = new Repeats()
  readonly #delayed: DelayedRefusals

  constructor(parts: ReceptionParts) {
    this.#parts = parts
    this.#delayed = new DelayedRefusals(parts.house.counters)
  }

  /** The first packet of a connection. */
  receive(connection: Connection, connect: Connect): void {
    const { house } = this.#parts
    const { level, properties } = connect
    if (properties.authenticationMethod !== undefined) {
      const reason = `the authentication method "${properties.authenticationMethod}" is not known here`
      house.counters.add('clients.refused')
      const fields = { client: connect.clientId, address: connection.address, reason }
      house.doorkeeper.logRefusal(fields, 'authentication method')
      const code = reasonCode.badAuthenticationMethod // [MQTT-4.12.0-1]
      return connection.refuse(level, code, reason, properties.maximumPacketSize)
    }
    const isAssigned = connect.clientId === ''
    const clientId = isAssigned ? `auto-${randomBytes(8).toString('hex')}` : connect.clientId // [MQTT-3.1.3-6]
    const guest: Guest = {
      clientId,
      address: connection.address,
      username: connect.username,
      password: connect.password,
      isLocal: connection.peer.isLocal,
      listener: connection.peer.listener,
      certificateUser: connection.peer.certificateUser,
    }
    const { doorkeeper } = this.#parts.house
    const verdict = doorkeeper.mayConnect(guest, () => connection.isClosed)
    const newcomer = { connection, connect, guest, isAssigned }
    if (!(verdict instanceof Promise)) return this.#decided(newcomer, verdict, false)
    connection.attend(bytesOf(connect))
    void verdict.then((later) => {
      if (!connection.isClosed) this.#decided(newcomer, later, true)
    })
  }

  /** It is known who a newcomer is, and whether it may come in. */
  #decided(newcomer: Newcomer, verdict: Verdict, isLate: boolean): void {
    const { house } = this.#parts
    const { connection, connect, guest, isAssigned } = newcomer
    const { clientId } = guest
    const { level, properties } = connect
    const refuse = (code: number, reason: string): void =>
      connection.refuse(level, code, reason, properties.maximumPacketSize)
    if (!verdict.isAllowed) {
      if (verdict.delayMs === undefined) return refuse(verdict.reasonCode, verdict.reason)
      const { maximumPacketSize } = properties
      return this.#delayed.add(connection, verdict.delayMs, { level, maximumPacketSize, ...verdict })
    }
    const { password, ...rest } = guest
    const { user, verifiedHash } = verdict
    const known: Guest = {
      ...rest,
      user,
      realm: house.doorkeeper.realmOf(guest.listener, user),
      isBridge: connect.isBridge || peerOf(properties) !== undefined,
      verifiedHash,
      ...(password && { passwordDigest: digestOf(password) }),
    }
    if (connect.will !== undefined) {
      const problem = house.doorkeeper.mayComeWithWill(known, connect.will.topic, level)
      if (problem !== undefined) return refuse(reasonCode.notAuthorized, problem.reason)
      if (!this.#parts.sessions.hasRoomFor(connect.will, known)) {
        house.counters.add('willBytesMax')
        const reason = 'the wills of its user take as much memory as is left for those of all others'
        const fields = {
          client: clientId,
          address: guest.address,
          ...(user !== undefined && { user }),
          reason,
        }
        house.doorkeeper.logRefusal({ ...fields, ...limitFields('willBytesMax') })
        return refuse(level === 5 ? reasonCode.quotaExceeded : reasonCode.serverUnavailable, reason)
      }
    }
    const keepAliveMax = limits.keepAliveSecondsMax
    const isTooLong = keepAliveMax < 65_535 && (connect.keepAlive === 0 || connect.keepAlive > keepAliveMax)
    if (isTooLong && level < 5) {
      // before MQTT 5 there is no way to tell it another one
      const reason = `its keep alive is ${connect.keepAlive || 'off'}, and at most ${keepAliveMax} s here`
      house.counters.add('keepAliveSecondsMax')
      const fields = { client: clientId, address: guest.address, reason }
      house.doorkeeper.logRefusal({ ...fields, ...limitFields('keepAliveSecondsMax') }, 'keep alive')
      return refuse(reasonCode.clientIdentifierNotValid, reason)
    }
    this.#takeTurn(clientId, connection, (hasWaited) => {
      const later = isLate || hasWaited ? house.doorkeeper.mayStay(known) : verdict
      if (later.isAllowed) this.#admit(connection, connect, known, isAssigned, isTooLong)
      else refuse(later.reasonCode, later.reason)
    })
  }

  /** A connection has ended: it waits no longer, or nobody needs to wait for it. */
  ended(connection: Connection): void {
    this.#delayed.drop(connection)
    if (this.#waiting.size === 0) return
    const clientId = connection.agreement?.session.clientId
    const isFree = clientId !== undefined && this.#parts.sessions.connectionOf(clientId) === undefined
    const next = isFree ? this.#waiting.get(clientId) : undefined
    if (next !== undefined) {
      clearTimeout(next.timer)
      setImmediate(() => this.#endWait(clientId as string, 0))
    }
    for (const [id, waiting] of this.#waiting) {
      if (waiting.connection !== connection) continue
      clearTimeout(waiting.timer)
      this.#waiting.delete(id)
    }
  }

  /** Lets a client in, at once unless it fights for its client id. */
  #takeTurn(clientId: string, connection: Connection, admit: (isLate: boolean) => void): void {
    const { sessions, evictions } = this.#parts
    const before = this.#waiting.get(clientId)
    if (before !== undefined) {
      // the newest has the place of the one before it [MQTT-3.1.4-3], and what that has waited already
      const { connection: older } = before
      before.connection = connection
      before.admit = admit
      connection.attend()
      older.close({ reason: 'another connection has the same client identifier' })
      return
    }
    const other = sessions.connectionOf(clientId)
    if (other === undefined) return admit(false)
    const takeover = evictions.look(clientId, connection.address, other.address, performance.now())
    const { delayMs } = takeover
    if (delayMs === 0) {
      evictions.note(clientId, 0, performance.now())
      return admit(false)
    }
    const { fields } = takeover
    const repeats = fields && this.#repeats.admit(String(fields['client']))
    if (repeats !== undefined) this.#parts.tellFight({ ...fields, ...repeats }, fightMessage)
    connection.attend()
    const timer = setTimeout(() => this.#endWait(clientId, delayMs), delayMs).unref()
    this.#waiting.set(clientId, { connection, admit, timer })
  }

  #endWait(clientId: string, delayMs: number): void {
    const { sessions, evictions } = this.#parts
    const waiting = this.#waiting.get(clientId)
    if (waiting === undefined) return // it has gone as well
    this.#waiting.delete(clientId)
    if (sessions.connectionOf(clientId) !== undefined) evictions.note(clientId, delayMs, performance.now())
    waiting.admit(true)
  }

  #admit(
    connection: Connection,
    connect: Connect,
    guest: Guest,
    isAssigned: boolean,
    isKeepAliveOurs: boolean,
  ): void {
    const { house, sessions } = this.#parts
    const { level, properties, cleanStart } = connect
    // before MQTT 5 a session lasts as long as the connection, or for good [MQTT-3.1.2-23]
    const wanted = level === 5 ? (properties.sessionExpiryInterval ?? 0) : cleanStart ? 0 : never
    const expirySeconds = Math.min(wanted, limits.sessionExpirySecondsMax)
    const before = house.ledger.recorded
    const { session, isPresent } = sessions.open(guest, cleanStart, expirySeconds)
    session.bridge = this.#bridgeOf(connect, session.bridge)
    const keepAliveSeconds = isKeepAliveOurs ? limits.keepAliveSecondsMax : connect.keepAlive
    const agreement: Agreement = {
      guest,
      session,
      level,
      cleanStart,
      isBridge: connect.isBridge,
      will: connect.will,
      keepAliveSeconds,
      receiveMaximum: Math.min(
        properties.receiveMaximum ?? receiveMaximumDefault,
        limits.inflightMessagesMax,
      ),
      ourReceiveMaximum: limits.inflightMessagesMax,
      maximumPacketSize: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
      topicAliasMaximum: properties.topicAliasMaximum ?? 0,
    }
    connection.agree(agreement)
    sessions.attach(session, connection, connect.will)
    this.#parts.welcome(connection)
    const answer = this.#answerTo(connect, guest.clientId, isAssigned, isKeepAliveOurs, expirySeconds)
    if (house.ledger.recorded === before) {
      connection.ready(isPresent, answer)
      connection.proceed()
      return
    }
    // CONNACK leaves when the session is kept, or cannot be, and nothing goes before it
    connection.halt()
    house.whenKept(() => {
      if (connection.isClosed) return
      connection.ready(isPresent, answer)
      connection.proceed()
    })
  }

  /** Bridges say so in the level of MQTT 3.1.1, by name as we do, or by where their will goes. */
  #bridgeOf({ clientId, isBridge, will, properties }: Connect, before: BridgeClient | undefined) {
    const peer = peerOf(properties)
    if (!isBridge && peer === undefined && will?.topic !== connectionState(clientId)) return undefined
    this.#parts.house.loops.watch()
    return { peer, returns: before?.returns ?? new Map<Receiver, number>() }
  }

  /** The terms that differ from what the client asked for, and those that it must know [MQTT-3.2.2]. */
  #answerTo(
    { level, properties }: Connect,
    clientId: string,
    isAssigned: boolean,
    isKeepAliveOurs: boolean,
    expirySeconds: number,
  ): Properties {
    if (level < 5) return {}
    const responses = `responses/${clientId}`
    const mayAnswer = properties.requestResponseInformation === true && topicProblem(responses) === undefined
    return {
      ...(expirySeconds === (properties.sessionExpiryInterval ?? 0)
        ? {}
        : { sessionExpiryInterval: expirySeconds }),
      ...(limits.inflightMessagesMax === receiveMaximumDefault
        ? {}
        : { receiveMaximum: limits.inflightMessagesMax }),
      maximumPacketSize: limits.packetBytesMax,
      topicAliasMaximum: limits.topicAliasesMax,
      ...(isAssigned ? { assignedClientIdentifier: clientId } : {}),
      ...(isKeepAliveOurs ? { serverKeepAlive: limits.keepAliveSecondsMax } : {}),
      ...(mayAnswer ? { responseInformation: responses } : {}),
      ...(peerOf(properties) === undefined
        ? {}
        : { userProperties: [[bridgeProperty, this.#parts.house.instance]] as const }),
    }
  }
}

/** What CONNECT holds in memory while it waits, about. */
function bytesOf({ clientId, username = '', password, will }: Connect): number {
  const ofWill =
    will === undefined ? 0 : will.topic.length + will.payload.length + (will.properties?.length ?? 0)
  return connectOverheadBytes + clientId.length + username.length + (password?.length ?? 0) + ofWill
}
