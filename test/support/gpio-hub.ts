import type { Message, OutgoingMessage } from '#src/core/message.js'
import type { Hub } from '#src/core/ports.js'
import { matchesFilter } from '#src/core/topics.js'

/** A broker in memory that keeps what was published; it can be told to accept nothing for a while. */
export class MemoryHub implements Hub {
  readonly published: OutgoingMessage[] = []
  readonly #retained = new Map<string, Message>()
  readonly #subscriptions = new Set<{ filters: readonly string[]; onMessage: (message: Message) => void }>()
  #gate: Promise<void> = Promise.resolve()
  #open: () => void = () => {}
  failure: Error | undefined

  /** From now on nothing is accepted until `release`. */
  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  release(): void {
    this.#open()
  }

  async publish(outgoing: OutgoingMessage & { readonly client?: string }): Promise<void> {
    this.published.push(outgoing)
    await this.#gate
    if (this.failure !== undefined) throw this.failure
    const { topic, payload, qos = 0, chain = [], client = 'damselfly' } = outgoing
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const message: Message = { topic, payload: bytes, qos, retain: false, client, chain }
    if (outgoing.retain && bytes.length > 0) this.#retained.set(topic, { ...message, retain: true })
    if (outgoing.retain && bytes.length === 0) this.#retained.delete(topic)
    for (const { filters, onMessage } of this.#subscriptions)
      if (filters.some((filter) => matchesFilter(filter, topic))) onMessage(message)
  }

  subscribe(filters: string | readonly string[], onMessage: (message: Message) => void): () => void {
    const subscription = { filters: [filters].flat(), onMessage }
    this.#subscriptions.add(subscription)
    return () => this.#subscriptions.delete(subscription)
  }

  async *retained(filter: string): AsyncIterable<Message> {
    for (const message of [...this.#retained.values()])
      if (matchesFilter(filter, message.topic)) yield message
  }

  /** Retained payloads by topic. */
  get states(): Record<string, string> {
    const entries = [...this.#retained].map(([topic, { payload }]) => [
      topic,
      Buffer.from(payload).toString(),
    ])
    return Object.fromEntries(entries)
  }
}
