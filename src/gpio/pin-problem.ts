import { DamselflyError } from '../core/errors.ts'
import type { Pin } from '../core/pin.ts'
import { formatProblem } from '../core/problems.ts'

/** A pin that could not be had, and why. */
export interface PinProblem {
  readonly pin: Pin
  readonly error: DamselflyError
}

/** The problems' errors, each once, with the names of the pins that it keeps from working. */
export function byError(problems: readonly PinProblem[]): Map<DamselflyError, string[]> {
  const pins = new Map<DamselflyError, string[]>()
  for (const { pin, error } of problems) pins.set(error, [...(pins.get(error) ?? []), pin.name])
  return pins
}

/** All problems of a start as one error: with the code that they have in common, else `GPIO_FAILED`. */
export function startError(problems: readonly PinProblem[]): DamselflyError {
  const codes = new Set(problems.map(({ error }) => error.code))
  const [code = 'GPIO_FAILED'] = codes.size === 1 ? codes : []
  const places = new Map(problems.map(({ pin }) => [pin.name, pin.place]))
  const texts = [...byError(problems)].flatMap(([error, names]) => {
    const [first = ''] = names
    const place = places.get(first)
    const message = `${names.length === 1 ? 'pin' : 'pins'} ${names.join(', ')}: ${error.message}`
    return place === undefined ? [] : [formatProblem({ place, message })]
  })
  return new DamselflyError(code, texts.join('\n'), { cause: problems[0]?.error })
}
