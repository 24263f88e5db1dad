import { DamselflyError } from '../core/errors.ts'
import { eventOf, tickOf } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { Message } from '../core/message.ts'
import type { Hub, Identity } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import type { Rule } from '../core/rule.ts'
import { FilterIndex } from '../core/topics.ts'
import { RetainedReplay } from './retained-replay.ts'
import { RuleWorker } from './rule-worker.ts'
import { schedule } from './schedule.ts'
import type { RuleContext } from './steps.ts'

export interface DispatcherOptions extends Omit<RuleContext, 'repeats'> {
  readonly hub: Hub
  readonly identity: Identity
}

interface Active {
  readonly worker: RuleWorker
  /** Ends the rule's timer, if it has one. */
  readonly stopTimer: () => void
}

/**
 * Brings events to the rules that they match. It subscribes once, to everything (to what the rules ask for, where the
 * broker is elsewhere), and matches by itself: one look into a cache for topics that come again.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #repeats = new Repeats()
  readonly #unsubscribes: (() => void)[] = []
  #unlisten = (): void => {}
  #active: readonly Active[] = []
  /** Workers of rules that are no more, until they have done what they had taken. */
  readonly #retiring = new Set<RuleWorker>()
  readonly #replay: RetainedReplay
  #index = new FilterIndex<RuleWorker>()
  readonly #cache = new Map<string, readonly RuleWorker[]>()

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#replay = new RetainedReplay(options)
  }

  /** Begins to listen. Rules come with `apply`. */
  start(): void {
    const { hub } = this.#options
    // '#' does not match topics with a leading $ [MQTT-4.7.2-1], and a rule may ask for them by name
    if (hub.remote === undefined) this.#listenTo(['#', '$SYS/#'])
    else
      this.#unsubscribes.push(
        hub.remote.onRenewed(() => {
          for (const { worker } of this.#active) void this.#replay.run(worker)
        }),
      )
  }

  /**
   * Runs exactly these rules from now on. Rules whose source is unchanged keep their queue, timers and
   * throttle; the others finish what they had taken.
   * @param isFresh run every rule anew, because something that they all depend on has changed
   */
  async apply(rules: readonly Rule[], isFresh = false): Promise<void> {
    const kept = new Map<string, Active>()
    if (!isFresh) for (const active of this.#active) kept.set(active.worker.rule.source, active)
    const next: Active[] = []
    const begun: RuleWorker[] = []
    for (const rule of rules.filter(({ isEnabled }) => isEnabled)) {
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
    this.#reindex()
    for (const { worker, stopTimer } of ended) {
      stopTimer()
      this.#replay.forget(worker)
      this.#retiring.add(worker)
      void worker.close().finally(() => this.#retiring.delete(worker))
    }
    const replays = begun.map((worker) => this.#replay.run(worker))
    if (this.#options.hub.remote === undefined) await Promise.all(replays) // else it waits for the connection
  }

  /** Ends all rules: waits `graceMs` for what they have taken, then aborts. */
  async close(graceMs: number): Promise<void> {
    for (const unsubscribe of this.#unsubscribes.splice(0)) unsubscribe()
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
    const worker = new RuleWorker(rule, { ...this.#options, repeats: this.#repeats })
    const stopTimer = await schedule(rule.trigger, () => {
      worker.tick({ event: tickOf(this.#options.identity), chain: [] })
    })
    return { worker, stopTimer }
  }

  #reindex(): void {
    this.#index = new FilterIndex()
    this.#cache.clear()
    for (const { worker } of this.#active) {
      const { trigger } = worker.rule
      if (trigger.kind === 'message') for (const filter of trigger.filters) this.#index.add(filter, worker)
    }
    if (this.#options.hub.remote !== undefined) this.#listenTo(this.#filters())
  }

  /** Everything that may come here: what the rules ask for. */
  #filters(): readonly string[] {
    const triggers = this.#active.map(({ worker }) => worker.rule.trigger)
    return triggers.flatMap((trigger) => (trigger.kind === 'message' ? trigger.filters : []))
  }

  #listenTo(filters: readonly string[]): void {
    const before = this.#unlisten
    this.#unlisten = this.#options.hub.subscribe(filters, (message) => this.#dispatch(message))
    before()
  }

  #dispatch(message: Message): void {
    const workers = this.#workersFor(message.topic)
    if (workers.length === 0) return
    const firing = { event: eventOf(message, this.#options.identity), chain: message.chain }
    for (const worker of workers) {
      this.#replay.saw(worker, message)
      worker.offer(firing)
    }
  }

  #workersFor(topic: string): readonly RuleWorker[] {
    const cached = this.#cache.get(topic)
    if (cached !== undefined) return cached
    const workers = [...new Set(this.#index.match(topic))] // overlapping filters of one rule fire it once
    if (this.#cache.size >= limits.matchCacheTopicsMax) {
      this.#options.counters.add('matchCacheTopicsMax')
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest)
        break
      }
    }
    this.#cache.set(topic, workers)
    return workers
  }
}
