import { type InputPin, isCounter, type Pin } from '../core/pin.ts'
import { describeLine, type GpioChip, type OnEdge } from './chip.ts'
import type { HeldInput } from './held.ts'

/**
 * Takes the line of an input, at the level that it has.
 * @throws DamselflyError `GPIO_BUSY`, `GPIO_FAILED`
 */
export function holdInput(chip: GpioChip, offset: number, first: InputPin, onEdge: OnEdge): HeldInput {
  const line = chip.requestInput(offset, first, onEdge)
  try {
    return {
      kind: 'in',
      pin: first,
      line,
      wire: describeLine(chip, offset),
      state: line.read() ? 'on' : 'off',
      isSameLine(pin) {
        return pin?.direction === 'in' && isSame(this.pin, pin)
      },
      update(pin: Pin) {
        if (pin.direction === 'in') this.pin = pin
      },
    }
  } catch (error) {
    void line.release()
    throw error
  }
}

function isSame(a: InputPin, b: InputPin): boolean {
  return (
    a.line === b.line &&
    a.isActiveLow === b.isActiveLow &&
    a.pull === b.pull &&
    a.debounceMs === b.debounceMs &&
    isCounter(a) === isCounter(b)
  )
}
