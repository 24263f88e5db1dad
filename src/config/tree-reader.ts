import { nearest } from '../core/nearest.ts'
import type { PinState } from '../core/pin.ts'
import type { Place } from '../core/problems.ts'
import { parseDuration } from '../core/units.ts'
import { alternatives } from './alternatives.ts'
import type { ProblemDetails, ProblemList } from './problem-list.ts'
import type { SourceText } from './source-text.ts'
import type { Extent, Tree, TreeList, TreeMap } from './yaml-tree.ts'

const durationExpected = 'a duration such as 200ms, 30s, 10m or 1h30m; at most 24d'

/**
 * Reads values out of a tree. Each method gives the value, or tells the mistake and gives undefined;
 * `what` names the value in its sentence.
 */
export class TreeReader {
  readonly source: SourceText
  readonly problems: ProblemList

  constructor(source: SourceText, problems: ProblemList) {
    this.source = source
    this.problems = problems
  }

  place(extent: { readonly start: number }): Place {
    return this.source.place(extent.start)
  }

  mistake(extent: Pick<Extent, 'start' | 'end'>, message: string, details: ProblemDetails = {}): undefined {
    this.problems.at(this.source, extent.start, extent.end, message, details)
  }

  map(tree: Tree, what: string, expected = 'a map: key: value, one a line'): TreeMap | undefined {
    if (tree.kind === 'map') return tree
    return this.mistake(tree, `${what} is not a map`, { expected })
  }

  list(tree: Tree, what: string, expected: string): TreeList | undefined {
    if (tree.kind === 'list') return tree
    return this.mistake(tree, `${what} is not a list`, { expected })
  }

  text(tree: Tree, what: string, expected: string): string | undefined {
    if (tree.kind === 'scalar' && typeof tree.value === 'string' && tree.value !== '') return tree.value
    // true in quotes is a text, and hardly ever the one that was meant
    const isOther = tree.kind === 'scalar' && ['number', 'bigint'].includes(typeof tree.value)
    return this.mistake(tree, `${what} is not a text`, {
      expected,
      ...(isOther ? { suggestion: `'${this.source.excerpt(tree.start, tree.end)}', in quotes` } : {}),
    })
  }

  boolean(tree: Tree, what: string): boolean | undefined {
    if (tree.kind === 'scalar' && typeof tree.value === 'boolean') return tree.value
    const word = tree.kind === 'scalar' ? String(tree.value).toLowerCase() : ''
    const suggestion = yes.has(word) ? 'true' : no.has(word) ? 'false' : undefined
    return this.mistake(tree, `${what} is neither true nor false`, { expected: 'true or false', suggestion })
  }

  /** @NOTE YAML 1.2 leaves `on` and `off` texts, but people write `initial: false` as well */
  state(tree: Tree, what: string): PinState | undefined {
    const value = tree.kind === 'scalar' ? tree.value : undefined
    if (value === 'on' || value === true) return 'on'
    if (value === 'off' || value === false) return 'off'
    return this.oneOf(tree, what, ['on', 'off']) as PinState | undefined
  }

  oneOf<Word extends string>(tree: Tree, what: string, words: readonly Word[]): Word | undefined {
    const value = tree.kind === 'scalar' ? tree.value : undefined
    const found = words.find((word) => word === value)
    if (found !== undefined) return found
    return this.mistake(tree, `${what} is not one of its values`, {
      expected: alternatives(words),
      suggestion: value === undefined ? undefined : nearest(String(value), words),
    })
  }

  /** Milliseconds. */
  duration(
    tree: Tree,
    what: string,
    { atLeastMs = 0, atMostMs = Number.POSITIVE_INFINITY } = {},
  ): number | undefined {
    const value = tree.kind === 'scalar' ? tree.value : undefined
    if (typeof value === 'number')
      return this.mistake(tree, `${what} has no unit`, {
        expected: durationExpected,
        suggestion: `${value}s for seconds, or ${value}ms for milliseconds`,
      })
    const ms = durationOf(value)
    if (ms === undefined)
      return this.mistake(tree, `${what} is not a duration`, { expected: durationExpected })
    if (ms < atLeastMs)
      return this.mistake(tree, `${what} is too short`, { expected: `at least ${atLeastMs}ms` })
    if (ms > atMostMs)
      return this.mistake(tree, `${what} is too long`, { expected: `at most ${atMostMs / 1_000}s` })
    return ms
  }

  /** Tells each key that is not one of `known`; gives the keys that were probably meant. */
  knownKeys(map: TreeMap, what: string, known: readonly string[]): ReadonlySet<string> {
    const meant = new Set<string>()
    for (const { key, start, end } of map.entries.values()) {
      if (known.includes(key)) continue
      const suggestion = nearest(key, known)
      if (suggestion !== undefined) meant.add(suggestion)
      const expected = `one of ${known.join(', ')}`
      this.mistake({ start, end }, `${what} has no key "${key}"`, { found: null, expected, suggestion })
    }
    return meant
  }
}

const yes: ReadonlySet<string> = new Set(['on', 'yes', 'y', '1', 'true'])
const no: ReadonlySet<string> = new Set(['off', 'no', 'n', '0', 'false'])

function durationOf(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined
  try {
    return parseDuration(value)
  } catch {
    return undefined // the caller tells it, with its place
  }
}
