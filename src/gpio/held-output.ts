import type { OutputPin, PinState } from '../core/pin.ts'
import { describeLine, type GpioChip, type OutputLine } from './chip.ts'
import type { HeldOutput } from './held.ts'
import { type Actuator, Output, type OutputOptions } from './output.ts'

/** What an output needs of the board. */
export type OutputParts = Omit<OutputOptions, 'pin' | 'actuator' | 'initial'>

/**
 * Takes the line of a switched output and drives it to `initial` in the same moment.
 * @throws DamselflyError `GPIO_BUSY`, `GPIO_FAILED`
 */
export function holdOutput(
  chip: GpioChip,
  offset: number,
  first: OutputPin,
  initial: PinState,
  parts: OutputParts,
): HeldOutput {
  const line = chip.requestOutput(offset, { isActiveLow: first.isActiveLow, value: initial === 'on' })
  const output = new Output({ ...parts, pin: first, actuator: switched(line), initial })
  output.start()
  let pin = first
  return {
    kind: 'out',
    output,
    wire: describeLine(chip, offset),
    get pin() {
      return pin
    },
    get state() {
      return output.state
    },
    get record() {
      const { name, isActiveLow, onStop } = pin
      const held = { pin: name, line: chip.lineNames[offset] ?? '', offset, isActiveLow, onStop }
      return { kind: 'line', line: held } as const
    },
    isSameLine: (next) =>
      next?.direction === 'out' && next.line === pin.line && next.isActiveLow === pin.isActiveLow,
    update(next) {
      if (next.direction !== 'out') return
      pin = next
      output.update(next)
    },
  }
}

/** A line that is on or off; a timed command goes back to the other of the two. */
export function switched(line: OutputLine): Actuator {
  return {
    on: 'on',
    driveOf: (value) => (value === 0 ? 'off' : 'on'),
    backFrom: (value) => (value === 'off' ? 'on' : 'off'),
    write: (value) => line.write(value !== 'off'),
    release: () => line.release(),
  }
}
