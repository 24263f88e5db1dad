import type { Counters } from '../core/counters.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import type { InputPin, OutputPin, Pin, PinCommand, PinState, PinValue } from '../core/pin.ts'
import type { Logger, PinCause, Pins } from '../core/ports.ts'
import { describeLine, type GpioChip, type WireEdge } from './chip.ts'
import { type Held, type HeldIn, type HeldOut, isSameLine, stateOf, update } from './held.ts'
import { resolveLine } from './lines.ts'
import { openChip } from './open-chip.ts'
import { Output, opposite } from './output.ts'
import { byError, type PinProblem, startError } from './pin-problem.ts'
import { writeOutputsRecord } from './record.ts'

export interface PinBoardOptions {
  /** `GPIO_CHIP`: `auto`, `simulated` or the path of a chip's device. */
  readonly choice: string
  /** Where the record of held outputs is kept for `damselfly safe`. */
  readonly dataDir: string
  readonly log: Logger
  readonly counters: Counters
  /** Where the devices are; `/dev` unless told. */
  readonly deviceDir?: string
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
 */
export class PinBoard implements Pins {
  readonly #options: PinBoardOptions
  readonly #nowMs: () => number
  readonly #held = new Map<string, Held>()
  readonly #unavailable = new Map<string, DamselflyError>()
  readonly #listeners = new Set<PinListener>()
  #chip: GpioChip | undefined
  #changes: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(options: PinBoardOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? (() => performance.now())
  }

  /** The chip that serves the pins; undefined while there are none. */
  get chip(): Pick<GpioChip, 'path' | 'label' | 'isSimulated'> | undefined {
    return this.#chip
  }

