import { DamselflyError } from '../core/errors.ts'
import { eventOf } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { Message } from '../core/message.ts'
import type { Hub } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import type { Rule } from '../core/rule.ts'
import { FilterIndex } from '../core/topics.ts'
import { noTracer, type Tracer } from '../core/trace.ts'
import { LastMessages, type LastSlot } from './last-messages.ts'
import { RetainedReplay } from './retained-replay.ts'
import { type RuleContext, RuleWorker } from './rule-worker.ts'
import { schedule } from './schedule.ts'
import { Turn } from './turn.ts'
import { everything, lastTopicsOf, wantedFilters } from './wanted.ts'
import { TraceIds } from './witness.ts'

export interface DispatcherOptions
  extends Omit<RuleContext, 'repeats' | 'lasts' | 'traceIds' | 'tracer' | 'turn'> {
  readonly hub: Hub
  /** Told of every message, and of what rules and steps make of it; nobody unless told. */
  readonly tracer?: Tracer
}

interface Active {
  readonly worker: RuleWorker
  /** Ends the rule's timer, if it has one. */
  readonly stopTimer: () => void
}

/** Where messages on a topic go. */
interface Route {
  readonly workers: readonly RuleWorker[]
  /** Where the last message is kept, if an expression asks for it. */
  readonly slot: LastSlot | undefined
}

/**
 * Brings events to the rules that they match. It subscribes once, to what the rules ask for (to everything, while
 * somebody watches a broker of our own), and matches by itself: one look into a cache for topics that come again.
 */
export class Dispatcher {
  readonly #hub: Hub
  readonly #context: RuleContext
  #filters: ReadonlySet<string> = new Set()
  /** The rules that it listens for; while others take their place, both. */
  #heeded: readonly Rule[] = []
  #unlisten = (): void => {}
  #stopFollowing = (): void => {}
  #active: readonly Active[] = []
  /** Workers of rules that are no more, until they have done what they had taken. */
  readonly #retiring = new Set<RuleWorker>()
  readonly #replay: RetainedReplay
  #index = new FilterIndex<RuleWorker>()
  readonly #cache = new Map<string, Route>()

