import type { Socket } from 'node:net'
import type { BridgeAddress, Bridge as BridgeSettings } from '../core/bridge.ts'
import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { type LinkFailure, silent } from './attached/link-failure.ts'
import { OwnEchoes } from './attached/own-echoes.ts'
import { BridgeConnection } from './bridge-connection.ts'
import {
  closedEarlyBy,
  itself,
  mute,
  refusalOf,
  socketFailure,
  stopped,
  tooLittle,
} from './bridge-failure.ts'
import type { BridgeSession } from './bridge-session.ts'
import { openBridgeSocket } from './bridge-socket.ts'
import { BridgeSubscriptions } from './bridge-subscriptions.ts'
import type { BridgeTopics } from './bridge-topics.ts'
import { BridgeWindow } from './bridge-window.ts'
import type { Agreement } from './connection.ts'
import type { ConnectionHouse } from './connection-house.ts'
import type { SubscriptionRecord } from './journal/records.ts'
import { cut } from './log-fields.ts'
import { bridgeProperty, peerOf } from './peer-names.ts'
import type { Sessions } from './sessions.ts'
import type { OutgoingConnect, ServerConnack } from './wire/client-side.ts'
import type { Properties } from './wire/properties.ts'

/** Without a Receive Maximum of the other broker's own [MQTT-3.2.2-21]. */
const receiveMaximumDefault = 65_535
const never = 0xffff_ffff

export interface BridgeLinkParts {
  readonly settings: BridgeSettings
  readonly topics: BridgeTopics
  readonly house: ConnectionHouse
  readonly sessions: Sessions
  readonly counters: Counters
  readonly log: Logger
  /** How long the other broker may take from the attempt to CONNACK. */
  readonly connectMs: number
  /** How long it may take to answer our subscriptions. */
  readonly answerMs: number
  /** What is subscribed to there already, as far as is known. */
  readonly subscribed?: ReadonlySet<string> | undefined
  /** Messages go over it from now on. */
  readonly onOpen: (connection: BridgeConnection) => void
  /** A message has begun to wait while there is no connection. */
  readonly onWaiting: () => void
}

/** What became of an attempt. */
export interface BridgeEnd {
  readonly failure: LinkFailure
  /** Whether messages went over it. */
  readonly wasOpen: boolean
}

/** The connections of one bridge, one after the other, and what must be known from one to the next. */
export class BridgeLink {
  readonly #parts: BridgeLinkParts
  readonly #repeats = new Repeats()
  readonly #echoes: OwnEchoes
  /** Subscriptions here whose retained messages the other broker has not had. */
  readonly #unfed = new Set<string>()
  #session: BridgeSession | undefined
  #connection: BridgeConnection | undefined
  /** Whether a broker of MQTT 3.1.1 takes the bit that says that we are a bridge; one that closes at once may not. */
  #bit: 'untried' | 'taken' | 'doubted' | 'refused' = 'untried'
  readonly #window = new BridgeWindow()
  readonly #subscriptions: BridgeSubscriptions
  #openedAtMs = 0

  constructor(parts: BridgeLinkParts) {
    this.#parts = parts
    this.#echoes = new OwnEchoes(parts.counters)
    const { name, mayUnsubscribe } = parts.settings
    this.#subscriptions = new BridgeSubscriptions({ ...parts, name, mayUnsubscribe }, parts.subscribed)
    if (!parts.settings.isLocalCleanSession) this.#openSession()
  }

  get session(): BridgeSession | undefined {
    return this.#session
  }

  /** While there is one, also before messages go over it. */
  get connection(): BridgeConnection | undefined {
    return this.#connection
  }

  /** At the other broker, as far as is known. */
  get subscribed(): ReadonlySet<string> {
    return this.#subscriptions.held
  }

