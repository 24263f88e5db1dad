import type { ActionDefinition } from '../core/action.ts'
import { reasonOf } from '../core/errors.ts'
import type { ExpressionCompiler, Template } from '../core/expression.ts'
import { limits } from '../core/limits.ts'
import { mergeNeeds } from '../core/memory.ts'
import { nearest } from '../core/nearest.ts'
import type { ActionCatalogue } from '../core/ports.ts'
import type { Step } from '../core/rule.ts'
import type { SchemaFacts } from '../core/schema.ts'
import { type ActionSchema, schemaOf } from './action-schemas.ts'
import type { OptionProblem } from './option-issues.ts'
import { tellExpression } from './rules.ts'
import { checkAtLoad, optionsOf, rawOptions } from './step-options.ts'
import type { TreeReader } from './tree-reader.ts'
import type { Tree, TreeEntry, TreeMap, TreeScalar } from './yaml-tree.ts'

const timeoutKey = 'timeout'

/** Reads the steps of rules: finds the action, checks the options, compiles the templates. */
export class Steps {
  readonly #reader: TreeReader
  readonly #compiler: ExpressionCompiler
  readonly #catalogue: ActionCatalogue
  readonly #facts: SchemaFacts
  readonly #schemas = new Map<string, ActionSchema | undefined>()

  constructor(
    reader: TreeReader,
    compiler: ExpressionCompiler,
    catalogue: ActionCatalogue,
    facts: SchemaFacts,
  ) {
    this.#reader = reader
    this.#compiler = compiler
    this.#catalogue = catalogue
    this.#facts = facts
  }

  /** One step; undefined, and its mistakes told, when it is not right. */
  read(tree: Tree): Step | undefined {
    const before = this.#reader.problems.count
    const map = this.#reader.map(
      tree,
      'a step',
      'a map that begins with an action: { publish: home/lamp, text: on }',
    )
    if (map === undefined) return undefined
    const action = this.#action(map)
    if (action === undefined) return undefined
    const known = this.#schema(action.definition, action.entry)
    const timeout = map.entries.get(timeoutKey)?.value
    const timeoutMs =
      timeout === undefined || known?.takesTimeout
        ? undefined
        : this.#reader.duration(timeout, `"timeout" of the action "${action.entry.key}"`, { atLeastMs: 1 })
    if (known === undefined) return undefined
    const options = known.takesTimeout ? map : without(map, timeoutKey)
    const raw = rawOptions(options, (scalar) => this.#template(scalar))
    const { name } = action.definition
    try {
      for (const problem of checkAtLoad(name, known.schema, raw)) this.#tell(problem, options)
      if (this.#reader.problems.count !== before) return undefined
      const place = this.#reader.place(map)
      const needs = mergeNeeds(raw.templates.map(({ template }) => template.needs))
      return {
        action: action.definition,
        ...(needs === undefined ? {} : { needs }),
        options: optionsOf(name, known.schema, raw, place),
        timeoutMs: timeoutMs ?? action.definition.timeoutMs ?? limits.stepTimeoutMs,
        place,
      }
    } catch (error) {
      // a schema's own functions are somebody else's code
      return this.#reader.mistake(
        action.entry,
        `the action "${name}" failed to check these options: ${reasonOf(error)}`,
        { found: null },
      )
    }
  }

  #action(map: TreeMap): { definition: ActionDefinition; entry: TreeEntry } | undefined {
    const [entry, ...others] = map.entries.values()
    if (entry === undefined)
      return this.#reader.mistake(map, 'this step is empty', { expected: 'an action and its value' })
    const definition = this.#catalogue.get(entry.key)
    if (definition !== undefined) return { definition, entry }
    const meant = others.find(({ key }) => this.#catalogue.get(key) !== undefined)
    const near = nearest(entry.key, this.#catalogue.names())
    if (meant !== undefined && near === undefined)
      return this.#reader.mistake(
        entry,
        `"${entry.key}" is no action; the first key of a step names its action`,
        {
          found: null,
          suggestion: `write ${meant.key}: first`,
        },
      )
    return this.#reader.mistake(entry, `there is no action "${entry.key}"`, {
      found: null,
      expected: `one of ${[...this.#catalogue.names()].sort().join(', ')}`,
      suggestion: near,
    })
  }

  #schema(definition: ActionDefinition, entry: TreeEntry): ActionSchema | undefined {
    if (this.#schemas.has(definition.name)) return this.#schemas.get(definition.name)
    const schema = schemaOf(definition, this.#facts)
    if (typeof schema === 'string') this.#reader.mistake(entry, schema, { found: null })
    const known = typeof schema === 'string' ? undefined : schema
    this.#schemas.set(definition.name, known)
    return known
  }

  #template(scalar: TreeScalar): Template | undefined {
    if (typeof scalar.value !== 'string') return undefined
    try {
      return this.#compiler.template(scalar.value)
    } catch (error) {
      tellExpression(error, scalar, this.#reader)
      return { text: scalar.value, render: () => undefined } // told once: its place counts as templated
    }
  }

  #tell({ path, kind, message, expected, suggestion }: OptionProblem, options: TreeMap): void {
    const details = { expected, suggestion }
    const entry = entryAt(options, path)
    if (kind === 'key' && entry !== undefined)
      this.#reader.mistake(entry, message, { ...details, found: null })
    else if (kind === 'missing') {
      const parent = treeAt(options, path.slice(0, -1))
      const first = parent.kind === 'map' ? [...parent.entries.values()][0] : undefined
      this.#reader.mistake(first ?? parent, message, { ...details, found: null })
    } else this.#reader.mistake(treeAt(options, path), message, details)
  }
}

function without(map: TreeMap, key: string): TreeMap {
  return { ...map, entries: new Map([...map.entries].filter(([name]) => name !== key)) }
}

/** What a path leads to, or what is nearest to it on the way. */
function treeAt(tree: Tree, path: readonly PropertyKey[]): Tree {
  let at = tree
  for (const key of path) {
    const next =
      at.kind === 'map'
        ? at.entries.get(String(key))?.value
        : at.kind === 'list'
          ? at.items[Number(key)]
          : undefined
    if (next === undefined) return at
    at = next
  }
  return at
}

function entryAt(tree: Tree, path: readonly PropertyKey[]): TreeEntry | undefined {
  const parent = treeAt(tree, path.slice(0, -1))
  return parent.kind === 'map' ? parent.entries.get(String(path.at(-1))) : undefined
}
