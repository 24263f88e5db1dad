import { isUtf8 } from 'node:buffer'
import { limits } from '../core/limits.ts'
import type { QoS } from '../core/message.ts'
import { steadyMs } from '../core/steady-clock.ts'
import type { Agreement, Connection } from './connection.ts'
import type { ConnectionHouse } from './connection-house.ts'
import { packetOf } from './hub-packet.ts'
import { Publication } from './publication.ts'
import type { Route } from './route.ts'
import type { Session } from './session.ts'
import type { BridgeClient } from './subscription.ts'
import type { Traffic } from './traffic.ts'
import { ProtocolError } from './wire/protocol-error.ts'
import { PublishProperties, scanPublishProperties } from './wire/publish-properties.ts'
import { reasonCode } from './wire/reason-codes.ts'

/** What `scanPublishProperties` found; one for all, for it is read at once. */
const found = new PublishProperties()

/** The result of the last publish: aedes and all that it calls are done when `publish` returns. */
let failure: Error | undefined
const noteFailure = (error?: Error | null): void => {
  failure = error ?? undefined
}

/** What comes over a bridge: other topics, and no question of rights. */
export interface IncomingTopics {
  /**
   * The route of what comes under the topic that stands from `start` to `end`; undefined when it is not to be published.
   */
  routeOf(bytes: Buffer, start: number, end: number, payloadAt: number, payloadEnd: number): Route | undefined
}

/**
 * Reads the PUBLISH packets of one connection and hands them to the hub. The way that most bytes of a broker take: it
 * makes no packet object, and looks a topic up only when it is another one than the last.
 */
export class PublishReader {
  readonly #connection: Connection
  readonly #house: ConnectionHouse
  readonly #session: Session
  readonly #clientId: string
  readonly #traffic: Traffic
  readonly #isV5: boolean
  readonly #ourReceiveMaximum: number
  readonly #incoming: IncomingTopics | undefined
  /** There when the client is a bridge: what it sends may be what we have sent. */
  readonly #bridge: BridgeClient | undefined
  /** The last topic that this client may publish to. */
  #route: Route | undefined
  /** What the doorkeeper's epoch was then. */
  #routeEpoch = 0
  /** Why it may not publish to the one that was refused last. */
  #refusalCode: number = reasonCode.notAuthorized
  /** Routes by the client's topic aliases, which live as long as the connection [MQTT-3.3.2-7]. */
  #aliases: (Route | undefined)[] | undefined

  constructor(connection: Connection, house: ConnectionHouse, incoming?: IncomingTopics) {
    this.#connection = connection
    this.#house = house
    this.#session = connection.session
    this.#clientId = connection.session.clientId
    this.#traffic = connection.traffic
    this.#isV5 = connection.isV5
    this.#incoming = incoming
    this.#bridge = connection.session.bridge
    // what an earlier connection left unreleased takes no place in this one's window
    this.#ourReceiveMaximum =
      (connection.agreement?.ourReceiveMaximum ?? 0) + connection.session.receivedCount
  }

