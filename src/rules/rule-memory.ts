import assert from 'node:assert/strict'
import type { Counters } from '../core/counters.ts'
import type { Event } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { Change, ChangeSite, LastMessage, Memory, Needs } from '../core/memory.ts'
import type { PinValue } from '../core/pin.ts'
import type { Pins } from '../core/ports.ts'
import { TopicMap } from './topic-map.ts'

/** What a rule has seen on one topic. */
interface Past {
  count: number
  /** Of messages within the longest window, oldest first; monotonic. */
  readonly timesMs: number[]
  /** What each `changed(…)` was about at the message before. */
  readonly values: Map<string, number | string>
}

/** What working a value out threw. */
class Thrown {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

/**
 * The memory of one event in one rule. What was before stands as it was when the event came; `RuleMemory` fills in
 * what is about the rule's own past.
 */
export class Moment implements Memory {
  /** The messages that it keeps from being forgotten; other moments may keep the same ones. */
  readonly held: readonly LastMessage[]
  readonly #pins: Pick<Pins, 'state'>
  readonly #lasts: ReadonlyMap<string, LastMessage> | undefined
  readonly #changes = new Map<string, Change | Thrown>()
  #count = 0
  #within: ReadonlyMap<number, number> | undefined

  constructor(pins: Pick<Pins, 'state'>, lasts: ReadonlyMap<string, LastMessage> | undefined) {
    this.#pins = pins
    this.#lasts = lasts
    this.held = lasts === undefined ? [] : [...lasts.values()].filter(({ isTooLarge }) => !isTooLarge)
  }

  pin(name: string): PinValue {
    return this.#pins.state(name)
  }

  last(topic: string): LastMessage | undefined {
    return this.#lasts?.get(topic)
  }

  count(): number {
    return this.#count
  }

  countWithin(ms: number): number {
    return this.#within?.get(ms) ?? 0
  }

  changed(site: string): Change {
    const change = this.#changes.get(site)
    assert(change !== undefined, `nobody has looked at ${site}`)
    if (change instanceof Thrown) throw change.error
    return change
  }

  setCounts(count: number, within: ReadonlyMap<number, number> | undefined): void {
    this.#count = count
    this.#within = within
  }

  setChange(site: string, change: Change | Thrown): void {
    this.#changes.set(site, change)
  }
}

/**
 * What one rule remembers for `count` and `changed`, for each topic by itself. At most `ruleTimersMax` topics, and
 * `ruleCountTimesMax` times of messages; beyond it the topic that was silent for longest is forgotten. Of one topic at
 * most `countTimesMax` times: a window counts no further.
 */
export class RuleMemory {
  readonly #counters: Counters
  readonly #topics: TopicMap<Past>
  #times = 0

  constructor(counters: Counters) {
    this.#counters = counters
    this.#topics = new TopicMap({
      onFull: () => counters.add('ruleTimersMax'),
      onForget: ({ timesMs }) => {
        this.#times -= timesMs.length
      },
    })
  }

  /** Takes a message into account, and tells the moment what came of it. */
  observe(event: Event, moment: Moment, needs: Needs): void {
    const past = this.#topics.get(event.topic) ?? { count: 0, timesMs: [], values: new Map() }
    this.#topics.put(event.topic, past)
    past.count++
    if (needs.windowsMs.length > 0) this.#noteTime(past.timesMs, Math.max(...needs.windowsMs))
    moment.setCounts(past.count, countsWithin(past.timesMs, needs.windowsMs))
    for (const site of needs.changes) {
      moment.setChange(site.key, compare(site, event, moment, past.values.get(site.key), past.values))
    }
  }

  /** Tells the moment of an event that is no message how things stand; takes nothing into account. */
  recall(event: Event, moment: Moment, needs: Needs): void {
    const past = this.#topics.get(event.topic)
    moment.setCounts(past?.count ?? 0, countsWithin(past?.timesMs ?? [], needs.windowsMs))
    for (const site of needs.changes)
      moment.setChange(site.key, compare(site, event, moment, past?.values.get(site.key)))
  }

  #noteTime(timesMs: number[], windowMs: number): void {
    const nowMs = performance.now()
    const gone = firstAfter(timesMs, nowMs - windowMs)
    timesMs.splice(0, gone)
    timesMs.push(nowMs)
    this.#times += 1 - gone
    if (timesMs.length > limits.countTimesMax) {
      timesMs.shift()
      this.#times--
      this.#counters.add('countTimesMax')
    }
    while (this.#times > limits.ruleCountTimesMax) {
      this.#counters.add('ruleCountTimesMax')
      this.#topics.forgetOldest()
    }
  }
}

function countsWithin(
  timesMs: readonly number[],
  windowsMs: readonly number[],
): ReadonlyMap<number, number> | undefined {
  if (windowsMs.length === 0) return undefined
  const nowMs = performance.now()
  return new Map(windowsMs.map((ms) => [ms, timesMs.length - firstAfter(timesMs, nowMs - ms)]))
}

/** The index of the first time after this one; the length when there is none. */
function firstAfter(timesMs: readonly number[], ms: number): number {
  let [low, high] = [0, timesMs.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((timesMs[middle] as number) > ms) high = middle
    else low = middle + 1
  }
  return low
}

function compare(
  site: ChangeSite,
  event: Event,
  moment: Moment,
  before: number | string | undefined,
  remember?: Map<string, number | string>,
): Change | Thrown {
  let found: number | string
  try {
    found = site.read(event, moment)
  } catch (error) {
    return new Thrown(error)
  }
  const change = before === undefined ? 'first' : isSame(before, found, site.band) ? 'same' : 'changed'
  // a number that creeps is compared with where it last changed
  if (change !== 'same') remember?.set(site.key, found)
  return change
}

function isSame(before: number | string, found: number | string, band: number | undefined): boolean {
  if (band === undefined || typeof before !== 'number' || typeof found !== 'number') return before === found
  return Math.abs(found - before) <= band
}