  /** Connects once. Resolves when that has failed, or the connection has ended. Never rejects. */
  async connect(address: BridgeAddress, signal: AbortSignal): Promise<BridgeEnd> {
    const { settings, house, topics, connectMs } = this.#parts
    const connect = this.#connectOf()
    const session = this.#session ?? this.#openSession()
    const untilMs = performance.now() + connectMs
    let socket: Socket
    try {
      socket = await openBridgeSocket(settings, address, signal, connectMs)
    } catch (error) {
      return { failure: (error as Error).cause as LinkFailure, wasOpen: false }
    }
    let wasOpen = false
    let hasAnswer = false
    const connection = new BridgeConnection(socket, address.host, house, {
      bridge: session,
      isSecure: address.isSecure,
      topics,
      connect,
      mayRetain: settings.mayRetain,
      echoes: connect.level === 4 && !connect.isBridge ? this.#echoes : undefined,
      windowMax: () => this.#window.max(session),
      onConnack: (connack) => {
        hasAnswer = true
        clearTimeout(late)
        this.#answered(connection, session, connect, connack, () => {
          wasOpen = true
        })
      },
      onRefused: (topic, reason) => this.#tellRefused(topic, reason),
    })
    this.#connection = connection
    const late = setTimeout(() => connection.fail(silent), untilMs - performance.now()).unref()
    socket.on('error', (error) => connection.fail(socketFailure(error)))
    const onAbort = (): void => connection.fail(stopped)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const failure = await connection.ended
    clearTimeout(late)
    signal.removeEventListener('abort', onAbort)
    this.#connection = undefined
    const isEarly = !hasAnswer && failure.isByPeer === true
    if (isEarly && connect.isBridge && this.#bit === 'untried') this.#bit = 'doubted'
    else if (this.#bit === 'doubted') this.#bit = 'untried'
    this.#left(session, failure, wasOpen)
    return { failure: isEarly ? closedEarlyBy(address) : failure, wasOpen }
  }

  /** There will be no more of them. */
  close(): void {
    if (this.#session !== undefined) this.#parts.house.loops.remove(this.#session)
  }

  #openSession(): BridgeSession {
    const { settings, sessions, house, topics, onWaiting } = this.#parts
    const session = sessions.openBridge(settings.name, !settings.isLocalCleanSession)
    session.isQos0Kept = settings.isQos0Kept
    session.topics = topics
    session.onWaiting = onWaiting
    const wanted = new Set(topics.local.map(({ filter }) => filter))
    for (const filter of session.subscriptions.filters) if (!wanted.has(filter)) session.unsubscribe(filter)
    house.loops.add(session)
    this.#session = session
    for (const record of this.#localRecords()) {
      if (!session.subscriptions.has(record.filter)) this.#unfed.add(record.filter)
      session.subscriptions.put(record)
    }
    return session
  }

  #localRecords(): readonly SubscriptionRecord[] {
    const options = { noLocal: true, retainAsPublished: true, retainHandling: 0, identifier: 0 } as const
    return this.#parts.topics.local.map((local) => ({ ...local, ...options }))
  }

  #connectOf(): OutgoingConnect {
    const { settings, house } = this.#parts
    const { version: level, credentials, notifications } = settings
    const properties: Properties = {
      sessionExpiryInterval: settings.isCleanSession ? 0 : never,
      receiveMaximum: limits.inflightMessagesMax,
      maximumPacketSize: limits.packetBytesMax,
      userProperties: [[bridgeProperty, house.instance]],
    }
    return {
      level,
      isBridge: level === 4 && settings.isTold && (this.#bit === 'untried' || this.#bit === 'taken'),
      cleanStart: settings.isCleanSession,
      keepAlive: settings.keepAliveSeconds,
      clientId: settings.clientId,
      username: credentials?.username,
      password: credentials?.password?.reveal(),
      will: notifications?.isLocalOnly === false ? { topic: notifications.topic, payload: '0' } : undefined,
      properties: level === 5 ? properties : {},
    }
  }

  #answered(
    connection: BridgeConnection,
    session: BridgeSession,
    connect: OutgoingConnect,
    connack: ServerConnack,
    noteOpen: () => void,
  ): void {
    const { answerMs, onOpen } = this.#parts
    const { isSessionPresent, properties } = connack
    const problem = this.#problemOf(connect, connack)
    if (problem !== undefined) return connection.fail(problem)
    session.peer = peerOf(properties)
    session.isStranger = connect.level === 5 && session.peer === undefined
    if (!isSessionPresent) session.forgetReceived()
    connection.settle(this.#agreementOf(connection, session, connect, properties), properties)
    session.attach(connection)
    const late = setTimeout(() => connection.fail(mute), answerMs).unref()
    void connection.ended.then(() => clearTimeout(late))
    void this.#subscriptions.bring(connection, isSessionPresent).then(() => {
      clearTimeout(late)
      if (connection.isClosed) return
      noteOpen()
      this.#openedAtMs = performance.now()
      this.#feed(session, isSessionPresent)
      connection.open()
      onOpen(connection)
    })
  }

  /** Why nothing can come of this connection. */
  #problemOf({ isBridge }: OutgoingConnect, { code, properties }: ServerConnack): LinkFailure | undefined {
    const { settings, house } = this.#parts
    if (code === 1 && isBridge) {
      this.#bit = 'refused'
      return { reason: 'it does not know bridges' }
    }
    if (code !== 0) return refusalOf(code, properties.reasonString)
    if (isBridge) this.#bit = 'taken'
    const qosMax = properties.maximumQos ?? 2
    const isTooLittle = settings.topics.some(({ qos, direction }) => direction !== 'in' && qos > qosMax)
    if (isTooLittle) return tooLittle(qosMax)
    return peerOf(properties) === house.instance ? itself : undefined
  }

  #agreementOf(
    { address }: BridgeConnection,
    session: BridgeSession,
    { level }: OutgoingConnect,
    properties: Properties,
  ): Agreement {
    const { settings } = this.#parts
    const { inflightMessagesMax } = limits
    const unbounded = Number.POSITIVE_INFINITY
    const receiveMaximum =
      level === 5 ? (properties.receiveMaximum ?? receiveMaximumDefault) : this.#window.receiveMaximum
    return {
      guest: { clientId: session.clientId, address, username: undefined, isLocal: false },
      session,
      level,
      cleanStart: settings.isLocalCleanSession,
      isBridge: false,
      will: undefined,
      keepAliveSeconds: properties.serverKeepAlive ?? settings.keepAliveSeconds,
      receiveMaximum: Math.min(receiveMaximum, inflightMessagesMax),
      ourReceiveMaximum: inflightMessagesMax,
      maximumPacketSize: Math.min(
        properties.maximumPacketSize ?? unbounded,
        settings.packetBytesMax ?? unbounded,
      ),
      topicAliasMaximum: properties.topicAliasMaximum ?? 0,
    }
  }

  /** Retained messages: of all topics, if the other broker does not know us; else of those that it has missed. */
  #feed(session: BridgeSession, isSessionPresent: boolean): void {
    for (const record of this.#localRecords()) {
      const isMissed = record.qos === 0 && !session.isQos0Kept
      if (!isSessionPresent || isMissed || this.#unfed.has(record.filter)) session.feedRetained(record)
    }
    this.#unfed.clear()
  }

  #left(session: BridgeSession, failure: LinkFailure, wasOpen: boolean): void {
    const { settings, sessions, house } = this.#parts
    session.detach()
    if (wasOpen) session.droppedBefore = session.droppedMessages
    if (settings.isLocalCleanSession) {
      house.loops.remove(session)
      sessions.end(session)
      this.#session = undefined
    } else if (wasOpen && failure.isByPeer === true) {
      const givenUp = this.#window.ended(session, performance.now() - this.#openedAtMs)
      if (givenUp !== undefined) this.#tellGivenUp(givenUp.topic)
    }
  }

  #tellGivenUp(topic: string): void {
    const { counters, log, settings } = this.#parts
    counters.add('bridgeAttemptsMax')
    log.error(
      cut({ bridge: settings.name, topic }),
      'bridge: message dropped, for the other broker ends the connection each time when it gets it',
    )
  }

  #tellRefused(topic: string, reason: string): void {
    const { counters, log, settings } = this.#parts
    counters.add('bridges.refusedMessages')
    const repeats = this.#repeats.admit(reason)
    if (repeats !== undefined)
      log.warn(cut({ bridge: settings.name, topic, reason, ...repeats }), 'bridge: a message is not taken')
  }
}
