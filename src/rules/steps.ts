import { DamselflyError } from '../core/errors.ts'
import type { KeepableEvent } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { ActionRunner, Runner } from '../core/ports.ts'
import type { Place } from '../core/problems.ts'
import type { Step } from '../core/rule.ts'
import { formatDuration } from '../core/units.ts'
import type { Moment } from './rule-memory.ts'
import type { Witness, Witnessed, WitnessedStep } from './witness.ts'

/** An event on its way through one rule, or several that do not need to remember anything of it. */
export interface Firing extends Witnessed {
  readonly event: KeepableEvent
  /** The rules that led to the event; the firing rule is not among them. */
  readonly chain: readonly string[]
  /** What was before; only where an expression asks for it. */
  readonly memory?: Moment
  /** Whether the steps under `else:` are meant. */
  readonly isElse?: boolean
}

export interface StepsParts {
  readonly rule: string
  readonly list: 'do' | 'else'
  readonly actions: ActionRunner
  readonly witness: Witness
}

/**
 * Runs the steps of one list of a rule, one after the other. A step that fails or passes its time limit is logged
 * with rule, action and cause; the steps behind it run all the same, and nothing else notices.
 */
export class Steps {
  readonly #parts: StepsParts
  readonly #steps: readonly RunnableStep[]
  /** What most chains are: of a message that no rule led to. */
  readonly #firstChain: readonly string[]
  readonly #runs = new Set<StepRun>()
  #ended: Error | undefined

  constructor(steps: readonly Step[], parts: StepsParts) {
    this.#parts = parts
    this.#firstChain = [parts.rule]
    this.#steps = steps.map((step, index) => ({
      list: parts.list,
      index,
      action: step.action.name,
      place: step.place,
      step,
      runner: parts.actions.runnerFor(step.action, parts.rule),
      abandoned: 0,
    }))
  }

  /** The same steps as they stand in the file now: their places are those that the log names. */
  moveTo(steps: readonly Step[]): void {
    for (const runnable of this.#steps) runnable.place = (steps[runnable.index] ?? runnable.step).place
  }

  /** Never throws or rejects. Returns nothing when every step was done at once. */
  run(firing: Firing): Promise<void> | void {
    const chain = firing.chain.length === 0 ? this.#firstChain : [...firing.chain, this.#parts.rule]
    const steps = this.#steps
    for (let index = 0; index < steps.length; index++) {
      const runnable = steps[index] as RunnableStep
      const done = this.#runStep(runnable, firing, chain)
      if (done !== undefined) return this.#runRest(done, index + 1, firing, chain)
    }
  }

  /** Aborts what runs and waits for none of it; no further step begins. */
  abort(reason: Error): void {
    this.#ended = reason
    for (const run of this.#runs) run.end(reason)
  }

  async #runRest(
    first: Promise<void>,
    next: number,
    firing: Firing,
    chain: readonly string[],
  ): Promise<void> {
    await first
    for (const runnable of this.#steps.slice(next)) await this.#runStep(runnable, firing, chain)
  }

  #runStep(runnable: RunnableStep, firing: Firing, chain: readonly string[]): Promise<void> | void {
    if (this.#ended !== undefined) return
    const { witness } = this.#parts
    const { event, memory } = firing
    const run = new StepRun(firing, witness.beginMs(firing))
    try {
      if (runnable.abandoned >= limits.abandonedRunsMax) throw tooManyAbandoned(runnable)
      const running = runnable.runner(runnable.step.options(event, memory), event, () => run.signal, chain)
      if (running !== undefined) return this.#guard(runnable, run, running)
      witness.stepDone(firing, runnable, run.beganMs)
    } catch (error) {
      witness.stepFailed(firing, runnable, run.beganMs, error)
    }
  }

  /** Waits for the run, but no longer than its time limit; a run that ignores its abort is left behind. */
  async #guard(runnable: RunnableStep, run: StepRun, running: Promise<void>): Promise<void> {
    const timer = setTimeout(() => run.end(tooLate(runnable.step)), runnable.step.timeoutMs)
    this.#runs.add(run)
    try {
      await run.settled(running)
      this.#parts.witness.stepDone(run.firing, runnable, run.beganMs)
    } catch (error) {
      if (run.isEnded) leaveBehind(runnable, running)
      this.#parts.witness.stepFailed(run.firing, runnable, run.beganMs, error)
    } finally {
      clearTimeout(timer)
      this.#runs.delete(run)
    }
  }
}

interface RunnableStep extends WitnessedStep {
  place: Place
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
  readonly firing: Firing
  readonly beganMs: number
  #controller: AbortController | undefined
  #reject: ((reason: Error) => void) | undefined
  #endReason: Error | undefined

  constructor(firing: Firing, beganMs: number) {
    this.firing = firing
    this.beganMs = beganMs
  }

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
