import type { CST, Document, YAMLError } from 'yaml'
import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, Parser } from 'yaml'
import { limits } from '../core/limits.ts'
import type { ProblemList } from './problem-list.ts'
import type { SourceText } from './source-text.ts'
import type { Extent, Tree, TreeEntry, TreeScalar } from './yaml-tree.ts'

/** A YAML file as far as it could be understood. */
export interface YamlReading {
  /** Undefined when the file says nothing. */
  readonly tree: Tree | undefined
  /** Offsets of what is not YAML, of duplicate keys and of unknown aliases. */
  readonly mistakes: readonly number[]
}

/**
 * Reads one YAML 1.2 document: `on`, `off` and `yes` stay texts. Every syntax mistake goes into `problems`,
 * one a line. Depth and size are bounded, those of aliases included.
 */
export function parseYaml(source: SourceText, problems: ProblemList): YamlReading {
  const mistakes: number[] = []
  const mistake: Mistake = (start, end, message, details) => {
    mistakes.push(start)
    problems.at(source, start, end, message, details)
  }
  const tokens = tokensOf(source, mistake)
  if (tokens === undefined) return { tree: undefined, mistakes }
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, resolveKnownTags: false })
  let document: Document.Parsed | undefined
  for (const next of composer.compose(tokens, true, source.text.length)) {
    if (document === undefined) document = next
    else {
      const start = source.text.indexOf('---', document.range[1])
      mistake(Math.max(start, 0), start + 3, 'a second document begins here; one file is one configuration', {
        suggestion: 'remove the line ---',
      })
      break
    }
  }
  if (document === undefined) return { tree: undefined, mistakes }
  tellErrors(source, document, mistake)
  const tree = new TreeBuilder(source, mistake).build(document.contents)
  return { tree: tree.kind === 'scalar' && tree.value === null ? undefined : tree, mistakes }
}

type Mistake = (
  start: number,
  end: number,
  message: string,
  details?: { readonly found?: string | null; readonly expected?: string; readonly suggestion?: string },
) => void

// @NOTE the composer recurses, and a regular expression that is compiled when the stack is nearly used up
// ends the whole process; the parser does not recurse, so the depth is looked at there. Its stack
// holds the document, each map and list, and a value.
function tokensOf(source: SourceText, mistake: Mistake): CST.Token[] | undefined {
  const parser = new Parser()
  const tokens: CST.Token[] = []
  for (const lexeme of new Lexer().lex(source.text)) {
    const at = parser.offset
    for (const token of parser.next(lexeme)) tokens.push(token)
    if (parser.stack.length <= limits.configDepthMax + 2) continue
    mistake(at, at + 1, 'maps and lists stand too deep in each other', {
      expected: `at most ${limits.configDepthMax} levels`,
    })
    return undefined
  }
  for (const token of parser.end()) tokens.push(token)
  return tokens
}

function tellErrors(source: SourceText, document: Document.Parsed, mistake: Mistake): void {
  const contentsEnd = document.contents?.range[2] ?? 0
  const lines = new Set<number>()
  let isBeyond = false
  for (const error of [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])) {
    const [start, end] = error.pos
    const { line } = source.place(start)
    // a line that does not fit makes more errors on it and, when it ends the document, on each line after it
    if (lines.has(line) || isBeyond) continue
    lines.add(line)
    isBeyond = error.code === 'UNEXPECTED_TOKEN' && start >= contentsEnd
    const told = isBeyond ? beyond : (sentences[error.code] ?? { message: lowerFirst(error.message) })
    mistake(start, end, told.message, {
      ...(told.suggestion === undefined ? {} : { suggestion: told.suggestion }),
    })
  }
}

interface Sentence {
  readonly message: string
  readonly suggestion?: string
}

const beyond: Sentence = {
  message: 'this line does not fit what stands above it',
  suggestion: 'begin the keys of one map in the same column',
}

const sentences: Partial<Record<YAMLError['code'], Sentence>> = {
  TAB_AS_INDENT: { message: 'a tab cannot indent YAML', suggestion: 'use spaces' },
  BAD_INDENT: {
    message: 'the indentation does not fit what stands above it',
    suggestion: 'begin what belongs together in the same column, and close each [ and {',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second ": " on this line, where a plain value should end',
    suggestion: 'put the value into quotes, or what follows on a line of its own',
  },
  BAD_SCALAR_START: {
    message: 'a value cannot begin with this character',
    suggestion: 'put the value into quotes',
  },
  BAD_DQ_ESCAPE: {
    message: 'in double quotes a backslash begins an escape, and this one is not known',
    suggestion: "write \\\\ for a backslash, or use single quotes: '…'",
  },
  TAG_RESOLVE_FAILED: {
    message: 'tags such as !this are not known here',
    suggestion: 'put the value into quotes if it is meant to begin with !; secrets belong into .env',
  },
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}

