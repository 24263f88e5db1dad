import type { ExpressionCompiler } from '../core/expression.ts'
import { ExpressionError } from '../core/expression.ts'
import { limits } from '../core/limits.ts'
import type { Condition, Rule, Step, Trigger } from '../core/rule.ts'
import { isShared, parseShared, plainFilter } from '../core/shared-filter.ts'
import { filterProblem } from '../core/topics.ts'
import { readAt } from './at-times.ts'
import { RuleNames } from './rule-names.ts'
import { type PlacedRule, tellMixedShares, tellSharedKeys } from './shared-rules.ts'
import type { TreeReader } from './tree-reader.ts'
import { ruleKeys } from './vocabulary/rules.ts'
import { isNothing, offsetInScalar, type Tree, type TreeEntry, type TreeMap, toPlain } from './yaml-tree.ts'

/** Reads one step; tells its mistakes. */
export type StepReader = (tree: Tree) => Step | undefined

/**
 * Reads `rules:`. A rule with a mistake is left out, and its mistakes are told.
 * @param attachedAs our `NAME` where the broker is elsewhere: only there rules can share subscriptions with others
 */
export async function readRules(
  tree: Tree | undefined,
  reader: TreeReader,
  compiler: ExpressionCompiler,
  readStep: StepReader,
  attachedAs?: string,
): Promise<readonly Rule[]> {
  if (tree === undefined || isNothing(tree)) return []
  const list = reader.list(tree, 'rules', 'a list: each rule begins with "- "')
  if (list === undefined) return []
  const names = new RuleNames(reader)
  for (const item of list.items) if (item.kind === 'map') names.claim(item)
  const rules: PlacedRule[] = []
  const lastTopics = new Set<string>()
  for (const item of list.items) {
    const rule = await new RuleReader(reader, compiler, readStep, names, attachedAs !== undefined).read(item)
    if (rule === undefined) continue
    rules.push({ rule, at: item })
    for (const topic of lastTopicsOf(rule)) lastTopics.add(topic)
    if (lastTopics.size > limits.lastTopicsMax) {
      reader.mistake(item, `last(…) asks for more than ${limits.lastTopicsMax} topics, all rules together`)
      break
    }
  }
  if (attachedAs !== undefined) tellMixedShares(rules, [`damselfly/${attachedAs}/#`], reader)
  return rules.map(({ rule }) => rule)
}

function lastTopicsOf({ condition, until, steps, elseSteps = [] }: Rule): readonly string[] {
  return [condition, until, ...steps, ...elseSteps].flatMap((part) => part?.needs?.lastTopics ?? [])
}

const triggerKeys = ['on', 'every', 'at']

class RuleReader {
  readonly #reader: TreeReader
  readonly #compiler: ExpressionCompiler
  readonly #readStep: StepReader
  readonly #names: RuleNames
  readonly #mayShare: boolean

  constructor(
    reader: TreeReader,
    compiler: ExpressionCompiler,
    readStep: StepReader,
    names: RuleNames,
    mayShare: boolean,
  ) {
    this.#reader = reader
    this.#compiler = compiler
    this.#readStep = readStep
    this.#names = names
    this.#mayShare = mayShare
  }

