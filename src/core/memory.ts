import type { Event } from './event.ts'
import type { PinValue } from './pin.ts'

/**
 * What an expression may ask beside its event: the pins, and what was before. Everything but the pins stands as it
 * was when the event came, also for steps that run later.
 */
export interface Memory {
  /** The pin's state now. @throws DamselflyError as `Pins.state` */
  pin(name: string): PinValue
  /** The last message on the topic before the event; undefined when there was none. */
  last(topic: string): LastMessage | undefined
  /** How many messages the rule has got on the event's topic, the event's included. */
  count(): number
  /** How many of them within so many milliseconds; those that the expression needs, see `Needs.windowsMs`. */
  countWithin(ms: number): number
  /** What became of the value that a `changed(…)` is about. @throws what working it out threw */
  changed(site: string): Change
}

/** `first`: there is nothing to compare it with. */
export type Change = 'first' | 'same' | 'changed'

/** A message that is remembered for `last('topic')`. */
export interface LastMessage {
  readonly topic: string
  /** The decoded payload; undefined when `isTooLarge`. */
  readonly payload: unknown
  readonly qos: number
  readonly retain: boolean
  /** When it arrived; for a retained message that was there first, when it was read. */
  readonly time: Date
  /** Bytes of its payload. */
  readonly bytes: number
  /** Its payload did not fit into `lastBytesMax` and was not kept. */
  readonly isTooLarge: boolean
}

/** What an expression needs a memory for; a rule keeps nothing else. */
export interface Needs {
  /** The topics of `last(…)`. */
  readonly lastTopics: readonly string[]
  /** Whether messages are to be counted. */
  readonly isCounting: boolean
  /** The windows of `count("5m")`. */
  readonly windowsMs: readonly number[]
  readonly changes: readonly ChangeSite[]
}

/** One `changed(…)`. Two with the same text are one. */
export interface ChangeSite {
  /** Its text. */
  readonly key: string
  /** What is to be compared for this event: a number, or a short text that stands for the value. @throws */
  read(event: Event, memory: Memory): number | string
  /** Numbers within this of where the value last changed are the same. */
  readonly band?: number
}

/** What several expressions need together; undefined when none needs a memory. */
export function mergeNeeds(parts: readonly (Needs | undefined)[]): Needs | undefined {
  const all = parts.filter((part) => part !== undefined)
  if (all.length < 2) return all[0]
  const changes = new Map(all.flatMap((part) => part.changes).map((site) => [site.key, site]))
  return {
    lastTopics: [...new Set(all.flatMap((part) => part.lastTopics))],
    isCounting: all.some((part) => part.isCounting),
    windowsMs: [...new Set(all.flatMap((part) => part.windowsMs))],
    changes: [...changes.values()],
  }
}
