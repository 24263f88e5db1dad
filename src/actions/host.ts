import type { ActionDefinition, ActionLogger, RunContext } from '../core/action.ts'
import type { Event } from '../core/event.ts'
import type { OutgoingMessage } from '../core/message.ts'
import type { ActionRunner, Logger, Pins, Runner } from '../core/ports.ts'
import { checkedMessage, checkedPins, withFields } from './guards.ts'
import { Life } from './life.ts'

export interface ActionHostParts {
  /** Absolute. */
  readonly dataDir: string
  readonly log: Logger
  readonly gpio: Pins
  publish(message: OutgoingMessage): Promise<void>
}

/**
 * Gives actions what they need, starts each before its first run, and stops those that were started.
 * One host serves as long as the process runs: reloads change rules, not actions.
 */
export class ActionHost implements ActionRunner {
  readonly #parts: ActionHostParts
  readonly #lives = new Map<ActionDefinition, Life>()
  /** In the order of their start. */
  readonly #used: Life[] = []

  constructor(parts: ActionHostParts) {
    this.#parts = parts
  }

  /** The runner for one action in one rule; cheap enough to be made anew at each reload. */
  runnerFor(action: ActionDefinition, rule: string): Runner {
    const life = this.#lifeOf(action)
    const log = withFields(this.#parts.log, { rule, action: action.name })
    return (options, event, signal, chain) => {
      const context = new Run(this.#parts, log, rule, options, event, signal, chain)
      const starting = life.start()
      if (starting === undefined) return this.#run(action, context)
      return starting.then(() => {
        signal().throwIfAborted() // the step's time may have passed meanwhile
        return this.#run(action, context)
      })
    }
  }

  /**
   * Stops the actions that were used, the last one first, each within five seconds. To be called when no
   * run is left; a run after it fails, a second call does nothing. Never throws: what fails is logged.
   */
  async close(): Promise<void> {
    for (const life of this.#used.splice(0).reverse()) await life.stop()
  }

  #lifeOf(action: ActionDefinition): Life {
    let life = this.#lives.get(action)
    if (life === undefined) {
      const { dataDir, gpio, log } = this.#parts
      const context = {
        dataDir,
        log: withFields(log, { action: action.name }),
        gpio: checkedPins(gpio, { by: `action ${action.name}` }),
        publish: async (message: OutgoingMessage) => this.#parts.publish(checkedMessage(message, [])),
      }
      life = new Life(action, context, (used) => this.#used.push(used))
      this.#lives.set(action, life)
    }
    return life
  }

  #run(action: ActionDefinition, context: Run): Promise<void> | undefined {
    const running = action.run(context)
    // A user's action may return anything; only what can be waited for is.
    return isThenable(running) ? Promise.resolve(running) : undefined
  }
}

// One is made for each run, so what few actions use is made only when they reach for it.
class Run implements RunContext<unknown> {
  readonly log: ActionLogger
  readonly options: unknown
  readonly event: Event
  readonly rule: string
  readonly #parts: ActionHostParts
  readonly #signal: () => AbortSignal
  readonly #chain: readonly string[]

  constructor(
    parts: ActionHostParts,
    log: ActionLogger,
    rule: string,
    options: unknown,
    event: Event,
    signal: () => AbortSignal,
    chain: readonly string[],
  ) {
    this.log = log
    this.options = options
    this.event = event
    this.rule = rule
    this.#parts = parts
    this.#signal = signal
    this.#chain = chain
  }

  get dataDir(): string {
    return this.#parts.dataDir
  }

  get signal(): AbortSignal {
    return this.#signal()
  }

  get gpio(): Pins {
    return checkedPins(this.#parts.gpio, { chain: this.#chain, by: `rule ${this.rule}` })
  }

  get publish(): (message: OutgoingMessage) => Promise<void> {
    const chain = this.#chain
    return async (message) => this.#parts.publish(checkedMessage(message, chain))
  }
}

function isThenable(value: unknown): value is PromiseLike<void> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