  async read(tree: Tree): Promise<Rule | undefined> {
    const before = this.#reader.problems.count
    const map = this.#reader.map(tree, 'a rule', 'a map: - on: home/lamp/set, and do: below it')
    if (map === undefined) return undefined
    const meant = this.#reader.knownKeys(map, 'a rule', Object.keys(ruleKeys))
    const name = this.#field(map, 'name', (value, what) =>
      this.#reader.text(value, what, 'a name such as lamp'),
    )
    const trigger = await this.#trigger(map, meant)
    if (trigger !== undefined && trigger.kind !== 'message') this.#tellMessageKeys(map, trigger.kind)
    if (trigger?.kind === 'message' && trigger.subscriptions !== undefined) tellSharedKeys(map, this.#reader)
    this.#tellCompanions(map, meant)
    const condition = this.#field(map, 'when', (value, what) => this.#condition(value, what))
    const until = this.#field(map, 'until', (value, what) => this.#condition(value, what))
    const afterMs = this.#field(map, 'after', (value, what) =>
      this.#reader.duration(value, what, { atLeastMs: limits.everyMsMin }),
    )
    const throttleMs = this.#field(map, 'throttle', (value, what) => this.#reader.duration(value, what))
    const debounceMs = this.#field(map, 'debounce', (value, what) => this.#reader.duration(value, what))
    const isEnabled = this.#field(map, 'enabled', (value, what) => this.#reader.boolean(value, what))
    const firesOnRetained = this.#field(map, 'retained', (value, what) => this.#reader.boolean(value, what))
    const steps = this.#steps(map, meant)
    const otherwise = map.entries.get('else')
    const elseSteps = otherwise && this.#stepList(otherwise, 'else: is empty')
    if (trigger === undefined || this.#reader.problems.count !== before) return undefined
    return {
      name: name ?? this.#names.derive(trigger, map),
      isEnabled: isEnabled ?? true,
      trigger,
      firesOnRetained: firesOnRetained ?? false,
      ...(condition === undefined ? {} : { condition }),
      ...(until === undefined ? {} : { until }),
      ...(afterMs === undefined ? {} : { afterMs }),
      ...(throttleMs === undefined ? {} : { throttleMs }),
      ...(debounceMs === undefined ? {} : { debounceMs }),
      steps,
      ...(elseSteps === undefined ? {} : { elseSteps }),
      place: this.#reader.place(map),
      source: JSON.stringify(toPlain(map)),
    }
  }