  /** One PUBLISH packet. @throws ProtocolError what ends the connection */
  read(bytes: Buffer, start: number, at: number, end: number, first: number): void {
    const qos = ((first >> 1) & 3) as QoS
    if (qos > 2) throw malformed('QoS 3') // [MQTT-3.3.1-4]
    if (qos === 0 && (first & 8) !== 0) throw malformed('DUP with QoS 0') // [MQTT-3.3.1-2]
    const topicAt = at + 2
    const topicEnd =
      at + 2 <= end ? topicAt + (((bytes[at] as number) << 8) | (bytes[at + 1] as number)) : end + 1
    const hasId = qos > 0
    let cursor = hasId ? topicEnd + 2 : topicEnd
    if (cursor > end) throw malformed('it is shorter than its topic')
    const id = hasId ? ((bytes[topicEnd] as number) << 8) | (bytes[topicEnd + 1] as number) : 0
    if (hasId && id === 0)
      throw new ProtocolError(reasonCode.protocolError, 'PUBLISH: the packet identifier is 0') // [MQTT-2.2.1-3]
    let properties: Uint8Array | undefined
    let propertiesBefore = 0
    let expiryAt = -1
    let expiresAtMs = 0
    let alias = 0
    if (this.#isV5) {
      const propertiesAt = lengthEnd(bytes, cursor, end)
      const length = lengthValue
      cursor = propertiesAt + length
      if (cursor > end) throw malformed('it is shorter than its properties')
      if (length > 0) {
        scanPublishProperties(bytes, propertiesAt, cursor, found)
        alias = found.topicAlias
        propertiesBefore = length
        if (found.messageExpiryInterval !== -1) {
          expiryAt = found.expiryAt - propertiesAt
          // 0 seconds: it expires at once, for whom it cannot be sent to now
          expiresAtMs = steadyMs() + Math.max(found.messageExpiryInterval * 1_000, 1)
        }
        if (alias !== 0) {
          properties = without(bytes, propertiesAt, cursor, found.aliasAt, found.aliasEnd)
          propertiesBefore = 0
          if (expiryAt !== -1 && found.aliasAt < found.expiryAt) expiryAt -= found.aliasEnd - found.aliasAt
        }
      }
    }
    this.#traffic.publishBytesReceived += end - cursor
    const route =
      this.#incoming !== undefined
        ? this.#fromBridge(this.#incoming, alias, bytes, topicAt, topicEnd, cursor, end)
        : alias === 0
          ? this.#routeFor(bytes, topicAt, topicEnd)
          : this.#aliased(alias, bytes, topicAt, topicEnd)
    // @NOTE mosquitto 2.0 sends more after a reconnect, and answers that wait have a bound of their own
    if (qos > 0 && this.#isV5 && this.#incoming === undefined) this.#checkFlow(qos, id)
    if (route === undefined || (this.#incoming === undefined && !this.#admits(route)))
      return this.#refused(qos, id, this.#isV5 && this.#incoming === undefined)
    if (this.#bridge !== undefined && this.#isReturned(this.#bridge, route.topic, bytes, cursor, end))
      return this.#refused(qos, id, false)
    if (qos > 0 && this.#isBarred(route, qos, (first & 1) === 1, id)) {
      this.#house.ledger.refused()
      return this.#connection.acknowledge(qos === 1 ? 0x40 : 0x50, id, reasonCode.quotaExceeded, false)
    }
    const before = this.#house.ledger.recorded
    if (qos === 2 && !this.#session.takeReceived(id)) {
      this.#connection.acknowledge(0x50, id, 0, false) // again [MQTT-4.3.3-10]
      return
    }
    const publication = Publication.received(
      route,
      qos,
      (first & 1) === 1,
      this.#clientId,
      this.#session,
      bytes,
      cursor,
      end,
      properties,
      propertiesBefore,
      expiryAt,
      expiresAtMs,
      alias === 0 && (this.#incoming === undefined || isTopic(route, bytes, topicAt, topicEnd)) ? start : -1,
      topicEnd - start,
      this.#isV5,
    )
    this.#house.hub.publish(packetOf(publication), noteFailure)
    if (qos === 0) return
    const code = failure === undefined ? 0 : reasonCode.unspecifiedError
    if (code !== 0 && qos === 2) this.#session.releaseReceived(id)
    this.#connection.acknowledge(qos === 1 ? 0x40 : 0x50, id, code, this.#house.ledger.recorded !== before)
  }

  /**
   * Whether a message is to be refused, for it would have to be kept and cannot be now. Before MQTT 5 there is no word for
   * it, and to a bridge it would be the end of the message: those wait for their answer.
   */
  #isBarred(route: Route, qos: QoS, isRetained: boolean, id: number): boolean {
    const { ledger } = this.#house
    if (!this.#isV5 || this.#incoming !== undefined || !(ledger.isBarred || ledger.isFull)) return false
    const { isKept } = this.#session
    if (qos === 2 && this.#session.hasReceived(id)) return false // it was taken before
    return isRetained || (qos === 2 && isKept) || route.isKept
  }

  #routeFor(bytes: Buffer, topicAt: number, topicEnd: number): Route {
    const last = this.#route
    if (
      last !== undefined &&
      last.topicLength === topicEnd - topicAt &&
      this.#house.router.isCurrent(last) &&
      isSame(last.topicBytes, bytes, topicAt)
    )
      return last
    const route = this.#house.router.routeOfBytes(bytes, topicAt, topicEnd)
    if (route.problem !== undefined) refuseForbidden(bytes.subarray(topicAt, topicEnd), route.problem)
    return route
  }

  /** Whether this client may publish to a topic; a no has been told. */
  #admits(route: Route): boolean {
    const { doorkeeper } = this.#house
    if (route === this.#route && this.#routeEpoch === doorkeeper.epoch) return true
    const { guest } = this.#connection.agreement as Agreement
    const refusal = doorkeeper.mayPublish(guest, route.topic)
    this.#route = refusal === undefined ? route : undefined
    this.#routeEpoch = doorkeeper.epoch
    if (refusal !== undefined) this.#refusalCode = refusal.reasonCode
    return refusal === undefined
  }

  #aliased(alias: number, bytes: Buffer, topicAt: number, topicEnd: number): Route {
    if (alias > limits.topicAliasesMax)
      throw new ProtocolError(
        reasonCode.topicAliasInvalid,
        `PUBLISH: the topic alias ${alias} is greater than ${limits.topicAliasesMax}`,
      ) // [MQTT-3.3.2-9]
    this.#aliases ??= []
    if (topicAt < topicEnd) {
      const route = this.#routeFor(bytes, topicAt, topicEnd)
      this.#aliases[alias] = route
      return route
    }
    const known = this.#aliases[alias]
    if (known === undefined)
      throw new ProtocolError(
        reasonCode.protocolError,
        `PUBLISH: nothing is known of the topic alias ${alias}`,
      )
    if (this.#house.router.isCurrent(known)) return known
    const { topicBytes } = known
    const route = this.#routeFor(topicBytes, 0, topicBytes.length)
    this.#aliases[alias] = route
    return route
  }

  #isReturned(bridge: BridgeClient, topic: string, bytes: Buffer, from: number, to: number): boolean {
    return this.#house.loops.isReturned(bridge, this.#clientId, topic, bytes.subarray(from, to))
  }

  #fromBridge(
    incoming: IncomingTopics,
    alias: number,
    bytes: Buffer,
    topicAt: number,
    topicEnd: number,
    payloadAt: number,
    payloadEnd: number,
  ): Route | undefined {
    if (alias === 0) return incoming.routeOf(bytes, topicAt, topicEnd, payloadAt, payloadEnd)
    const reason = 'PUBLISH: a topic alias, of which we have asked for none'
    throw new ProtocolError(reasonCode.topicAliasInvalid, reason) // [MQTT-3.3.2-9]
  }

  /** [MQTT-3.3.4-9]: a client sends no more than we said that we take. */
  #checkFlow(qos: QoS, id: number): void {
    const open = this.#session.receivedCount + this.#connection.heldFinals
    if (open < this.#ourReceiveMaximum) return
    if (qos === 2 && this.#session.hasReceived(id)) return
    throw new ProtocolError(
      reasonCode.receiveMaximumExceeded,
      `PUBLISH: more than ${this.#connection.agreement?.ourReceiveMaximum} messages have no answer yet`,
    )
  }

  /**
   * What a client may not publish is not published. MQTT 5 has a reason code for it; before that the sender must be
   * told that it was taken, or it sends it forever [MQTT-3.3.5-2].
   */
  #refused(qos: QoS, id: number, isTold: boolean): void {
    if (qos === 0) return
    const { ledger } = this.#house
    const before = ledger.recorded
    if (qos === 2 && !isTold) this.#session.takeReceived(id)
    const code = isTold ? this.#refusalCode : 0
    this.#connection.acknowledge(qos === 1 ? 0x40 : 0x50, id, code, ledger.recorded !== before)
  }
}

let lengthValue = 0

/** Reads the length of the properties into `lengthValue`. @returns where they begin */
function lengthEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) throw malformed('it has no length of properties')
  lengthValue = bytes[at] as number
  if (lengthValue < 128) return at + 1
  lengthValue &= 127
  let next = at + 1
  for (let shift = 7; shift <= 21; shift += 7) {
    if (next >= end) throw malformed('its length of properties is cut off')
    const byte = bytes[next++] as number
    lengthValue |= (byte & 127) << shift
    if (byte > 127) continue
    if (byte === 0) throw malformed('its length of properties has needless bytes') // [MQTT-1.5.5-1]
    return next
  }
  throw malformed('its length of properties has more than four bytes')
}

/** The properties without the topic alias, which is between the client and us. */
function without(
  bytes: Buffer,
  start: number,
  end: number,
  from: number,
  to: number,
): Uint8Array | undefined {
  const length = end - start - (to - from)
  if (length === 0) return undefined
  const rest = new Uint8Array(length)
  rest.set(bytes.subarray(start, from))
  rest.set(bytes.subarray(to, end), from - start)
  return rest
}

function isTopic({ topicLength, topicBytes }: Route, bytes: Uint8Array, from: number, to: number): boolean {
  return topicLength === to - from && isSame(topicBytes, bytes, from)
}

function isSame(topicBytes: Uint8Array, bytes: Uint8Array, from: number): boolean {
  const { length } = topicBytes
  // the end of a topic differs more often than its beginning
  for (let index = length - 1; index >= 0; index--)
    if (topicBytes[index] !== bytes[from + index]) return false
  return true
}

/** Refuses what no client may ever send; the other problems of topics are bounds of ours. @throws ProtocolError */
function refuseForbidden(topic: Buffer, problem: string): void {
  if (topic.includes(0) || !isUtf8(topic)) throw malformed(`the topic: ${problem}`) // [MQTT-1.5.4-1], [MQTT-1.5.4-2]
  if (topic.length === 0 || topic.includes('+') || topic.includes('#'))
    throw new ProtocolError(reasonCode.topicNameInvalid, `PUBLISH: ${problem}`) // [MQTT-3.3.2-2]
}

function malformed(what: string): ProtocolError {
  return new ProtocolError(reasonCode.malformedPacket, `PUBLISH: ${what}`)
}
