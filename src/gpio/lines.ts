import { DamselflyError } from '../core/errors.ts'
import type { LineChoice } from '../core/pin.ts'
import { describeChoice, type GpioChip } from './chip.ts'

/** Labels of the chip that drives a Raspberry Pi's header, newest first. Its number is never the same. */
export const piLabels = ['pinctrl-rp1', 'pinctrl-bcm2711', 'pinctrl-bcm2835'] as const

const headerLinesMax = 28

type Lines = Pick<GpioChip, 'path' | 'label' | 'lineNames'>

/**
 * The offset of the line that someone chose. A text is a line's name. A number N is the line named `GPION`;
 * where there is none, it is offset N, provided that the chip names no line `GPIO…` at all, or that it is a
 * Raspberry Pi's and N is on the header (some kernels call line 4 `GPIO_GCLK`).
 * @throws DamselflyError `GPIO_NO_LINE` that lists the lines there are
 */
export function resolveLine(chip: Lines, choice: LineChoice): number {
  const name = typeof choice === 'number' ? `GPIO${choice}` : choice
  const offset = name === '' ? -1 : chip.lineNames.indexOf(name)
  if (offset !== -1) {
    const more = chip.lineNames.indexOf(name, offset + 1)
    if (more === -1) return offset
    throw noLine(chip, `lines ${offset} and ${more} are both named ${name}; choose another line`)
  }
  if (typeof choice === 'number' && mayBeOffset(chip, choice)) return choice
  // no nearest name is offered: a guessed line is a guessed wire
  throw noLine(chip, `there is no line ${describeChoice(choice)}; it has ${listLines(chip.lineNames)}`)
}

/** The lines' names for a message; those in a row are drawn together: `ID_SDA, GPIO2 to GPIO27`. */
export function listLines(names: readonly string[]): string {
  const parts: string[] = []
  for (let offset = 0; offset < names.length; offset++) {
    const first = names[offset] as string
    if (first === '') continue
    const number = gpioNumber(first)
    let last = offset
    while (number !== undefined && names[last + 1] === `GPIO${number + last + 1 - offset}`) last++
    parts.push(last > offset + 1 ? `${first} to ${names[last]}` : first)
    if (last > offset + 1) offset = last
  }
  if (parts.length === 0) return `lines 0 to ${names.length - 1}, which have no names`
  return parts.join(', ')
}

function mayBeOffset(chip: Lines, offset: number): boolean {
  if (!Number.isInteger(offset) || offset < 0 || offset >= chip.lineNames.length) return false
  const isHeader = offset < headerLinesMax && (piLabels as readonly string[]).includes(chip.label)
  return isHeader || !chip.lineNames.some((name) => gpioNumber(name) !== undefined)
}

function gpioNumber(name: string): number | undefined {
  const found = /^GPIO(\d+)$/.exec(name)
  return found === null ? undefined : Number(found[1])
}

function noLine(chip: Lines, reason: string): DamselflyError {
  return new DamselflyError('GPIO_NO_LINE', `chip ${chip.path} (${chip.label}): ${reason}`)
}
