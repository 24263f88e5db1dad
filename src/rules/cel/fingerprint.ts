import { createHash } from 'node:crypto'
import { spend, spendChars } from './failure.ts'
import { isObject, Span } from './values.ts'

/** A text up to this length stands for itself; a longer one is remembered by its hash. */
const plainCharsMax = 64

/**
 * A short text that is the same for equal values and different for others: numbers, texts, lists and objects as
 * JSON has them, in whatever order an object's fields stand. Costs steps, as any work on a message does.
 */
export function fingerprint(value: unknown): string {
  const text = canonical(value)
  if (text.length <= plainCharsMax) return text
  spendChars(text.length)
  return createHash('sha256').update(text).digest('base64') // begins with no quote, so it is no short text
}

function canonical(value: unknown): string {
  spend(1)
  if (typeof value === 'string') {
    spendChars(value.length)
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value instanceof Uint8Array) {
    spendChars(value.length)
    return `bytes ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}`
  }
  if (value instanceof Date) return `time ${value.getTime()}`
  if (value instanceof Span) return `span ${value.ms}`
  if (!isObject(value)) return JSON.stringify(value)
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${canonical(name)}:${canonical(value[name])}`).join(',')}}`
}
