import type { QoS } from '../../core/message.ts'
import { wallMs } from '../../core/steady-clock.ts'
import { ByteReader, ByteWriter, checksum } from './bytes.ts'
import type {
  DeliveryRecord,
  SessionRecord,
  StoredMessage,
  SubscriptionRecord,
  WillRecord,
} from './records.ts'

/** How values are written. A store with a higher one was written by a later version. */
const formatVersion = 2

/**
 * The first byte of a key, in the order in which a store is read. After it come numbers of 48 bits, so that keys sort as
 * they do; after a session's number the kind of its record. Versions up to 0.2 wrote keys that begin with a letter.
 */
const tag = { numbers: 0x01, retained: 0x10, body: 0x20, session: 0x30 } as const
const kind = { session: 0, subscription: 1, delivery: 2, receivedId: 3 } as const

/** The numbers that are given next; all below may have been given. */
export interface NextNumbers {
  readonly session: number
  readonly body: number
}

/** A record as it was read. */
export type StoredRecord =
  | { readonly of: 'numbers'; readonly next: NextNumbers }
  | { readonly of: 'retained'; readonly message: StoredMessage }
  | { readonly of: 'body'; readonly number: number; readonly message: StoredMessage }
  | { readonly of: 'session'; readonly session: SessionRecord }
  | { readonly of: 'subscription'; readonly session: number; readonly subscription: SubscriptionRecord }
  | {
      readonly of: 'delivery'
      readonly session: number
      readonly order: number
      readonly body: number
      readonly delivery: DeliveryRecord
    }
  | { readonly of: 'receivedId'; readonly session: number; readonly packetId: number }

/**
 * Encodes one record after the other. Call one of the `…Key` methods, then, for a record that is written, the method of
 * its value; `key` and `value` are valid until the next call of the same kind. A value is: version, fields, CRC-32 of the key and of all that.
 */
export class RecordEncoder {
  readonly #key = new ByteWriter()
  readonly #value = new ByteWriter()

  get key(): Buffer {
    return this.#key.written
  }

  get value(): Buffer {
    return this.#value.written
  }

  numbersKey(): void {
    this.#begin(tag.numbers)
  }

  retainedKey(topic: string): void {
    this.#begin(tag.retained)
    this.#key.bareText(topic)
  }

  bodyKey(number: number): void {
    this.#begin(tag.body)
    this.#key.u48(number)
  }

  /** Before all of the session's keys, and after all of those of sessions with a lower number. */
  sessionPrefix(session: number): void {
    this.#begin(tag.session)
    this.#key.u48(session)
  }

  sessionKey(session: number): void {
    this.#beginOf(session, kind.session)
  }

  subscriptionKey(session: number, filter: string): void {
    this.#beginOf(session, kind.subscription)
    this.#key.bareText(filter)
  }

  deliveryKey(session: number, order: number): void {
    this.#beginOf(session, kind.delivery)
    this.#key.u48(order)
  }

  receivedIdKey(session: number, packetId: number): void {
    this.#beginOf(session, kind.receivedId)
    this.#key.u16(packetId)
  }

  numbers(next: NextNumbers): void {
    this.#beginValue()
    this.#value.u48(next.session)
    this.#value.u48(next.body)
    this.#endValue()
  }

  retained(message: StoredMessage): void {
    this.#beginValue()
    putMessage(this.#value, message)
    this.#endValue()
  }

  body(message: StoredMessage): void {
    this.#beginValue()
    this.#value.text(message.topic)
    putMessage(this.#value, message)
    this.#endValue()
  }

  session(session: SessionRecord): void {
    this.#beginValue()
    const { clientId, expirySeconds, disconnectedAtMs, will, owner } = session
    this.#value.text(clientId)
    this.#value.u32(expirySeconds)
    this.#value.u48(disconnectedAtMs === 0 ? 0 : wallMs(disconnectedAtMs))
    this.#value.u8(will === undefined ? 0 : will.retain ? 2 : 1)
    if (will !== undefined) {
      this.#value.u32(will.delaySeconds)
      this.#value.text(will.message.topic)
      putMessage(this.#value, will.message)
    }
    if (owner !== undefined) {
      this.#value.text(owner.listener)
      this.#value.u8(owner.user === undefined ? 0 : 1)
      if (owner.user !== undefined) this.#value.text(owner.user)
      if (owner.realm !== undefined) this.#value.text(owner.realm)
    }
    this.#endValue()
  }

  subscription(subscription: SubscriptionRecord): void {
    this.#beginValue()
    const { qos, noLocal, retainAsPublished, retainHandling, identifier } = subscription
    this.#value.u8(qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4)) // as in SUBSCRIBE
    this.#value.u32(identifier)
    this.#endValue()
  }

  delivery(body: number, delivery: DeliveryRecord): void {
    this.#beginValue()
    const { qos, retain, packetId, isReleased, identifiers } = delivery
    this.#value.u8(qos | (retain ? 4 : 0) | (isReleased ? 8 : 0))
    this.#value.u16(packetId)
    this.#value.u48(body)
    for (let i = 0; i < identifiers.length; i++) this.#value.u32(identifiers[i] as number)
    this.#endValue()
  }

  receivedId(): void {
    this.#beginValue()
    this.#endValue()
  }

  #begin(first: number): void {
    this.#key.reset()
    this.#key.u8(first)
  }

  #beginOf(session: number, what: number): void {
    this.#begin(tag.session)
    this.#key.u48(session)
    this.#key.u8(what)
  }

  #beginValue(): void {
    this.#value.reset()
    this.#value.u8(formatVersion)
  }

