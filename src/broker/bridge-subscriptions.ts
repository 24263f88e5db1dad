import type { Counters } from '../core/counters.ts'
import type { Logger } from '../core/ports.ts'
import type { BridgeConnection } from './bridge-connection.ts'
import type { BridgeFilter, BridgeTopics } from './bridge-topics.ts'
import type { SubscribeRequest } from './wire/subscribe.ts'

/** Filters in one SUBSCRIBE or UNSUBSCRIBE: AWS IoT Core takes no more. */
const filtersPerPacket = 8

export interface BridgeSubscriptionsParts {
  /** The bridge's name. */
  readonly name: string
  readonly topics: BridgeTopics
  /** Whether what does not come in is unsubscribed from. */
  readonly mayUnsubscribe: boolean
  readonly counters: Counters
  readonly log: Logger
}

/** What a bridge is subscribed to at the other broker. */
export class BridgeSubscriptions {
  readonly #parts: BridgeSubscriptionsParts
  #held: ReadonlySet<string>

  /** @param held what is subscribed to there already, as far as is known */
  constructor(parts: BridgeSubscriptionsParts, held: ReadonlySet<string> = new Set()) {
    this.#parts = parts
    this.#held = held
  }

  /** As far as this process knows. */
  get held(): ReadonlySet<string> {
    return this.#held
  }

  /**
   * Asks for what the topics of the bridge say. Never resolves when the connection ends before.
   * @param isSessionPresent whether the other broker has kept what was subscribed to
   */
  async bring(connection: BridgeConnection, isSessionPresent: boolean): Promise<void> {
    const { topics, mayUnsubscribe } = this.#parts
    if (!isSessionPresent) this.#held = new Set()
    const wanted = new Set(topics.remote.map(({ filter }) => filter))
    const surplus = new Set([...this.#held].filter((filter) => !wanted.has(filter)))
    for (const filter of topics.onlyOut) surplus.add(filter)
    if (isSessionPresent && mayUnsubscribe)
      for (const filters of slices([...surplus])) await connection.unsubscribe(filters)
    // a broker before MQTT 5 would send all retained messages once more
    const isThere = connection.level < 5 && [...wanted].every((filter) => this.#held.has(filter))
    const refused = isThere ? [] : await this.#subscribe(connection, topics.remote)
    this.#held = new Set([...wanted].filter((filter) => !refused.includes(filter)))
    if (refused.length > 0) this.#tellRefused(refused)
  }

  /** @returns the filters that are refused */
  async #subscribe(
    connection: BridgeConnection,
    filters: readonly BridgeFilter[],
  ): Promise<readonly string[]> {
    const refused: string[] = []
    for (const requests of slices(filters)) {
      const codes = await connection.subscribe(requests.map(requestOf))
      for (const [index, { filter }] of requests.entries())
        if ((codes[index] ?? 0x80) >= 0x80) refused.push(filter)
    }
    return refused
  }

  #tellRefused(filters: readonly string[]): void {
    const { name, counters, log } = this.#parts
    counters.add('bridges.refusedSubscriptions', filters.length)
    const remedy = 'let the user of the bridge read these topics there, or change the topics of the bridge'
    log.error({ bridge: name, filters, remedy }, 'bridge: a subscription is refused')
  }
}

/** What it has sent already does not come again, nor what we have sent. */
function requestOf({ filter, qos }: BridgeFilter): SubscribeRequest {
  return { filter, qos, noLocal: true, retainAsPublished: true, retainHandling: 1 }
}

function slices<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  const count = Math.ceil(items.length / filtersPerPacket)
  return Array.from({ length: count }, (_, index) =>
    items.slice(index * filtersPerPacket, (index + 1) * filtersPerPacket),
  )
}
