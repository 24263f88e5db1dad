import type { QoS } from './message.ts'

/** The broker of our own, as the commands, the metrics and `$SYS` tell of it. */
export interface BrokerView {
  figures(): BrokerFigures
  /** Every client that has a session, connected or not. It may be gone through in several turns of the event loop. */
  clients(): Iterable<ClientReport>
  /** One client; undefined when there is no session of it. */
  client(id: string): ClientReport | undefined
  /** Its subscriptions; none when there is no session of it. */
  subscriptionsOf(id: string): Iterable<SubscriptionReport>
  /** Who was not let in of late, the latest last; at most `limits.refusalsRemembered`. */
  refusalsAtTheDoor(): readonly RefusalReport[]
  /**
   * Disconnects a client (MQTT 5: administrative action, 0x98); its will is published. `forget`: ends its session too.
   * @returns what has ended
   */
  kick(id: string, forget: boolean): KickOutcome
  /** Whether a message is retained for this topic. */
  isRetained(topic: string): boolean
}

/** `away`: it is not connected, and its session was left alone. */
export type KickOutcome = 'disconnected' | 'forgotten' | 'away' | 'unknown'

/** Since the start, or now. Bytes of messages are those of payloads. */
export interface BrokerFigures {
  readonly uptimeSeconds: number
  readonly clientsConnected: number
  /** Sessions whose client is not connected. */
  readonly clientsDisconnected: number
  /** The most that were connected at one time. */
  readonly clientsMaximum: number
  /** Sessions whose time was up. */
  readonly clientsExpired: number
  /** Connections that came, whatever they said. */
  readonly socketsOpened: number
  /** CONNECT packets. */
  readonly connects: number
  readonly bytesReceived: number
  readonly bytesSent: number
  /** Packets of any kind. */
  readonly packetsReceived: number
  readonly packetsSent: number
  readonly publishesReceived: number
  readonly publishesSent: number
  readonly publishBytesReceived: number
  readonly publishBytesSent: number
  readonly messagesDropped: number
  /** Messages that were refused because they could not be written to the disk. */
  readonly messagesUnkept: number
  /** 0 while nothing can be written to the disk, else 1. */
  readonly storeWritten: number
  readonly subscriptions: number
  /** Members of shared subscriptions, which are among them. */
  readonly sharedSubscriptions: number
  /** Those below `$SYS` left out. */
  readonly retainedMessages: number
  /** Of their topics, payloads and properties. */
  readonly retainedBytes: number
  readonly queuedMessages: number
  /** Of their topics and payloads. */
  readonly queuedBytes: number
  readonly inflightMessages: number
  /** What counts for `limits.memoryBytesMax`. */
  readonly waitingBytes: number
}

/** A client, connected or not. Texts in it come from anybody. */
export interface ClientReport {
  readonly id: string
  readonly isConnected: boolean
  /** ISO 8601: when it connected, or when it left. */
  readonly since: string
  /** Of a client that is away what it had, if it was connected since the start. */
  readonly address?: string
  readonly listener?: string
  readonly transport?: string
  readonly user?: string
  /** `3.1`, `3.1.1` or `5`. */
  readonly version?: string
  readonly cleanStart?: boolean
  readonly keepAliveSeconds?: number
  /** 0 when its session ends with its connection; null when it never expires. */
  readonly sessionExpirySeconds: number | null
  readonly subscriptions: number
  /** Messages of QoS 1 and 2 that it was sent, and has not acknowledged. */
  readonly inflightMessages: number
  readonly queuedMessages: number
  readonly queuedBytes: number
  /** Messages that waited for it and were dropped, since the start. */
  readonly droppedMessages: number
  /** From it, as long as it is connected. */
  readonly received?: Flow
  /** To it. */
  readonly sent?: Flow
  readonly lastRefusal?: RefusalReport
}

/** PUBLISH packets, and the bytes of all packets; rates are smoothed over about ten seconds. */
export interface Flow {
  readonly messages: number
  readonly bytes: number
  readonly messagesPerSecond: number
  readonly bytesPerSecond: number
}

export interface SubscriptionReport {
  /** As it stands in SUBSCRIBE. */
  readonly filter: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  /** Subscription Identifier; 0 for none. */
  readonly identifier: number
}

/** Something that was refused. Long texts are cut. */
export interface RefusalReport {
  readonly what: 'client' | 'publish' | 'subscription'
  /** ISO 8601, the last time. */
  readonly at: string
  /** As it calls itself; unknown before CONNECT. */
  readonly client?: string
  readonly address: string
  readonly topic?: string
  readonly filter?: string
  readonly reason: string
  /** How often in a row. */
  readonly count: number
}
