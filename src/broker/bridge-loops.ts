import type { Counters } from '../core/counters.ts'
import type { Logger } from '../core/ports.ts'
import type { OwnEchoes } from './attached/own-echoes.ts'
import type { BridgeTopics } from './bridge-topics.ts'
import { cut } from './log-fields.ts'
import type { Publication } from './publication.ts'
import type { BridgeClient, Receiver } from './subscription.ts'

/** So many messages that come back are no accident. */
const returnsMin = 3

/** A bridge of our own, as far as loops go. */
export interface BridgeOut extends Receiver {
  readonly name: string
  /** What the broker at its other end calls itself; undefined: it does not say. */
  readonly peer: string | undefined
  /** Whether that one has been asked and does not say, and so does not look for loops either. */
  readonly isStranger: boolean
  readonly topics: BridgeTopics
  /** What it has sent lately. */
  readonly echoes: OwnEchoes
}

export interface BridgeLoopsParts {
  /** What this broker calls itself. */
  readonly instance: string
  readonly counters: Counters
  readonly log: Logger
}

/**
 * Cuts loops between two brokers that bridge to each other. Two Damselflies that speak MQTT 5 know each other by name. Of
 * other bridges that come to us it is found out: when three messages that a bridge of ours has sent come back from one
 * of them, the two lead to the same broker.
 *
 * Then nothing goes from the one to the other, and what both share goes over one of them: ours, or with two
 * Damselflies that of the one with the lesser name.
 */
export class BridgeLoops {
  readonly #parts: BridgeLoopsParts
  readonly #bridges = new Set<BridgeOut>()
  #isWatching = false

  constructor(parts: BridgeLoopsParts) {
    this.#parts = parts
  }

  add(bridge: BridgeOut): void {
    this.#bridges.add(bridge)
  }

  remove(bridge: BridgeOut): void {
    this.#bridges.delete(bridge)
  }

  /** A client is a bridge: from now on it counts what goes out. */
  watch(): void {
    this.#isWatching = true
  }

  /** A bridge of ours sends a message, for the first time. `topic` is its name here. */
  sent(bridge: BridgeOut, topic: string, payload: Uint8Array): void {
    if (this.#isWatching) bridge.echoes.expect(topic, payload, [])
  }

  /** Whether a message from a client that is a bridge is not to be published: it has come another way, or from here. */
  isReturned(from: BridgeClient, clientId: string, topic: string, payload: Uint8Array): boolean {
    let isReturned = false
    for (const bridge of this.#bridges) {
      if (this.#isOurs(bridge, from) && bridge.topics.incoming.of(topic) === topic) isReturned = true
      if (from.peer !== undefined || bridge.echoes.take(topic, payload) === undefined) continue
      const returns = (from.returns.get(bridge) ?? 0) + 1
      from.returns.set(bridge, returns)
      if (returns === returnsMin) this.#tell(bridge, clientId)
      if (returns >= returnsMin) isReturned = true
    }
    if (isReturned) this.#parts.counters.add('bridges.returned')
    return isReturned
  }

  /** Whether a client that is a bridge is not to get a message: it comes from there, or goes there another way. */
  isBarred(to: BridgeClient, receiver: Receiver, { source, topic }: Publication): boolean {
    for (const bridge of this.#bridges) {
      if (source === bridge && leadsBack(bridge, to)) return true
      if (this.#isOurs(bridge, to) && bridge.topics.outgoing.of(topic) === topic) return true
    }
    return source !== receiver && to.peer !== undefined && source?.bridge?.peer === to.peer
  }

  /** Whether both lead to the same broker, and what they share goes over ours. */
  #isOurs(bridge: BridgeOut, client: BridgeClient): boolean {
    if (!bridge.isLive || !leadsBack(bridge, client)) return false
    return client.peer === undefined ? bridge.isStranger : this.#parts.instance < client.peer
  }

  #tell({ name }: BridgeOut, client: string): void {
    const remedy = 'one bridge between two brokers is enough: remove one of the two'
    this.#parts.log.warn(cut({ bridge: name, client, remedy }), 'two brokers bridge to each other: loop cut')
  }
}

/** Whether a bridge of ours and a client lead to the same broker. */
export function leadsBack(bridge: BridgeOut, client: BridgeClient): boolean {
  if (client.peer !== undefined) return client.peer === bridge.peer
  return (client.returns.get(bridge) ?? 0) >= returnsMin
}
