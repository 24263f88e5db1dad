import type { Counters } from '../core/counters.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { Pin, PwmPin } from '../core/pin.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { describeLine, type GpioChip, type OnEdge } from './chip.ts'
import type { Held, HeldOutput } from './held.ts'
import { holdInput } from './held-input.ts'
import { holdOutput, type OutputParts } from './held-output.ts'
import { holdPwm } from './held-pwm.ts'
import { type Interlocks, interlocksOf, type Partner } from './interlocks.ts'
import { resolveLine } from './lines.ts'
import { hasGpioChip, openChip } from './open-chip.ts'
import { openPwm } from './open-pwm.ts'
import type { PinChange } from './output.ts'
import type { PinProblem } from './pin-problem.ts'
import { describeChannel, type Pwm, type PwmChannel } from './pwm.ts'
import { writeOutputsRecord } from './record.ts'

export interface PinHolderOptions {
  /** `GPIO_CHIP`: `auto`, `simulated` or the path of a chip's device. */
  readonly choice: string
  /** `PWM_DIR`, if it is set. */
  readonly pwmDir?: string
  /** Where the record of held outputs is kept for `damselfly safe`. */
  readonly dataDir: string
  readonly log: Logger
  readonly counters: Counters
  /** Where the devices are; `/dev` unless told. */
  readonly deviceDir?: string
}

/** Told what happens on the lines, from within the calls that make it happen. */
export interface HolderEvents {
  onChanges(changes: readonly PinChange[]): void
  onEdge(pin: string, ...edge: Parameters<OnEdge>): void
  /** Lets all these changes happen before any of them is told. */
  inOne<Result>(changes: () => Result): Result
  readonly nowMs: () => number
}

/** What was got ready, so that nothing has to wait from the moment when the old lines are left to the new ones. */
interface Ready {
  readonly chip: GpioChip | undefined
  readonly channels: ReadonlyMap<string, PwmChannel>
  readonly problems: readonly PinProblem[]
}

/**
 * Holds the lines of pins: takes them, leaves them alone at a reload that does not concern them, gives them back.
 * One change at a time; the caller sees to that.
 */
export class PinHolder {
  readonly #options: PinHolderOptions
  readonly #events: HolderEvents
  readonly #held = new Map<string, Held>()
  readonly #repeats = new Repeats()
  #interlocks: Interlocks = new Map()
  #chip: GpioChip | undefined
  #pwm: Pwm | undefined

  constructor(options: PinHolderOptions, events: HolderEvents) {
    this.#options = options
    this.#events = events
  }

  get held(): ReadonlyMap<string, Held> {
    return this.#held
  }

  get chip(): GpioChip | undefined {
    return this.#chip
  }

  /** Whether what is held is not real. */
  get isSimulated(): boolean {
    return this.#chip?.isSimulated ?? this.#pwm?.isSimulated ?? false
  }

  /** Whether the simulator stands in for a chip that this machine did not have, and has now. */
  get hasChipCome(): boolean {
    return this.standsIn && hasGpioChip(this.#options.deviceDir)
  }

  /** Whether the simulator stands in for a chip that this machine did not have. */
  get standsIn(): boolean {
    return this.#options.choice === 'auto' && this.isSimulated
  }

  /** Holds these pins instead; `PinBoard.apply` says which lines are left alone. @returns those that cannot be had */
  async change(pins: readonly Pin[]): Promise<readonly PinProblem[]> {
    const wanted = new Map(pins.map((pin) => [pin.name, pin]))
    const isOther = await this.#openLateChip()
    const obsolete = [...this.#held].filter(([name, held]) => isOther || !held.isSameLine(wanted.get(name)))
    const leaving = new Set(obsolete.map(([name]) => name))
    const ready = await this.#prepare(pins, (name) => !this.#held.has(name) || leaving.has(name))
    await this.#releaseInputs(obsolete)
    // from here on nothing waits: no command finds a pin missing
    return this.#events.inOne(() => {
      this.#stopOutputs(obsolete)
      this.#interlocks = interlocksOf(pins)
      return this.#takeAll(pins, ready)
    })
  }

  /** Drives every output to `on_stop` and gives everything back. */
  async close(): Promise<void> {
    const all = [...this.#held]
    this.#stopOutputs(all)
    await this.#releaseInputs(all)
    await this.#chip?.close()
    this.#chip = undefined
  }

  /** Takes a chip that came later in the simulator's place. @returns whether it did: then every line is another */
  async #openLateChip(): Promise<boolean> {
    if (!this.hasChipCome) return false
    try {
      this.#chip = await openChip(this.#options) // of the simulator nothing is left to close
      this.#pwm = undefined
      return true
    } catch (error) {
      const repeats = this.#repeats.admit('late chip')
      if (repeats !== undefined)
        this.#options.log.error({ reason: reasonOf(error), ...repeats }, 'pins are still simulated')
      return false
    }
  }

