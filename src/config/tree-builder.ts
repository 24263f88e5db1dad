import { isAlias, isMap, isScalar, isSeq } from 'yaml'
import { limits } from '../core/limits.ts'
import type { SourceText } from './source-text.ts'
import type { Extent, Tree, TreeEntry, TreeScalar } from './yaml-tree.ts'

/** Tells a mistake between two offsets. */
export type Mistake = (
  start: number,
  end: number,
  message: string,
  details?: { readonly found?: string | null; readonly expected?: string; readonly suggestion?: string },
) => void

/** Turns the library's nodes into trees, in the order of the file, so that an alias finds its anchor. */
export class TreeBuilder {
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
