import { DamselflyError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Rule } from '../core/rule.ts'
import { Gate } from './gate.ts'
import { LaneQueue } from './lane-queue.ts'
import { type Firing, type RuleContext, Steps } from './steps.ts'

/** Jobs are small beside their payload; this stands for the rest of one. */
const bytesPerFiring = 64

/** One rule at work: condition, throttle and debounce, its bounded queue, its steps. */
export class RuleWorker {
  readonly rule: Rule
  readonly #options: RuleContext
  readonly #steps: Steps
  readonly #gate: Gate<Firing> | undefined
  readonly #queue: LaneQueue<Firing>

  constructor(rule: Rule, options: RuleContext) {
    this.rule = rule
    this.#options = options
    this.#steps = new Steps(rule, options)
    this.#queue = new LaneQueue({
      jobsMax: limits.ruleQueueMessagesMax,
      bytesMax: limits.ruleQueueBytesMax,
      lanesMax: limits.ruleLanesMax,
      work: (firing) => this.#steps.run(firing),
      onDrop: () => this.#dropped(),
    })
    if (rule.throttleMs !== undefined || rule.debounceMs !== undefined) {
      this.#gate = new Gate(rule, (topic, firing) => this.#enqueue(topic, firing))
    }
  }

  /** Takes an event that one of the rule's filters matched. Returns at once; never throws. */
  offer(firing: Firing): void {
    const { condition } = this.rule
    if (condition !== undefined) {
      const outcome = condition.test(firing.event)
      if (!outcome.holds) return this.#missed(firing, outcome)
    }
    if (firing.chain.length >= limits.ruleDepthMax) return this.#cutLoop(firing)
    this.#options.counters.add('rules.fired')
    if (this.#gate === undefined) this.#enqueue(firing.event.topic, firing)
    else this.#gate.offer(firing.event.topic, firing)
  }

  /** For `every:` and `at:`: skipped while the last one still waits, for late ticks must not pile up. */
  tick(firing: Firing): void {
    if (this.#queue.size > 0) this.#options.counters.add('rules.ticksSkipped')
    else this.offer(firing)
  }

  /**
   * Takes nothing more, and resolves when all that was taken is done.
   * With `abort` what waits is forgotten and what runs is aborted.
   */
  async close(abort?: Error): Promise<void> {
    this.#gate?.close()
    if (abort !== undefined) {
      this.#queue.clear()
      this.#steps.abort(abort)
    }
    await this.#queue.idle()
  }

  #enqueue(topic: string, firing: Firing): void {
    this.#queue.push(topic, firing, firing.event.bytes.length + bytesPerFiring)
  }

  #missed(firing: Firing, outcome: { readonly why?: string; readonly isError?: boolean }): void {
    this.#options.counters.add(outcome.isError === true ? 'rules.conditionErrors' : 'rules.conditionFalse')
    if (this.#options.isDebug()) {
      this.#options.log.debug(
        { rule: this.rule.name, topic: firing.event.topic, why: outcome.why },
        'rule did not fire',
      )
    }
  }

  #dropped(): void {
    this.#options.counters.add('ruleQueueMessagesMax')
    const repeats = this.#options.repeats.admit(`dropped ${this.rule.name}`)
    if (repeats === undefined) return
    this.#options.log.warn(
      { rule: this.rule.name, waiting: this.#queue.size, waitingBytes: this.#queue.bytes, ...repeats },
      'rule cannot keep up: oldest message dropped',
    )
  }

  #cutLoop(firing: Firing): void {
    this.#options.counters.add('ruleDepthMax')
    const rules = [...firing.chain, this.rule.name]
    const repeats = this.#options.repeats.admit(`loop ${this.rule.name}`)
    if (repeats === undefined) return
    const error = new DamselflyError('RULE_LOOP', `rules set each other off in a loop: ${rules.join(' → ')}`)
    this.#options.log.error(
      { rules: [...new Set(rules)], topic: firing.event.topic, reason: error.message, ...repeats },
      'rule loop cut',
    )
  }
}