  async #prepare(pins: readonly Pin[], isNew: (name: string) => boolean): Promise<Ready> {
    const problems: PinProblem[] = []
    const lines = pins.filter(({ direction }) => direction !== 'pwm')
    try {
      if (lines.length > 0) this.#chip ??= await openChip(this.#options)
    } catch (error) {
      problems.push(...lines.map((pin) => problemOf(pin, error)))
    }
    const channels = new Map<string, PwmChannel>()
    const prepare = async (pin: PwmPin): Promise<void> => {
      try {
        this.#pwm ??= openPwm(this.#options)
        channels.set(pin.name, await this.#pwm.prepare(pin))
      } catch (error) {
        problems.push(problemOf(pin, error))
      }
    }
    await Promise.all(
      pins.map((pin) => (pin.direction === 'pwm' && isNew(pin.name) ? prepare(pin) : undefined)),
    )
    return { chip: this.#chip, channels, problems }
  }

  #takeAll(pins: readonly Pin[], ready: Ready): readonly PinProblem[] {
    const problems = [...ready.problems]
    const taken: Held[] = []
    for (const pin of pins) {
      try {
        const before = this.#held.get(pin.name)
        const held = before === undefined ? this.#take(pin, ready) : undefined
        before?.update(pin)
        if (held === undefined) continue
        this.#held.set(pin.name, held)
        taken.push(held)
        this.#events.onChanges([{ pin: pin.name, state: held.state, chain: [] }])
      } catch (error) {
        problems.push(problemOf(pin, error))
      }
    }
    this.#settleInterlocks()
    for (const held of taken) if (held.kind === 'out') this.#begin(held)
    return problems
  }

  /** Undefined when it could not be got ready, which has been told. */
  #take(pin: Pin, { chip, channels }: Ready): Held | undefined {
    if (pin.direction === 'pwm') {
      const channel = channels.get(pin.name)
      if (channel === undefined) return undefined
      this.#checkFree(describeChannel(channel))
      return holdPwm(channel, pin, this.#initialOf(pin.name, pin.initial), this.#outputParts(pin))
    }
    if (chip === undefined) return undefined
    const offset = resolveLine(chip, pin.line)
    this.#checkFree(describeLine(chip, offset))
    if (pin.direction === 'in')
      return holdInput(chip, offset, pin, (...edge) => this.#events.onEdge(pin.name, ...edge))
    return holdOutput(chip, offset, pin, this.#initialOf(pin.name, pin.initial), this.#outputParts(pin))
  }

  #checkFree(wire: string): void {
    for (const [name, held] of this.#held)
      if (held.wire === wire) throw new DamselflyError('GPIO_BUSY', `${wire} is pin ${name} already`)
  }

  /** Behind an interlock an output is `off` at first: what its partners do now is not known yet. */
  #initialOf<Initial>(name: string, initial: Initial): Initial | 'off' {
    return this.#interlocks.has(name) ? 'off' : initial
  }

  #outputParts({ name }: Pin): OutputParts {
    const { log } = this.#options
    const { onChanges, nowMs } = this.#events
    return { log, nowMs, onChanges, partners: () => this.#partnersOf(name) }
  }

  #partnersOf(name: string): Partner[] {
    return [...(this.#interlocks.get(name) ?? [])].map(([other, deadTimeMs]) => {
      const held = this.#held.get(other)
      if (held?.kind === 'out') return { output: held.output, deadTimeMs }
      const reason = `${other}, which must be off while it is on, is not available`
      throw new DamselflyError('GPIO_FAILED', `pin ${name} stays off: ${reason}`)
    })
  }

  /** A reload may lock pins together that are both on: the one that comes first in the file stays on. */
  #settleInterlocks(): void {
    for (const [name, held] of this.#held) {
      if (held.kind !== 'out' || !held.output.isOn) continue
      for (const other of this.#interlocks.get(name)?.keys() ?? []) {
        const partner = this.#held.get(other)
        if (partner?.kind !== 'out' || !partner.output.isOn) continue
        try {
          this.#events.onChanges(partner.output.giveWay({ by: `interlock with ${name}` }))
        } catch (error) {
          this.#options.log.error(
            { pin: other, reason: reasonOf(error) },
            'pin not switched off by its interlock',
          )
        }
      }
    }
  }

  #begin({ pin, output }: HeldOutput): void {
    if (pin.initial === 'off' || !this.#interlocks.has(pin.name)) return
    try {
      output.command(pin.initial, { by: 'initial' })
    } catch (error) {
      this.#options.log.error({ pin: pin.name, reason: reasonOf(error) }, 'pin not driven to initial')
    }
  }

  #stopOutputs(held: readonly (readonly [string, Held])[]): void {
    for (const [name, it] of held) {
      if (it.kind !== 'out') continue
      this.#held.delete(name) // first: a listener that commands it now must not reach a line that was given back
      it.output.stop()
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

  /** Writes down what is held, for `damselfly safe`. Never throws; what fails is logged. */
  async record(): Promise<void> {
    const { choice, dataDir, log } = this.#options
    const { path = '', label = '' } = this.#chip ?? {}
    const records = [...this.#held.values()].flatMap((held) => (held.kind === 'out' ? [held.record] : []))
    const outputs = records.flatMap((record) => (record.kind === 'line' ? [record.line] : []))
    const channels = records.flatMap((record) => (record.kind === 'channel' ? [record.channel] : []))
    const pwm =
      this.#pwm === undefined || channels.length === 0 ? {} : { pwm: { dir: this.#pwm.dir, channels } }
    try {
      await writeOutputsRecord(dataDir, { choice, chip: { path, label }, outputs, ...pwm })
    } catch (error) {
      log.error(
        { dataDir, reason: reasonOf(error) },
        'record of outputs not written; "damselfly safe" needs it',
      )
    }
  }
}

function problemOf(pin: Pin, error: unknown): PinProblem {
  if (!(error instanceof DamselflyError)) throw error
  return { pin, error }
}
