import { DamselflyError } from '../core/errors.ts'
import type { Statement } from './mosquitto-conf.ts'

/** The whole number that a statement says. @throws DamselflyError `VALUE_INVALID` when it says none, as mosquitto has it */
export function numberOf({ value }: Statement): number {
  const number = /^[-+]?\d{1,15}$/.test(value) ? Number(value) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  throw new DamselflyError('VALUE_INVALID', `"${value}" is no whole number`)
}

export interface Fitted {
  /** Undefined: leave it at its default. */
  readonly value: number | undefined
  /** What could not be had of it. */
  readonly remark: string | undefined
}

/**
 * A number as it can be had here. `zero`: what 0 says in mosquitto, no bound mostly, and what is taken for it; undefined when
 * 0 is a number like any other.
 */
export function fitted(
  number: number,
  range: { readonly min: number; readonly max: number },
  zero?: number | 'default',
): Fitted {
  if (number <= 0 && zero !== undefined)
    return zero === 'default'
      ? { value: undefined, remark: 'there is always a bound here, its default' }
      : { value: zero, remark: undefined }
  if (number < range.min) return { value: range.min, remark: `${range.min} is the least` }
  if (number > range.max) return { value: range.max, remark: `${range.max} is the most` }
  return { value: number, remark: undefined }
}

const daysPer: Readonly<Record<string, number>> = { m: 30, M: 30 }

/** A `persistent_client_expiration` as it is written here: months are days. Undefined when it is none. */
export function keepingOf(value: string): string | undefined {
  const [, amount, unit] = /^(\d{1,6})([shdwmy])$/.exec(value) ?? []
  if (amount === undefined || unit === undefined || Number(amount) === 0) return undefined
  const days = daysPer[unit]
  return days === undefined ? `${Number(amount)}${unit}` : `${Number(amount) * days}d`
}
