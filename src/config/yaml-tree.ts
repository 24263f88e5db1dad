/** What a YAML file says, with the offsets at which it says it. Aliases are resolved: trees may share parts. */
export type Tree = TreeMap | TreeList | TreeScalar

/** Where a tree stands, and how much it is. */
export interface Extent {
  readonly start: number
  readonly end: number
  /** Maps, lists and values in it, itself included; a shared part counts each time. */
  readonly nodes: number
  /** Maps and lists in each other; 0 for a value. */
  readonly depth: number
}

export interface TreeMap extends Extent {
  readonly kind: 'map'
  /** In the order of the file. */
  readonly entries: ReadonlyMap<string, TreeEntry>
}

export interface TreeEntry {
  readonly key: string
  readonly start: number
  readonly end: number
  readonly value: Tree
}

export interface TreeList extends Extent {
  readonly kind: 'list'
  readonly items: readonly Tree[]
}

export interface TreeScalar extends Extent {
  readonly kind: 'scalar'
  readonly value: string | number | boolean | null
  readonly style: 'plain' | 'single' | 'double' | 'block'
}

/** Whether nothing was written: `pins:` with nothing below it. */
export function isNothing(tree: Tree): boolean {
  return tree.kind === 'scalar' && tree.value === null
}

/** The tree as a plain JSON value. A key `__proto__` is a key like any other. */
export function toPlain(tree: Tree): unknown {
  return mapTree(tree, (scalar) => scalar.value)
}

/** The tree as a plain JSON value, with something else in place of each scalar. */
export function mapTree(
  tree: Tree,
  leaf: (scalar: TreeScalar, path: readonly PropertyKey[]) => unknown,
  path: readonly PropertyKey[] = [],
): unknown {
  if (tree.kind === 'scalar') return leaf(tree, path)
  if (tree.kind === 'list') return tree.items.map((item, index) => mapTree(item, leaf, [...path, index]))
  return plainMap(
    [...tree.entries.values()].map(({ key, value }) => [key, mapTree(value, leaf, [...path, key])]),
  )
}

/** An object with these keys; `Object.fromEntries` defines them, so `__proto__` sets no prototype. */
function plainMap(entries: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  return Object.fromEntries(entries)
}

/**
 * Where the character of a scalar's value stands in the text. Folding and indentation only change white
 * space, so the value's other characters stand in the text in the same order; double quotes have escapes.
 *
 * @param index into the value, in UTF-16 units
 */
export function offsetInScalar(text: string, scalar: TreeScalar, index: number): number {
  const value = String(scalar.value)
  let at = contentStart(text, scalar)
  for (let done = 0; done < index && at < scalar.end; ) {
    const char = value[done] as string
    const sequence = scalar.style === 'double' ? escapeAt(text, at) : undefined
    if (sequence !== undefined) {
      at += sequence.length
      done += sequence.units
      continue
    }
    if (isSpace(char)) {
      if (isSpace(text[at])) at++
    } else {
      while (at < scalar.end && text[at] !== char) at++
      at++
    }
    done++
  }
  const char = value[index]
  if (char !== undefined && !isSpace(char) && scalar.style !== 'double')
    while (at < scalar.end && text[at] !== char) at++
  return Math.min(at, scalar.end)
}

function contentStart(text: string, scalar: TreeScalar): number {
  if (scalar.style === 'plain') return scalar.start
  if (scalar.style !== 'block') return scalar.start + 1
  const header = text.indexOf('\n', scalar.start) // `|`, `>-`, and a comment
  return header === -1 ? scalar.end : header + 1
}

// YAML 1.2, 5.7: \xHH, \uHHHH, \UHHHHHHHH, a backslash at the end of a line, and single characters
function escapeAt(text: string, at: number): { length: number; units: number } | undefined {
  if (text[at] !== '\\') return undefined
  const kind = text[at + 1]
  if (kind === 'x') return { length: 4, units: 1 }
  if (kind === 'u') return { length: 6, units: 1 }
  if (kind === 'U')
    return { length: 10, units: Number.parseInt(text.slice(at + 2, at + 10), 16) > 0xffff ? 2 : 1 }
  if (kind !== '\n') return { length: 2, units: 1 }
  const next = /\S/g
  next.lastIndex = at + 1
  return { length: (next.exec(text)?.index ?? text.length) - at, units: 0 }
}

function isSpace(char: string | undefined): boolean {
  return char === ' ' || char === '\n' || char === '\t'
}
