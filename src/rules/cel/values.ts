import { formatDuration } from '../../core/units.ts'

/** What an expression's value is, as far as it is known. `any` is found out when a message is there. */
export type CelType =
  | 'any'
  | 'text'
  | 'number'
  | 'bool'
  | 'null'
  | 'list'
  /** A list of which every element is text. */
  | 'texts'
  | 'object'
  | 'bytes'
  | 'time'
  | 'span'
  /** What `.?` gives: the value, or undefined where there is none. It never leaves an expression. */
  | 'optional'

/** The types' names in messages. */
export const typeNames: Readonly<Record<CelType, string>> = {
  any: 'anything',
  text: 'text',
  number: 'a number',
  bool: 'true or false',
  null: 'null',
  list: 'a list',
  texts: 'a list',
  object: 'an object',
  bytes: 'bytes',
  time: 'a time',
  span: 'a duration',
  optional: 'a value that may be missing',
}

/** A length of time; may be negative, as the difference of two times. */
export class Span {
  readonly ms: number

  constructor(ms: number) {
    this.ms = ms
  }

  toString(): string {
    return this.ms < 0 ? `-${formatDuration(-this.ms)}` : formatDuration(this.ms)
  }

  toJSON(): string {
    return this.toString()
  }
}

export function typeOf(value: unknown): CelType {
  switch (typeof value) {
    case 'string':
      return 'text'
    case 'number':
      return 'number'
    case 'boolean':
      return 'bool'
    case 'object':
      if (value === null) return 'null'
      if (Array.isArray(value)) return 'list'
      if (value instanceof Uint8Array) return 'bytes'
      if (value instanceof Date) return 'time'
      if (value instanceof Span) return 'span'
      return 'object'
    default:
      return 'optional'
  }
}

/** Whether it is an object as JSON has them. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A value as text, for templates and `string()`: text as it is, times as ISO 8601, bytes as UTF-8 or else
 * base64, everything else as JSON.
 */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Span) return value.toString()
  if (value instanceof Uint8Array) return textOfBytes(value)
  return JSON.stringify(value)
}

function textOfBytes(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
  }
}

const shownCharsMax = 60
const shownFieldsMax = 6

/** A value for a message, never long: `"on"`, `21.5`, `an object with temp and hum`. */
export function show(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'empty' : quote(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`
  if (value instanceof Uint8Array) return `${value.length} bytes that are not text`
  if (value instanceof Date || value instanceof Span) return textOf(value)
  if (isObject(value)) return `an object with ${fieldsOf(value)}`
  return String(value)
}

/** As `show`, and says of text that it is text, where a reader might take it for something else. */
export function describe(value: unknown): string {
  return typeof value === 'string' && value !== '' ? `text ${quote(value)}` : show(value)
}

/** The fields that an object has, for a message: `temp, hum`. */
export function fieldsOf(value: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(value)
  if (names.length === 0) return 'no fields'
  const shown = names.slice(0, shownFieldsMax).map((name) => (isWord.test(name) ? cut(name) : quote(name)))
  const more = names.length - shown.length
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ')
}

export const isWord = /^[A-Za-z_][A-Za-z0-9_]*$/

/** A text in quotes, cut where it is long, control characters escaped. */
export function quote(text: string): string {
  return JSON.stringify(cut(text))
}

/** A text that is not long. */
export function cut(text: string, charsMax = shownCharsMax): string {
  return text.length > charsMax ? `${text.slice(0, charsMax - 1)}…` : text
}
