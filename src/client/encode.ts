import { DamselflyError, reasonOf } from '../core/errors.ts'

/**
 * A value as the bytes of a payload: text as UTF-8, bytes as they are (copied), all else as JSON.
 * What JSON would lose without a word is refused: NaN, infinities, functions, symbols, BigInt, Map, Set, bytes inside
 * of an object, holes and `undefined` in an array. A property that is `undefined` is left out, as always.
 * @throws DamselflyError `VALUE_INVALID`
 */
export function encodeValue(value: unknown): Buffer {
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value)
  let json: string | undefined
  try {
    json = JSON.stringify(value, refuseLosses)
  } catch (cause) {
    if (cause instanceof DamselflyError) throw cause
    throw new DamselflyError('VALUE_INVALID', `the value cannot be sent as JSON: ${reasonOf(cause)}`, {
      cause,
    })
  }
  if (json === undefined) throw invalid('', value)
  return Buffer.from(json)
}

function refuseLosses(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[key] // toJSON of Buffer has been called already
  const isLost =
    typeof value === 'function' ||
    typeof value === 'symbol' ||
    typeof value === 'bigint' ||
    (typeof value === 'number' && !Number.isFinite(value)) ||
    (value === undefined && (key === '' || Array.isArray(this))) ||
    value instanceof Map ||
    value instanceof Set ||
    original instanceof ArrayBuffer ||
    ArrayBuffer.isView(original)
  if (isLost) throw invalid(key, original)
  return value
}

function invalid(key: string, value: unknown): DamselflyError {
  const what = typeof value === 'object' && value !== null ? value.constructor.name : String(value)
  const shown = typeof value === 'function' ? 'a function' : what
  const where = key === '' ? '' : ` (at "${key}")`
  return new DamselflyError(
    'VALUE_INVALID',
    `${shown}${where} cannot be sent; expected text, a Uint8Array, or what JSON can hold`,
  )
}
