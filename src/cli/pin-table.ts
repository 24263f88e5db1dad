import type { PinReport } from '../control/protocol.ts'
import { table } from './table.ts'
import { localTime, type Paint, plain } from './terminal.ts'

const titles = ['PIN', 'LINE', 'DIRECTION', 'STATE', 'SINCE', 'BY']

/** The pins as a table, one line a pin below the titles. */
export function pinTable(pins: readonly PinReport[], paint: Paint): string[] {
  if (pins.length === 0) return ['no pins; they are named under pins: in damselfly.yaml']
  const state = titles.indexOf('STATE')
  return table(titles, pins.map(cellsOf), paint, (text, column) =>
    column === state ? painted(text, paint) : text,
  )
}

function cellsOf({ name, line, direction, isServo, state, unit, since, by }: PinReport): string[] {
  const value = unit === undefined ? String(state) : `${state} ${unit}`.replace(' °', '°')
  return [name, line, isServo ? 'servo' : direction, value, localTime(since), by ?? ''].map(plain)
}

function painted(state: string, paint: Paint): string {
  const word = state.trim()
  return word === 'off' || word === '0' || word.startsWith('0 ') ? state : paint('green', state)
}
