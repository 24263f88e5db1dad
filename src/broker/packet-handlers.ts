import { limitFields } from '../core/limit-keys.ts'
import { limits } from '../core/limits.ts'
import { parseShared } from '../core/shared-filter.ts'
import type { Connection } from './connection.ts'
import type { Guest } from './doorkeeper.ts'
import { decodeAuth, decodeDisconnect, readAck } from './wire/acknowledgements.ts'
import { decodeConnect } from './wire/connect.ts'
import { encodeSuback, encodeUnsuback } from './wire/encode.ts'
import { mayClientSend, type ProtocolLevel } from './wire/packet-types.ts'
import { ProtocolError } from './wire/protocol-error.ts'
import { reasonCode } from './wire/reason-codes.ts'
import { decodeSubscribe, decodeUnsubscribe, type SubscribeRequest } from './wire/subscribe.ts'

/** Every packet but PUBLISH. @throws ProtocolError what ends the connection */
export function handlePacket(
  connection: Connection,
  bytes: Buffer,
  at: number,
  end: number,
  first: number,
): void {
  const type = first >> 4
  if (connection.agreement === undefined) {
    if (first !== 0x10) throw new ProtocolError(reasonCode.protocolError, 'the first packet is not CONNECT') // [MQTT-3.1.0-1]
    connection.onConnect(connection, decodeConnect(bytes, at, end))
    return
  }
  if (!mayClientSend(first, connection.level as ProtocolLevel))
    throw new ProtocolError(
      fromServerOnly.has(type) ? reasonCode.protocolError : reasonCode.malformedPacket,
      `a packet with the first byte 0x${first.toString(16).padStart(2, '0')} is not for a server`,
    )
  switch (type) {
    case 1:
      throw new ProtocolError(reasonCode.protocolError, 'CONNECT comes a second time') // [MQTT-3.1.0-2]
    case 4:
    case 5:
    case 6:
    case 7:
      return handleAck(connection, bytes, at, end, type)
    case 8:
      return subscribe(connection, bytes, at, end)
    case 10:
      return unsubscribe(connection, bytes, at, end)
    case 12:
      if (at !== end) throw new ProtocolError(reasonCode.malformedPacket, 'PINGREQ has a body')
      return connection.output.write(pingresp) // [MQTT-3.12.4-1]
    case 14:
      return disconnect(connection, bytes, at, end)
    default: {
      decodeAuth(bytes, at, end)
      throw new ProtocolError(reasonCode.protocolError, 'AUTH without a method that was agreed on') // [MQTT-4.12.0-1]
    }
  }
}

/** CONNACK, SUBACK, UNSUBACK, PINGRESP. */
const fromServerOnly: ReadonlySet<number> = new Set([2, 9, 11, 13])

const pingresp = new Uint8Array([0xd0, 0])

/** PUBACK, PUBREC, PUBREL, PUBCOMP: the same from both sides. @throws ProtocolError */
export function handleAck(
  connection: Connection,
  bytes: Buffer,
  at: number,
  end: number,
  type: 4 | 5 | 6 | 7,
): void {
  const { session } = connection
  const { ledger } = connection.house
  let code: number = reasonCode.success
  if (end - at === 2) {
    if (bytes[at] === 0 && bytes[at + 1] === 0)
      throw new ProtocolError(reasonCode.protocolError, 'the packet identifier is 0') // [MQTT-2.2.1-3]
  } else code = readAck(type, bytes, at, end, connection.isV5)
  const id = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
  if (type === 4) return session.acknowledged(id)
  if (type === 7) return session.completed(id)
  const before = ledger.recorded
  if (type === 6) {
    const isKnown = session.releaseReceived(id)
    const answer = isKnown ? reasonCode.success : reasonCode.packetIdentifierNotFound
    return connection.acknowledge(0x70, id, answer, ledger.recorded !== before)
  }
  const isRefused = code >= 0x80
  const isKnown = session.received(id, isRefused)
  if (isRefused && isKnown) return
  const answer = isKnown ? reasonCode.success : reasonCode.packetIdentifierNotFound
  connection.acknowledge(0x62, id, answer, ledger.recorded !== before)
}

