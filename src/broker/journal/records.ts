import type { QoS } from '../../core/message.ts'

/** A message as it is kept. */
export interface StoredMessage {
  readonly topic: string
  readonly payload: Uint8Array
  /** The publisher's. */
  readonly qos: QoS
  /** MQTT 5 properties to forward, as they stand on the wire without their length; undefined for none. */
  readonly properties: Uint8Array | undefined
  /** When it expires, ms since 1970; 0 for never. */
  readonly expiresAtMs: number
  /** Client id of the publisher. */
  readonly client: string
  /** Bytes of topic, payload and properties, about; there when it is dear to look at these. */
  readonly size?: number
}

/** A session that outlives its connection. */
export interface SessionRecord {
  /** Given once, never given again; sessions are stored under it. */
  readonly number: number
  readonly clientId: string
  /** Session Expiry Interval in seconds; 0xFFFFFFFF for never. */
  readonly expirySeconds: number
  /** When its connection ended, ms since 1970; 0 while it is connected. */
  readonly disconnectedAtMs: number
  /** To be published when its delay is over or when the session ends. */
  readonly will: WillRecord | undefined
  /** Undefined in records of versions before 0.4, which did not keep it. */
  readonly owner?: SessionOwner | undefined
}

/** Who made a session: nobody else is shown anything of it. */
export interface SessionOwner {
  /** Undefined: nobody by name. */
  readonly user: string | undefined
  /** The listener that it came to last. */
  readonly listener: string
  /** Where the name counts. Undefined: in the house, and in records that do not say it. */
  readonly realm?: string
}

export interface WillRecord {
  readonly message: StoredMessage
  readonly retain: boolean
  /** Will Delay Interval in seconds. */
  readonly delaySeconds: number
}

export interface SubscriptionRecord {
  /** As in SUBSCRIBE, `$share/…` included. */
  readonly filter: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: 0 | 1 | 2
  /** 0 for none. */
  readonly identifier: number
}

/** A message on its way to one session. */
export interface DeliveryRecord {
  readonly qos: 1 | 2
  readonly retain: boolean
  /** 0 while it has not been sent. */
  readonly packetId: number
  /** Whether PUBREC has come: what is left of the delivery is PUBREL. */
  readonly isReleased: boolean
  readonly identifiers: readonly number[]
}

/** A message body in the store, shared by all the deliveries that refer to it. */
export interface BodyRef {
  readonly number: number
  /** Deliveries that refer to it; the body goes with the last of them. */
  references: number
}

/** What was found in the store at the start. */
export interface RestoredState {
  readonly retained: readonly StoredMessage[]
  readonly sessions: readonly RestoredSession[]
}

export interface RestoredSession {
  readonly record: SessionRecord
  readonly subscriptions: readonly SubscriptionRecord[]
  /** In their order. */
  readonly deliveries: readonly RestoredDelivery[]
  /** Packet ids of QoS 2 messages that the client has sent and not released. */
  readonly receivedIds: readonly number[]
}

export interface RestoredDelivery {
  readonly order: number
  readonly body: BodyRef
  readonly message: StoredMessage
  readonly delivery: DeliveryRecord
}
