import type { Counters } from '../core/counters.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { ActionRunner, Logger, Runner } from '../core/ports.ts'
import { formatPlace } from '../core/problems.ts'
import type { Repeats } from '../core/repeats.ts'
import type { Rule, Step } from '../core/rule.ts'
import { formatDuration } from '../core/units.ts'

/** One firing of a rule. */
export interface Firing {
  readonly event: Event
  /** The rules that led to the event; the firing rule is not among them. */
  readonly chain: readonly string[]
}

/** What a rule at work needs of the house. */
export interface RuleContext {
  readonly actions: ActionRunner
  readonly log: Logger
  readonly counters: Counters
  readonly repeats: Repeats
  /** Whether debug lines are wanted; explaining why a rule did not fire costs more than finding out. */
  readonly isDebug: () => boolean
}

/**
 * Runs the steps of one rule, one after the other. A step that fails or passes its time limit is logged
 * with rule, action and cause; the steps behind it run all the same, and nothing else notices.
 */
export class Steps {
  readonly #rule: Rule
  readonly #options: RuleContext
  readonly #abandoned = new Map<Step, number>()
  readonly #runs = new Set<StepRun>()
  readonly #steps: readonly RunnableStep[]

  constructor(rule: Rule, options: RuleContext) {
    this.#rule = rule
    this.#options = options
    this.#steps = rule.steps.map((step) => ({
      step,
      runner: options.actions.runnerFor(step.action, rule.name),
    }))
  }

  /** Never throws or rejects. Returns nothing when every step was done at once. */
  run(firing: Firing): Promise<void> | void {
    const chain = [...firing.chain, this.#rule.name]
    for (const [index, step] of this.#steps.entries()) {
      const done = this.#runStep(step, firing.event, chain)
      if (done !== undefined) return this.#runRest(done, index + 1, firing.event, chain)
    }
  }

  /** Aborts what runs, and waits for none of it. */
  abort(reason: Error): void {
    for (const run of this.#runs) run.end(reason)
  }

  async #runRest(first: Promise<void>, next: number, event: Event, chain: readonly string[]): Promise<void> {
    await first
    for (const step of this.#steps.slice(next)) await this.#runStep(step, event, chain)
  }

  #runStep({ step, runner }: RunnableStep, event: Event, chain: readonly string[]): Promise<void> | void {
    const run = new StepRun()
    try {
      const abandoned = this.#abandoned.get(step) ?? 0
      if (abandoned >= limits.abandonedRunsMax)
        throw tooManyAbandoned(step, abandoned, this.#options.counters)
      const running = runner(step.options(event), event, () => run.signal, chain)
      if (running !== undefined) return this.#guard(step, run, running)
      this.#options.counters.add('steps.done')
    } catch (error) {
      this.#fail(step, error)
    }
  }

  /** Waits for the run, but no longer than its time limit; a run that ignores its abort is left behind. */
  async #guard(step: Step, run: StepRun, running: Promise<void>): Promise<void> {
    const timer = setTimeout(() => run.end(tooLate(step)), step.timeoutMs)
    this.#runs.add(run)
    try {
      await run.settled(running)
      this.#options.counters.add('steps.done')
    } catch (error) {
      if (run.isEnded) this.#leaveBehind(step, running)
      this.#fail(step, error)
    } finally {
      clearTimeout(timer)
      this.#runs.delete(run)
    }
  }

  #leaveBehind(step: Step, running: Promise<void>): void {
    this.#abandoned.set(step, (this.#abandoned.get(step) ?? 0) + 1)
    const returned = (): void => {
      this.#abandoned.set(step, (this.#abandoned.get(step) ?? 1) - 1)
    }
    running.then(returned, returned)
  }

  #fail(step: Step, error: unknown): void {
    this.#options.counters.add('steps.failed')
    const isExpected = error instanceof DamselflyError
    const reason = reasonOf(error)
    const repeats = this.#options.repeats.admit(
      `${this.#rule.name} ${this.#rule.steps.indexOf(step)} ${isExpected ? error.code : reason}`,
    )
    if (repeats === undefined) return
    this.#options.log.error(
      {
        rule: this.#rule.name,
        action: step.action.name,
        at: formatPlace(step.place),
        reason,
        ...repeats,
        // a stack helps with what nobody foresaw, and only there
        ...(isExpected ? {} : { err: error }),
      },
      'step failed',
    )
  }
}

interface RunnableStep {
  readonly step: Step
  readonly runner: Runner
}

/** A run of a step: ends with its action, or is ended from outside. */
class StepRun {
  #controller: AbortController | undefined
  #reject: ((reason: Error) => void) | undefined
  #endReason: Error | undefined

  /** Made at the first look: most actions never look, and an AbortController costs more than they do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#endReason !== undefined) this.#controller.abort(this.#endReason)
    }
    return this.#controller.signal
  }

  get isEnded(): boolean {
    return this.#endReason !== undefined
  }

  /** Settles with the action, or rejects when the run is ended. */
  settled(running: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#reject = reject
      running.then(resolve, reject)
    })
  }

  end(reason: Error): void {
    this.#endReason = reason
    this.#controller?.abort(reason)
    this.#reject?.(reason)
  }
}

function tooLate(step: Step): DamselflyError {
  return new DamselflyError(
    'STEP_TIMEOUT',
    `took longer than ${formatDuration(step.timeoutMs)} and was aborted; "timeout:" in the step allows more`,
  )
}

function tooManyAbandoned(step: Step, abandoned: number, counters: Counters): DamselflyError {
  counters.add('abandonedRunsMax')
  return new DamselflyError(
    'STEP_ABANDONED',
    `not run: ${abandoned} earlier runs of this step passed their time limit and have not returned; the action "${step.action.name}" must end when its signal aborts`,
  )
}
