import type { Counters } from '../core/counters.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import { type LimitName, limits } from '../core/limits.ts'
import type { Message } from '../core/message.ts'
import type { Logger } from '../core/ports.ts'
import { formatPlace, type Place } from '../core/problems.ts'
import type { Repeats } from '../core/repeats.ts'
import type { ConditionOutcome } from '../core/rule.ts'
import type { RuleOutcome, Tracer } from '../core/trace.ts'

export interface WitnessParts {
  readonly log: Logger
  readonly counters: Counters
  readonly repeats: Repeats
  /** Whether debug lines are wanted; explaining why a rule did not fire costs more than finding out. */
  readonly isDebug: () => boolean
  readonly tracer: Tracer
}

/** What a witness needs to know of one event on its way through a rule. */
export interface Witnessed {
  readonly event: Event
  readonly chain: readonly string[]
  /** What ties together what the tracer is told of it; 0 when nobody listened when it came. */
  readonly traceId: number
}

/** Numbers what comes, and tells the tracer of it. */
export class TraceIds {
  readonly #tracer: Tracer
  #last = 0

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  /** Tells of a message that reaches these rules. @returns its number; 0 when nobody listens */
  message(message: Message, rules: readonly string[]): number {
    if (!this.#tracer.isOn) return 0
    const { topic, payload, qos, retain, client } = message
    const id = ++this.#last
    this.#tracer.tell({ kind: 'message', id, atMs: Date.now(), topic, payload, qos, retain, client, rules })
    return id
  }

  /** Tells of a moment that one rule waited for. @returns as `message` */
  moment(rule: string): number {
    return this.message(momentMessage, [rule])
  }
}

const momentMessage: Message = {
  topic: '',
  payload: new Uint8Array(0),
  qos: 0,
  retain: false,
  client: '',
  chain: [],
}

/** Sees what becomes of events in one rule, and says so: counters, log, trace. */
export class Witness {
  readonly #parts: WitnessParts
  readonly #rule: string

  constructor(parts: WitnessParts, rule: string) {
    this.#parts = parts
    this.#rule = rule
  }

  fired(seen: Witnessed, why?: string): void {
    this.#parts.counters.add('rules.fired')
    this.#trace(seen, 'fired', why)
  }

