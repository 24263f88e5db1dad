import type { z } from 'zod'
import { nearest } from '../core/nearest.ts'
import { zod } from '../core/zod.ts'
import { alternatives } from './alternatives.ts'
import { expectedOf, type Issue, unspoken } from './issue-words.ts'

/** What is wrong with a step's options, in words for people. */
export interface OptionProblem {
  /** Where in the options. */
  readonly path: readonly PropertyKey[]
  /** What the path leads to: a key that should not be there, a value, or a value that is not there. */
  readonly kind: 'key' | 'value' | 'missing'
  /** A sentence without a full stop. */
  readonly message: string
  readonly expected?: string | undefined
  readonly suggestion?: string | undefined
}

/** Checks options; all that is wrong is told as a list. @throws what a schema's own functions throw */
export function checkOptions(
  schema: z.ZodType,
  value: unknown,
): { readonly output: unknown } | { readonly issues: readonly Issue[] } {
  const result = schema.safeParse(value, { error: () => unspoken })
  return result.success ? { output: result.data } : { issues: result.error.issues }
}

/** Puts zod's issues into words. `value` is what was checked. */
export function explainIssues(
  action: string,
  schema: z.ZodType,
  value: unknown,
  issues: readonly Issue[],
): OptionProblem[] {
  const explainer = new Explainer(action, schema, value)
  const problems = issues.flatMap((issue) => explainer.explain(issue, []))
  // a key that was mistyped is not missing as well
  const meant = new Set(
    problems.flatMap(({ kind, path, suggestion }) =>
      kind === 'key' && suggestion !== undefined ? formatPath([...path.slice(0, -1), suggestion]) : [],
    ),
  )
  return problems.filter(({ kind, path }) => kind !== 'missing' || !meant.has(formatPath(path)))
}

class Explainer {
  readonly #action: string
  readonly #schema: z.ZodType
  readonly #value: unknown

  constructor(action: string, schema: z.ZodType, value: unknown) {
    this.#action = action
    this.#schema = schema
    this.#value = value
  }

  explain(issue: Issue, base: readonly PropertyKey[]): OptionProblem[] {
    const path = [...base, ...issue.path]
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => this.#unknownKey([...path, key], path))
    if (issue.code === 'invalid_union' && issue.errors.length > 0) return this.#union(issue.errors, path)
    if (issue.code === 'invalid_key') {
      const why = issue.issues.map(expectedOf).filter((text) => text !== undefined)
      return [
        { path, kind: 'key', message: `this key of ${this.#name(path)} is not right`, expected: why[0] },
      ]
    }
    if (issue.code === 'custom' && issue.message !== unspoken) return [this.#custom(issue, path)]
    const expected = expectedOf(issue) ?? schemaAt(this.#schema, path)?.description
    const found = valueAt(this.#value, path)
    if (found === undefined)
      return [{ path, kind: 'missing', message: `${this.#name(path)} is missing`, expected }]
    if (typeof found === 'number' && expected?.startsWith('a duration'))
      return [
        {
          path,
          kind: 'value',
          message: `${this.#name(path)} has no unit`,
          expected,
          suggestion: `${found}s for seconds, or ${found}ms for milliseconds`,
        },
      ]
    return [
      {
        path,
        kind: 'value',
        message: `${this.#name(path)} is not right`,
        expected,
        suggestion:
          issue.code === 'invalid_value' ? nearest(String(found), issue.values.map(String)) : undefined,
      },
    ]
  }

  #custom(issue: Issue & { code: 'custom' }, path: readonly PropertyKey[]): OptionProblem {
    const suggestion: unknown = issue.params?.['suggestion']
    return {
      path,
      kind: 'value',
      message: `${this.#name(path)}: ${issue.message.replace(/\.$/, '')}`,
      suggestion: typeof suggestion === 'string' ? suggestion : undefined,
    }
  }

  #unknownKey(path: readonly PropertyKey[], parent: readonly PropertyKey[]): OptionProblem {
    const key = String(path.at(-1))
    const known = keysAt(this.#schema, parent)
    if (parent.length === 0) known.push('timeout')
    return {
      path,
      kind: 'key',
      message: `${parent.length === 0 ? `the action "${this.#action}"` : this.#name(parent)} has no option "${key}"`,
      expected: known.length === 0 ? undefined : `one of ${[...new Set(known)].join(', ')}`,
      suggestion: nearest(key, known),
    }
  }

  // A branch that got past the value's type is what was meant; else all that would do are listed.
  #union(branches: readonly (readonly Issue[])[], path: readonly PropertyKey[]): OptionProblem[] {
    const meant = branches
      .filter((issues) => issues.length > 0 && !issues.some(isWrongType))
      .sort((a, b) => a.length - b.length)[0]
    if (meant !== undefined) return meant.flatMap((issue) => this.explain(issue, path))
    const expected = [...new Set(branches.flat().flatMap((issue) => expectedOf(issue) ?? []))]
    const isMissing = valueAt(this.#value, path) === undefined
    return [
      {
        path,
        kind: isMissing ? 'missing' : 'value',
        message: `${this.#name(path)} is ${isMissing ? 'missing' : 'not right'}`,
        expected: expected.length === 0 ? undefined : alternatives(expected),
      },
    ]
  }

  #name(path: readonly PropertyKey[]): string {
    if (path.length === 0) return `the step of the action "${this.#action}"`
    return `"${formatPath(path)}" of the action "${this.#action}"`
  }
}

/** A path as people write it: `json.t`, `exec[1]`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
}

/** The value that a path leads to. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<PropertyKey, unknown>)[key]
  }
  return at
}

function isWrongType(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const at = schemaAt(schema, path)
  return at instanceof zod.ZodObject ? Object.keys(at.shape) : []
}

/** The schema of the value that a path leads to, as far as that is plain to see. */
function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let at: unknown = unwrapped(schema)
  for (const key of path) {
    if (at instanceof zod.ZodObject) at = unwrapped((at.shape as Record<PropertyKey, unknown>)[key])
    else if (at instanceof zod.ZodArray) at = unwrapped(at.element)
    else return undefined
  }
  return at instanceof zod.ZodType ? at : undefined
}

function unwrapped(schema: unknown): unknown {
  if (
    schema instanceof zod.ZodOptional ||
    schema instanceof zod.ZodNullable ||
    schema instanceof zod.ZodDefault ||
    schema instanceof zod.ZodPrefault
  )
    return unwrapped(schema.unwrap())
  return schema instanceof zod.ZodPipe ? unwrapped(schema.in) : schema
}
