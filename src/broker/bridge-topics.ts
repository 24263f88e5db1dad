import type { Bridge, BridgeTopic } from '../core/bridge.ts'
import { limits } from '../core/limits.ts'
import type { QoS } from '../core/message.ts'
import { matchesFilter, topicProblem } from '../core/topics.ts'

/** A filter to subscribe to, on one of the two sides. */
export interface BridgeFilter {
  readonly filter: string
  readonly qos: QoS
}

/** One direction of one topic: what matches `from` gets the other prefix, and then matches `to`. */
interface Way {
  readonly from: string
  readonly fromPrefix: string
  readonly to: string
  readonly toPrefix: string
}

/** Which topics go over a bridge, and what they are called on the other side. */
export class BridgeTopics {
  /** To be subscribed to here: what goes out. */
  readonly local: readonly BridgeFilter[]
  /** To be subscribed to there: what comes in. */
  readonly remote: readonly BridgeFilter[]
  /** There, of what goes out and does not come in. */
  readonly onlyOut: readonly string[]
  /** What topics here are called there. */
  readonly outgoing: TopicMap
  /** What topics there are called here. */
  readonly incoming: TopicMap

  constructor({ topics }: Pick<Bridge, 'topics'>) {
    const out = topics.filter(({ direction }) => direction !== 'in')
    const back = topics.filter(({ direction }) => direction !== 'out')
    this.local = distinct(out.map((topic) => ({ filter: localFilter(topic), qos: topic.qos })))
    this.remote = distinct(back.map((topic) => ({ filter: remoteFilter(topic), qos: topic.qos })))
    const wanted = new Set(this.remote.map(({ filter }) => filter))
    this.onlyOut = [...new Set(out.map(remoteFilter))].filter((filter) => !wanted.has(filter))
    this.outgoing = new TopicMap(out.map(wayOut))
    this.incoming = new TopicMap(back.map(wayOut).map(turned))
  }
}

/** The filter that stands for a topic of a bridge here. */
export function localFilter({ localPrefix, pattern }: BridgeTopic): string {
  return localPrefix + pattern
}

/** The filter that stands for it there. */
export function remoteFilter({ remotePrefix, pattern }: BridgeTopic): string {
  return remotePrefix + pattern
}

/** What topics of one side are called on the other. The first way that matches counts. */
export class TopicMap {
  readonly #ways: readonly Way[]
  /** What was found last, for topics come again and again. */
  readonly #known = new Map<string, string | undefined>()

  constructor(ways: readonly Way[]) {
    this.#ways = ways
  }

  /** The topic's name on the other side; undefined when it does not go there. */
  of(topic: string): string | undefined {
    if (this.#known.has(topic)) return this.#known.get(topic)
    const found = this.#find(topic)
    if (this.#known.size >= limits.bridgeTopicsRemembered) this.#known.clear()
    this.#known.set(topic, found)
    return found
  }

  #find(topic: string): string | undefined {
    for (const way of this.#ways) {
      if (!matchesFilter(way.from, topic)) continue
      const other = renamed(topic, way)
      // not into what begins with $ either, unless the pattern says so
      return topicProblem(other) === undefined && matchesFilter(way.to, other) ? other : undefined
    }
    return undefined
  }
}

function renamed(topic: string, { fromPrefix, toPrefix }: Way): string {
  if (topic.startsWith(fromPrefix)) return toPrefix + topic.slice(fromPrefix.length)
  return toPrefix.replace(/\/$/, '') // home/# is for home, too [MQTT-4.7.1-2]
}

function wayOut(topic: BridgeTopic): Way {
  const { localPrefix: fromPrefix, remotePrefix: toPrefix } = topic
  return { from: localFilter(topic), fromPrefix, to: remoteFilter(topic), toPrefix }
}

function turned({ from, fromPrefix, to, toPrefix }: Way): Way {
  return { from: to, fromPrefix: toPrefix, to: from, toPrefix: fromPrefix }
}

/** Each filter once, with the greatest QoS. */
function distinct(filters: readonly BridgeFilter[]): readonly BridgeFilter[] {
  const found = new Map<string, BridgeFilter>()
  for (const one of filters) {
    const before = found.get(one.filter)
    if (before === undefined || before.qos < one.qos) found.set(one.filter, one)
  }
  return [...found.values()]
}
