import type { Counters } from '../../core/counters.ts'
import { DamselflyError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { type Message, type OutgoingMessage, ownClientId } from '../../core/message.ts'
import type { Hub, Logger, RemoteHub } from '../../core/ports.ts'
import { Repeats } from '../../core/repeats.ts'
import { plainFilter } from '../../core/shared-filter.ts'
import { FilterIndex, topicProblem } from '../../core/topics.ts'
import type { Link, LinkMessage } from './link.ts'
import { unacknowledged } from './link-failure.ts'
import { Outbox, type OutboxMessage } from './outbox.ts'
import { OwnEchoes } from './own-echoes.ts'
import { RemoteSubscriptions } from './remote-subscriptions.ts'
import { RetainedReading } from './retained-reading.ts'

/** Room for what a PUBLISH packet has beside topic and payload: header, lengths, packet id. */
const headerBytesMax = 9

const noChain: readonly string[] = []

interface Subscriber {
  readonly filters: readonly string[]
  readonly onMessage: (message: Message) => void
}

export interface AttachedHubParts {
  readonly log: Logger
  readonly counters: Counters
  readonly nowMs?: () => number
}

/**
 * The house's `Hub` over connections to a broker elsewhere, which come and go. It outlives them: what is published
 * waits in its outbox, what is subscribed is subscribed again.
 */
export class AttachedHub implements Hub {
  readonly remote: RemoteHub = {
    onRenewed: (onRenewed) => {
      const listener = () => onRenewed()
      this.#onRenewed.add(listener)
      return () => this.#onRenewed.delete(listener)
    },
  }
  readonly outbox: Outbox
  readonly #log: Logger
  readonly #repeats = new Repeats()
  readonly #counters: Counters
  readonly #subscriptions: RemoteSubscriptions
  readonly #echoes: OwnEchoes
  readonly #subscribers = new Set<Subscriber>()
  readonly #readings = new Set<RetainedReading>()
  readonly #onRenewed = new Set<() => void>()
  /** Made anew when the subscribers have changed. */
  #index: FilterIndex<Subscriber> | undefined
  #isFirst = true
  #isClosed = false
  #link: Link | undefined
  #waiting: ((link: Link | undefined) => void)[] = []

  constructor(parts: AttachedHubParts) {
    const { log, counters, nowMs } = parts
    this.#log = log
    this.#counters = counters
    this.outbox = new Outbox(parts)
    this.#echoes = new OwnEchoes(counters, nowMs)
    this.#subscriptions = new RemoteSubscriptions({
      onRefused: (filters) => {
        counters.add('link.refusedSubscriptions', filters.length)
        const remedy = 'let the user of this Damselfly read these topics at the broker, or change the rules'
        log.error({ filters, remedy }, 'broker refuses a subscription: its messages do not come')
      },
    })
  }

  async publish(message: OutgoingMessage): Promise<void> {
    const { topic, payload } = message
    const problem = topic.startsWith('$')
      ? 'topics that begin with $ are the broker’s own'
      : topicProblem(topic)
    const cannot = `cannot publish to "${topic}"`
    if (problem !== undefined) throw new DamselflyError('TOPIC_INVALID', `${cannot}: ${problem}`)
    if (this.#isClosed) throw new DamselflyError('BROKER_CLOSED', `${cannot}: Damselfly is stopping`)
    const bytes = Buffer.byteLength(payload) + Buffer.byteLength(topic) + headerBytesMax
    if (bytes > limits.packetBytesMax)
      throw new DamselflyError(
        'MESSAGE_TOO_LARGE',
        `${cannot}: the message has ${bytes} bytes; a broker takes ${limits.packetBytesMax}`,
        { limit: 'packetBytesMax' },
      )
    this.outbox.add(message)
  }

  subscribe(filters: string | readonly string[], onMessage: (message: Message) => void): () => void {
    const subscriber: Subscriber = { filters: [filters].flat(), onMessage }
    this.#subscribers.add(subscriber)
    this.#index = undefined
    this.#subscriptions.add(subscriber.filters)
    return () => {
      if (!this.#subscribers.delete(subscriber)) return
      this.#index = undefined
      this.#subscriptions.remove(subscriber.filters)
    }
  }

  async *retained(filter: string): AsyncIterable<Message> {
    const end = this.subscribe(filter, () => {}) // so that the broker may be asked for it
    try {
      for (;;) {
        const link = this.#link ?? (await this.#nextLink())
        if (link === undefined) return
        const reading = new RetainedReading(filter, this.#counters)
        this.#readings.add(reading)
        try {
          const askedAtMs = performance.now()
          await this.#subscriptions.ask(filter)
          yield* reading.messages(askedAtMs)
          if (link === this.#link) return
        } catch {
          await link.ended // and then again with the next one
        } finally {
          this.#readings.delete(reading)
        }
      }
    } finally {
      end()
    }
  }

  /** A message came from the broker; one whose topic nobody may publish to is skipped, and counted. */
  receive({ topic, payload, qos, retain }: LinkMessage): void {
    const problem = topicProblem(topic)
    if (problem !== undefined) {
      this.#skip(topic, problem)
      return
    }
    if (retain) {
      // what was there before is for who asks for it, not for who listens to what is published [MQTT-3.3.1-8]
      const message: Message = { topic, payload, qos, retain, client: '', chain: noChain }
      for (const reading of this.#readings) reading.offer(message)
      return
    }
    const chain = this.#echoes.take(topic, payload)
    const client = chain === undefined ? '' : ownClientId
    const message: Message = { topic, payload, qos, retain, client, chain: chain ?? noChain }
    for (const { onMessage } of new Set(this.#subscribersOf(topic))) onMessage(message)
  }

  /**
   * There is a connection. Resolves when all is subscribed, and what waited is on its way: in this order, so that
   * what comes back to us is heard. Rejects when the connection ends before.
   */
  async open(link: Link): Promise<void> {
    await this.#subscriptions.open(link)
    const isRenewed = this.outbox.takeLostState() || (!this.#isFirst && !link.isResumed)
    this.#isFirst = false
    this.#link = link
    this.outbox.open(
      (message) => this.#send(link, message),
      () => link.break(unacknowledged),
    )
    for (const resolve of this.#waiting.splice(0)) resolve(link)
    if (isRenewed) for (const onRenewed of this.#onRenewed) onRenewed()
  }

  /** The connection is gone. @param isByPeer the broker closed it @returns as `Outbox.close` */
  lose(isByPeer: boolean): boolean {
    this.#link = undefined
    this.#subscriptions.close()
    return this.outbox.close(isByPeer)
  }

  /** Takes our subscriptions back at a broker that we leave for another. Rejects when the connection ends before. */
  leave(): Promise<void> {
    return this.#subscriptions.leave()
  }

  /** The broker has been told to forget us. */
  forget(): void {
    this.#subscriptions.forget()
  }

  /** Takes no message any more, and leaves no subscription behind. What waits for a connection gets none. */
  close(): void {
    this.#isClosed = true
    for (const { filters } of this.#subscribers) this.#subscriptions.remove(filters)
    this.#subscribers.clear()
    this.#index = undefined
    for (const resolve of this.#waiting.splice(0)) resolve(undefined)
  }

  #skip(topic: string, problem: string): void {
    this.#counters.add('link.invalidTopics')
    const repeats = this.#repeats.admit(problem)
    if (repeats === undefined) return
    const fields = { topic: topic.slice(0, 200), problem, ...repeats }
    this.#log.warn(fields, 'message of the broker skipped: its topic is not valid')
  }

  #nextLink(): Promise<Link | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #send(link: Link, message: OutboxMessage): ReturnType<Link['publish']> {
    const { topic, payload, chain } = message
    if (this.#subscribersOf(topic).length > 0) this.#echoes.expect(topic, payload, chain)
    return link.publish(message)
  }

  #subscribersOf(topic: string): readonly Subscriber[] {
    this.#index ??= this.#makeIndex()
    return this.#index.match(topic)
  }

  #makeIndex(): FilterIndex<Subscriber> {
    const index = new FilterIndex<Subscriber>()
    for (const subscriber of this.#subscribers)
      for (const filter of subscriber.filters) index.add(plainFilter(filter), subscriber)
    return index
  }
}
