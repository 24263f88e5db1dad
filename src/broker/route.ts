import { topicProblem } from '../core/topics.ts'
import type { Delivery, Destination } from './delivery.ts'
import type { TopicBytes } from './publication.ts'
import type { ShareGroup } from './share-group.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }) // [MQTT-1.5.4-3]
const none: readonly never[] = []

/** Where the messages of one topic go to. Kept up to date by the router alone, which knows whether it is. */
export class Route implements TopicBytes {
  readonly topic: string
  readonly topicLength: number
  /** Why no message may carry this topic; undefined when one may. */
  readonly problem: string | undefined
  /** One for each receiver with subscriptions of its own that match. */
  targets: readonly Destination[]
  /** Shared subscriptions that match. */
  shares: readonly ShareGroup[]
  /** In the process. */
  listeners: readonly Delivery[]
  /** The state of the subscriptions that it is of, as long as it is remembered; 0 for none. */
  generation: number
  /** How many changes of subscriptions it knows of; also when it serves a single message, and is not remembered. */
  changes: number
  /** Whether it was used since the cache last came by, in search of what may go. */
  wasUsed: boolean
  /** Bytes that it takes, about. */
  size: number
  private bytes: Buffer | undefined

  constructor(topic: string, topicLength: number, problem: string | undefined) {
    this.topic = topic
    this.topicLength = topicLength
    this.bytes = undefined
    this.problem = problem
    this.targets = none
    this.shares = none
    this.listeners = none
    this.generation = 0
    this.changes = 0
    this.wasUsed = false
    this.size = 0
  }

  /** Made when first asked for: a topic that comes once does without. */
  get topicBytes(): Buffer {
    this.bytes ??= bytesOf(this.topic, this.topicLength)
    return this.bytes
  }

  /** Whether a message of QoS 1 or 2 is written to the disk for somebody. */
  get isKept(): boolean {
    return (
      this.targets.some(({ receiver, qos }) => receiver.isKept && qos > 0) ||
      this.shares.some((share) => share.isKept)
    )
  }

  /** Holds nobody any more; who remembers the route asks anew. */
  clear(): void {
    this.generation = 0
    this.changes = 0
    this.targets = none
    this.shares = none
    this.listeners = none
  }
}

/** Under what a topic is remembered: the characters of its UTF-8 bytes, of ASCII the topic itself. */
export function keyOf(topic: string): string {
  return isAscii(topic) ? topic : Buffer.from(topic).toString('latin1')
}

/** A route that leads nowhere yet. */
export function routeOfKey(key: string): Route {
  let topic = key
  try {
    if (!isAscii(key)) topic = utf8.decode(Buffer.from(key, 'latin1'))
  } catch {
    return new Route(key, key.length, 'it is not UTF-8') // [MQTT-1.5.4-1]
  }
  return new Route(topic, key.length, topicProblem(topic))
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) return false
  return true
}

/** In memory of their own: a part of a pool would keep all of it. */
function bytesOf(topic: string, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length)
  bytes.write(topic)
  return bytes
}
