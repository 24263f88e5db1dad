import { DamselflyError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { parseDuration, timerMsMax } from '../core/units.ts'

/** A time: text such as `500ms`, `10s`, `1m30s`, or a number of milliseconds. At most 24 days. */
export type Duration = string | number

/** @throws DamselflyError `DURATION_INVALID` */
export function millisecondsOf(duration: Duration): number {
  if (typeof duration === 'string') return parseDuration(duration)
  if (typeof duration === 'number' && duration >= 0 && duration <= timerMsMax) return duration
  throw new DamselflyError(
    'DURATION_INVALID',
    `not a duration: ${String(duration)}; expected milliseconds from 0 to ${timerMsMax}, or text such as '10s'`,
  )
}

/**
 * Refuses options that do not exist: in a program without types a misspelt one would be ignored without a word.
 * @throws DamselflyError `OPTIONS_INVALID`
 */
export function onlyKnown(call: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new DamselflyError('OPTIONS_INVALID', `${call} expects its options as an object: { … }`)
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    const hint = near === undefined ? `it knows ${known.join(', ')}` : `did you mean ${near}?`
    throw new DamselflyError('OPTIONS_INVALID', `${call} has no option "${name}"; ${hint}`)
  }
}

/** @throws DamselflyError `OPTIONS_INVALID` */
export function checkQos(call: string, qos: number): void {
  if (qos === 0 || qos === 1 || qos === 2) return
  throw new DamselflyError('OPTIONS_INVALID', `${call}: qos is 0, 1 or 2, not ${String(qos)}`)
}
