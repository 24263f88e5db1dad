import strftime from 'strftime'
import { parseDuration } from '../../core/units.ts'
import { fail, spend, spendChars, spendSearch, stepsAllowed } from './failure.ts'
import { finite } from './operators.ts'
import { type CelType, isObject, quote, Span, textOf, typeOf } from './values.ts'

/** A function or a method of CEL. Its arguments are checked before it is called. */
export interface Operation {
  /** The types that each argument may have; for a method the receiver comes first. */
  readonly takes: readonly (readonly CelType[])[]
  /** How many arguments must be there, unless all. */
  readonly min?: number
  readonly gives: CelType
  run(a: never, b: never, c: never): unknown
}

type Operations = Readonly<Record<string, Operation>>

const any: readonly CelType[] = ['any']
const text: readonly CelType[] = ['text']
const number: readonly CelType[] = ['number']
const time: readonly CelType[] = ['time']
const sized: readonly CelType[] = ['text', 'list', 'object', 'bytes']
const raw: readonly CelType[] = ['text', 'bytes']

type Sized = string | readonly unknown[] | Uint8Array | Readonly<Record<string, unknown>>

/** `int(x)`, `size(x)`, … */
export const functions: Operations = {
  size: { takes: [sized], gives: 'number', run: sizeOf },
  string: { takes: [any], gives: 'text', run: (value: unknown) => stringOf(value) },
  int: { takes: [['number', 'text']], gives: 'number', run: toInt },
  double: { takes: [['number', 'text']], gives: 'number', run: toDouble },
  bool: { takes: [['bool', 'text']], gives: 'bool', run: toBool },
  bytes: { takes: [raw], gives: 'bytes', run: toBytes },
  timestamp: { takes: [['text', 'number', 'time']], gives: 'time', run: toTime },
  duration: { takes: [['text', 'span']], gives: 'span', run: toSpan },
  type: { takes: [any], gives: 'text', run: (value: unknown) => celNames[typeOf(value)] },
  dyn: { takes: [any], gives: 'any', run: (value: unknown) => value },
}

/** `math.round(x)`, … */
export const mathFunctions: Operations = {
  round: { takes: [number], gives: 'number', run: (x: number) => Math.sign(x) * Math.round(Math.abs(x)) },
  floor: { takes: [number], gives: 'number', run: Math.floor },
  ceil: { takes: [number], gives: 'number', run: Math.ceil },
  abs: { takes: [number], gives: 'number', run: Math.abs },
  least: { takes: [number, number, number], min: 2, gives: 'number', run: least },
  greatest: { takes: [number, number, number], min: 2, gives: 'number', run: greatest },
}

/** `text.size()`, `now.format(…)`, … The macros, `matches` and the methods of optionals are in the compiler. */
export const methods: Operations = {
  size: { takes: [sized], gives: 'number', run: sizeOf },
  startsWith: { takes: [text, text], gives: 'bool', run: (a: string, b: string) => a.startsWith(b) },
  endsWith: { takes: [text, text], gives: 'bool', run: (a: string, b: string) => a.endsWith(b) },
  contains: { takes: [text, text], gives: 'bool', run: searched((a, b) => a.includes(b)) },
  indexOf: {
    takes: [text, text, number],
    min: 2,
    gives: 'number',
    run: searched((a, b, from) => a.indexOf(b, from)),
  },
  lastIndexOf: { takes: [text, text], gives: 'number', run: searched((a, b) => a.lastIndexOf(b)) },
  lowerAscii: { takes: [text], gives: 'text', run: passing((a) => a.toLowerCase()) },
  upperAscii: { takes: [text], gives: 'text', run: passing((a) => a.toUpperCase()) },
  trim: { takes: [text], gives: 'text', run: passing((a) => a.trim()) },
  substring: { takes: [text, number, number], min: 2, gives: 'text', run: substring },
  split: { takes: [text, text], gives: 'texts', run: split },
  join: { takes: [['list'], text], min: 1, gives: 'text', run: join },
  hex: { takes: [raw], gives: 'text', run: (value: string | Uint8Array) => bufferOf(value).toString('hex') },
  base64: {
    takes: [raw],
    gives: 'text',
    run: (value: string | Uint8Array) => bufferOf(value).toString('base64'),
  },
  at: { takes: [['bytes'], number], gives: 'number', run: byteAt },
  format: { takes: [time, text], gives: 'text', run: format },
  getFullYear: { takes: [time], gives: 'number', run: (at: Date) => at.getFullYear() },
  getMonth: { takes: [time], gives: 'number', run: (at: Date) => at.getMonth() },
  getDate: { takes: [time], gives: 'number', run: (at: Date) => at.getDate() },
  getDayOfMonth: { takes: [time], gives: 'number', run: (at: Date) => at.getDate() - 1 },
  getDayOfWeek: { takes: [time], gives: 'number', run: (at: Date) => at.getDay() },
  getHours: {
    takes: [['time', 'span']],
    gives: 'number',
    run: (v: Date | Span) => (v instanceof Date ? v.getHours() : Math.trunc(v.ms / 3_600_000)),
  },
  getMinutes: {
    takes: [['time', 'span']],
    gives: 'number',
    run: (v: Date | Span) => (v instanceof Date ? v.getMinutes() : Math.trunc(v.ms / 60_000)),
  },
  getSeconds: {
    takes: [['time', 'span']],
    gives: 'number',
    run: (v: Date | Span) => (v instanceof Date ? v.getSeconds() : Math.trunc(v.ms / 1_000)),
  },
  getMilliseconds: {
    takes: [['time', 'span']],
    gives: 'number',
    run: (v: Date | Span) => (v instanceof Date ? v.getMilliseconds() : v.ms),
  },
}