  #endValue(): void {
    this.#value.u32(checksum(this.#value.written, checksum(this.#key.written)))
  }
}

/**
 * Decodes a record out of bytes that may be anything.
 * @returns `damaged` when it is not what was written, `newer` when a later version wrote it
 */
export function decodeRecord(key: Buffer, value: Buffer): StoredRecord | 'damaged' | 'newer' {
  const end = value.length - 4
  if (end < 1) return 'damaged'
  if (checksum(value.subarray(0, end), checksum(key)) !== value.readUInt32BE(end)) return 'damaged'
  if ((value[0] as number) > formatVersion) return 'newer'
  const keyReader = new ByteReader(key)
  const reader = new ByteReader(value, 1, end)
  const record = readRecord(keyReader, reader)
  return record === undefined || !keyReader.isWhole || !reader.isWhole ? 'damaged' : record
}

function readRecord(key: ByteReader, value: ByteReader): StoredRecord | undefined {
  switch (key.u8()) {
    case tag.numbers:
      return { of: 'numbers', next: { session: value.u48(), body: value.u48() } }
    case tag.retained:
      return wrapMessage(readMessage(value, key.bareText()), (message) => ({ of: 'retained', message }))
    case tag.body: {
      const number = key.u48()
      return wrapMessage(readMessage(value, value.text()), (message) => ({ of: 'body', number, message }))
    }
    case tag.session:
      return readOfSession(key.u48(), key, value)
    default:
      return undefined
  }
}

function readOfSession(session: number, key: ByteReader, value: ByteReader): StoredRecord | undefined {
  switch (key.u8()) {
    case kind.session:
      return readSession(session, value)
    case kind.subscription:
      return readSubscription(session, key.bareText(), value)
    case kind.delivery:
      return readDelivery(session, key.u48(), value)
    case kind.receivedId:
      return { of: 'receivedId', session, packetId: key.u16() }
    default:
      return undefined
  }
}

function readSession(number: number, value: ByteReader): StoredRecord | undefined {
  const clientId = value.text()
  const expirySeconds = value.u32()
  const disconnectedAtMs = value.u48()
  const willForm = value.u8()
  if (willForm > 2) return undefined
  let will: WillRecord | undefined
  if (willForm > 0) {
    const delaySeconds = value.u32()
    const message = readMessage(value, value.text())
    if (message === undefined) return undefined
    will = { message, retain: willForm === 2, delaySeconds }
  }
  const session = { number, clientId, expirySeconds, disconnectedAtMs, will }
  if (!value.hasMore) return { of: 'session', session } // of version 1, which ended here
  const listener = value.text()
  const hasUser = value.u8()
  if (hasUser > 1) return undefined
  const user = hasUser === 0 ? undefined : value.text()
  const realm = value.hasMore ? { realm: value.text() } : {}
  return { of: 'session', session: { ...session, owner: { user, listener, ...realm } } }
}

function readSubscription(session: number, filter: string, value: ByteReader): StoredRecord | undefined {
  const options = value.u8()
  const qos = options & 3
  const retainHandling = options >>> 4
  const identifier = value.u32()
  if (!isQoS(qos) || (retainHandling !== 0 && retainHandling !== 1 && retainHandling !== 2)) return undefined
  const noLocal = (options & 4) !== 0
  const retainAsPublished = (options & 8) !== 0
  const subscription = { filter, qos, noLocal, retainAsPublished, retainHandling, identifier } as const
  return { of: 'subscription', session, subscription }
}

function readDelivery(session: number, order: number, value: ByteReader): StoredRecord | undefined {
  const flags = value.u8()
  const qos = flags & 3
  if ((qos !== 1 && qos !== 2) || flags > 15) return undefined
  const packetId = value.u16()
  const body = value.u48()
  const identifiers: number[] = []
  while (value.hasMore) identifiers.push(value.u32())
  const delivery = {
    qos,
    retain: (flags & 4) !== 0,
    packetId,
    isReleased: (flags & 8) !== 0,
    identifiers,
  } as const
  return { of: 'delivery', session, order, body, delivery }
}

/** Without its topic: a retained message has that in its key. */
function putMessage(out: ByteWriter, message: StoredMessage): void {
  const { properties, expiresAtMs } = message
  out.u8(message.qos | (properties === undefined ? 0 : 4) | (expiresAtMs === 0 ? 0 : 8))
  out.text(message.client)
  if (expiresAtMs !== 0) out.u48(wallMs(expiresAtMs))
  if (properties !== undefined) out.data(properties)
  out.data(message.payload)
}

function readMessage(value: ByteReader, topic: string): StoredMessage | undefined {
  const flags = value.u8()
  const qos = flags & 3
  if (!isQoS(qos) || flags > 15) return undefined
  const client = value.text()
  const expiresAtMs = (flags & 8) === 0 ? 0 : value.u48()
  const properties = (flags & 4) === 0 ? undefined : value.data()
  return { topic, payload: value.data(), qos, properties, expiresAtMs, client }
}

function wrapMessage(
  message: StoredMessage | undefined,
  wrap: (message: StoredMessage) => StoredRecord,
): StoredRecord | undefined {
  return message === undefined ? undefined : wrap(message)
}

function isQoS(value: number): value is QoS {
  return value <= 2
}
