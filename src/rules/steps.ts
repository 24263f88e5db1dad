import type { Counters } from '../core/counters.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { Event, KeepableEvent } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { ActionRunner, Logger, Runner } from '../core/ports.ts'
import { formatPlace } from '../core/problems.ts'
import type { Repeats } from '../core/repeats.ts'
import type { Rule, Step } from '../core/rule.ts'
import { formatDuration } from '../core/units.ts'

/** One firing of a rule. */
export interface Firing {
  readonly event: KeepableEvent
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
  readonly #context: RuleContext
  readonly #steps: readonly RunnableStep[]
  readonly #runs = new Set<StepRun>()
  #rule: Rule
  #ended: Error | undefined

  constructor(rule: Rule, context: RuleContext) {
    this.#rule = rule
    this.#context = context
    this.#steps = rule.steps.map((step, index) => ({
      index,
      step,
      runner: context.actions.runnerFor(step.action, rule.name),
      abandoned: 0,
    }))
  }

  /** The same rule as it stands in the file now: its places are those that the log names. */
  moveTo(rule: Rule): void {
    this.#rule = rule
  }

  /** Never throws or rejects. Returns nothing when every step was done at once. */
  run(firing: Firing): Promise<void> | void {
    const chain = [...firing.chain, this.#rule.name]
    for (const runnable of this.#steps) {
      const done = this.#runStep(runnable, firing.event, chain)
      if (done !== undefined) return this.#runRest(done, runnable.index + 1, firing.event, chain)
    }
  }

  /** Aborts what runs and waits for none of it; no further step begins. */
  abort(reason: Error): void {
    this.#ended = reason
    for (const run of this.#runs) run.end(reason)
  }

  async #runRest(first: Promise<void>, next: number, event: Event, chain: readonly string[]): Promise<void> {
    await first
    for (const runnable of this.#steps.slice(next)) await this.#runStep(runnable, event, chain)
  }

  #runStep(runnable: RunnableStep, event: Event, chain: readonly string[]): Promise<void> | void {
    if (this.#ended !== undefined) return
    const run = new StepRun()
    try {
      if (runnable.abandoned >= limits.abandonedRunsMax) throw tooManyAbandoned(runnable)
      const running = runnable.runner(runnable.step.options(event), event, () => run.signal, chain)
      if (running !== undefined) return this.#guard(runnable, run, running)
      this.#context.counters.add('steps.done')
    } catch (error) {
      this.#fail(runnable, error)
    }
  }

  /** Waits for the run, but no longer than its time limit; a run that ignores its abort is left behind. */
  async #guard(runnable: RunnableStep, run: StepRun, running: Promise<void>): Promise<void> {
    const timer = setTimeout(() => run.end(tooLate(runnable.step)), runnable.step.timeoutMs)
    this.#runs.add(run)
    try {
      await run.settled(running)
      this.#context.counters.add('steps.done')
    } catch (error) {
      if (run.isEnded) leaveBehind(runnable, running)
      this.#fail(runnable, error)
    } finally {
      clearTimeout(timer)
      this.#runs.delete(run)
    }
  }

  #fail({ index, step }: RunnableStep, error: unknown): void {
    const { counters, log, repeats } = this.#context
    counters.add('steps.failed')
    const isExpected = error instanceof DamselflyError
    if (isExpected && error.limit !== undefined) counters.add(error.limit)
    const reason = reasonOf(error)
    const repeated = repeats.admit(`${this.#rule.name} ${index} ${isExpected ? error.code : reason}`)
    if (repeated === undefined) return
    log.error(
      {
        rule: this.#rule.name,
        action: step.action.name,
        at: formatPlace((this.#rule.steps[index] ?? step).place),
        reason,
        ...repeated,
        // a stack helps with what nobody foresaw, and only there
        ...(isExpected ? {} : { err: error }),
      },
      'step failed',
    )
  }
}

interface RunnableStep {
  readonly index: number
  readonly step: Step
  readonly runner: Runner
  /** Runs that passed their time limit and have not returned yet. */
  abandoned: number
}

function leaveBehind(runnable: RunnableStep, running: Promise<void>): void {
  runnable.abandoned++
  const returned = (): void => {
    runnable.abandoned--
  }
  running.then(returned, returned)
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
    { limit: 'stepTimeoutMs' },
  )
}

function tooManyAbandoned({ step, abandoned }: RunnableStep): DamselflyError {
  return new DamselflyError(
    'STEP_ABANDONED',
    `not run: ${abandoned} earlier runs of this step passed their time limit and have not returned; the action "${step.action.name}" must end when its signal aborts`,
    { limit: 'abandonedRunsMax' },
  )
}
