import type { Place } from './problems.ts'

export type PinState = 'on' | 'off'
export type PinCommand = PinState | 'toggle'

/** A line of the chip: a number N is the line named `GPION`, or offset N where no names contradict; a string is a line's name. */
export type LineChoice = number | string

export interface OutputPin {
  readonly name: string
  readonly direction: 'out'
  readonly line: LineChoice
  /** Active low: `on` drives the line low. */
  readonly isActiveLow: boolean
  /** Driven in the very request of the line, so that there is no glitch. */
  readonly initial: PinState
  /** Driven at a clean stop, and by `damselfly safe` after a crash. */
  readonly onStop: PinState
  /** The longest time that it may stay on. */
  readonly maxOnMs?: number
  readonly place: Place
}

export interface InputPin {
  readonly name: string
  readonly direction: 'in'
  readonly line: LineChoice
  readonly isActiveLow: boolean
  readonly pull: 'up' | 'down' | 'none' | 'as-is'
  /** Time for which the level must be stable; kept by the kernel. 0: every edge. */
  readonly debounceMs: number
  /** A topic that gets `on` or `off` at each edge. */
  readonly publish?: string
  readonly place: Place
}

export type Pin = OutputPin | InputPin