  /** The pins that are there. */
  get pins(): readonly Pin[] {
    return [...this.#held.values()].map((held) => held.pin)
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
      this.#options.log.error({ pins: names, code: error.code, reason: error.message }, 'pin not available')
    return problems
  }

  /** Calls the listener for the states as they are, then for what happens. @returns ends it */
  listen(listener: PinListener): () => void {
    this.#listeners.add(listener)
    for (const [name, held] of this.#held) this.#call(() => listener.onState?.(name, this.#valueOf(held), []))
    return () => this.#listeners.delete(listener)
  }

  set(pin: string, command: PinCommand, options: PinCause & { readonly forMs?: number } = {}): void {
    this.#output(pin).command(command, options)
  }

  async pulse(pin: string, ms: number, signal?: AbortSignal, cause: PinCause = {}): Promise<void> {
    if (signal?.aborted) return
    const output = this.#output(pin)
    const { log } = this.#options
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        try {
          output.command('off', cause)
        } catch (error) {
          log.error({ pin, reason: reasonOf(error) }, 'pin not switched off when its pulse was aborted')
        }
      }
      const onSettled = (): void => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      // before the command: a listener that takes the pin over at once settles this pulse
      signal?.addEventListener('abort', abort, { once: true })
      try {
        output.command('on', { ...cause, forMs: ms, onSettled })
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
    const held = this.#held.get(pin)
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
   * @throws DamselflyError `PIN_UNKNOWN`; `GPIO_FAILED` for a pin that is no simulated input
   */
  simulate(pin: string, command: PinCommand, chain: readonly string[] = []): void {
    const held = this.#find(pin)
    if (held.kind === 'out' || held.line.drive === undefined)
      throw new DamselflyError('GPIO_FAILED', `pin ${pin} is not a simulated input`)
    const target = command === 'toggle' ? opposite(held.state) : command
    held.line.drive(target === 'on', chain)
  }

  /**
   * Drives every output to `on_stop`, gives all lines back and closes the chip. Listeners hear of it.
   * Commands are refused from now on. A second call does nothing.
   */
  async close(): Promise<void> {
    await this.#inTurn(async () => {
      this.#isClosed = true
      const all = [...this.#held]
      this.#stopOutputs(all)
      await this.#releaseInputs(all)
      await this.#chip?.close()
      this.#chip = undefined
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

  async #change(pins: readonly Pin[]): Promise<PinProblem[]> {
    if (this.#isClosed) throw closed()
    const wanted = new Map(pins.map((pin) => [pin.name, pin]))
    const before = [...this.#held]
    const obsolete = before.filter(([name, { pin }]) => !isSameLine(pin, wanted.get(name)))
    await this.#releaseInputs(obsolete)
    this.#stopOutputs(obsolete) // from here to the new lines nothing waits: no command finds a pin missing
    this.#unavailable.clear()
    const problems = await this.#take(pins)
    for (const { pin, error } of problems) this.#unavailable.set(pin.name, error)
    for (const [name] of before)
      if (!this.#held.has(name)) this.#tell((listener) => listener.onRemoved?.(name))
    await this.#record()
    return problems
  }

  async #take(pins: readonly Pin[]): Promise<PinProblem[]> {
    const problems: PinProblem[] = []
    const failed = (pin: Pin, error: unknown): void => {
      if (!(error instanceof DamselflyError)) throw error
      problems.push({ pin, error })
    }
    try {
      if (pins.length > 0) this.#chip ??= await openChip(this.#options)
    } catch (error) {
      for (const pin of pins) failed(pin, error)
      return problems
    }
    for (const pin of pins) {
      const held = this.#held.get(pin.name)
      try {
        if (held !== undefined) update(held, pin)
        else if (this.#chip !== undefined) this.#request(this.#chip, pin)
      } catch (error) {
        failed(pin, error)
      }
    }
    return problems
  }

  #request(chip: GpioChip, pin: Pin): void {
    if (pin.direction === 'pwm') throw new DamselflyError('GPIO_FAILED', 'PWM is not there yet')
    const offset = resolveLine(chip, pin.line)
    for (const { pin: other, offset: taken } of this.#held.values()) {
      if (taken !== offset) continue
      throw new DamselflyError('GPIO_BUSY', `${describeLine(chip, offset)} is pin ${other.name} already`)
    }
    const held =
      pin.direction === 'out' ? this.#takeOutput(chip, pin, offset) : this.#takeInput(chip, pin, offset)
    this.#held.set(pin.name, held)
    this.#tell((listener) => listener.onState?.(pin.name, this.#valueOf(held), []))
  }

  #takeOutput(chip: GpioChip, pin: OutputPin, offset: number): HeldOut {
    const { isActiveLow, initial } = pin
    const line = chip.requestOutput(offset, { isActiveLow, value: initial === 'on' })
    const onState = (state: PinState, chain: readonly string[], by?: string): void =>
      this.#tell((listener) => listener.onState?.(pin.name, state, chain, by))
    const output = new Output({ pin, line, log: this.#options.log, onState, nowMs: this.#nowMs })
    output.start()
    return { kind: 'out', pin, offset, output }
  }

  #takeInput(chip: GpioChip, pin: InputPin, offset: number): HeldIn {
    const onEdge = (value: boolean, chain: readonly string[], edge?: WireEdge): void =>
      this.#edge(pin.name, value, chain, edge)
    const line = chip.requestInput(offset, pin, onEdge)
    try {
      return { kind: 'in', pin, offset, line, state: line.read() ? 'on' : 'off' }
    } catch (error) {
      void line.release()
      throw error
    }
  }

  #edge(name: string, value: boolean, chain: readonly string[], edge: WireEdge | undefined): void {
    const held = this.#held.get(name)
    if (held?.kind !== 'in') return
    const state = value ? 'on' : 'off'
    if (edge !== undefined) {
      if (edge.lostEdges > 0) this.#options.counters.add('gpio.edgesLost', edge.lostEdges)
      this.#tell((listener) => listener.onWire?.(held.pin, state, edge, chain))
    }
    if (held.state === state) return
    held.state = state
    this.#options.log.debug({ pin: name, state }, 'pin changed')
    if (held.pin.count === undefined) this.#tell((listener) => listener.onState?.(name, state, chain))
    this.#tell((listener) => listener.onEdge?.(held.pin, state, chain))
  }

  #valueOf(held: Held): PinValue {
    const counting = countingPin(held)
    return counting === undefined ? stateOf(held) : (this.#options.totalOf?.(counting) ?? 0)
  }

  #stopOutputs(held: readonly (readonly [string, Held])[]): void {
    for (const [name, it] of held) {
      if (it.kind !== 'out') continue
      it.output.stop()
      this.#held.delete(name)
    }
  }

  async #releaseInputs(held: readonly (readonly [string, Held])[]): Promise<void> {
    const releases = held.map(async ([name, it]) => {
      if (it.kind !== 'in') return
      this.#held.delete(name)
      await it.line.release()
    })
    await Promise.all(releases)
  }

  async #record(): Promise<void> {
    const { choice, dataDir, log } = this.#options
    const { path = '', label = '', lineNames = [] } = this.#chip ?? {}
    const outputs = [...this.#held.values()]
      .filter((held) => held.kind === 'out')
      .map(({ pin, offset }) => {
        const { name, isActiveLow, onStop } = pin
        return { pin: name, line: lineNames[offset] ?? '', offset, isActiveLow, onStop }
      })
    try {
      await writeOutputsRecord(dataDir, { choice, chip: { path, label }, outputs })
    } catch (error) {
      log.error(
        { dataDir, reason: reasonOf(error) },
        'record of outputs not written; "damselfly safe" needs it',
      )
    }
  }

  #output(name: string): Output {
    const held = this.#find(name)
    if (held.kind === 'out') return held.output
    throw new DamselflyError('PIN_NOT_OUTPUT', `pin ${name} is an input: it cannot be switched`)
  }

  #find(name: string): Held {
    const held = this.#held.get(name)
    if (held !== undefined) return held
    if (this.#isClosed) throw closed()
    const cause = this.#unavailable.get(name)
    if (cause !== undefined)
      throw new DamselflyError('GPIO_FAILED', `pin ${name} is not available: ${cause.message}`, { cause })
    const names = [...this.#held.keys()]
    const near = nearest(name, names)
    const hint = near === undefined ? '' : `; did you mean ${near}?`
    const list = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`
    throw new DamselflyError('PIN_UNKNOWN', `no pin is named "${name}"${hint}; ${list}`)
  }

  #tell(call: (listener: PinListener) => void): void {
    for (const listener of this.#listeners) this.#call(() => call(listener))
  }

  #call(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#options.log.error({ err: error }, 'pin listener failed')
    }
  }
}

function countingPin(held: Held): InputPin | undefined {
  return held.kind === 'in' && held.pin.count !== undefined ? held.pin : undefined
}

function closed(): DamselflyError {
  return new DamselflyError('GPIO_FAILED', 'the pins have been given back: Damselfly is stopping')
}
