import assert from 'node:assert/strict'
import type { Aedes } from 'aedes'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { type Message, type OutgoingMessage, ownClientId, type QoS } from '../core/message.ts'
import type { Hub } from '../core/ports.ts'
import { isSystemTopic } from '../core/topics.ts'
import type { Delivery } from './delivery.ts'
import { packetOf, publicationOf } from './hub-packet.ts'
import { Publication } from './publication.ts'
import type { RetainedStore } from './retained-store.ts'
import type { Router } from './router.ts'

const noChain: readonly string[] = []

/** The house's `Hub` over an aedes broker, its router and its retained messages. */
export class AedesHub implements Hub {
  readonly #aedes: Aedes
  readonly #router: Router
  readonly #retained: RetainedStore

  constructor(aedes: Aedes, router: Router, retained: RetainedStore) {
    this.#aedes = aedes
    this.#router = router
    this.#retained = retained
  }

  publish(message: OutgoingMessage): Promise<void> {
    const route = this.#router.routeOf(message.topic)
    const problem = isSystemTopic(message.topic) ? 'topics below $SYS are the broker’s own' : route.problem
    if (problem !== undefined) {
      return Promise.reject(
        new DamselflyError('TOPIC_INVALID', `cannot publish to "${message.topic}": ${problem}`),
      )
    }
    if (this.#aedes.closed) {
      return Promise.reject(
        new DamselflyError('BROKER_CLOSED', `cannot publish to "${message.topic}": the broker is stopping`),
      )
    }
    const { payload, qos = 0, retain = false, chain } = message
    // a copy: who published it may go on writing into its own
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload)
    const publication = Publication.of({ route, qos, retain, client: ownClientId, chain }, bytes)
    return new Promise((resolve, reject) => {
      this.#aedes.publish(packetOf(publication), (error) => {
        if (!error) return resolve()
        reject(
          new DamselflyError('STORE_FAILED', `cannot publish to "${message.topic}": ${reasonOf(error)}`, {
            cause: error,
          }),
        )
      })
    })
  }

  /**
   * Publishes what the broker tells of itself, below `$SYS`: retained, in memory alone, with QoS 0, so that it never waits in a
   * session. An empty payload clears what is there. Nothing happens once the broker stops.
   */
  publishSystem(topic: string, payload: string): void {
    assert(isSystemTopic(topic), topic)
    if (this.#aedes.closed) return
    const route = this.#router.routeOf(topic)
    const fields = { route, qos: 0, retain: true, client: ownClientId } as const
    this.#aedes.publish(packetOf(Publication.of(fields, Buffer.from(payload))), () => {})
  }

  subscribe(filters: string | readonly string[], onMessage: (message: Message) => void): () => void {
    let isOpen = true
    const deliver: Delivery = (packet, done) => {
      const publication = publicationOf(packet)
      // it may have ended since the message went on its way
      if (isOpen && publication !== undefined) onMessage(new HubMessage(publication, false))
      done()
    }
    const wanted = new Set([filters].flat())
    for (const filter of wanted) this.#aedes.subscribe(filter, deliver, () => {})
    return () => {
      if (!isOpen) return
      isOpen = false
      for (const filter of wanted) this.#aedes.unsubscribe(filter, deliver, () => {})
    }
  }

  async *retained(filter: string): AsyncIterable<Message> {
    for await (const publication of this.#retained.messages(filter)) yield new HubMessage(publication, true)
  }
}

/**
 * What subscribers in the process get. `isRetained`: to whom was subscribed already a message is like any other
 * [MQTT-3.3.1-9]. Its payload is copied out of the chunk in which it came when somebody first looks at it.
 */
class HubMessage implements Message {
  readonly topic: string
  readonly qos: QoS
  readonly retain: boolean
  readonly client: string
  readonly chain: readonly string[]
  readonly #publication: Publication
  #payload: Uint8Array | undefined

  constructor(publication: Publication, isRetained: boolean) {
    this.topic = publication.topic
    this.qos = publication.qos
    this.retain = isRetained
    this.client = publication.client
    this.chain = publication.chain ?? noChain
    this.#publication = publication
  }

  get text(): string | undefined {
    return this.#publication.text
  }

  get payload(): Uint8Array {
    this.#payload ??= this.#publication.own().payload
    return this.#payload
  }
}