/** What `type(x)` says: CEL's names, save that all numbers are `double`. */
const celNames: Readonly<Record<CelType, string>> = {
  any: 'dyn',
  text: 'string',
  number: 'double',
  bool: 'bool',
  null: 'null',
  list: 'list',
  texts: 'list',
  object: 'map',
  bytes: 'bytes',
  time: 'timestamp',
  span: 'duration',
  optional: 'optional',
}

/** Characters, elements, fields or bytes. A character is a Unicode code point, as CEL wants it. */
function sizeOf(value: Sized): number {
  if (typeof value === 'string') {
    spendChars(value.length)
    let pairs = 0
    for (let i = 0; i < value.length - 1; i++) if ((value.codePointAt(i) as number) > 0xffff) pairs++
    return value.length - pairs
  }
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length
  const fields = Object.keys(value).length
  spend(fields)
  return fields
}

function stringOf(value: unknown): string {
  const result = textOf(value)
  spendChars(result.length)
  return result
}

function toInt(value: number | string): number {
  if (typeof value === 'number') return Math.trunc(value)
  const number = /^\s*[-+]?\d{1,16}\s*$/.test(value) ? Number(value) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  return fail(() => `int(${quote(value)}): not a whole number up to 2^53`)
}

function toDouble(value: number | string): number {
  if (typeof value === 'number') return value
  // Number() alone would take '' for 0, and hexadecimal.
  if (value.length > 100 || !/^\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$/.test(value))
    return fail(() => `double(${quote(value)}): not a number`)
  return finite(Number(value))
}

function toBool(value: boolean | string): boolean {
  if (typeof value === 'boolean') return value
  if (['true', 'True', 'TRUE', 't', '1'].includes(value)) return true
  if (['false', 'False', 'FALSE', 'f', '0'].includes(value)) return false
  return fail(() => `bool(${quote(value)}): neither "true" nor "false"`)
}

function toBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? new Uint8Array(bufferOf(value)) : value
}

function bufferOf(value: string | Uint8Array): Buffer {
  spendChars(value.length)
  if (typeof value === 'string') return Buffer.from(value, 'utf8')
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function toTime(value: string | number | Date): Date {
  if (value instanceof Date) return value
  const result = new Date(
    typeof value === 'number' ? value * 1_000 : isoTime.test(value) ? value : Number.NaN,
  )
  if (!Number.isNaN(result.getTime())) return result
  const shown = typeof value === 'string' ? quote(value) : value
  return fail(() => `timestamp(${shown}): expected for example "2031-05-09T21:30:00Z", or seconds since 1970`)
}

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[-+]\d\d:\d\d)?$/

function toSpan(value: string | Span): Span {
  if (value instanceof Span) return value
  try {
    if (value.length <= 100) return new Span(parseDuration(value))
  } catch {
    // said below, as all of them
  }
  return fail(() => `duration(${quote(value)}): expected for example 200ms, 30s, 10m, 1h30m; at most 24d`)
}

function searched<Found>(
  search: (text: string, wanted: string, from?: number) => Found,
): (text: string, wanted: string, from?: number) => Found {
  return (haystack, wanted, from) => {
    spendSearch(haystack, wanted)
    return search(haystack, wanted, from)
  }
}

function passing(change: (text: string) => string): (text: string) => string {
  return (value) => {
    spendChars(value.length)
    return change(value)
  }
}

function substring(value: string, start: number, end = value.length): string {
  const isInside = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end
  if (isInside && end <= value.length) return value.substring(start, end)
  return fail(() => `substring(${start}, ${end}): the text has ${value.length} characters`)
}

function split(value: string, separator: string): readonly string[] {
  spendSearch(value, separator)
  const parts = value.split(separator, stepsAllowed() + 1)
  spend(parts.length)
  return parts
}

function join(parts: readonly unknown[], separator = ''): string {
  spend(parts.length)
  const joined = parts.map(textOf).join(separator)
  spendChars(joined.length)
  return joined
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? fail(() => `at(${index}): there are ${bytes.length} bytes, the first is at(0)`)
}

function format(at: Date, pattern: string): string {
  spendChars(pattern.length * 8)
  return strftime(pattern, at)
}

function least(...numbers: readonly (number | undefined)[]): number {
  return Math.min(...numbers.filter((value) => value !== undefined))
}

function greatest(...numbers: readonly (number | undefined)[]): number {
  return Math.max(...numbers.filter((value) => value !== undefined))
}

/** The elements of a list, the names of an object's fields; undefined for what has none. */
export function elementsOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value
  return isObject(value) ? Object.keys(value) : undefined
}
