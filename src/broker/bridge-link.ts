import type { Socket } from 'node:net'
import type { BridgeAddress, Bridge as BridgeSettings } from '../core/bridge.ts'
import { bridgeSessionId } from '../core/bridge.ts'
import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { closedEarly, type LinkFailure, silent } from './attached/link-failure.ts'
import { OwnEchoes } from './attached/own-echoes.ts'
import { BridgeConnection } from './bridge-connection.ts'
import { itself, mute, refusalOf, socketFailure, stopped, tooLittle } from './bridge-failure.ts'
import type { BridgeSession } from './bridge-session.ts'
import { openBridgeSocket } from './bridge-socket.ts'
import type { BridgeTopics } from './bridge-topics.ts'
import type { ConnectionHouse } from './connection-house.ts'
import type { SubscriptionRecord } from './journal/records.ts'
import { cut } from './log-fields.ts'
import { bridgeProperty, peerOf } from './peer-names.ts'
import type { Sessions } from './sessions.ts'
import type { OutgoingConnect, ServerConnack } from './wire/client-side.ts'
import type { Properties } from './wire/properties.ts'
import type { SubscribeRequest } from './wire/subscribe.ts'

/** Filters in one SUBSCRIBE or UNSUBSCRIBE: AWS IoT Core takes no more. */
const filtersPerPacket = 8
/** Without a Receive Maximum of the other broker's own [MQTT-3.2.2-21]. */
const receiveMaximumDefault = 65_535
/** Before MQTT 5 a broker cannot say what it takes. mosquitto takes so many, and ends the connection at one more. */
const receiveMaximumOfOld = 20
/** A connection that ended sooner may have ended for what was sent. */
const soonMs = 10_000
/** After one that stood so long more may be sent at a time. */
const longMs = 60_000
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
  /** What a broker before MQTT 5 is believed to take. */
  #receiveMaximum = receiveMaximumOfOld
  #openedAtMs = 0
  /** What is subscribed to there, as far as this process knows. */
  #subscribed: ReadonlySet<string> = new Set()
  /** The message that was first on its way when the other broker ended the connection, and how often in a row. */
  #suspect: { readonly order: number; readonly ends: number } | undefined

  constructor(parts: BridgeLinkParts) {
    this.#parts = parts
    this.#echoes = new OwnEchoes(parts.counters)
    if (!parts.settings.isLocalCleanSession) this.#openSession()
  }

  get session(): BridgeSession | undefined {
    return this.#session
  }

  /** While there is one, also before messages go over it. */
  get connection(): BridgeConnection | undefined {
    return this.#connection
  }

  get subscribed(): ReadonlySet<string> {
    return this.#subscribed
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
      windowMax: () => this.#windowMax(),
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
    return { failure: isEarly ? closedEarly : failure, wasOpen }
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
    { level, isBridge }: OutgoingConnect,
    { code, isSessionPresent, properties }: ServerConnack,
    noteOpen: () => void,
  ): void {
    const { settings, house, sessions, answerMs, onOpen } = this.#parts
    if (code !== 0) {
      if (code === 1 && isBridge) this.#bit = 'refused'
      return connection.fail(
        code === 1 && isBridge
          ? { reason: 'it does not know bridges' }
          : refusalOf(code, properties.reasonString),
      )
    }
    if (isBridge) this.#bit = 'taken'
    const qosMax = properties.maximumQos ?? 2
    if (settings.topics.some(({ qos, direction }) => direction !== 'in' && qos > qosMax))
      return connection.fail(tooLittle(qosMax))
    const peer = peerOf(properties)
    if (peer === house.instance) return connection.fail(itself)
    session.peer = peer
    session.isStranger = level === 5 && peer === undefined
    if (!isSessionPresent) {
      session.forgetReceived()
      this.#subscribed = new Set()
    }
    connection.settle(
      {
        guest: {
          clientId: bridgeSessionId(settings.name),
          address: connection.address,
          username: undefined,
          isLocal: false,
        },
        session,
        level,
        cleanStart: settings.isLocalCleanSession,
        isBridge: false,
        will: undefined,
        keepAliveSeconds: properties.serverKeepAlive ?? settings.keepAliveSeconds,
        receiveMaximum: Math.min(
          level === 5 ? (properties.receiveMaximum ?? receiveMaximumDefault) : this.#receiveMaximum,
          limits.inflightMessagesMax,
        ),
        ourReceiveMaximum: limits.inflightMessagesMax,
        maximumPacketSize: Math.min(
          properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
          settings.packetBytesMax ?? Number.POSITIVE_INFINITY,
        ),
        topicAliasMaximum: properties.topicAliasMaximum ?? 0,
      },
      properties,
    )
    sessions.attachBridge(session, connection)
    const late = setTimeout(() => connection.fail(mute), answerMs).unref()
    void connection.ended.then(() => clearTimeout(late))
    void this.#subscribe(connection, isSessionPresent).then(() => {
      clearTimeout(late)
      if (connection.isClosed) return
      noteOpen()
      this.#openedAtMs = performance.now()
      this.#feed(session, isSessionPresent)
      connection.open()
      onOpen(connection)
    })
  }

  /** Never resolves when the connection ends before. */
  async #subscribe(connection: BridgeConnection, isSessionPresent: boolean): Promise<void> {
    const { settings, topics, counters, log } = this.#parts
    const wanted = new Set(topics.remote.map(({ filter }) => filter))
    const surplus = [...this.#subscribed].filter((filter) => !wanted.has(filter))
    if (isSessionPresent && settings.mayUnsubscribe) surplus.push(...topics.onlyOut)
    for (const filters of slices([...new Set(surplus)])) await connection.unsubscribe(filters)
    // a broker before MQTT 5 would send all retained messages once more
    const isThere = connection.level < 5 && [...wanted].every((filter) => this.#subscribed.has(filter))
    const refused: string[] = []
    for (const requests of slices(isThere ? [] : topics.remote)) {
      const codes = await connection.subscribe(requests.map(requestOf))
      for (const [index, { filter }] of requests.entries())
        if ((codes[index] ?? 0x80) >= 0x80) refused.push(filter)
    }
    this.#subscribed = new Set([...wanted].filter((filter) => !refused.includes(filter)))
    if (refused.length === 0) return
    counters.add('bridges.refusedSubscriptions', refused.length)
    const remedy = 'let the user of the bridge read these topics there, or change the topics of the bridge'
    log.error({ bridge: settings.name, filters: refused, remedy }, 'bridge: a subscription is refused')
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
    sessions.detachBridge(session)
    if (wasOpen) session.droppedBefore = session.droppedMessages
    if (wasOpen && failure.isByPeer === true) this.#adapt(session)
    if (settings.isLocalCleanSession) {
      house.loops.remove(session)
      sessions.end(session)
      this.#session = undefined
    } else if (wasOpen && failure.isByPeer === true) this.#suspectOldest(session)
  }

  /** Sends less at a time to a broker that ends connections soon. */
  #adapt({ unansweredMessages }: BridgeSession): void {
    const stoodMs = performance.now() - this.#openedAtMs
    if (stoodMs >= longMs) this.#receiveMaximum = Math.min(this.#receiveMaximum * 2, receiveMaximumOfOld)
    else if (stoodMs < soonMs && unansweredMessages > 1)
      this.#receiveMaximum = Math.max(1, Math.floor(Math.min(this.#receiveMaximum, unansweredMessages) / 2))
  }

  /** Some brokers end the connection when they do not like a message: one that does so each time is given up. */
  #suspectOldest(session: BridgeSession): void {
    const order = session.oldestUnanswered
    // those of QoS 2 that it has, and that are not released, may be why it takes no other
    if (order === undefined || session.isQos2Behind) return
    const ends = order === this.#suspect?.order ? this.#suspect.ends + 1 : 1
    this.#suspect = { order, ends }
    if (ends < limits.bridgeAttemptsMax) return
    this.#suspect = undefined
    const topic = session.giveUpOldest()?.topic
    this.#parts.counters.add('bridgeAttemptsMax')
    this.#parts.log.error(
      cut({ bridge: this.#parts.settings.name, topic }),
      'bridge: message dropped, for the other broker ends the connection each time when it gets it',
    )
  }

  /** While a message is suspected it goes alone. */
  #windowMax(): number {
    if (this.#suspect === undefined) return Number.POSITIVE_INFINITY
    const oldest = this.#session?.oldestUnanswered
    if (oldest === undefined || oldest === this.#suspect.order) return 1
    this.#suspect = undefined
    return Number.POSITIVE_INFINITY
  }

  #tellRefused(topic: string, reason: string): void {
    const { counters, log, settings } = this.#parts
    counters.add('bridges.refusedMessages')
    const repeats = this.#repeats.admit(reason)
    if (repeats !== undefined)
      log.warn(cut({ bridge: settings.name, topic, reason, ...repeats }), 'bridge: a message is not taken')
  }
}

/** What it has sent already does not come again, nor what we have sent. */
function requestOf({ filter, qos }: Pick<SubscribeRequest, 'filter' | 'qos'>): SubscribeRequest {
  return { filter, qos, noLocal: true, retainAsPublished: true, retainHandling: 1 }
}

function slices<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  const count = Math.ceil(items.length / filtersPerPacket)
  return Array.from({ length: count }, (_, index) =>
    items.slice(index * filtersPerPacket, (index + 1) * filtersPerPacket),
  )
}
