import type { Delivery, Destination } from './delivery.ts'
import type { TopicBytes } from './publication.ts'
import type { ShareGroup } from './share-group.ts'

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
  /** Whether it was looked up since the cache last looked for what may go. */
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
