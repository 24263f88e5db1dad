import type { z } from 'zod'
import { DamselflyError } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import type { Template } from '../core/expression.ts'
import type { Memory } from '../core/memory.ts'
import { formatPlace, type Place } from '../core/problems.ts'
import { checkOptions, explainIssues, type OptionProblem, valueAt } from './option-issues.ts'
import { mapTree, type Tree, type TreeScalar } from './yaml-tree.ts'

/** The options of one step as they stand in the file, with the templates among them. */
export interface RawOptions {
  /** With the templates' own text in their places. */
  readonly value: unknown
  readonly templates: readonly { readonly path: readonly PropertyKey[]; readonly template: Template }[]
}

/** Reads a step's options; `compile` gives the template of a text that is one. */
export function rawOptions(tree: Tree, compile: (scalar: TreeScalar) => Template | undefined): RawOptions {
  const templates: { path: readonly PropertyKey[]; template: Template }[] = []
  const value = mapTree(tree, (scalar, path) => {
    const template = compile(scalar)
    if (template !== undefined) templates.push({ path, template })
    return scalar.value
  })
  return { value, templates }
}

/**
 * Checks a step's options when the configuration is read. A template's text stands in for its result, and
 * what is wrong only because of that is left out: it is checked again for each event.
 */
export function checkAtLoad(action: string, schema: z.ZodType, raw: RawOptions): readonly OptionProblem[] {
  const checked = checkOptions(schema, raw.value)
  if ('output' in checked) return []
  const paths = raw.templates.map(({ path }) => path)
  return explainIssues(action, schema, raw.value, withoutTemplates(checked.issues, paths))
}

type Issue = z.core.$ZodIssue

function withoutTemplates(issues: readonly Issue[], templates: readonly (readonly PropertyKey[])[]): Issue[] {
  return issues.flatMap((issue) => {
    if (templates.some((path) => isBelow(issue.path, path))) return []
    if (issue.code !== 'invalid_union') return [issue]
    const inside = templates
      .filter((path) => isBelow(path, issue.path))
      .map((path) => path.slice(issue.path.length))
    if (inside.length === 0) return [issue]
    const errors = issue.errors.map((branch) => withoutTemplates(branch, inside))
    const isOnlyTemplates = errors.some(
      (branch, index) => branch.length === 0 && issue.errors[index]?.length !== 0,
    )
    return isOnlyTemplates ? [] : [{ ...issue, errors } as Issue]
  })
}

function isBelow(path: readonly PropertyKey[], top: readonly PropertyKey[]): boolean {
  return top.length <= path.length && top.every((key, index) => key === path[index])
}

type Render = (event: Event, memory?: Memory) => unknown

/**
 * What gives a step its options for an event. Without templates they are checked once, and every event gets
 * the same frozen value.
 */
export function optionsOf(action: string, schema: z.ZodType, raw: RawOptions, place: Place): Render {
  if (raw.templates.length === 0) {
    const constant = frozen(check(action, schema, raw.value, place))
    return () => constant
  }
  const render = renderer(frozen(raw.value), raw.templates)
  return (event, memory) => check(action, schema, render(event, memory), place)
}

function check(action: string, schema: z.ZodType, value: unknown, place: Place): unknown {
  const checked = checkOptions(schema, value)
  if ('output' in checked) return checked.output
  const reasons = explainIssues(action, schema, value, checked.issues).map((problem) =>
    sentence(problem, value),
  )
  throw new DamselflyError('OPTIONS_INVALID', `${formatPlace(place)}: ${reasons.join('; ')}`)
}

function sentence({ path, kind, message, expected }: OptionProblem, value: unknown): string {
  const found = kind === 'value' ? `, found ${excerpt(valueAt(value, path))}` : ''
  return `${message}${found}${expected === undefined ? '' : `, expected ${expected}`}`
}

function excerpt(value: unknown): string {
  const text =
    typeof value === 'object' && value !== null ? kindOf(value) : (JSON.stringify(value) ?? 'nothing')
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

function kindOf(value: object): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`
  return Array.isArray(value) ? 'a list' : 'a map'
}

/** Gives the value with its templates filled in; what holds no template is shared between events. */
function renderer(value: unknown, templates: RawOptions['templates']): Render {
  const own = templates.find(({ path }) => path.length === 0)
  if (own !== undefined) return (event, memory) => own.template.render(event, memory)
  if (templates.length === 0) return () => value
  const parts = Object.entries(value as object).map(([key, part]) => {
    const below = templates
      .filter(({ path }) => String(path[0]) === key)
      .map(({ path, template }) => ({ path: path.slice(1), template }))
    return [key, renderer(part, below)] as const
  })
  if (Array.isArray(value)) return (event, memory) => parts.map(([, render]) => render(event, memory))
  return (event, memory) => Object.fromEntries(parts.map(([key, render]) => [key, render(event, memory)]))
}

/** Freezes plain objects and lists, all the way down. */
function frozen<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value
  Object.freeze(value)
  for (const part of Object.values(value)) frozen(part)
  return value
}