  constructor({ hub, tracer = noTracer, ...options }: DispatcherOptions) {
    this.#hub = hub
    this.#context = {
      ...options,
      tracer,
      repeats: new Repeats(),
      lasts: new LastMessages(options.counters),
      traceIds: new TraceIds(tracer),
      turn: new Turn(),
    }
    this.#replay = new RetainedReplay(hub, this.#context)
  }

  /** Begins to listen. Rules come with `apply`. */
  start(): void {
    this.#heed([])
    const stopFollowing = this.#context.tracer.follow(() => this.#heed(this.#heeded))
    // what was retained may be something else after an outage
    const onRenewed = (): void => {
      for (const slot of this.#context.lasts.slots) void this.#replay.read(slot)
      for (const { worker } of this.#active) void this.#replay.run(worker)
    }
    const stopRenewing = this.#hub.remote?.onRenewed(onRenewed)
    this.#stopFollowing = () => {
      stopFollowing()
      stopRenewing?.()
    }
  }

  /**
   * Runs exactly these rules from now on. Rules whose source is unchanged keep their queue, timers and
   * throttle; the others finish what they had taken. A rule whose name is still there keeps what it remembers.
   * @param isFresh run every rule anew, because something that they all depend on has changed
   */
  async apply(rules: readonly Rule[], isFresh = false): Promise<void> {
    const kept = new Map<string, Active>()
    if (!isFresh) for (const active of this.#active) kept.set(active.worker.rule.source, active)
    const enabled = rules.filter(({ isEnabled }) => isEnabled)
    const lastTopics = lastTopicsOf(enabled)
    await this.#listen(enabled, lastTopics)
    const next: Active[] = []
    const begun: RuleWorker[] = []
    for (const rule of enabled) {
      const old = kept.get(rule.source)
      if (old !== undefined && old.worker.rule.name === rule.name) {
        kept.delete(rule.source)
        old.worker.moveTo(rule)
        next.push(old)
      } else {
        const active = await this.#begin(rule)
        next.push(active)
        begun.push(active.worker)
      }
    }
    const ended = this.#active.filter((active) => !next.includes(active))
    this.#active = next
    this.#context.lasts.keepOnly(lastTopics)
    this.#reindex()
    this.#heed(enabled)
    for (const { worker, stopTimer } of ended) {
      stopTimer()
      this.#replay.forget(worker)
      this.#retiring.add(worker)
      void worker.close().finally(() => this.#retiring.delete(worker))
    }
    await this.#unlessRemote(begun.map((worker) => this.#replay.run(worker)))
  }

  /** Ends all rules: waits `graceMs` for what they have taken, then aborts. */
  async close(graceMs: number): Promise<void> {
    this.#stopFollowing()
    this.#unlisten()
    for (const { worker, stopTimer } of this.#active) {
      stopTimer()
      this.#replay.forget(worker)
    }
    const workers = [...this.#active.map(({ worker }) => worker), ...this.#retiring]
    this.#active = []
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, graceMs, 'late')
    })
    const outcome = await Promise.race([Promise.all(workers.map((worker) => worker.close())), late])
    clearTimeout(timer)
    if (outcome !== 'late') return
    const stopping = new DamselflyError('STEP_STOPPED', 'aborted because Damselfly stops')
    await Promise.all(workers.map((worker) => worker.close(stopping)))
  }

  async #begin(rule: Rule): Promise<Active> {
    const before = this.#active.find(({ worker }) => worker.rule.name === rule.name)
    const worker = new RuleWorker(rule, this.#context, before?.worker.handOver())
    const stopTimer = await schedule(rule.trigger, () => worker.tick())
    return { worker, stopTimer }
  }

  /** Gets all that the coming rules want as well, so that nothing is missed between the old ones and them. */
  async #listen(rules: readonly Rule[], lastTopics: ReadonlySet<string>): Promise<void> {
    const fresh = this.#context.lasts.want(lastTopics)
    this.#cache.clear()
    this.#heed([...this.#heeded, ...rules])
    await this.#unlessRemote(fresh.map((slot) => this.#replay.read(slot)))
  }

  /** Waits for what is read from the store of our own broker; one elsewhere may be away for long. */
  async #unlessRemote(reading: readonly Promise<void>[]): Promise<void> {
    if (this.#hub.remote === undefined) await Promise.all(reading)
  }

  /** Subscribes to exactly what these rules ask for, and to the rest while somebody watches: a trace shows that too. */
  #heed(rules: readonly Rule[]): void {
    this.#heeded = rules
    const isAll = this.#hub.remote === undefined && this.#context.tracer.isOn
    const filters = isAll ? everything(rules) : wantedFilters(rules)
    const isSame = filters.size === this.#filters.size && [...filters].every((it) => this.#filters.has(it))
    if (isSame) return
    const before = this.#unlisten
    this.#filters = filters
    this.#unlisten =
      filters.size === 0 ? () => {} : this.#hub.subscribe([...filters], (message) => this.#dispatch(message))
    before()
  }

  #reindex(): void {
    this.#index = new FilterIndex()
    this.#cache.clear()
    for (const { worker } of this.#active) {
      const { trigger } = worker.rule
      if (trigger.kind === 'message') for (const filter of trigger.filters) this.#index.add(filter, worker)
    }
  }

  #dispatch(message: Message): void {
    const { workers, slot } = this.#routeOf(message.topic)
    const { tracer, traceIds, turn } = this.#context
    turn.open()
    const traceId = tracer.isOn
      ? traceIds.message(
          message,
          workers.map(({ rule }) => rule.name),
        )
      : 0
    if (workers.length > 0) {
      const firing = { event: eventOf(message, this.#context.identity), chain: message.chain, traceId }
      for (const worker of workers) {
        this.#replay.saw(worker, message)
        worker.offer(firing)
      }
    }
    slot?.note(message) // now: for the rules above, the last message was the one before
    turn.close()
  }

  #routeOf(topic: string): Route {
    const cached = this.#cache.get(topic)
    if (cached !== undefined) return cached
    const workers = [...new Set(this.#index.match(topic))] // overlapping filters of one rule fire it once
    const route = { workers, slot: this.#context.lasts.slot(topic) }
    if (this.#cache.size >= limits.matchCacheTopicsMax) {
      this.#context.counters.add('matchCacheTopicsMax')
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest)
        break
      }
    }
    this.#cache.set(topic, route)
    return route
  }
}
