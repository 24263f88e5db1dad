import type { InputPin, LineChoice } from '../core/pin.ts'

/** Who the kernel names as the holder of our lines. */
export const consumer = 'damselfly'

/**
 * A GPIO chip: the kernel's (`kernel-chip.ts`) or the simulator (`simulated-chip.ts`).
 * Values are logical, `true` is active, which is `on`: a line that is active low is inverted behind this door.
 */
export interface GpioChip {
  readonly isSimulated: boolean
  /** `/dev/gpiochip0`, or `simulated`. */
  readonly path: string
  /** What the driver calls itself: `pinctrl-rp1`, `pinctrl-bcm2711`, `simulated`. */
  readonly label: string
  /** Each line's name by offset; empty for a line without one. */
  readonly lineNames: readonly string[]
  /**
   * Takes a line and drives it to `value` in the same moment: no glitch. It is held until it is released.
   * @throws DamselflyError `GPIO_BUSY` naming the holder, `GPIO_FAILED`
   */
  requestOutput(offset: number, request: OutputRequest): OutputLine
  /**
   * Takes a line and reports both its edges from now on, never from within this call.
   * @throws DamselflyError `GPIO_BUSY` naming the holder, `GPIO_FAILED`
   */
  requestInput(offset: number, request: InputRequest, onEdge: OnEdge): InputLine
  /** Gives the chip back; lines must have been released. A second call does nothing. */
  close(): Promise<void>
}

export interface OutputRequest {
  readonly isActiveLow: boolean
  readonly value: boolean
}

export interface InputRequest {
  readonly isActiveLow: boolean
  readonly pull: InputPin['pull']
  readonly debounceMs: number
}

/**
 * Told the level after an edge. May be told the same level twice (edges were lost in between), so compare.
 * `chain`: the rules that led to it, which only a simulated edge can have. Without `edge` the level was only
 * looked at, because edges may have been lost: if they were, the next edge says how many.
 */
export type OnEdge = (value: boolean, chain: readonly string[], edge?: WireEdge) => void

/** An edge as the kernel saw it. */
export interface WireEdge {
  /** When it was, by `monotonicMs`. */
  readonly atMs: number
  /** Edges since the one told before that were lost on their way. */
  readonly lostEdges: number
  /** How often the line has gone on since the edge told before: this edge and the lost ones. */
  readonly rises: number
}

export interface OutputLine {
  /** @throws DamselflyError `GPIO_FAILED` */
  write(value: boolean): void
  /** Gives the line back as it is. Pi kernels keep driving it; others make it an input. */
  release(): void
}

export interface InputLine {
  /** The level now. @throws DamselflyError `GPIO_FAILED` */
  read(): boolean
  /** Sets the level, with an edge if it changes, before it returns. Only a simulated line has it. */
  drive?(value: boolean, chain: readonly string[]): void
  /** Resolves when the line is free again; no edge is reported after that. */
  release(): Promise<void>
}

/** How messages call a line: `GPIO17 (line 17 of /dev/gpiochip0)`. */
export function describeLine(chip: Pick<GpioChip, 'path' | 'lineNames'>, offset: number): string {
  const name = chip.lineNames[offset]
  return name ? `${name} (line ${offset} of ${chip.path})` : `line ${offset} of ${chip.path}`
}

/** A pin's line as it stands in YAML, for messages: `GPIO17`. */
export function describeChoice(choice: LineChoice): string {
  return typeof choice === 'number' ? `GPIO${choice}` : choice
}
