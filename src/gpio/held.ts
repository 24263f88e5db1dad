import type { InputPin, OutputPin, Pin, PinState } from '../core/pin.ts'
import type { InputLine } from './chip.ts'
import type { Output } from './output.ts'

/** A pin whose line the board holds. */
export type Held = HeldOut | HeldIn

export interface HeldOut {
  readonly kind: 'out'
  pin: OutputPin
  readonly offset: number
  readonly output: Output
}

export interface HeldIn {
  readonly kind: 'in'
  pin: InputPin
  readonly offset: number
  readonly line: InputLine
  state: PinState
}

/** Whether the line is on. */
export function stateOf(held: Held): PinState {
  return held.kind === 'out' ? held.output.state : held.state
}

/** Whether two configurations of a pin are served by one and the same request of the line. */
export function isSameLine(a: Pin, b: Pin | undefined): boolean {
  if (b === undefined || a.line !== b.line || a.isActiveLow !== b.isActiveLow) return false
  if (a.direction !== 'in') return b.direction === a.direction
  if (b.direction !== 'in' || (a.count === undefined) !== (b.count === undefined)) return false
  return a.pull === b.pull && a.debounceMs === b.debounceMs
}

/** Takes over a configuration for which `isSameLine` holds. */
export function update(held: Held, pin: Pin): void {
  if (held.kind === 'out' && pin.direction === 'out') {
    held.pin = pin
    held.output.update(pin)
  }
  if (held.kind === 'in' && pin.direction === 'in') held.pin = pin
}
