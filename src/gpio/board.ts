import { DamselflyError, reasonOf } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import {
  type InputPin,
  isCounter,
  type Pin,
  type PinCommand,
  type PinState,
  type PinValue,
} from '../core/pin.ts'
import type { Logger, PinCause, Pins, PinTiming } from '../core/ports.ts'
import type { GpioChip, WireEdge } from './chip.ts'
import type { Held } from './held.ts'
import type { Output, PinChange } from './output.ts'
import { PinHolder, type PinHolderOptions } from './pin-holder.ts'
import { byError, type PinProblem, startError } from './pin-problem.ts'

/** How often a chip is looked for that was not there at the start. */
const chipEveryMs = 5_000

export interface PinBoardOptions extends PinHolderOptions {
  /** How often a chip is looked for that was not there at the start, in milliseconds; 5,000 unless told. */
  readonly chipEveryMs?: number
  /** A monotonic clock, in milliseconds; `performance.now` unless told. */
  readonly nowMs?: () => number
  /** What an input with `count` has counted; it is the pin's state. 0 unless told. */
  readonly totalOf?: (pin: InputPin) => number
}

/** Told what happens on the pins, at once and in order. It must return soon; what it throws is logged. */
export interface PinListener {
  /**
   * A pin's state: the first one, then each change. `chain` is empty when no command led to it; `by` is who or
   * what changed an output. The state of an input that counts is its total, which is told when `tellTotal` says so.
   */
  onState?(pin: string, state: PinValue, chain: readonly string[], by?: string): void
  /** A change of an input's level, after its `onState`; never for the first level. */
  onEdge?(pin: InputPin, state: PinState, chain: readonly string[]): void
  /**
   * Every edge that the kernel has told, before its `onEdge`: with its time, and also when the level that it led to was
   * known already. A level that was only looked at, because edges were lost, is an `onEdge` alone.
   */
  onWire?(pin: InputPin, state: PinState, edge: WireEdge, chain: readonly string[]): void
  /** An input that counts is to have this total from now on, which its meter shows. */
  onAlign?(pin: InputPin, total: number): void
  /** A pin that exists no more. */
  onRemoved?(pin: string): void
}

/**
 * The named pins. It holds the lines of a chip from `start` to `close`; the chip is opened when there is a
 * first pin. Outputs are requested at `initial`, and driven to `on_stop` when they are given back.
 * Where the simulator stands in because this machine has no chip, one that comes later takes its place.
 */
