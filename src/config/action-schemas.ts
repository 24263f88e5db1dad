import type { z } from 'zod'
import type { ActionDefinition } from '../core/action.ts'
import { reasonOf } from '../core/errors.ts'
import { type SchemaFacts, schemaTools } from '../core/schema.ts'
import { zod } from '../core/zod.ts'

/** An action's options schema, made ready to check a step. */
export interface ActionSchema {
  readonly schema: z.ZodType
  /** Whether `timeout` is an option of the action's own. */
  readonly takesTimeout: boolean
}

/**
 * Asks an action for its schema. A plain object schema refuses keys that it does not know.
 * @returns a sentence when the action does not describe its options as it must
 */
export function schemaOf(action: ActionDefinition, facts?: SchemaFacts): ActionSchema | string {
  let schema: unknown
  try {
    schema = action.options(schemaTools(facts))
  } catch (error) {
    return `the action "${action.name}" is broken: its options() failed: ${reasonOf(error)}`
  }
  if (!(schema instanceof zod.ZodType))
    return `the action "${action.name}" is broken: its options() must return z.object({ … })`
  if (!(schema instanceof zod.ZodObject)) return { schema, takesTimeout: false }
  if (!Object.hasOwn(schema.shape, action.name))
    return `the action "${action.name}" is broken: its options() have no key "${action.name}"`
  const isPlain = schema.def.catchall === undefined
  return { schema: isPlain ? schema.strict() : schema, takesTimeout: Object.hasOwn(schema.shape, 'timeout') }
}