function subscribe(connection: Connection, bytes: Buffer, at: number, end: number): void {
  const { packetId, subscriptionIdentifier, requests } = decodeSubscribe(bytes, at, end, connection.isV5)
  checkCount(connection, requests.length)
  const { session } = connection
  const { ledger } = connection.house
  const before = ledger.recorded
  const codes = requests.map((request) => {
    const refusal = refusalOf(connection, request)
    if (refusal !== undefined) return refusal
    const { retainHandling, ...options } = request
    const isNew = !session.subscriptions.has(request.filter)
    const isBridge = connection.agreement?.isBridge === true
    const record = {
      ...options,
      ...(isBridge ? bridgeOptions : {}),
      retainHandling,
      identifier: subscriptionIdentifier,
    }
    session.subscriptions.put(record)
    const isRetainedWanted = retainHandling === 0 || (retainHandling === 1 && isNew) // [MQTT-3.3.1-10]
    if (isRetainedWanted && parseShared(request.filter) === undefined) session.feedRetained(record)
    return request.qos
  })
  connection.answer(
    encodeSuback(connection.level as ProtocolLevel, packetId, codes),
    ledger.recorded !== before,
  )
  session.pump()
}

/** What a bridge would ask for, if its version of MQTT had words for it. */
const bridgeOptions = { noLocal: true, retainAsPublished: true } as const

/** All filters of a packet are handled at once, while the others wait. @throws ProtocolError */
function checkCount(connection: Connection, filters: number): void {
  if (filters <= limits.filtersPerPacketMax) return
  connection.house.counters.add('filtersPerPacketMax')
  throw new ProtocolError(
    reasonCode.quotaExceeded,
    `a packet has ${filters} filters, of at most ${limits.filtersPerPacketMax}`,
  )
}

/** Why a filter is not subscribed to, as the reason code of SUBACK; undefined when it is. */
function refusalOf(connection: Connection, { filter, noLocal }: SubscribeRequest): number | undefined {
  const { doorkeeper, counters } = connection.house
  const { guest, session } = connection.agreement as NonNullable<Connection['agreement']>
  const parsed = parseShared(filter)
  const shared = parsed === 'invalid' ? undefined : parsed
  if (parsed === 'invalid' && connection.isV5) return reasonCode.topicFilterInvalid
  if (shared !== undefined && noLocal)
    throw new ProtocolError(reasonCode.protocolError, 'No Local on a shared subscription') // [MQTT-3.8.3-4]
  const problem = doorkeeper.maySubscribe(guest, shared?.filter ?? filter)
  if (problem !== undefined) return problem.reasonCode
  if (session.subscriptions.has(filter)) return undefined
  const isTooMany = session.subscriptions.count >= limits.subscriptionsMax
  if (isTooMany) counters.add('subscriptionsMax')
  else if (session.subscriptions.hasRoomFor(filter)) return undefined
  else noRoomFor(guest, filter, connection)
  return reasonCode.quotaExceeded
}

function noRoomFor({ clientId: client, address, user }: Guest, filter: string, { house }: Connection): void {
  house.counters.add('subscriptionBytesMax')
  const reason = 'its user has as many subscriptions as there is still room for of all others'
  const fields = { client, address, ...(user !== undefined && { user }), filter, reason }
  house.doorkeeper.logRefusal(
    { ...fields, ...limitFields('subscriptionBytesMax') },
    fields.reason,
    'subscription refused',
  )
}

function unsubscribe(connection: Connection, bytes: Buffer, at: number, end: number): void {
  const { packetId, filters } = decodeUnsubscribe(bytes, at, end, connection.isV5)
  checkCount(connection, filters.length)
  const { session } = connection
  const { ledger } = connection.house
  const before = ledger.recorded
  const codes = filters.map((filter) =>
    session.unsubscribe(filter) ? reasonCode.success : reasonCode.noSubscriptionExisted,
  )
  connection.answer(
    encodeUnsuback(connection.level as ProtocolLevel, packetId, codes),
    ledger.recorded !== before,
  )
}

function disconnect(connection: Connection, bytes: Buffer, at: number, end: number): void {
  const { reasonCode: code, properties } = decodeDisconnect(bytes, at, end, connection.isV5)
  const { session } = connection
  const expirySeconds = properties.sessionExpiryInterval
  if (expirySeconds !== undefined) {
    if (session.expirySeconds === 0 && expirySeconds > 0)
      throw new ProtocolError(
        reasonCode.protocolError,
        'DISCONNECT: a session that was to end now cannot be kept',
      ) // [MQTT-3.14.2-2]
    session.expirySeconds = Math.min(expirySeconds, limits.sessionExpirySecondsMax)
  }
  const keepsWill = code !== reasonCode.success // [MQTT-3.1.2-8]
  const hasWill = keepsWill && connection.agreement?.will !== undefined
  connection.close({
    reason: hasWill ? 'the client took leave, with its will' : 'the client took leave',
    isRegular: !keepsWill,
  })
}
