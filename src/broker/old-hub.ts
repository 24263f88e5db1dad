import type { Aedes, AedesPublishPacket, PublishPacket } from 'aedes'
import type { StoredPacket } from 'aedes-persistence-level/asyncPersistence.js'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { filterCover } from '../core/filter-cover.ts'
import { type Message, type OutgoingMessage, ownClientId, type QoS } from '../core/message.ts'
import type { Hub } from '../core/ports.ts'
import { matchesFilter, topicProblem } from '../core/topics.ts'

/** Where a message of ours carries its chain through aedes, which copies `properties` by reference. */
const chainKey = Symbol('chain')

interface Carrier {
  readonly [chainKey]?: readonly string[]
}

/** What the hub needs of the store: the retained messages that match a filter. */
export interface RetainedSource {
  createRetainedStream(filter: string): AsyncIterable<StoredPacket>
}

const noChain: readonly string[] = []

/** The house's `Hub` over an aedes broker and its persistence. */
export class OldAedesHub implements Hub {
  readonly #aedes: Aedes
  readonly #retained: RetainedSource

  constructor(aedes: Aedes, retained: RetainedSource) {
    this.#aedes = aedes
    this.#retained = retained
  }

  publish(message: OutgoingMessage): Promise<void> {
    const problem = topicProblem(message.topic)
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
    return new Promise((resolve, reject) => {
      this.#aedes.publish(packetOf(message), (error) => {
        if (!error) return resolve()
        reject(
          new DamselflyError('STORE_FAILED', `cannot publish to "${message.topic}": ${reasonOf(error)}`, {
            cause: error,
          }),
        )
      })
    })
  }

  subscribe(filters: string | readonly string[], onMessage: (message: Message) => void): () => void {
    const wanted = [filters].flat()
    const cover = filterCover(wanted) // aedes would bring a message once for each filter
    const isWanted = (topic: string): boolean =>
      cover.length === wanted.length || wanted.some((filter) => matchesFilter(filter, topic))
    const ends = cover.map((filter) => this.#subscribe(filter, isWanted, onMessage))
    return () => {
      for (const end of ends) end()
    }
  }

  #subscribe(
    filter: string,
    isWanted: (topic: string) => boolean,
    onMessage: (message: Message) => void,
  ): () => void {
    let isOpen = true
    const deliver = (packet: AedesPublishPacket, done: () => void): void => {
      // aedes ends a subscription only in a later turn
      if (isOpen && !isHidden(filter, packet.topic) && isWanted(packet.topic)) onMessage(messageOf(packet))
      done()
    }
    this.#aedes.subscribe(filter, deliver, () => {})
    return () => {
      if (!isOpen) return
      isOpen = false
      this.#aedes.unsubscribe(filter, deliver, () => {})
    }
  }

  async *retained(filter: string): AsyncIterable<Message> {
    for await (const packet of this.#retained.createRetainedStream(filter)) {
      if (isHidden(filter, packet.topic)) continue
      yield {
        topic: packet.topic,
        payload: packet.payload,
        qos: packet.qos as QoS,
        retain: true,
        client: packet.clientId ?? ownClientId,
        chain: noChain,
      }
    }
  }
}

/** Whether the filter begins with a wildcard, which does not see topics with a leading $ [MQTT-4.7.2-1]. */
function isHidden(filter: string, topic: string): boolean {
  return topic.startsWith('$') && (filter.startsWith('#') || filter.startsWith('+'))
}

function packetOf(message: OutgoingMessage): PublishPacket {
  const packet = {
    cmd: 'publish' as const,
    topic: message.topic,
    payload:
      typeof message.payload === 'string' ? Buffer.from(message.payload) : Buffer.from(message.payload),
    qos: message.qos ?? 0,
    retain: message.retain ?? false,
    dup: false,
    clientId: ownClientId,
    ...(message.chain === undefined ? {} : { properties: { [chainKey]: message.chain } satisfies Carrier }),
  }
  return packet as PublishPacket
}

function messageOf(packet: AedesPublishPacket & { readonly clientId?: string }): Message {
  const carrier = packet.properties as Carrier | undefined
  return {
    topic: packet.topic,
    payload: typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload,
    qos: packet.qos,
    retain: false, // [MQTT-3.3.1-9] to whom was subscribed already it is a message like any other
    client: packet.clientId ?? ownClientId,
    chain: carrier?.[chainKey] ?? noChain,
  }
}
