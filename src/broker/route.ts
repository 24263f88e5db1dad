import { topicProblem } from '../core/topics.ts'
import type { Delivery, Destination } from './delivery.ts'
import type { TopicBytes } from './publication.ts'
import type { ShareGroup } from './share-group.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }) // [MQTT-1.5.4-3]
const none: readonly never[] = []

/** Where the messages of one topic go to. Kept up to date by the router alone, which knows whether it is. */
export class Route implements TopicBytes {
  readonly topic: string
  readonly topicBytes: Uint8Array
  /** Why no message may carry this topic; undefined when one may. */
  readonly problem: string | undefined
  /** One for each receiver with subscriptions of its own that match. */
  targets: readonly Destination[]
  /** Shared subscriptions that match. */
  shares: readonly ShareGroup[]
  /** In the process. */
  listeners: readonly Delivery[]
  /** The state of the subscriptions that it is of; 0 for none. */
  generation: number
  /** Whether it was used since the cache last came by, in search of what may go. */
  wasUsed: boolean
  /** Bytes that it takes, about. */
  size: number

  constructor(topic: string, topicBytes: Uint8Array, problem: string | undefined) {
    this.topic = topic
    this.topicBytes = topicBytes
    this.problem = problem
    this.targets = none
    this.shares = none
    this.listeners = none
    this.generation = 0
    this.wasUsed = false
    this.size = 0
  }

  /** Holds nobody any more; who remembers the route asks anew. */
  clear(): void {
    this.generation = 0
    this.targets = none
    this.shares = none
    this.listeners = none
  }

  /** Whether anybody gets its messages. */
  get hasReceivers(): boolean {
    return this.targets.length + this.shares.length + this.listeners.length > 0
  }
}

/** Under what a topic is remembered: the characters of its UTF-8 bytes, of ASCII the topic itself. */
export function keyOf(topic: string): string {
  return Buffer.byteLength(topic) === topic.length ? topic : Buffer.from(topic).toString('latin1')
}

/** A route that leads nowhere yet. */
export function routeOfKey(key: string): Route {
  const bytes = new Uint8Array(key.length)
  for (let index = 0; index < key.length; index++) bytes[index] = key.charCodeAt(index)
  let topic = key
  try {
    if (Buffer.byteLength(key) !== key.length) topic = utf8.decode(bytes)
  } catch {
    return new Route(key, bytes, 'it is not UTF-8') // [MQTT-1.5.4-1]
  }
  return new Route(topic, bytes, topicProblem(topic))
}
