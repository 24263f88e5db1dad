import type { z } from 'zod'
import type { ActionDefinition } from '../core/action.ts'
import { reasonOf } from '../core/errors.ts'
import type { Place, Problem } from '../core/problems.ts'
import { schemaTools } from '../core/schema.ts'
import { timerMsMax } from '../core/units.ts'

const example = 'export default { name, options, run }'
/** Options that every step has; an action of that name could not be told from them. */
const reservedNames = ['timeout']

/** The actions that a module exports by default, one or a list of them, and what is wrong with the others. */
export function actionsIn(
  module: object,
  place: Place,
): { readonly actions: ActionDefinition[]; readonly problems: Problem[] } {
  const exported = 'default' in module ? module.default : undefined
  if (exported === undefined) {
    const found = Object.keys(module).join(', ') || 'nothing'
    const message = 'no action is exported by default'
    return { actions: [], problems: [{ place, message, found: `exports of ${found}`, expected: example }] }
  }
  const actions: ActionDefinition[] = []
  const problems: Problem[] = []
  for (const candidate of Array.isArray(exported) ? exported : [exported]) {
    const problem = actionProblem(candidate)
    if (problem === undefined) actions.push(candidate as ActionDefinition)
    else problems.push({ place, ...problem })
  }
  return { actions, problems }
}

type Complaint = Omit<Problem, 'place'>

function actionProblem(candidate: unknown): Complaint | undefined {
  if (typeof candidate !== 'object' || candidate === null) {
    const found = candidate === null ? 'null' : `a ${typeof candidate}`
    return { message: 'what is exported by default is not an action', found, expected: example }
  }
  const parts = candidate as Partial<Record<keyof ActionDefinition, unknown>>
  return nameProblem(parts.name) ?? partsProblem(parts) ?? optionsProblem(candidate as ActionDefinition)
}

function nameProblem(name: unknown): Complaint | undefined {
  const expected = "name: 'buzz', a letter, then letters, digits, - or _"
  if (name === undefined) return { message: 'the action has no name', expected }
  if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_-]*$/.test(name))
    return { message: 'the action has no valid name', found: JSON.stringify(name) ?? typeof name, expected }
  if (reservedNames.includes(name))
    return { message: `no action can be named "${name}": it is an option of every step`, expected }
  return undefined
}

function partsProblem(parts: Partial<Record<keyof ActionDefinition, unknown>>): Complaint | undefined {
  const name = String(parts.name)
  const expectations = {
    run: 'async run({ options, event, gpio, publish, log, signal }) { … }',
    options: `options: (z) => z.object({ ${name}: z.string() })`,
    start: 'start(context) { … }',
    stop: 'stop() { … }',
  }
  for (const part of ['run', 'options', 'start', 'stop'] as const) {
    const found = parts[part]
    if (typeof found === 'function') continue
    if (found === undefined && (part === 'start' || part === 'stop')) continue
    const message =
      found === undefined
        ? `the action "${name}" has no ${part}`
        : `${part} of the action "${name}" is not a function`
    return { message, expected: expectations[part] }
  }
  const { timeoutMs } = parts
  const isTime = typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= timerMsMax
  if (timeoutMs === undefined || isTime) return undefined
  const message = `timeoutMs of the action "${name}" is not a time`
  return { message, found: String(timeoutMs), expected: `milliseconds, more than 0, at most ${timerMsMax}` }
}

function optionsProblem(action: ActionDefinition): Complaint | undefined {
  const { name } = action
  const expected = `options: (z) => z.object({ ${name}: z.string() })`
  let schema: unknown
  try {
    schema = action.options(schemaTools())
  } catch (error) {
    return { message: `options of the action "${name}" failed: ${reasonOf(error)}`, expected }
  }
  if (!isSchema(schema))
    return { message: `options of the action "${name}" does not return a schema`, expected }
  if (hasKey(schema, name)) return undefined
  const message = `the options of the action "${name}" have no key "${name}", which holds the value in the rule`
  return { message, expected }
}

// Told by its form: a package may bring a zod of its own.
function isSchema(value: unknown): value is z.ZodType {
  return typeof value === 'object' && value !== null && '_zod' in value
}

/** Whether it is an object schema with the key; of a pipe its input counts, of a union each member. */
function hasKey(schema: z.ZodType, key: string): boolean {
  const def = schema._zod.def as {
    readonly type: string
    readonly shape?: object
    readonly in?: z.ZodType
    readonly options?: readonly z.ZodType[]
  }
  if (def.type === 'object') return def.shape !== undefined && Object.hasOwn(def.shape, key)
  if (def.type === 'pipe') return def.in !== undefined && hasKey(def.in, key)
  if (def.type === 'union') return def.options?.every((option) => hasKey(option, key)) ?? false
  return false
}
