import type { QoS } from '../core/message.ts'
import type { Publication } from './publication.ts'

/** Somebody outside to whom the router delivers: a session. */
export interface Receiver {
  /** Whether a client is connected: shared subscriptions prefer those. */
  readonly isLive: boolean
  /** Whether messages of QoS 1 and 2 for it are written to the disk. */
  readonly isKept: boolean
  /** Whether it may have messages with this topic; what it said holds until the router's routes are made anew. */
  mayRead(topic: string): boolean
  /** There when its client is a bridge of another broker. */
  readonly bridge?: BridgeClient | undefined
  /**
   * Takes a message, and returns at once; never throws.
   * `qos` is what is left of the publisher's, `retain` is the flag to send [MQTT-3.3.1-12], [MQTT-3.3.1-13].
   */
  deliver(publication: Publication, qos: QoS, retain: boolean, target: Target): void
}

/** What is known of a client that is a bridge. */
export interface BridgeClient {
  /** The broker that it is of, as that names itself. */
  readonly peer: string | undefined
  /** How many messages have come back over it that one of our own bridges had sent. */
  readonly returns: Map<Receiver, number>
}

/** One subscription of a session, as SUBSCRIBE made it. */
export interface Subscription {
  readonly receiver: Receiver
  /** The filter to match; of a shared subscription what follows the share's name. */
  readonly filter: string
  /** The maximum QoS that was granted. */
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  /** Subscription Identifier; 0 for none. */
  readonly identifier: number
  /** ShareName of `$share/{ShareName}/{filter}`. */
  readonly share: string | undefined
}

/** Where one message goes to, once: all of a receiver's subscriptions that match, folded into one [MQTT-3.3.4-2]. */
export interface Target {
  readonly receiver: Receiver
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  /** Subscription Identifiers to send along, in no order [MQTT-3.3.4-4]; often none. */
  readonly identifiers: readonly number[]
  /** Of a shared subscription: who else would take the message. */
  readonly share: Share | undefined
}

/** The members of one shared subscription. */
export interface Share {
  /**
   * Gives a message to another member: the one that had it has ended, and has left the share. Of QoS 2 only one that
   * was never sent [MQTT-4.8.2-5]. False when there is nobody.
   */
  redistribute(publication: Publication, qos: QoS): boolean
}
