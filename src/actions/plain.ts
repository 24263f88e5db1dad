/**
 * A value from YAML or from a template as JSON. Dates become ISO 8601, bytes base64, integers too big for
 * a JSON number their digits as text; what JSON cannot say becomes null.
 */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, plainJson) ?? 'null'
}

/** A value as people would write it: text stays, null is empty, dates are ISO 8601, the rest is JSON. */
export function plainText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  if (value instanceof Uint8Array) return new TextDecoder().decode(value)
  if (value instanceof Date) return isoText(value)
  if (typeof value === 'bigint') return value.toString()
  return jsonText(value)
}

/** As `plainText`, but bytes pass as they are. */
export function plainBytes(value: unknown): string | Uint8Array {
  return value instanceof Uint8Array ? value : plainText(value)
}

/** ISO 8601 in UTC with milliseconds; empty for a date that is none. */
export function isoText(date: Date): string {
  return Number.isNaN(date.getTime()) ? '' : date.toISOString()
}

/** One line for a log or an error: control characters become spaces, what is too long ends in `…`. */
export function oneLine(text: string, charsMax: number): string {
  const cut = text.length > charsMax ? `${text.slice(0, charsMax)}…` : text
  return cut.replaceAll(/\p{Cc}+/gu, ' ').trim()
}

// @NOTE the second argument has been through toJSON already, which spoils a Buffer; `this` has the original
function plainJson(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[key]
  if (original instanceof Uint8Array) return Buffer.from(original).toString('base64')
  if (original instanceof Map) return Object.fromEntries(original)
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value.toString()
  }
  return value
}
