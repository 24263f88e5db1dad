import type { OwnIdentity } from '../core/access.ts'
import type { Counters } from '../core/counters.ts'
import { DamselflyError } from '../core/errors.ts'
import type { Message, OutgoingMessage } from '../core/message.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { topicProblem } from '../core/topics.ts'
import type { Rights } from './access/rights.ts'
import type { Doorkeeper } from './doorkeeper.ts'

export interface IdentityHubParts {
  readonly identity: OwnIdentity
  readonly hub: Hub
  readonly doorkeeper: Pick<Doorkeeper, 'epoch' | 'rightsOf'>
  readonly log: Logger
  readonly counters: Counters
}

/** The hub as one of our own parts sees it: an access control list with a section for it says what it may do there. */
export class IdentityHub implements Hub {
  readonly #parts: IdentityHubParts
  /** Filters that are subscribed to, those that are refused included. */
  readonly #subscribed = new Set<readonly string[]>()
  /** Filters that the log has been told of: what stays refused is told once. */
  #refused = new Set<string>()
  #rights: Rights | undefined
  #epoch = -1

  constructor(parts: IdentityHubParts) {
    this.#parts = parts
  }

  /** @throws DamselflyError `NOT_AUTHORIZED`, and what the hub throws */
  publish(message: OutgoingMessage): Promise<void> {
    const { topic } = message
    const { identity, hub, counters } = this.#parts
    const rights = this.#current()
    if (rights === undefined || topicProblem(topic) !== undefined || rights.mayWrite(topic))
      return hub.publish(message)
    counters.add('publishes.refused')
    const { line } = rights.explainRefusal(topic)
    const why =
      line === undefined
        ? `${rights.file} does not allow it`
        : `${rights.file}:${line.line} denies it (${line.text})`
    return Promise.reject(
      new DamselflyError('NOT_AUTHORIZED', `${identity} may not publish to "${topic}": ${why}`),
    )
  }

  subscribe(filters: string | readonly string[], onMessage: (message: Message) => void): () => void {
    const wanted = [filters].flat()
    this.#subscribed.add(wanted)
    this.check()
    const end = this.#parts.hub.subscribe(wanted, (message) => {
      if (this.#mayRead(message.topic)) onMessage(message)
    })
    return () => {
      this.#subscribed.delete(wanted)
      end()
    }
  }

  async *retained(filter: string): AsyncIterable<Message> {
    for await (const message of this.#parts.hub.retained(filter))
      if (this.#mayRead(message.topic)) yield message
  }

  /** Tells the log which of the subscriptions bring nothing, for no line allows it. When the lists are others now. */
  check(): void {
    const { identity, log } = this.#parts
    const rights = this.#current()
    const refused = new Set<string>()
    for (const filter of rights === undefined ? [] : [...this.#subscribed].flat()) {
      if (refused.has(filter) || rights?.mayAskFor(filter) !== false) continue
      refused.add(filter)
      if (!this.#refused.has(filter))
        log.warn(
          { identity, filter, file: rights.file },
          'subscription of our own brings nothing: it is not allowed',
        )
    }
    this.#refused = refused
  }

  #mayRead(topic: string): boolean {
    return this.#current()?.mayRead(topic) ?? true
  }

  /** Undefined: everything. */
  #current(): Rights | undefined {
    const { doorkeeper, identity } = this.#parts
    if (this.#epoch !== doorkeeper.epoch) {
      this.#epoch = doorkeeper.epoch
      this.#rights = doorkeeper.rightsOf(identity)
    }
    return this.#rights
  }
}
