import type { Pin } from '../core/pin.ts'
import type { Output } from './output.ts'

/** An output that must be off while another is on. */
export interface Partner {
  readonly output: Output
  /** How long it must have been off before the other goes on. */
  readonly deadTimeMs: number
}

/** For each pin in an interlock: the pins that must be off while it is on, and the dead time of that pair. */
export type Interlocks = ReadonlyMap<string, ReadonlyMap<string, number>>

/**
 * The pairs of pins that are never on together. One that names the other is enough; where both do, the longer
 * dead time holds. Partners of a partner are not meant.
 */
export function interlocksOf(pins: readonly Pin[]): Interlocks {
  const all = new Map<string, Map<string, number>>()
  const add = (pin: string, other: string, deadTimeMs: number): void => {
    const partners = all.get(pin) ?? new Map<string, number>()
    all.set(pin, partners.set(other, Math.max(deadTimeMs, partners.get(other) ?? 0)))
  }
  for (const pin of pins) {
    if (pin.direction === 'in' || pin.interlock === undefined) continue
    const { deadTimeMs } = pin.interlock
    for (const other of pin.interlock.pins) {
      add(pin.name, other, deadTimeMs)
      add(other, pin.name, deadTimeMs)
    }
  }
  return all
}