export class PinBoard implements Pins {
  readonly #options: PinBoardOptions
  readonly #log: Logger
  readonly #holder: PinHolder
  readonly #unavailable = new Map<string, DamselflyError>()
  readonly #listeners = new Set<PinListener>()
  /** What is to be told; empty when nobody is being told. */
  readonly #due: ((listener: PinListener) => void)[] = []
  #isTelling = false
  #changes: Promise<unknown> = Promise.resolve()
  #chipTimer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: PinBoardOptions) {
    this.#options = options
    this.#log = options.log
    this.#holder = new PinHolder(options, {
      nowMs: options.nowMs ?? (() => performance.now()),
      inOne: (changes) => this.#tellAfter(changes),
      onEdge: (name, ...edge) => this.#edge(name, ...edge),
      onChanges: (changes) => this.#tell(...changes.map((change) => this.#newsOf(change))),
    })
  }

  /** The chip that serves the lines; undefined while there are none, PWM apart. */
  get chip(): Pick<GpioChip, 'path' | 'label' | 'isSimulated'> | undefined {
    return this.#holder.chip
  }

  /** Whether the pins are simulated; false while there are none. */
  get isSimulated(): boolean {
    return this.#holder.isSimulated
  }

  /** The pins that are there. */
  get pins(): readonly Pin[] {
    return [...this.#holder.held.values()].map((held) => held.pin)
  }

  /**
   * Takes the lines of all pins. If one cannot be had, every problem is told at once, and the lines that
   * were taken are given back at `on_stop`.
   * @throws DamselflyError `GPIO_NO_CHIP`, `GPIO_DENIED`, `GPIO_NO_LINE`, `GPIO_BUSY`: what all problems have
   *   in common, else `GPIO_FAILED`; each with its place in the configuration
   */
  async start(pins: readonly Pin[]): Promise<void> {
    const problems = await this.#inTurn(() => this.#change(pins))
    if (problems.length === 0) return
    await this.close()
    throw startError(problems)
  }

  /**
   * Makes the board hold these pins instead. A pin whose line, direction, polarity, pull and debounce are
   * the same keeps its line, its state and its timers (a new `max_on` counts from when it went on; a
   * new `initial` waits for the next start). Any other is given back, at `on_stop` if it is an output, and taken anew.
   * A pin that cannot be had is logged and told; the others are not touched, and the next call tries again.
   */
  async apply(pins: readonly Pin[]): Promise<readonly PinProblem[]> {
    const problems = await this.#inTurn(() => this.#change(pins))
    for (const [error, names] of byError(problems))
      this.#log.error({ pins: names, code: error.code, reason: error.message }, 'pin not available')
    return problems
  }

  /** Calls the listener for the states as they are, then for what happens. @returns ends it */
  listen(listener: PinListener): () => void {
    this.#listeners.add(listener)
    for (const [name, held] of this.#holder.held)
      this.#call(() => listener.onState?.(name, this.#valueOf(held), []))
    return () => this.#listeners.delete(listener)
  }

  set(pin: string, command: PinCommand, options: PinCause & PinTiming = {}): void {
    this.#output(pin).command(command, options)
  }

  async pulse(pin: string, ms: number, signal?: AbortSignal, cause: PinCause = {}): Promise<void> {
    if (signal?.aborted) return
    const output = this.#output(pin)
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        try {
          output.command('off', cause)
        } catch (error) {
          this.#log.error({ pin, reason: reasonOf(error) }, 'pin not switched off when its pulse was aborted')
        }
      }
      const onSettled = (): void => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      // before the command: a listener that takes the pin over at once settles this pulse
      signal?.addEventListener('abort', abort, { once: true })
      try {
        output.command('on', { ...cause, forMs: ms, back: 'off', onSettled })
      } catch (error) {
        signal?.removeEventListener('abort', abort)
        reject(error)
      }
    })
  }

  state(pin: string): PinValue {
    return this.#valueOf(this.#find(pin))
  }

  /** Whether the pin is an input that counts. @throws as `state` */
  isCounter(pin: string): boolean {
    return countingPin(this.#find(pin)) !== undefined
  }

  /**
   * Gives an input that counts another total.
   * @throws DamselflyError `PIN_UNKNOWN`; `PIN_COMMAND_INVALID` for a pin that does not count
   */
  align(pin: string, total: number): void {
    const counting = countingPin(this.#find(pin))
    if (counting === undefined) throw new DamselflyError('PIN_COMMAND_INVALID', `pin ${pin} does not count`)
    this.#tell((listener) => listener.onAlign?.(counting, total))
  }

  /** Tells the listeners what an input that counts has counted. Does nothing when there is no such pin. */
  tellTotal(pin: string): void {
    const held = this.#holder.held.get(pin)
    if (held === undefined || countingPin(held) === undefined) return
    this.#tell((listener) => listener.onState?.(pin, this.#valueOf(held), []))
  }

  /** Whether the pin can be switched. @throws as `state` */
  isOutput(pin: string): boolean {
    return this.#find(pin).kind === 'out'
  }

  /** Whether `simulate` can set the pin. @throws as `state` */
  isSimulatedInput(pin: string): boolean {
    const held = this.#find(pin)
    return held.kind === 'in' && held.line.drive !== undefined
  }

  /**
   * Sets an input of the simulator, as if its wire had changed.
   * @throws DamselflyError `PIN_UNKNOWN`; `GPIO_FAILED` for a pin that is no simulated input; `PIN_COMMAND_INVALID`
   */
  simulate(pin: string, command: PinCommand, chain: readonly string[] = []): void {
    const held = this.#find(pin)
    if (held.kind === 'out' || held.line.drive === undefined)
      throw new DamselflyError('GPIO_FAILED', `pin ${pin} is not a simulated input`)
    const isOn = command === 'toggle' ? held.state === 'off' : levelOf(command)
    if (isOn === undefined)
      throw new DamselflyError('PIN_COMMAND_INVALID', `pin ${pin} is an input: it knows on, off and toggle`)
    held.line.drive(isOn, chain)
  }

  /**
   * Drives every output to `on_stop`, gives all lines back and closes the chip. Listeners hear of it.
   * Commands are refused from now on. A second call does nothing.
   */
  async close(): Promise<void> {
    await this.#inTurn(async () => {
      this.#isClosed = true
      clearTimeout(this.#chipTimer)
      await this.#holder.close()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** One change of the board at a time. */
  #inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = this.#changes.then(change)
    this.#changes = result.catch(() => {})
    return result
  }

  async #change(pins: readonly Pin[]): Promise<readonly PinProblem[]> {
    if (this.#isClosed) throw closed()
    const before = [...this.#holder.held.keys()]
    const problems = await this.#holder.change(pins)
    this.#unavailable.clear()
    for (const { pin, error } of problems) this.#unavailable.set(pin.name, error)
    for (const name of before)
      if (!this.#holder.held.has(name)) this.#tell((listener) => listener.onRemoved?.(name))
    await this.#holder.record()
    this.#awaitChip(pins)
    return problems
  }

  #awaitChip(pins: readonly Pin[]): void {
    clearTimeout(this.#chipTimer)
    if (!this.#holder.standsIn) return
    this.#chipTimer = setTimeout(() => {
      if (!this.#holder.hasChipCome) return this.#awaitChip(pins)
      this.apply(pins).catch((error) => {
        if (!this.#isClosed) this.#log.error({ err: error }, 'the chip that has come was not taken')
      })
    }, this.#options.chipEveryMs ?? chipEveryMs)
    this.#chipTimer.unref()
  }

  #edge(name: string, value: boolean, chain: readonly string[], edge?: WireEdge): void {
    const held = this.#holder.held.get(name)
    if (held?.kind !== 'in') return
    const state = value ? 'on' : 'off'
    if (edge !== undefined) {
      if (edge.lostEdges > 0) this.#options.counters.add('gpio.edgesLost', edge.lostEdges)
      this.#tell((listener) => listener.onWire?.(held.pin, state, edge, chain))
    }
    if (held.state === state) return
    held.state = state
    this.#log.debug({ pin: name, state }, 'pin changed')
    if (!isCounter(held.pin)) this.#tell((listener) => listener.onState?.(name, state, chain))
    this.#tell((listener) => listener.onEdge?.(held.pin, state, chain))
  }

  #newsOf({ pin, state, chain, by }: PinChange): (listener: PinListener) => void {
    const held = this.#holder.held.get(pin)
    const value = held?.kind === 'in' ? this.#valueOf(held) : state
    return (listener) => listener.onState?.(pin, value, chain, by)
  }

  #valueOf(held: Held): PinValue {
    const counting = countingPin(held)
    return counting === undefined ? held.state : (this.#options.totalOf?.(counting) ?? 0)
  }

  #output(name: string): Output {
    const held = this.#find(name)
    if (held.kind === 'out') return held.output
    throw new DamselflyError('PIN_NOT_OUTPUT', `pin ${name} is an input: it cannot be switched`)
  }

  #find(name: string): Held {
    const held = this.#holder.held.get(name)
    if (held !== undefined) return held
    if (this.#isClosed) throw closed()
    const cause = this.#unavailable.get(name)
    if (cause !== undefined)
      throw new DamselflyError('GPIO_FAILED', `pin ${name} is not available: ${cause.message}`, { cause })
    const names = [...this.#holder.held.keys()]
    const near = nearest(name, names)
    const hint = near === undefined ? '' : `; did you mean ${near}?`
    const list = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`
    throw new DamselflyError('PIN_UNKNOWN', `no pin is named "${name}"${hint}; ${list}`)
  }

  // A listener may command pins: what follows from that is told when all have heard what led to it.
  #tell(...news: ((listener: PinListener) => void)[]): void {
    this.#due.push(...news)
    if (this.#isTelling) return
    this.#isTelling = true
    for (let one = this.#due.shift(); one !== undefined; one = this.#due.shift())
      for (const listener of this.#listeners) this.#call(() => one?.(listener))
    this.#isTelling = false
  }

  #tellAfter<Result>(changes: () => Result): Result {
    this.#isTelling = true
    try {
      return changes()
    } finally {
      this.#isTelling = false
      this.#tell()
    }
  }

  #call(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#log.error({ err: error }, 'pin listener failed')
    }
  }
}

function countingPin(held: Held): InputPin | undefined {
  return isCounter(held.pin) ? held.pin : undefined
}

function levelOf(command: PinCommand): boolean | undefined {
  if (command === 'on' || command === 1) return true
  return command === 'off' || command === 0 ? false : undefined
}

function closed(): DamselflyError {
  return new DamselflyError('GPIO_FAILED', 'the pins have been given back: Damselfly is stopping')
}
