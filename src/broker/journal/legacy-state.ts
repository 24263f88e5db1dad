import type { QoS } from '../../core/message.ts'
import { decodeMsgpack } from './msgpack.ts'
import type { DeliveryRecord, StoredMessage, SubscriptionRecord } from './records.ts'

/** A session as versions up to 0.2 kept it: its subscriptions, and what waits for it. */
export interface LegacySession {
  readonly clientId: string
  readonly subscriptions: SubscriptionRecord[]
  readonly deliveries: { readonly message: StoredMessage; readonly delivery: DeliveryRecord }[]
}

/** All keys of versions up to 0.2 are in it. */
export const legacyRange = { gte: Buffer.from('a'), lt: Buffer.from('{') } as const

/**
 * What versions up to 0.2 wrote (the keys and MessagePack values of aedes-persistence-level): retained messages,
 * subscriptions and queues are taken over. Not so wills, which belong to connections of then, nor QoS 2 messages of which
 * PUBREL had not come: those had not been published yet.
 */
export class LegacyState {
  readonly retained: StoredMessage[] = []
  readonly #sessions = new Map<string, LegacySession>()
  damagedRecords = 0
  isEmpty = true

  static isKey(key: Buffer): boolean {
    return key.compare(legacyRange.gte) >= 0 && key.compare(legacyRange.lt) < 0
  }

  get sessions(): Iterable<LegacySession> {
    return this.#sessions.values()
  }

  /** Takes the records in the order of their keys. */
  add(key: string, value: Buffer): void {
    this.isEmpty = false
    const [kind, client = ''] = key.split(':', 2)
    try {
      if (kind === 'retained') this.retained.push(messageOf(decodeMsgpack(value)))
      else if (kind === 'subscriptions')
        this.#session(client).subscriptions.push(subscriptionOf(decodeMsgpack(value)))
      else if (kind === 'outgoing') this.#session(client).deliveries.push(deliveryOf(decodeMsgpack(value)))
    } catch {
      this.damagedRecords++ // counted, and told with the others
    }
  }

  #session(encoded: string): LegacySession {
    const clientId = decodeURIComponent(encoded)
    let session = this.#sessions.get(clientId)
    if (session === undefined) {
      session = { clientId, subscriptions: [], deliveries: [] }
      this.#sessions.set(clientId, session)
    }
    return session
  }
}

function subscriptionOf(decoded: unknown): SubscriptionRecord {
  return {
    filter: textOf(field(decoded, 'topic')),
    qos: qosOf(field(decoded, 'qos')),
    noLocal: field(decoded, 'nl') === true,
    retainAsPublished: false,
    retainHandling: 0,
    identifier: 0,
  }
}

function deliveryOf(decoded: unknown): LegacySession['deliveries'][number] {
  const isReleased = field(decoded, 'cmd') === 'pubrel'
  const packetId = field(decoded, 'messageId')
  const message = isReleased ? released : messageOf(decoded)
  const delivery: DeliveryRecord = {
    qos: message.qos === 2 ? 2 : 1,
    retain: false,
    packetId: typeof packetId === 'number' ? packetId & 0xffff : 0,
    isReleased,
    identifiers: [],
  }
  return { message, delivery }
}

/** Of a message that the client has received there is nothing left but its id. */
const released: StoredMessage = {
  topic: '',
  payload: Buffer.alloc(0),
  qos: 2,
  properties: undefined,
  expiresAtMs: 0,
  client: '',
}

function messageOf(decoded: unknown): StoredMessage {
  const payload = field(decoded, 'payload')
  const client = field(decoded, 'clientId')
  return {
    topic: textOf(field(decoded, 'topic')),
    payload: payload instanceof Uint8Array ? payload : Buffer.from(textOf(payload)),
    qos: qosOf(field(decoded, 'qos')),
    properties: undefined,
    expiresAtMs: 0,
    client: typeof client === 'string' ? client : '',
  }
}

function field(decoded: unknown, name: string): unknown {
  if (!(decoded instanceof Map)) throw new TypeError('no map')
  return decoded.get(name)
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('no text')
  return value
}

function qosOf(value: unknown): QoS {
  if (value !== 0 && value !== 1 && value !== 2) throw new TypeError('no QoS')
  return value
}
