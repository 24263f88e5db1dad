import { limits } from '../core/limits.ts'
import type { Rule } from '../core/rule.ts'
import { Debounce, Throttle } from './gate.ts'
import { LaneQueue } from './lane-queue.ts'
import { type Firing, type RuleContext, Steps } from './steps.ts'

/** Jobs are small beside their payload; this stands for the rest of one. */
const bytesPerFiring = 64

/** One rule at work: debounce, condition, throttle, its bounded queue, its steps, in this order. */
export class RuleWorker {
  readonly #context: RuleContext
  readonly #steps: Steps
  readonly #debounce: Debounce<Firing> | undefined
  readonly #throttle: Throttle | undefined
  readonly #queue: LaneQueue<Firing>
  #rule: Rule

  constructor(rule: Rule, context: RuleContext) {
    this.#rule = rule
    this.#context = context
    this.#steps = new Steps(rule, context)
    this.#queue = new LaneQueue({
      jobsMax: limits.ruleQueueMessagesMax,
      bytesMax: limits.ruleQueueBytesMax,
      lanesMax: limits.ruleLanesMax,
      work: (firing) => this.#steps.run(firing),
      onDrop: (_, cause) => this.#dropped(cause),
    })
    const { throttleMs, debounceMs } = rule
    const onFull = (): void => context.counters.add('ruleTimersMax')
    if (throttleMs !== undefined) this.#throttle = new Throttle(throttleMs, { onFull })
    if (debounceMs !== undefined) {
      this.#debounce = new Debounce(debounceMs, (_, firing) => this.#consider(firing), { onFull })
    }
  }

  get rule(): Rule {
    return this.#rule
  }

  /** The same rule as it stands in the file now, a few lines further down perhaps. */
  moveTo(rule: Rule): void {
    this.#rule = rule
    this.#steps.moveTo(rule)
  }

  /** Takes an event that one of the rule's filters matched. Returns at once; never throws. */
  offer(firing: Firing): void {
    if (this.#debounce === undefined) this.#consider(firing)
    else {
      firing.event.keep()
      this.#debounce.offer(firing.event.topic, firing)
    }
  }

  /** For `every:` and `at:`: skipped while the last one still waits, for late ticks must not pile up. */
  tick(firing: Firing): void {
    if (this.#queue.size > 0) this.#context.counters.add('rules.ticksSkipped')
    else this.#consider(firing)
  }

  /**
   * Resolves when all that was taken is done; to be called when nothing more is offered.
   * With `abort` what waits is forgotten and what runs is aborted.
   */
  async close(abort?: Error): Promise<void> {
    if (abort === undefined) {
      this.#debounce?.flush()
    } else {
      this.#debounce?.clear()
      this.#queue.clear()
      this.#steps.abort(abort)
    }
    await this.#queue.idle()
  }

  /** Everything but the debounce, which asks about the last message only. */
  #consider(firing: Firing): void {
    const { condition } = this.#rule
    if (condition !== undefined) {
      const outcome = condition.test(firing.event)
      if (!outcome.holds) return this.#missed(firing, outcome)
    }
    if (firing.chain.length >= limits.ruleDepthMax) return this.#cutLoop(firing)
    const { event } = firing
    if (this.#throttle?.admits(event.topic) === false) return this.#context.counters.add('rules.throttled')
    this.#context.counters.add('rules.fired')
    event.keep()
    this.#queue.push(event.topic, firing, event.bytes.length + event.topic.length + bytesPerFiring)
  }

  #missed(firing: Firing, outcome: { readonly why?: string; readonly isError?: boolean }): void {
    const { counters, isDebug, log } = this.#context
    counters.add(outcome.isError === true ? 'rules.conditionErrors' : 'rules.conditionFalse')
    if (!isDebug()) return
    log.debug({ rule: this.#rule.name, topic: firing.event.topic, why: outcome.why }, 'rule did not fire')
  }

  #dropped(cause: 'jobs' | 'bytes'): void {
    const { counters, log, repeats } = this.#context
    counters.add(cause === 'jobs' ? 'ruleQueueMessagesMax' : 'ruleQueueBytesMax')
    const repeated = repeats.admit(`dropped ${this.#rule.name}`)
    if (repeated === undefined) return
    log.warn(
      { rule: this.#rule.name, waiting: this.#queue.size, waitingBytes: this.#queue.bytes, ...repeated },
      'rule cannot keep up: oldest message dropped',
    )
  }

  #cutLoop(firing: Firing): void {
    const { counters, log, repeats } = this.#context
    counters.add('ruleDepthMax')
    const repeated = repeats.admit(`loop ${this.#rule.name}`)
    if (repeated === undefined) return
    const rules = [...firing.chain, this.#rule.name]
    const reason = `rules set each other off: ${rules.join(' → ')}`
    log.error({ rules: [...new Set(rules)], topic: firing.event.topic, reason, ...repeated }, 'rule loop cut')
  }
}
