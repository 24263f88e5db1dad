import type { MemoryBudget } from './memory-budget.ts'
import type { Publication } from './publication.ts'
import type { Target } from './subscription.ts'

/** What an entry of a queue costs beside the message, about: measured with V8 of Node 20, with its row for the store. */
export const entryBytes = 120

/** A message of QoS 1 or 2 that waits for one session, or for its answer. It is charged to the budget while it is there. */
export class Outgoing {
  readonly publication: Publication
  readonly qos: 1 | 2
  readonly retain: boolean
  readonly target: Target
  /** Its place in the session's deliveries in the store. */
  readonly order: number
  /** Whether it may have reached the client: then it is sent with DUP. */
  wasSent = false
  #isHeld = true

  constructor(
    publication: Publication,
    qos: 1 | 2,
    retain: boolean,
    target: Target,
    order: number,
    budget: MemoryBudget,
  ) {
    this.publication = publication.own()
    this.qos = qos
    this.retain = retain
    this.target = target
    this.order = order
    // the bytes are shared: the first who holds them pays for them
    budget.add(publication.holders++ === 0 ? publication.size + entryBytes : entryBytes)
  }

  /** Topic and payload, as the bound of a queue counts them. */
  get bytes(): number {
    return this.publication.route.topicLength + this.publication.payloadLength
  }

  /** It waits no longer. */
  release(budget: MemoryBudget): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    const isLast = --this.publication.holders === 0
    budget.add(isLast ? -(this.publication.size + entryBytes) : -entryBytes)
  }
}
