import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { OutputPin, PinCommand, PinState } from '../core/pin.ts'
import type { Logger, PinCause } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { formatDuration, timerMsMax } from '../core/units.ts'
import type { OutputLine } from './chip.ts'

const retryMs = 1_000

export interface OutputOptions {
  readonly pin: OutputPin
  /** Requested with `pin.initial` as its value. */
  readonly line: OutputLine
  readonly log: Logger
  /** Told each change of the state; `chain` is empty when no command led to it, `by` says who did it. */
  readonly onState: (state: PinState, chain: readonly string[], by?: string) => void
  /** A monotonic clock, in milliseconds. */
  readonly nowMs: () => number
}

export interface CommandOptions extends PinCause {
  /** After this time the pin goes to the opposite of what was commanded. */
  readonly forMs?: number | undefined
  /** Called once: when the pin has gone back after `forMs`, or when a later command took over. */
  readonly onSettled?: (() => void) | undefined
}

interface Reversal {
  readonly timer: NodeJS.Timeout
  readonly onSettled: (() => void) | undefined
}

/**
 * One output: its state, the way back after `forMs`, and `max_on`, which counts from the moment at which the
 * pin went on, whoever did it, and which a further `on` does not extend. A timed switch that the
 * kernel refuses is tried again each second: an output is never left on by accident.
 */
export class Output {
  #pin: OutputPin
  readonly #line: OutputLine
  readonly #options: OutputOptions
  readonly #repeats: Repeats
  #state: PinState
  #onSinceMs = 0
  #reversal: Reversal | undefined
  #maxOn: NodeJS.Timeout | undefined

  constructor(options: OutputOptions) {
    this.#options = options
    this.#pin = options.pin
    this.#line = options.line
    this.#state = options.pin.initial
    this.#repeats = new Repeats(options.nowMs)
  }

  get state(): PinState {
    return this.#state
  }

  /** Lets `max_on` run for a pin that is on from the start. */
  start(): void {
    this.#onSinceMs = this.#options.nowMs()
    this.#armMaxOn()
  }

  /**
   * Drives the line and returns; a reversal that was under way is cancelled. When the line cannot be driven
   * nothing changes.
   * @throws DamselflyError `GPIO_FAILED`, `DURATION_INVALID` (not 0 to 24 days)
   */
  command(command: PinCommand, { forMs, onSettled, ...cause }: CommandOptions = {}): void {
    if (forMs !== undefined && !(forMs >= 0 && forMs <= timerMsMax))
      throw new DamselflyError(
        'DURATION_INVALID',
        `pin ${this.#pin.name}: for ${forMs} ms; expected 0 to 24d`,
      )
    if (command === 'blink' || typeof command === 'number')
      throw new DamselflyError('PIN_COMMAND_INVALID', `pin ${this.#pin.name} knows on, off and toggle`)
    const target = command === 'toggle' ? opposite(this.#state) : command
    this.#switch(target, cause, forMs === undefined ? undefined : { forMs, onSettled })
  }

  /** Takes over what can change without touching the line: `max_on` (from when it went on), `on_stop`. */
  update(pin: OutputPin): void {
    const hadMs = this.#pin.maxOnMs
    this.#pin = pin
    if (pin.maxOnMs !== hadMs) this.#armMaxOn()
  }

  /** Drives `on_stop`, ends all timers, gives the line back. Never throws; what fails is logged. */
  stop(): void {
    try {
      this.#switch(this.#pin.onStop, { by: 'on_stop' })
    } catch (error) {
      this.#failed(error, 'pin not driven to on_stop')
    }
    this.#cancelReversal()
    clearTimeout(this.#maxOn)
    try {
      this.#line.release()
    } catch (error) {
      this.#failed(error, 'line not given back')
    }
  }

  // The listener comes last: it may command this very pin again.
  #switch(
    state: PinState,
    { chain = [], by }: PinCause,
    back?: Pick<CommandOptions, 'forMs' | 'onSettled'>,
  ): void {
    this.#line.write(state === 'on')
    this.#cancelReversal()
    if (back?.forMs !== undefined) this.#reverse(opposite(state), back.forMs, back.onSettled)
    if (state === this.#state) return
    this.#state = state
    this.#onSinceMs = this.#options.nowMs()
    this.#armMaxOn()
    const repeats = this.#repeats.admit(state)
    if (repeats !== undefined)
      this.#options.log.info(
        { pin: this.#pin.name, state, ...(by === undefined ? {} : { by }), ...repeats },
        'pin switched',
      )
    this.#options.onState(state, chain, by)
  }

  #reverse(state: PinState, ms: number, onSettled: (() => void) | undefined): void {
    const timer = setTimeout(() => {
      try {
        this.#switch(state, { by: 'for' })
      } catch (error) {
        this.#failed(error, 'pin not switched back')
        this.#reverse(state, retryMs, onSettled)
      }
    }, ms)
    this.#reversal = { timer, onSettled }
  }

  #cancelReversal(): void {
    const reversal = this.#reversal
    this.#reversal = undefined
    clearTimeout(reversal?.timer)
    reversal?.onSettled?.()
  }

  #armMaxOn(): void {
    clearTimeout(this.#maxOn)
    const { maxOnMs } = this.#pin
    if (this.#state !== 'on' || maxOnMs === undefined) return
    const leftMs = this.#onSinceMs + maxOnMs - this.#options.nowMs()
    this.#maxOn = setTimeout(() => this.#endOn(maxOnMs), Math.max(0, leftMs))
  }

  #endOn(maxOnMs: number): void {
    try {
      this.#switch('off', { by: 'max_on' })
    } catch (error) {
      this.#failed(error, 'pin not switched off by max_on')
      this.#maxOn = setTimeout(() => this.#endOn(maxOnMs), retryMs)
      return
    }
    this.#options.log.warn(
      { pin: this.#pin.name, maxOn: formatDuration(maxOnMs) },
      'pin switched off by max_on',
    )
  }

  #failed(error: unknown, what: string): void {
    const repeats = this.#repeats.admit(what)
    if (repeats === undefined) return
    this.#options.log.error({ pin: this.#pin.name, reason: reasonOf(error), ...repeats }, what)
  }
}

/** The other state. */
export function opposite(state: PinState): PinState {
  return state === 'on' ? 'off' : 'on'
}