  /** Its steps under `else:` are to run. */
  otherwise(seen: Witnessed, outcome: Pick<ConditionOutcome, 'why'>): void {
    this.#parts.counters.add('rules.else')
    if (this.#isTraced(seen)) this.#trace(seen, 'else', outcome.why)
  }

  missed(seen: Witnessed, outcome: ConditionOutcome): void {
    this.#parts.counters.add(outcome.isError === true ? 'rules.conditionErrors' : 'rules.conditionFalse')
    this.#unfired(seen, 'missed', outcome)
  }

  /** It has fired, and `until` does not hold yet. */
  disarmed(seen: Witnessed, outcome: ConditionOutcome): void {
    this.#parts.counters.add('rules.disarmed')
    this.#unfired(seen, 'disarmed', outcome)
  }

  /** `until` holds: it may fire again. */
  armed(seen: Witnessed): void {
    this.#trace(seen, 'missed', 'until holds: the next message can fire it again')
  }

  /** It must not fire for one more topic: all that `until` can remember wait for it. */
  latchFull(seen: Witnessed): void {
    const { counters, log, repeats } = this.#parts
    counters.add('ruleTimersMax')
    const reason = `${limits.ruleTimersMax} other topics have fired this rule and wait for its "until"`
    this.#trace(seen, 'missed', reason)
    const repeated = repeats.admit(`latch full ${this.#rule}`)
    if (repeated === undefined) return
    log.warn({ rule: this.#rule, topic: seen.event.topic, reason, ...repeated }, 'rule did not fire')
  }

  waiting(seen: Witnessed, why: string): void {
    this.#trace(seen, 'waiting', why)
  }

  /** It waited for quiet, and a later message of its topic came. */
  replaced(seen: Witnessed): void {
    this.#trace(seen, 'missed', 'debounce: a later message took its place')
  }

  throttled(seen: Witnessed): void {
    this.#parts.counters.add('rules.throttled')
    this.#trace(seen, 'throttled')
  }

  tickSkipped(seen: Witnessed): void {
    this.#parts.counters.add('rules.ticksSkipped')
    this.#trace(seen, 'dropped', 'the moment before is still worked on')
  }

  cut(seen: Witnessed): void {
    const { counters, log, repeats } = this.#parts
    counters.add('ruleDepthMax')
    const rules = [...seen.chain, this.#rule]
    const reason = `rules set each other off: ${rules.join(' → ')}`
    this.#trace(seen, 'cut', rules.join(' → '))
    const repeated = repeats.admit(`loop ${this.#rule}`)
    if (repeated === undefined) return
    const fields = { rules: [...new Set(rules)], topic: seen.event.topic, reason, ...repeated }
    log.error(fields, 'rule loop cut')
  }

  dropped(
    seen: Witnessed,
    limit: LimitName,
    waiting: { readonly size: number; readonly bytes: number },
  ): void {
    const { counters, log, repeats } = this.#parts
    counters.add(limit)
    this.#trace(seen, 'dropped')
    const repeated = repeats.admit(`dropped ${this.#rule}`)
    if (repeated === undefined) return
    log.warn(
      { rule: this.#rule, waiting: waiting.size, waitingBytes: waiting.bytes, ...repeated },
      'rule cannot keep up: oldest message dropped',
    )
  }

  /** Its topics wait for others of which an action does not end. */
  heldUp(waiting: number): void {
    const { counters, log, repeats } = this.#parts
    counters.add('ruleLanesMax')
    const repeated = repeats.admit(`held up ${this.#rule}`)
    if (repeated === undefined) return
    const reason = `${limits.ruleLanesMax} others are still being worked on`
    log.warn({ rule: this.#rule, waiting, reason, ...repeated }, 'topics of this rule wait')
  }

  /** When a step begins: to be given back when it has ended. */
  beginMs(seen: Witnessed): number {
    return this.#isTraced(seen) ? performance.now() : 0
  }

  stepDone(seen: Witnessed, step: WitnessedStep, beganMs: number): void {
    this.#parts.counters.add('steps.done')
    if (this.#isTraced(seen)) this.#traceStep(seen, step, beganMs)
  }

  stepFailed(seen: Witnessed, step: WitnessedStep, beganMs: number, error: unknown): void {
    const { counters, log, repeats } = this.#parts
    counters.add('steps.failed')
    const isExpected = error instanceof DamselflyError
    if (isExpected && error.limit !== undefined) counters.add(error.limit)
    const reason = reasonOf(error)
    if (this.#isTraced(seen)) this.#traceStep(seen, step, beganMs, reason)
    const repeated = repeats.admit(
      `${this.#rule} ${step.list} ${step.index} ${isExpected ? error.code : reason}`,
    )
    if (repeated === undefined) return
    log.error(
      {
        rule: this.#rule,
        action: step.action,
        at: formatPlace(step.place),
        reason,
        ...repeated,
        // a stack helps with what nobody foresaw, and only there
        ...(isExpected ? {} : { err: error }),
      },
      'step failed',
    )
  }

  #unfired(seen: Witnessed, what: RuleOutcome, outcome: ConditionOutcome): void {
    const isDebug = this.#parts.isDebug()
    if (!isDebug && !this.#isTraced(seen)) return
    const { why } = outcome
    if (isDebug)
      this.#parts.log.debug({ rule: this.#rule, topic: seen.event.topic, why }, 'rule did not fire')
    this.#trace(seen, what, why)
  }

  #isTraced(seen: Witnessed): boolean {
    return seen.traceId !== 0 && this.#parts.tracer.isOn
  }

  #trace(seen: Witnessed, outcome: RuleOutcome, why?: string): void {
    if (!this.#isTraced(seen)) return
    this.#parts.tracer.tell({
      kind: 'rule',
      id: seen.traceId,
      rule: this.#rule,
      outcome,
      ...(why === undefined ? {} : { why }),
    })
  }

  #traceStep(seen: Witnessed, { index, action }: WitnessedStep, beganMs: number, reason?: string): void {
    this.#parts.tracer.tell({
      kind: 'step',
      id: seen.traceId,
      rule: this.#rule,
      step: index + 1,
      action,
      outcome: reason === undefined ? 'done' : 'failed',
      // one that begins while nobody listens has no known time
      tookMs: beganMs === 0 ? 0 : performance.now() - beganMs,
      ...(reason === undefined ? {} : { reason }),
    })
  }
}

export interface WitnessedStep {
  readonly list: 'do' | 'else'
  /** From 0. */
  readonly index: number
  readonly action: string
  readonly place: Place
}
