import { formatBytes, formatDuration, parseBytes, parseDuration, parsePeriod } from '../core/units.ts'
import type { ProblemList } from './problem-list.ts'
import type { Variable, VariableMistake } from './variables.ts'

/** What a key of `.env` may be: from `min` to `max`, both included. */
export interface Range {
  readonly min: number
  readonly max: number
}

const secondsPerYear = 365 * 86_400

/** What people write for "as much as there is"; other programs say -1. */
const unlimitedWords: ReadonlySet<string> = new Set([
  '-1',
  '0',
  'unlimited',
  'infinite',
  'infinity',
  'none',
  'no',
  'never',
])

/**
 * A whole number, told if it is none or out of its range.
 * @param zero what 0 stands for, where it stands for something
 */
export function readCount(variable: Variable, range: Range, zero?: number): number | undefined {
  const { value } = variable
  if (value === '0' && zero !== undefined) return zero
  const count = /^\d{1,15}$/.test(value) ? Number(value) : undefined
  const expected = `a whole number from ${range.min} to ${range.max}${zero === undefined ? '' : ', or 0 for no bound'}`
  if (isUnlimited(value))
    return zero === undefined
      ? tellUnlimited(variable, expected, `${range.max}`)
      : tell(variable, 'without a bound is written as 0', expected, '0')
  return count === undefined
    ? tellNoCount(variable, meantCount(value), range, expected)
    : within(variable, count, range, expected, String)
}

/** A whole number of seconds; who writes a duration is told how many they are. */
export function readSeconds(variable: Variable, range: Range): number | undefined {
  let ms: number
  try {
    ms = parseDuration(variable.value)
  } catch {
    return readCount(variable, range)
  }
  const expected = `a whole number of seconds from ${range.min} to ${range.max}`
  return tellNoCount(variable, ms / 1_000, range, expected)
}

function tellNoCount(
  variable: Variable,
  meant: number | undefined,
  { min, max }: Range,
  expected: string,
): undefined {
  const isIn = Number.isInteger(meant) && Number(meant) >= min && Number(meant) <= max
  return tell(variable, 'is not a whole number', expected, isIn ? `${meant}` : undefined)
}

/** Bytes, as `parseBytes` reads them; told if it is no size or out of its range. */
export function readBytes(variable: Variable, range: Range): number | undefined {
  const { value } = variable
  const expected = `a size from ${formatBytes(range.min)} to ${formatBytes(range.max)}: bytes (10485760), 10MB (ten million) or 10MiB (ten times 1048576)`
  const bytes = parseBytes(value)
  if (isUnlimited(value)) return tellUnlimited(variable, expected, formatBytes(range.max))
  if (bytes === undefined) {
    const [, amount, letter] = /^([\d.]+) ?([kmg])i?$/i.exec(value) ?? []
    const near = `${amount}${letter?.toUpperCase()}iB`
    return tell(variable, 'is not a size', expected, parseBytes(near) === undefined ? undefined : near)
  }
  return within(variable, bytes, range, expected, formatBytes)
}

/** A duration that a timer waits for, in milliseconds; told if it is none or out of its range. */
export function readWait(variable: Variable, rangeMs: Range): number | undefined {
  const expected = `a duration from ${formatDuration(rangeMs.min)} to ${formatDuration(rangeMs.max)}, such as 10s`
  let ms: number
  try {
    ms = parseDuration(variable.value)
  } catch {
    const asSeconds = /^\d{1,9}$/.test(variable.value) ? Number(variable.value) * 1_000 : 0
    const isIn = asSeconds >= rangeMs.min && asSeconds <= rangeMs.max
    return tell(variable, 'is not a duration', expected, isIn ? `${variable.value}s` : undefined)
  }
  return within(variable, ms, rangeMs, expected, formatDuration)
}

/**
 * How long something is kept, in seconds, or `never`.
 * @param never what stands for it
 * @param warnings told where mosquitto, whose `m` are months, would read another time
 */
export function readKeeping(variable: Variable, never: number, warnings: ProblemList): number | undefined {
  const value = variable.value.toLowerCase()
  if (value === 'never') return never
  const range = { min: 1, max: 100 * secondsPerYear }
  const expected = 'never, or a time such as 2h, 14d, 2w or 1y, from 1s to 100y'
  const seconds = parsePeriod(value)
  if (isUnlimited(value)) return tell(variable, 'is not a time', expected, 'never')
  if (seconds === undefined) {
    const near = /^[1-9]\d{0,3}$/.test(value) ? `${value}d` : undefined
    return tell(variable, 'is not a time', expected, near)
  }
  const months = /^(\d+) *m$/.exec(value)?.[1]
  if (months !== undefined)
    warnings.add({
      place: variable.place,
      message: `${variable.name}=${value} is ${months} minutes here; for mosquitto it is ${months} months`,
      suggestion: `${Number(months) * 30}d for months, ${Number(months) * 60}s for minutes`,
    })
  return within(variable, seconds, range, expected, formatPeriod)
}

function formatPeriod(seconds: number): string {
  return seconds % secondsPerYear === 0 ? `${seconds / secondsPerYear}y` : formatDuration(seconds * 1_000)
}

function isUnlimited(value: string): boolean {
  return unlimitedWords.has(value.toLowerCase())
}

function tellUnlimited(variable: Variable, expected: string, most: string): undefined {
  return tell(variable, 'cannot be without a bound', expected, most)
}

function within(
  variable: Variable,
  amount: number,
  { min, max }: Range,
  expected: string,
  format: (amount: number) => string,
): number | undefined {
  if (amount < min) return tell(variable, 'is too small', expected, format(min))
  if (amount > max) return tell(variable, 'is too large', expected, format(max))
  return amount
}

function tell(variable: Variable, what: string, expected: string, suggestion?: string): undefined {
  const details: VariableMistake = { expected, ...(suggestion === undefined ? {} : { suggestion }) }
  variable.mistake(`${variable.name} ${what}`, details)
}

/** `10,000`, `10_000`, `10 000`, `10.000` and `10k` are ten thousand to those who write them. */
function meantCount(value: string): number | undefined {
  const grouped = /^\d{1,3}(?:[_,. ']\d{3})+$/.test(value) ? value.replaceAll(/\D/g, '') : undefined
  const thousands = /^(\d{1,9}) ?k$/i.exec(value)?.[1]
  const rated = /^(\d{1,9}) ?(?:\/ ?s|per second|messages|s)$/i.exec(value)?.[1]
  if (thousands !== undefined) return Number(thousands) * 1_000
  return grouped === undefined && rated === undefined ? undefined : Number(grouped ?? rated)
}
