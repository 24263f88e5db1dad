import type { Condition, ConditionOutcome } from '../core/rule.ts'
import { fieldMissing, fieldSuffix } from './cel/access.ts'
import { describe, isObject, show, typeOf } from './cel/values.ts'

type Fields = Readonly<Record<string, unknown>>

const yes: ConditionOutcome = { holds: true }

/** A `when:` written as a map: every field must be there and be, or be one of, what the map says. */
export function conditionMap(fields: Fields): Condition {
  return {
    text: JSON.stringify(fields),
    test({ payload }) {
      return isMet(fields, payload) ? yes : new NotMet(fields, payload)
    },
  }
}

class NotMet implements ConditionOutcome {
  readonly holds = false
  readonly isError = false
  readonly #fields: Fields
  readonly #payload: unknown

  constructor(fields: Fields, payload: unknown) {
    this.#fields = fields
    this.#payload = payload
  }

  get why(): string {
    return whyNot(this.#fields, this.#payload, 'payload') ?? ''
  }
}

function isMet(wanted: unknown, found: unknown): boolean {
  if (Array.isArray(wanted)) return wanted.some((one) => isMet(one, found))
  if (!isObject(wanted)) return wanted === found
  if (!isObject(found)) return false
  for (const name in wanted) {
    if (!Object.hasOwn(found, name) || !isMet(wanted[name], found[name])) return false
  }
  return true
}

/** Says of the first field that is not as wanted what it is; undefined when all are. */
function whyNot(wanted: unknown, found: unknown, subject: string): string | undefined {
  if (isMet(wanted, found)) return undefined
  if (isObject(wanted)) return whyNotFields(wanted, found, subject)
  const options = Array.isArray(wanted) ? wanted.map(show) : [show(wanted)]
  const wants = options.length === 1 ? options[0] : `one of ${options.join(', ')}`
  const isText = typeof found === 'string' && ![wanted].flat().some((one) => typeOf(one) === 'text')
  return `${subject} is ${isText ? describe(found) : show(found)}, not ${wants}`
}

function whyNotFields(wanted: Fields, found: unknown, subject: string): string | undefined {
  for (const name of Object.keys(wanted)) {
    if (!isObject(found) || !Object.hasOwn(found, name)) return fieldMissing(found, name, subject)
    const why = whyNot(wanted[name], found[name], subject + fieldSuffix(name))
    if (why !== undefined) return why
  }
  return isObject(found) ? undefined : `${subject} is ${describe(found)}, not an object`
}