  #field<Value>(
    map: TreeMap,
    key: keyof typeof ruleKeys,
    read: (tree: Tree, what: string) => Value | undefined,
  ): Value | undefined {
    const tree = map.entries.get(key)?.value
    return tree === undefined ? undefined : read(tree, `"${key}" of this rule`)
  }

  async #trigger(map: TreeMap, meant: ReadonlySet<string>): Promise<Trigger | undefined> {
    const given = triggerKeys.flatMap((key) => map.entries.get(key) ?? [])
    const [first, second] = given
    if (first === undefined) {
      if (triggerKeys.some((key) => meant.has(key))) return undefined // told already
      const end = [...map.entries.values()][0]?.end ?? map.end
      return this.#reader.mistake({ start: map.start, end }, 'this rule does not say what sets it off', {
        found: null,
        expected: 'one of on: (a topic filter), every: (a duration), at: (a time of day)',
      })
    }
    if (second !== undefined)
      return this.#reader.mistake(
        second,
        `this rule has ${given.map(({ key }) => `${key}:`).join(' and ')}`,
        {
          found: null,
          expected: 'exactly one of on:, every:, at:',
          suggestion: 'make two rules of it',
        },
      )
    if (first.key === 'on') return this.#filters(first.value)
    if (first.key === 'at') return await readAt(first.value, this.#reader)
    const everyMs = this.#reader.duration(first.value, '"every" of this rule', {
      atLeastMs: limits.everyMsMin,
    })
    return everyMs === undefined ? undefined : { kind: 'every', everyMs }
  }

  #filters(tree: Tree): Trigger | undefined {
    const expected = 'a topic filter such as home/+/set, or a list of them'
    const items = tree.kind === 'list' ? tree.items : [tree]
    if (items.length === 0)
      return this.#reader.mistake(tree, '"on" of this rule is an empty list', { expected })
    const filters = items.map((item) => this.#filter(item, expected))
    if (!filters.every((filter) => filter !== undefined)) return undefined
    const plain = [...new Set(filters.map(plainFilter))]
    if (!filters.some(isShared)) return { kind: 'message', filters: plain }
    return { kind: 'message', filters: plain, subscriptions: [...new Set(filters)] }
  }

  #filter(tree: Tree, expected: string): string | undefined {
    if (isNothing(tree))
      return this.#reader.mistake(tree, '"on" of this rule has no filter', {
        expected,
        suggestion: 'put a filter that begins with # into quotes: "#"',
      })
    const filter = this.#reader.text(tree, '"on" of this rule', expected)
    if (filter === undefined) return undefined
    if (isShared(filter)) return this.#shared(tree, filter)
    const problem = filterProblem(filter)
    return problem === undefined
      ? filter
      : this.#reader.mistake(tree, `"${filter}" is not a topic filter: ${problem}`, { expected })
  }

  #shared(tree: Tree, filter: string): string | undefined {
    const parts = parseShared(filter)
    const problem =
      parts === undefined || parts === 'invalid'
        ? 'it is not of the form $share/GROUP/FILTER'
        : filterProblem(parts.filter)
    if (problem !== undefined)
      return this.#reader.mistake(tree, `"${filter}" is no shared subscription: ${problem}`, {
        expected: 'such as $share/pis/sensors/#',
      })
    if (this.#mayShare) return filter
    return this.#reader.mistake(
      tree,
      `"${filter}" shares messages with others, and only this process has rules here`,
      {
        expected: 'BROKER_URL in .env, for several Damselflies at one broker',
        suggestion: plainFilter(filter),
      },
    )
  }

  #tellMessageKeys(map: TreeMap, kind: 'every' | 'at'): void {
    for (const key of ['throttle', 'debounce', 'retained', 'after']) {
      const entry = map.entries.get(key)
      if (entry !== undefined)
        this.#reader.mistake(entry, `${key} is for rules with on:; this one has ${kind}:`, {
          found: null,
          suggestion: `remove ${key}`,
        })
    }
  }

  /** Tells keys that need another one, or do not go with it. */
  #tellCompanions(map: TreeMap, meant: ReadonlySet<string>): void {
    const { entries } = map
    const has = (key: string): boolean => entries.has(key) || meant.has(key)
    const [until, otherwise] = [entries.get('until'), entries.get('else')]
    if (until !== undefined && !has('when'))
      this.#reader.mistake(until, 'until needs when: it says when the rule may fire again', {
        found: null,
        expected: 'both, such as when: payload.t > 30 and until: payload.t < 27',
      })
    if (otherwise !== undefined && !has('when') && !has('after'))
      this.#reader.mistake(otherwise, 'else needs when: without a condition this rule always runs do', {
        found: null,
        suggestion: 'add when:, or put the steps under do:',
      })
    if (!entries.has('after')) return
    for (const key of ['debounce', 'until', 'retained']) {
      const entry = entries.get(key)
      if (entry !== undefined)
        this.#reader.mistake(
          entry,
          `${key} does not go with after: messages do not fire this rule, silence does`,
          {
            found: null,
            suggestion: `remove ${key}, or make two rules of it`,
          },
        )
    }
  }

  #condition(tree: Tree, what: string): Condition | undefined {
    const isText = tree.kind === 'scalar' && typeof tree.value === 'string' && tree.value.trim() !== ''
    if (!isText && tree.kind !== 'map')
      return this.#reader.mistake(tree, `${what} is neither an expression nor a map`, {
        expected: 'an expression such as payload.value > 30, or a map of payload fields such as { msg: ON }',
      })
    try {
      if (tree.kind === 'scalar') return this.#compiler.condition(String(tree.value))
      return this.#compiler.conditionMap(toPlain(tree) as Record<string, unknown>)
    } catch (error) {
      return tellExpression(error, tree, this.#reader)
    }
  }

  #steps(map: TreeMap, meant: ReadonlySet<string>): readonly Step[] {
    const entry = map.entries.get('do')
    if (entry !== undefined) return this.#stepList(entry, 'this rule does nothing: do: is empty')
    if (meant.has('do')) return [] // told already
    const first = [...map.entries.values()][0] ?? map
    this.#reader.mistake(first, 'this rule does nothing: it has no do:', {
      found: null,
      expected: stepsExpected,
    })
    return []
  }

  #stepList(entry: TreeEntry, whenEmpty: string): readonly Step[] {
    const { value } = entry
    const items = value.kind === 'list' ? value.items : [value]
    if (items.length > 0 && !isNothing(value)) return items.flatMap((item) => this.#readStep(item) ?? [])
    this.#reader.mistake(entry, whenEmpty, { found: null, expected: stepsExpected })
    return []
  }
}

const stepsExpected = 'a list of steps such as - { log: "it happened" }'

/** Tells an expression that cannot be compiled, in the column where it goes wrong. */
export function tellExpression(error: unknown, tree: Tree, reader: TreeReader): undefined {
  if (!(error instanceof ExpressionError)) throw error
  if (tree.kind !== 'scalar') return reader.mistake(tree, error.message)
  const start = offsetInScalar(reader.source.text, tree, error.offset)
  return reader.mistake({ start, end: start + 1 }, error.message, {
    found: reader.source.excerpt(tree.start, tree.end),
  })
}
