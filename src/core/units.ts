import { DamselflyError } from './errors.ts'

const MS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

type DurationUnit = keyof typeof MS_PER_UNIT

const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/
const DURATION_PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g

/** The longest time a timer of Node can wait; a longer one would fire at once. About 24.8 days. */
export const timerMsMax = 2_147_483_647

/**
 * Reads a duration as people write it: `200ms`, `30s`, `10m`, `1h30m`, `2d`. Milliseconds.
 * A bare number is refused, for nobody can tell its unit.
 * @throws DamselflyError `DURATION_INVALID`
 */
export function parseDuration(text: string): number {
  const compact = text.replaceAll(' ', '')
  if (!DURATION.test(compact)) {
    throw new DamselflyError(
      'DURATION_INVALID',
      `not a duration: "${text}"; expected for example 200ms, 30s, 10m, 1h30m`,
    )
  }
  let ms = 0
  for (const [, amount, unit] of compact.matchAll(DURATION_PART))
    ms += Number(amount) * MS_PER_UNIT[unit as DurationUnit]
  if (ms > timerMsMax) {
    throw new DamselflyError('DURATION_INVALID', `too long: "${text}"; a duration is at most 24d`)
  }
  return Math.round(ms)
}

/**
 * Reads a frequency as people write it: `50Hz`, `25kHz`, `1.5 kHz`, `2MHz`. Hertz.
 * @returns undefined when it is none; a bare number has no unit, and is none
 */
export function parseFrequency(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*([kM]?)hz$/i.exec(text.trim())
  if (found === null) return undefined
  const factor = found[2] === '' ? 1 : found[2] === 'M' ? 1e6 : found[2] === 'm' ? Number.NaN : 1e3
  const hertz = Number(found[1]) * factor
  return Number.isFinite(hertz) ? hertz : undefined
}

/**
 * Reads the width of a pulse: `1.5ms`, `500us`, `500µs`. Nanoseconds.
 * @returns undefined when it is none
 */
export function parsePulse(text: string): number | undefined {
  const found = /^(\d{1,6}(?:\.\d{1,6})?)\s*(ms|us|µs|μs)$/.exec(text.trim())
  return found === null ? undefined : Math.round(Number(found[1]) * (found[2] === 'ms' ? 1e6 : 1e3))
}

const secondsPerUnit = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800, y: 31_536_000 } as const

/**
 * Reads a length of time that no timer has to wait for: `2h`, `14d`, `2w`, `1y` (365 days), `1h30m`. Seconds.
 * @returns undefined when it is none; a bare number has no unit, and is none
 */
export function parsePeriod(text: string): number | undefined {
  const compact = text.replaceAll(' ', '')
  if (!/^(?:\d{1,10}(?:\.\d{1,6})?[smhdwy])+$/.test(compact)) return undefined
  let seconds = 0
  for (const [, amount, unit] of compact.matchAll(/([\d.]+)([smhdwy])/g))
    seconds += Number(amount) * secondsPerUnit[unit as keyof typeof secondsPerUnit]
  return Math.round(seconds)
}

const bytesPerUnit: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
}

/**
 * Reads a size: `10485760` and `512B` are bytes, `10MB` is ten million of them, `10MiB` ten times 1,048,576; so are `KB`
 * and `KiB`, `GB` and `GiB`. Bytes.
 * @returns undefined when it is none, as `10M`, of which nobody can tell which of both it is
 */
export function parseBytes(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,15}(?:\.\d{1,6})?) ?([kmg]i?b|b|)$/i.exec(text.trim()) ?? []
  const factor = bytesPerUnit[unit?.toLowerCase() ?? '?']
  return factor === undefined ? undefined : Math.floor(Number(amount) * factor)
}

/** A size as people write it, exactly: 10,485,760 → `10MiB`, 1,000 → `1000B`. `parseBytes` reads it. */
export function formatBytes(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    const factor = bytesPerUnit[unit.toLowerCase()] as number
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`
  }
  return `${bytes}B`
}

/** A duration in milliseconds as people write it: 90_000 → `1m30s`. The inverse of `parseDuration`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  let rest = ms
  let text = ''
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const amount = Math.floor(rest / MS_PER_UNIT[unit])
    if (amount > 0) text += `${amount}${unit}`
    rest -= amount * MS_PER_UNIT[unit]
  }
  return text
}
