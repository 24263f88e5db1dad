import type { ActionDefinition, StartContext } from '../core/action.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'

const startPauseMs = 10_000
const stopTimeoutMs = 5_000

/** An action from its start to its stop. */
export class Life {
  readonly #action: ActionDefinition
  readonly #context: StartContext
  readonly #onFirstUse: (life: Life) => void
  #state: 'new' | 'starting' | 'started' | 'failed' | 'stopped' = 'new'
  #starting: Promise<void> = Promise.resolve()
  #failure: DamselflyError | undefined
  #failedAtMs = 0

  constructor(action: ActionDefinition, context: StartContext, onFirstUse: (life: Life) => void) {
    this.#action = action
    this.#context = context
    this.#onFirstUse = onFirstUse
  }

  /**
   * Starts the action if need be; all who call meanwhile wait for the same start. A start that failed is
   * tried again after ten seconds, and until then fails at once.
   * @returns undefined when it is started already; else rejects with `ACTION_START_FAILED`
   */
  start(): Promise<void> | undefined {
    if (this.#state === 'started') return undefined
    if (this.#state === 'starting') return this.#starting
    if (this.#state === 'stopped') {
      const message = `${this.#action.name} is stopped`
      return Promise.reject(new DamselflyError('ACTION_START_FAILED', message))
    }
    if (this.#state === 'failed' && performance.now() - this.#failedAtMs < startPauseMs)
      return Promise.reject(this.#failure)
    if (this.#state === 'new') this.#onFirstUse(this)
    if (this.#action.start === undefined) {
      this.#state = 'started'
      return undefined
    }
    this.#state = 'starting'
    this.#starting = this.#start()
    return this.#starting
  }

  /** Stops it within five seconds; logs what fails. To be called once, after a first use. */
  async stop(): Promise<void> {
    const { log } = this.#context
    try {
      const isInTime = await within(this.#stop(), stopTimeoutMs)
      if (!isInTime) log.error({ timeoutMs: stopTimeoutMs }, 'action does not stop')
    } catch (error) {
      log.error({ err: error }, 'action failed to stop')
    }
    this.#state = 'stopped'
  }

  async #start(): Promise<void> {
    this.#failure = undefined
    try {
      await this.#action.start?.(this.#context)
      if (this.#state === 'starting') this.#state = 'started' // else it was stopped meanwhile
    } catch (cause) {
      const pause = `it is tried again after ${startPauseMs / 1_000} s`
      const message = `${this.#action.name} could not start: ${reasonOf(cause)}; ${pause}`
      this.#failure = new DamselflyError('ACTION_START_FAILED', message, { cause })
      this.#failedAtMs = performance.now()
      this.#state = 'failed'
      throw this.#failure
    }
  }

  async #stop(): Promise<void> {
    await this.#starting.catch(() => {}) // its failure has been told to those who waited for it
    await this.#action.stop?.()
  }
}

/** Whether the promise settled in time. @throws what it rejects with */
async function within(promise: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
