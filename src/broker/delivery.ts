import type { AedesPublishPacket } from 'aedes'
import type { QoS } from '../core/message.ts'
import type { Receiver, Share, Subscription, Target } from './subscription.ts'

/** What aedes takes as a subscriber. */
export type Delivery = (packet: AedesPublishPacket, done: () => void) => void

/** A session's subscription as aedes carries it to the router, which delivers to the receiver itself. */
export interface SubscribedDelivery extends Delivery {
  readonly subscription: Subscription
  /** The subscription by itself. */
  readonly target: Destination
}

/** For `aedes.subscribe` and, the very same, for `aedes.unsubscribe`. */
export function deliveryFor(subscription: Subscription): SubscribedDelivery {
  const deliver: Delivery = (_packet, done) => done()
  return Object.assign(deliver, { subscription, target: new Destination(subscription) })
}

export function isSubscribed(deliver: Delivery): deliver is SubscribedDelivery {
  return (deliver as Partial<SubscribedDelivery>).target !== undefined
}

/** One subscription as a target, or several of one receiver. */
export class Destination implements Target {
  /** The first of them. */
  readonly subscription: Subscription
  readonly receiver: Receiver
  qos: QoS
  noLocal: boolean
  retainAsPublished: boolean
  readonly identifiers: number[]
  readonly share: Share | undefined
  /** Whether it stands for several, and belongs to one route. */
  isFolded: boolean
  /** What counts for messages of the receiver's own: those without No Local; undefined for none [MQTT-3.8.3-3]. */
  forOwn: Destination | undefined

  constructor(subscription: Subscription, share?: Share) {
    this.subscription = subscription
    this.receiver = subscription.receiver
    this.qos = subscription.qos
    this.noLocal = subscription.noLocal
    this.retainAsPublished = subscription.retainAsPublished
    this.identifiers = subscription.identifier === 0 ? [] : [subscription.identifier]
    this.share = share
    this.isFolded = false
    this.forOwn = subscription.noLocal ? undefined : this
  }

  /** The same, to be folded with others by itself. */
  copy(): Destination {
    const copy = new Destination(this.subscription, this.share)
    copy.isFolded = true
    copy.qos = this.qos
    copy.retainAsPublished = this.retainAsPublished
    copy.identifiers.splice(0, copy.identifiers.length, ...this.identifiers)
    return copy
  }

  /** With one more subscription of the same receiver [MQTT-3.3.4-2], [MQTT-3.3.4-4]. */
  and(other: Subscription): Destination {
    const folded = this.isFolded ? this : new Destination(this.subscription)
    const isAllOwn = folded.forOwn === folded && !other.noLocal
    if (!isAllOwn) {
      const own = folded.forOwn === folded ? folded.copy() : folded.forOwn
      if (other.noLocal) folded.forOwn = own
      else folded.forOwn = own === undefined ? new Destination(other) : own.and(other)
    }
    folded.isFolded = true
    if (other.qos > folded.qos) folded.qos = other.qos
    if (!other.noLocal) folded.noLocal = false
    if (other.retainAsPublished) folded.retainAsPublished = true
    if (other.identifier !== 0) folded.identifiers.push(other.identifier)
    return folded
  }
}
