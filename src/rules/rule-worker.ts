import { eventAgain, type KeepableEvent, tickOf } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { Needs } from '../core/memory.ts'
import type { ActionRunner, Identity, Pins } from '../core/ports.ts'
import type { Condition, ConditionOutcome, Rule } from '../core/rule.ts'
import { matchesFilter } from '../core/topics.ts'
import { formatDuration } from '../core/units.ts'
import { Debounce, Latch, Throttle } from './gate.ts'
import { LaneQueue } from './lane-queue.ts'
import type { LastMessages } from './last-messages.ts'
import { Moment, RuleMemory } from './rule-memory.ts'
import { Silence } from './silence.ts'
import { type Firing, Steps } from './steps.ts'
import type { Turn, TurnTaker } from './turn.ts'
import { needsOf, needsOfSteps } from './wanted.ts'
import { type TraceIds, Witness, type WitnessParts } from './witness.ts'

/** What a rule at work needs of the house. */
export interface RuleContext extends WitnessParts {
  readonly actions: ActionRunner
  readonly identity: Identity
  readonly pins: Pick<Pins, 'state'>
  readonly lasts: LastMessages
  readonly traceIds: TraceIds
  readonly turn: Turn<Firing>
}

/** What a rule remembers, by topic. It outlives a change of the rule's text. */
export interface RuleState {
  readonly memory?: RuleMemory
  readonly latch?: Latch
  readonly silence?: Silence
}

/** What a firing that waits takes beside its payload, and what a topic that waits takes beside its firings: measured. */
const bytesPerFiring = 700
const bytesPerTopic = 450

const waitsForQuiet = 'debounce: it waits until the topic has been quiet'
const waitsForSilence = 'after: it fires when the topic falls silent'

/** One rule at work: debounce or silence, condition, throttle, its bounded queue, its steps, in this order. */
export class RuleWorker implements TurnTaker<Firing> {
  readonly #context: RuleContext
  readonly #witness: Witness
  readonly #steps: Steps
  readonly #elseSteps: Steps | undefined
  readonly #debounce: Debounce<Firing> | undefined
  readonly #throttle: Throttle | undefined
  /** For `else`, which must not wait because `do` has run. */
  readonly #elseThrottle: Throttle | undefined
  readonly #queue: LaneQueue<Firing>
  readonly #needs: Needs | undefined
  readonly #hasAskingSteps: boolean
  readonly #memory: RuleMemory | undefined
  readonly #latch: Latch | undefined
  readonly #silence: Silence | undefined
  readonly #afterText: string
  #isHandedOver = false
  #rule: Rule

  /** @param inherited what the rule of this name remembered before its text changed */
  constructor(rule: Rule, context: RuleContext, inherited: RuleState = {}) {
    this.#rule = rule
    this.#context = context
    this.#witness = new Witness(context, rule.name)
    const { actions, counters } = context
    const parts = { rule: rule.name, actions, witness: this.#witness }
    this.#steps = new Steps(rule.steps, { ...parts, list: 'do' })
    if (rule.elseSteps !== undefined) this.#elseSteps = new Steps(rule.elseSteps, { ...parts, list: 'else' })
    this.#queue = new LaneQueue({
      jobsMax: limits.ruleQueueMessagesMax,
      bytesMax: limits.ruleQueueBytesMax,
      lanesMax: limits.ruleLanesMax,
      work: (firing) => {
        const isElse = firing.isElse === true
        this.#latch?.began(firing.event.topic, isElse)
        return (isElse ? this.#elseSteps : this.#steps)?.run(firing)
      },
      onDrop: (firing, cause) => {
        const limit = cause === 'jobs' ? 'ruleQueueMessagesMax' : 'ruleQueueBytesMax'
        this.#witness.dropped(firing, limit, this.#queue)
        this.#latch?.dropped(firing.event.topic)
      },
      onBusy: () => this.#witness.heldUp(this.#queue.size),
    })
    const { throttleMs, debounceMs, afterMs, until } = rule
    const full = { onFull: () => counters.add('ruleTimersMax') }
    if (throttleMs !== undefined) this.#throttle = new Throttle(throttleMs, full)
    if (throttleMs !== undefined && isElseByCondition(rule))
      this.#elseThrottle = new Throttle(throttleMs, full)
    if (debounceMs !== undefined)
      this.#debounce = new Debounce(debounceMs, (_, firing) => this.#consider(firing), full)
    this.#needs = needsOf(rule)
    this.#hasAskingSteps = needsOfSteps(rule) !== undefined
    if (this.#needs?.isCounting === true || (this.#needs?.changes.length ?? 0) > 0)
      this.#memory = inherited.memory ?? new RuleMemory(counters)
    if (until !== undefined) this.#latch = inherited.latch ?? new Latch()
    this.#afterText = formatDuration(afterMs ?? 0)
    if (afterMs === undefined) inherited.silence?.clear()
    else {
      this.#silence = inherited.silence ?? new Silence(full)
      this.#silence.serve(
        afterMs,
        (topic, last) => this.#fellSilent(topic, last),
        (topic) => this.#matches(topic),
      )
    }
  }