/** Turns the library's nodes into trees, in the order of the file, so that an alias finds its anchor. */
class TreeBuilder {
  readonly #source: SourceText
  readonly #mistake: Mistake
  readonly #anchors = new Map<string, Tree>()
  #nodes = 0
  #isTooLarge = false

  constructor(source: SourceText, mistake: Mistake) {
    this.#source = source
    this.#mistake = mistake
  }

  build(node: unknown, at = 0): Tree {
    const tree = this.#bounded(this.#convert(node, at))
    if (!isAlias(node) && hasAnchor(node)) this.#anchors.set(node.anchor, tree)
    return tree
  }

  #convert(node: unknown, at: number): Tree {
    if (isAlias(node)) return this.#resolve(node.source, ...extentOf(node, at))
    if (isMap(node)) return this.#map(node.items, ...extentOf(node, at))
    if (isSeq(node)) {
      const [start, end] = extentOf(node, at)
      const items = node.items.map((item) => this.build(item, start))
      return { kind: 'list', items, start, end, ...sizeOf(items) }
    }
    const [start, end] = extentOf(node, at)
    if (!isScalar(node)) return nothing(start)
    return { ...scalarOf(node.value, node.type), start, end, nodes: 1, depth: 0 }
  }

  #map(pairs: readonly { key: unknown; value: unknown }[], start: number, end: number): Tree {
    const entries = new Map<string, TreeEntry>()
    for (const pair of pairs) {
      const [keyStart, keyEnd] = extentOf(pair.key, start)
      const value = this.build(pair.value, keyEnd)
      const key = this.#key(pair.key, keyStart, keyEnd)
      if (key === undefined) continue
      const first = entries.get(key)
      if (first === undefined) {
        entries.set(key, { key, start: keyStart, end: keyEnd, value })
        continue
      }
      const { line } = this.#source.place(first.start)
      this.#mistake(keyStart, keyEnd, `"${key}" is there twice; the first is on line ${line}`, {
        suggestion: 'remove or rename one of the two',
      })
    }
    const values = [...entries.values()].map(({ value }) => value)
    return { kind: 'map', entries, start, end, ...sizeOf(values) }
  }

  #key(key: unknown, start: number, end: number): string | undefined {
    if (isScalar(key)) return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
    if (key === null) return ''
    this.#mistake(start, end, 'a key must be a plain text', {
      ...(isAlias(key) ? { suggestion: 'put the key into quotes if it is meant to begin with *' } : {}),
    })
    return undefined
  }

  #resolve(name: string, start: number, end: number): Tree {
    const tree = this.#anchors.get(name)
    if (tree !== undefined) return tree
    this.#mistake(start, end, `no anchor &${name} stands before this alias`, {
      suggestion: 'put the value into quotes if it is meant to begin with *',
    })
    return nothing(start)
  }

  // what grows by aliases is cut off where it grows too large, and told once
  #bounded(tree: Tree): Tree {
    this.#nodes++
    const isTooLarge =
      tree.nodes > limits.configNodesMax ||
      tree.depth > limits.configDepthMax ||
      this.#nodes > limits.configNodesMax
    if (!isTooLarge) return tree
    if (!this.#isTooLarge) {
      this.#isTooLarge = true
      this.#mistake(tree.start, tree.end, 'this is too large, or too deep, with its aliases filled in', {
        expected: `at most ${limits.configNodesMax} values, ${limits.configDepthMax} levels deep`,
      })
    }
    return nothing(tree.start)
  }
}

function sizeOf(parts: readonly Extent[]): { nodes: number; depth: number } {
  let nodes = 1
  let depth = 0
  for (const part of parts) {
    nodes += part.nodes
    depth = Math.max(depth, part.depth)
  }
  return { nodes, depth: depth + 1 }
}

function nothing(at: number): TreeScalar {
  return { kind: 'scalar', value: null, style: 'plain', start: at, end: at, nodes: 1, depth: 0 }
}

function scalarOf(value: unknown, type: string | undefined): Pick<TreeScalar, 'kind' | 'value' | 'style'> {
  const style =
    type === 'QUOTE_DOUBLE'
      ? 'double'
      : type === 'QUOTE_SINGLE'
        ? 'single'
        : type?.startsWith('BLOCK')
          ? 'block'
          : 'plain'
  const isKnown = value === null || ['string', 'number', 'boolean'].includes(typeof value)
  return { kind: 'scalar', style, value: isKnown ? (value as TreeScalar['value']) : String(value) }
}

function extentOf(node: unknown, at: number): [start: number, end: number] {
  const range = (node as { range?: readonly [number, number, number] } | null)?.range
  return range === undefined || range === null ? [at, at] : [range[0], range[1]]
}

function hasAnchor(node: unknown): node is { anchor: string } {
  return typeof (node as { anchor?: unknown } | null)?.anchor === 'string'
}
