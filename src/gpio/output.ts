import { DamselflyError, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import {
  commandProblem,
  type OutputPin,
  type PinCommand,
  type PinState,
  type PinValue,
  type PwmPin,
} from '../core/pin.ts'
import type { Logger, PinCause, PinTiming } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { formatDuration, timerMsMax } from '../core/units.ts'
import type { Partner } from './interlocks.ts'

const retryMs = 1_000
const blinkMsDefault = 500

/** What a line can be driven to; numbers are for PWM. */
export type Drive = PinState | number

/** How one kind of output moves its line, and what commands mean there. */
export interface Actuator {
  /** @throws DamselflyError `GPIO_FAILED` */
  write(value: Drive): void
  /** What `on` drives. */
  readonly on: Drive
  /** What a number drives, kept within the pin's limits. */
  driveOf(value: number): Drive
  /** What a timed command that drove `value` goes back to, if `before` was driven before it. */
  backFrom(value: Drive, before: Drive): Drive
  /** Gives the line back as it is. */
  release(): void
}

/** A pin's state from now on; `chain` is empty when no command led to it. */
export interface PinChange {
  readonly pin: string
  readonly state: PinValue
  readonly chain: readonly string[]
  /** Who or what changed it. */
  readonly by?: string | undefined
}

export interface OutputOptions {
  readonly pin: OutputPin | PwmPin
  readonly actuator: Actuator
  /** What is driven already. */
  readonly initial: Drive
  readonly log: Logger
  /** Told what has changed, in order, when all of it has happened; it may command pins. */
  readonly onChanges: (changes: readonly PinChange[]) => void
  /** A monotonic clock, in milliseconds. */
  readonly nowMs: () => number
  /**
   * The outputs that must be off while this one is on.
   * @throws DamselflyError `GPIO_FAILED` when one of them cannot be commanded: then this one may not go on
   */
  readonly partners: () => readonly Partner[]
}

export interface CommandOptions extends PinCause, PinTiming {
  /** Called once: when the pin has gone back after `forMs`, or when a later command took over. */
  readonly onSettled?: (() => void) | undefined
  /** What it goes back to after `forMs`, where that is not for the kind of pin to say. */
  readonly back?: Drive
}

type Way = Pick<CommandOptions, 'blinkMs' | 'onSettled' | 'back'> & { readonly forMs?: number | undefined }

interface Reversal {
  readonly to: Drive
  readonly timer: NodeJS.Timeout
  readonly onSettled: (() => void) | undefined
}

/**
 * One output: its state, blinking, the way back after `forMs`, and `max_on`, which counts from the moment at which the
 * pin went on, whoever did it, and which a further `on` does not extend. A timed switch that the
 * kernel refuses is tried again each second: an output is never left on by accident.
 *
 * Of interlocked outputs the latest command counts: the others go off at once, and this one goes on when each of them
 * has been off for the dead time. Until then it is `off`, and whatever comes for any of them takes its place.
 */
export class Output {
  #pin: OutputPin | PwmPin
  readonly #actuator: Actuator
  readonly #options: OutputOptions
  readonly #repeats: Repeats
  #driven: Drive
  #blink: { readonly ms: number; timer: NodeJS.Timeout } | undefined
  #onSinceMs: number
  #offSinceMs: number
  #reversal: Reversal | undefined
  #waiting: { readonly timer: NodeJS.Timeout; readonly onSettled: (() => void) | undefined } | undefined
  #maxOn: NodeJS.Timeout | undefined

  constructor(options: OutputOptions) {
    this.#options = options
    this.#pin = options.pin
    this.#actuator = options.actuator
    this.#driven = options.initial
    this.#onSinceMs = options.nowMs()
    this.#offSinceMs = this.#onSinceMs // what was before, nobody knows
    this.#repeats = new Repeats(options.nowMs)
  }

  get state(): PinValue {
    return this.#blink === undefined ? this.#driven : 'blink'
  }

  /** Blinking counts, its dark phases included. */
  get isOn(): boolean {
    return this.state !== 'off'
  }

  /** Since when it is off, on the clock of `nowMs`; only meant while it is off. */
  get offSinceMs(): number {
    return this.#offSinceMs
  }

  /** Lets `max_on` run for a pin that is on from the start. */
  start(): void {
    this.#armMaxOn()
  }

  /**
   * Drives the line and returns; what was under way is cancelled. When the line cannot be driven nothing changes.
   * Behind an interlock it may be driven later; see above.
   * @throws DamselflyError `PIN_COMMAND_INVALID`, `GPIO_FAILED` (also when an interlocked output does not go off),
   *   `DURATION_INVALID` (`forMs` is not 0 to 24 days, or `blinkMs` is too short)
   */
  command(command: PinCommand, options: CommandOptions = {}): void {
    const { forMs, blinkMs } = options
    const problem = commandProblem(this.#pin, command)
    if (problem !== undefined) throw new DamselflyError('PIN_COMMAND_INVALID', problem)
    this.#checkTime('for', forMs, 0)
    this.#checkTime('blink', blinkMs, limits.blinkMsMin)
    const isOnOrGoing = this.isOn || this.#waiting !== undefined
    const plain = command === 'toggle' ? (isOnOrGoing ? 'off' : 'on') : command
    const target =
      plain === 'on' ? this.#actuator.on : typeof plain === 'number' ? this.#actuator.driveOf(plain) : plain
    this.#endWait()
    this.#move(target, options, options)
  }

  /** Takes over what can change without touching the line: `max_on` (from when it went on), `on_stop`, limits. */
  update(pin: OutputPin | PwmPin): void {
    const hadMs = this.#pin.maxOnMs
    this.#pin = pin
    if (pin.maxOnMs !== hadMs) this.#armMaxOn()
  }

  /**
   * Goes off, and gives up whatever would bring it on, for an output that must not be on together with it.
   * @returns what is to be told when that one has moved
   * @throws DamselflyError `GPIO_FAILED`: then it may still be on
   */
  giveWay(cause: PinCause): readonly PinChange[] {
    this.#endWait()
    if (this.isOn) return this.#drive('off', cause, {})
    if (this.#reversal?.to !== 'off') this.#cancelReversal()
    return []
  }

  /** Drives `on_stop`, ends all timers, gives the line back. Never throws; what fails is logged. */
  stop(): void {
    this.#endWait()
    let changes: readonly PinChange[] = []
    try {
      changes = this.#drive(this.#pin.onStop, { by: 'on_stop' }, {})
    } catch (error) {
      this.#failed(error, 'pin not driven to on_stop')
      this.#endBlink()
    }
    this.#cancelReversal()
    clearTimeout(this.#maxOn)
    try {
      this.#actuator.release()
    } catch (error) {
      this.#failed(error, 'line not given back')
    }
    this.#options.onChanges(changes)
  }

  // The listener comes last: it may command this very pin again.
  #move(target: Drive | 'blink', cause: PinCause, way: Way): void {
    const changes: PinChange[] = []
    try {
      const waitMs = target === 'off' ? 0 : this.#clearTheWay(cause, changes)
      if (waitMs > 0) this.#wait(waitMs, target, cause, way)
      else changes.push(...this.#drive(target, cause, way))
    } finally {
      if (changes.length > 0) this.#options.onChanges(changes)
    }
  }

  /** Sends the partners off. @returns how long this one still has to wait for them, in milliseconds */
  #clearTheWay({ chain }: PinCause, changes: PinChange[]): number {
    const partners = this.#options.partners()
    const by = `interlock with ${this.#pin.name}`
    for (const { output } of partners)
      changes.push(...output.giveWay({ by, ...(chain === undefined ? {} : { chain }) }))
    if (this.isOn) return 0
    const freeMs = partners.map(({ output, deadTimeMs }) => output.offSinceMs + deadTimeMs)
    return Math.ceil(Math.max(0, ...freeMs.map((ms) => ms - this.#options.nowMs())))
  }

  #wait(ms: number, target: Drive | 'blink', cause: PinCause, way: Way): void {
    this.#cancelReversal()
    const goOn = (): void => {
      this.#waiting = undefined
      try {
        this.#move(target, cause, way)
      } catch (error) {
        this.#failed(error, 'pin not switched on after the dead time')
        way.onSettled?.()
      }
    }
    this.#waiting = { timer: setTimeout(goOn, ms), onSettled: way.onSettled }
  }

  #endWait(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    clearTimeout(waiting?.timer)
    waiting?.onSettled?.()
  }

  /** Drives the line, and takes up the new state if that succeeded. */
  #drive(target: Drive | 'blink', { chain = [], by }: PinCause, way: Way): readonly PinChange[] {
    const [before, wasOn] = [this.state, this.isOn]
    const blinkMs = target === 'blink' ? (way.blinkMs ?? blinkMsDefault) : undefined
    if (blinkMs === undefined || blinkMs !== this.#blink?.ms) {
      const value = target === 'blink' ? this.#actuator.on : target
      const back = this.#backFrom(target)
      this.#actuator.write(value)
      this.#endBlink()
      this.#cancelReversal()
      this.#driven = value
      if (blinkMs !== undefined) this.#blink = { ms: blinkMs, timer: this.#phaseAfter(blinkMs) }
      if (way.forMs !== undefined) this.#reverse(way.back ?? back, way.forMs, way.onSettled)
    } else {
      this.#cancelReversal() // it goes on in its rhythm
      if (way.forMs !== undefined) this.#reverse('off', way.forMs, way.onSettled)
    }
    const { state, isOn } = this
    if (state === before) return []
    if (isOn && !wasOn) this.#onSinceMs = this.#options.nowMs()
    if (!isOn) this.#offSinceMs = this.#options.nowMs()
    if (isOn !== wasOn) this.#armMaxOn()
    this.#tellSwitched(state, by)
    return [{ pin: this.#pin.name, state, chain, by }]
  }

  #backFrom(target: Drive | 'blink'): Drive {
    if (target === 'blink') return 'off'
    const before = this.#reversal?.to ?? (this.#blink === undefined ? this.#driven : 'off')
    return this.#actuator.backFrom(target, before)
  }

  #tellSwitched(state: PinValue, by: string | undefined): void {
    const repeats = this.#repeats.admit(typeof state === 'number' ? 'number' : state)
    if (repeats === undefined) return
    const cause = by === undefined ? {} : { by }
    this.#options.log.info({ pin: this.#pin.name, state, ...cause, ...repeats }, 'pin switched')
  }

  #phaseAfter(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.#blink === undefined) return
      this.#blink.timer = this.#phaseAfter(ms)
      const next = this.#driven === 'off' ? this.#actuator.on : 'off'
      try {
        this.#actuator.write(next)
        this.#driven = next
      } catch (error) {
        this.#failed(error, 'pin not driven while it blinks')
      }
    }, ms)
  }

  #endBlink(): void {
    clearTimeout(this.#blink?.timer)
    this.#blink = undefined
  }

  #reverse(to: Drive, ms: number, onSettled: (() => void) | undefined): void {
    const timer = setTimeout(() => {
      try {
        this.#move(to, { by: 'for' }, {})
      } catch (error) {
        this.#failed(error, 'pin not switched back')
        this.#reverse(to, retryMs, onSettled)
      }
    }, ms)
    this.#reversal = { to, timer, onSettled }
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
    if (!this.isOn || maxOnMs === undefined) return
    const leftMs = this.#onSinceMs + maxOnMs - this.#options.nowMs()
    this.#maxOn = setTimeout(() => this.#endOn(maxOnMs), Math.max(0, leftMs))
  }

  #endOn(maxOnMs: number): void {
    try {
      this.#move('off', { by: 'max_on' }, {})
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

  #checkTime(what: string, ms: number | undefined, atLeastMs: number): void {
    if (ms === undefined || (ms >= atLeastMs && ms <= timerMsMax)) return
    throw new DamselflyError(
      'DURATION_INVALID',
      `pin ${this.#pin.name}: ${what} ${ms} ms; expected ${atLeastMs === 0 ? '0' : `${atLeastMs} ms`} to 24d`,
    )
  }

  #failed(error: unknown, what: string): void {
    const repeats = this.#repeats.admit(what)
    if (repeats === undefined) return
    this.#options.log.error({ pin: this.#pin.name, reason: reasonOf(error), ...repeats }, what)
  }
}
