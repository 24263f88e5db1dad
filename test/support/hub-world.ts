import type { TestContext } from 'node:test'
import { Aedes } from 'aedes'
import { deliveryFor, type SubscribedDelivery } from '#src/broker/delivery.js'
import { AedesHub } from '#src/broker/hub.js'
import { packetOf } from '#src/broker/hub-packet.js'
import { Publication, type PublicationFields } from '#src/broker/publication.js'
import { RetainedStore } from '#src/broker/retained-store.js'
import { Router } from '#src/broker/router.js'
import type { Receiver, Subscription, Target } from '#src/broker/subscription.js'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import type { QoS } from '#src/core/message.js'
import { MemoryLog } from './memory-log.js'

/** What a receiver was given, in words: `topic payload`, `q1`, `retain`, identifiers as `#7`. */
export class TestReceiver implements Receiver {
  isLive = true
  isKept = false
  /** Topics that it may not read. */
  readonly forbidden = new Set<string>()
  readonly heard: string[] = []
  readonly targets: Target[] = []
  readonly publications: Publication[] = []

  mayRead(topic: string): boolean {
    return !this.forbidden.has(topic)
  }

  deliver(publication: Publication, qos: QoS, retain: boolean, target: Target): void {
    const words = [publication.topic, `${publication.payload}`, `q${qos}`]
    if (retain) words.push('retain')
    this.heard.push([...words, ...target.identifiers.map((identifier) => `#${identifier}`)].join(' '))
    this.targets.push(target)
    this.publications.push(publication)
  }

  /** What it heard since this was last asked. */
  take(): string[] {
    return this.heard.splice(0)
  }
}

export interface HubWorld {
  readonly aedes: Aedes
  readonly router: Router
  readonly retained: RetainedStore
  readonly hub: AedesHub
  readonly log: MemoryLog
  readonly counters: Counters
  /** Publishes as a session does, on the route of the topic's bytes. */
  publish(topic: string, payload?: string, fields?: Partial<PublicationFields>): Publication
  /** Subscribes a receiver as a session does. `$share/name/` may stand before the filter. */
  subscribe(receiver: Receiver, filter: string, options?: Partial<Subscription>): SubscribedDelivery
  unsubscribe(delivery: SubscribedDelivery): void
}

/** aedes with our router and our retained messages; it goes with the test. */
export async function hubWorld(context: TestContext, heartbeatInterval = 60_000): Promise<HubWorld> {
  const log = new MemoryLog()
  const counters = new Counters()
  const router = new Router({ log, counters })
  const retained = new RetainedStore({ log, counters })
  const aedes = await Aedes.createBroker({
    mq: router,
    persistence: retained,
    maxTopicLevels: limits.topicLevelsMax,
    heartbeatInterval,
  })
  context.after(async () => {
    retained.close()
    await new Promise<void>((resolve) => aedes.close(resolve))
  })
  return {
    aedes,
    router,
    retained,
    hub: new AedesHub(aedes, router, retained),
    log,
    counters,
    publish(topic, payload = '', fields = {}) {
      const bytes = Buffer.from(topic)
      const publication = publicationOn(router, bytes, payload, fields)
      aedes.publish(packetOf(publication), () => {})
      return publication
    },
    subscribe(receiver, filter, options = {}) {
      const [, share, shared] = /^\$share\/([^/]+)\/(.*)$/.exec(filter) ?? []
      const delivery = deliveryFor({
        receiver,
        filter: shared ?? filter,
        qos: 2,
        noLocal: false,
        retainAsPublished: false,
        identifier: 0,
        share,
        ...options,
      })
      aedes.subscribe(shared ?? filter, delivery, () => {})
      return delivery
    },
    unsubscribe(delivery) {
      aedes.unsubscribe(delivery.subscription.filter, delivery, () => {})
    },
  }
}

/** A message that is a part of a larger chunk, as one that was read. */
export function publicationOn(
  router: Router,
  topic: Buffer,
  payload: string,
  fields: Partial<PublicationFields> = {},
): Publication {
  const route = router.routeOfBytes(topic, 0, topic.length)
  const bytes = Buffer.concat([Buffer.from('before'), topic, Buffer.from(payload), Buffer.from('after')])
  const payloadAt = 6 + topic.length
  const { qos = 0, retain = false, client = 'sender', source, expiresAtMs = 0 } = fields
  const end = bytes.length - 5
  return Publication.received(
    route,
    qos,
    retain,
    client,
    source,
    bytes,
    payloadAt,
    end,
    undefined,
    0,
    -1,
    expiresAtMs,
    -1,
    0,
    false,
  )
}