  get rule(): Rule {
    return this.#rule
  }

  /** The same rule as it stands in the file now, a few lines further down perhaps. */
  moveTo(rule: Rule): void {
    this.#rule = rule
    this.#steps.moveTo(rule.steps)
    this.#elseSteps?.moveTo(rule.elseSteps ?? [])
  }

  /** What it remembers, for the rule that takes its place; its timers are that one's from now on. */
  handOver(): RuleState {
    this.#isHandedOver = true
    return {
      ...(this.#memory === undefined ? {} : { memory: this.#memory }),
      ...(this.#latch === undefined ? {} : { latch: this.#latch }),
      ...(this.#silence === undefined ? {} : { silence: this.#silence }),
    }
  }

  /**
   * Takes an event that one of the rule's filters matched. Never throws. Steps run later: when the turn is closed, or in
   * another turn of the event loop.
   */
  offer(firing: Firing): void {
    const mine = this.#remembering(firing)
    if (this.#silence !== undefined) this.#spoke(mine, this.#silence)
    else if (this.#debounce === undefined) this.#consider(mine)
    else {
      mine.event.keep()
      this.#witness.waiting(mine, waitsForQuiet)
      const replaced = this.#debounce.offer(mine.event.topic, mine)
      if (replaced !== undefined) this.#witness.replaced(replaced)
    }
  }

  /** Runs the steps of a firing that was added to the turn. */
  runNow(firing: Firing): void {
    const isOver = this.#queue.runNow(firing.event.topic, firing)
    if (!isOver) firing.event.keep()
  }

  /** Takes a retained message that was there before the rule. */
  offerRetained(firing: Firing): void {
    if (this.#silence === undefined) return this.offer(firing)
    this.#silence.expect(firing.event.topic, firing.event)
    this.#witness.waiting(firing, waitsForSilence)
  }

  /** For a rule with `after`: the time of a topic that may never have spoken begins. */
  expect(topic: string): void {
    this.#silence?.expect(topic)
  }

  /** For `every:` and `at:`: skipped while the last one still waits, for late ticks must not pile up. */
  tick(): void {
    const { identity, traceIds } = this.#context
    const firing = { event: tickOf(identity), chain: [], traceId: traceIds.moment(this.#rule.name) }
    if (this.#queue.size > 0) this.#witness.tickSkipped(firing)
    else this.#consider(this.#remembering(firing))
  }

  /**
   * Resolves when all that was taken is done; to be called when nothing more is offered.
   * With `abort` what waits is forgotten and what runs is aborted.
   */
  async close(abort?: Error): Promise<void> {
    if (!this.#isHandedOver) this.#silence?.clear()
    if (abort === undefined) {
      this.#debounce?.flush()
    } else {
      this.#debounce?.clear()
      this.#queue.clear()
      this.#steps.abort(abort)
      this.#elseSteps?.abort(abort)
    }
    await this.#queue.idle()
  }

  #matches(topic: string): boolean {
    const { trigger } = this.#rule
    return trigger.kind === 'message' && trigger.filters.some((filter) => matchesFilter(filter, topic))
  }

  /** The event with what was before it, if an expression asks for that. */
  #remembering(firing: Firing): Firing {
    if (this.#needs === undefined) return firing
    const { lastTopics } = this.#needs
    const { pins, lasts } = this.#context
    const memory = new Moment(pins, lastTopics.length === 0 ? undefined : lasts.capture(lastTopics))
    return { event: firing.event, chain: firing.chain, traceId: firing.traceId, memory }
  }

  #observe({ event, memory }: Firing): void {
    if (this.#needs !== undefined && memory !== undefined) this.#memory?.observe(event, memory, this.#needs)
  }

  /** Everything but the debounce, which asks about the last message only. */
  #consider(firing: Firing): void {
    this.#observe(firing)
    const { condition, until } = this.#rule
    if (until !== undefined && this.#latch?.isDisarmed(firing.event.topic) === true)
      return this.#tryToArm(firing, until)
    const outcome = condition?.test(firing.event, firing.memory)
    if (outcome?.holds === false) this.#missed(firing, outcome)
    else this.#fire(firing)
  }

  #missed(firing: Firing, outcome: ConditionOutcome): void {
    const isElse = isElseByCondition(this.#rule) && outcome.isError !== true
    if (!isElse) return this.#witness.missed(firing, outcome)
    if (this.#isLoop(firing)) return
    if (this.#elseThrottle?.admits(firing.event.topic) === false) return this.#witness.throttled(firing)
    this.#otherwise(firing, outcome)
  }

  #tryToArm(firing: Firing, until: Condition): void {
    const outcome = until.test(firing.event, firing.memory)
    if (!outcome.holds) return this.#witness.disarmed(firing, outcome)
    if (this.#elseSteps !== undefined && this.#isLoop(firing)) return
    if (this.#elseSteps !== undefined) return this.#otherwise(firing, { why: 'until holds' })
    this.#latch?.arm(firing.event.topic)
    this.#witness.armed(firing)
  }

  /** A message for a rule with `after`: it does not fire, but it may end a silence for which the rule has fired. */
  #spoke(firing: Firing, silence: Silence): void {
    this.#observe(firing)
    const hadFired = silence.spoke(firing.event)
    if (!hadFired || this.#elseSteps === undefined) return this.#witness.waiting(firing, waitsForSilence)
    if (!this.#isLoop(firing)) this.#otherwise(firing, { why: 'the topic speaks again' })
  }

  #fellSilent(topic: string, last: KeepableEvent | undefined): void {
    const { identity, traceIds } = this.#context
    const event = last === undefined ? tickOf(identity, new Date(), topic) : eventAgain(last, identity)
    const traceId = traceIds.moment(this.#rule.name)
    const firing = this.#remembering({ event, chain: [], traceId })
    if (this.#needs !== undefined && firing.memory !== undefined)
      this.#memory?.recall(event, firing.memory, this.#needs)
    const outcome = this.#rule.condition?.test(event, firing.memory)
    if (outcome?.holds === false) return this.#witness.missed(firing, outcome)
    if (this.#fire(firing, `no message on ${topic} for ${this.#afterText}`)) this.#silence?.fired(topic)
  }

  /** @returns whether the steps are to run */
  #fire(firing: Firing, why?: string): boolean {
    if (this.#isLoop(firing)) return false
    const { topic } = firing.event
    if (this.#latch?.hasRoomFor(topic) === false) {
      this.#witness.latchFull(firing)
      return false
    }
    if (this.#throttle?.admits(topic) === false) {
      this.#witness.throttled(firing)
      return false
    }
    this.#witness.fired(firing, this.#whyLater(topic, why))
    this.#push(firing.memory === undefined || this.#hasAskingSteps ? firing : withoutMemory(firing))
    return true
  }

  #otherwise(firing: Firing, outcome: Pick<ConditionOutcome, 'why'>): void {
    const isHeldUp = this.#queue.isHeldUp(firing.event.topic)
    this.#witness.otherwise(firing, isHeldUp ? { why: behindOthers() } : outcome)
    const kept = this.#hasAskingSteps ? firing : withoutMemory(firing)
    this.#push({ ...kept, isElse: true })
  }

  #whyLater(topic: string, why?: string): string | undefined {
    if (!this.#queue.isHeldUp(topic)) return why
    return why === undefined ? behindOthers() : `${why}; ${behindOthers()}`
  }

  #isLoop(firing: Firing): boolean {
    if (firing.chain.length < limits.ruleDepthMax) return false
    this.#witness.cut(firing)
    return true
  }

  #push(firing: Firing): void {
    const { event, memory } = firing
    const { turn } = this.#context
    if (turn.isOpen && this.#queue.isFree(event.topic)) {
      this.#latch?.queued(event.topic)
      this.#latch?.taken(event.topic, firing.isElse === true)
      return turn.add(this, firing)
    }
    event.keep()
    const ownBytes = bytesPerFiring + (this.#queue.has(event.topic) ? 0 : bytesPerTopic)
    const bytes = event.bytes.length + event.topic.length + ownBytes
    this.#latch?.queued(event.topic)
    const isTaken = this.#queue.push(event.topic, firing, bytes, memory?.held)
    if (isTaken) this.#latch?.taken(event.topic, firing.isElse === true)
  }
}

/** Whether `else` runs because `when` does not hold. */
function isElseByCondition({ elseSteps, until, afterMs }: Rule): boolean {
  return elseSteps !== undefined && until === undefined && afterMs === undefined
}

function withoutMemory({ event, chain, traceId }: Firing): Firing {
  return { event, chain, traceId }
}

function behindOthers(): string {
  return `waits behind ${limits.ruleLanesMax} topics`
}
