import type { PinReport } from '../control/protocol.ts'
import { localTime, type Paint, plain } from './terminal.ts'

const titles = ['PIN', 'LINE', 'DIRECTION', 'STATE', 'SINCE', 'BY']

/** The pins as a table, one line a pin below the titles. */
export function pinTable(pins: readonly PinReport[], paint: Paint): string[] {
  if (pins.length === 0) return ['no pins; they are named under pins: in damselfly.yaml']
  const cells = pins.map(cellsOf)
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => (row[column] as string).length)),
  )
  const line = (row: readonly string[], painted: (text: string, column: number) => string): string =>
    row
      .map((text, column) => painted(text.padEnd(widths[column] as number), column))
      .join('  ')
      .trimEnd()
  const state = titles.indexOf('STATE')
  return [
    line(titles, (text) => paint('dim', text)),
    ...cells.map((row) => line(row, (text, column) => (column === state ? painted(text, paint) : text))),
  ]
}

function cellsOf({ name, line, direction, isServo, state, unit, since, by }: PinReport): string[] {
  const value = unit === undefined ? String(state) : `${state} ${unit}`.replace(' °', '°')
  return [name, line, isServo ? 'servo' : direction, value, localTime(since), by ?? ''].map(plain)
}

function painted(state: string, paint: Paint): string {
  const word = state.trim()
  return word === 'off' || word === '0' || word.startsWith('0 ') ? state : paint('green', state)
}
