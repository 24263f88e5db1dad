import { detached } from './detached.ts'

const slash = 47

/**
 * One or more levels of topics or filters, and what lies below them. It has a value or several children: levels that
 * lead to one thing only are one node.
 * @NOTE whoever rests on a node, as `RetainedCursor` does, relies on this: its end never changes, its start does as
 * neighbours come and go; one that has left the tree has no value, and leads on to what it led to.
 */
export class LevelNode<Value> {
  /** Begins with all levels from the root to the end of this node; with a value it is the very string that was set. */
  text: string
  /** Where its levels begin in `text`. */
  start: number
  /** Where they end. */
  readonly end: number
  value: Value | undefined
  /** By their first levels; most nodes have none, and many a single one. */
  children: Map<string, LevelNode<Value>> | LevelNode<Value> | undefined

  constructor(text: string, start: number, end: number, value: Value | undefined) {
    this.text = text
    this.start = start
    this.end = end
    this.value = value
    this.children = undefined
  }
}

/**
 * Values by topic or filter. Nodes are as many as values, or up to twice that; each child keeps its place among the
 * others as long as anything is below its first level.
 */
export class LevelTree<Value> {
  /** Stands for no level itself, and ends before the first one. */
  readonly root = new LevelNode<Value>('', 0, -1, undefined)

  get(path: string): Value | undefined {
    let node = this.root
    while (node.end < path.length) {
      const child = childAt(node, path, path.length)
      if (child === undefined || sharedEnd(child, path, path.length) !== child.end) return undefined
      node = child
    }
    return node.value
  }

  /** The path is the first `length` characters of `text`, which is kept. @returns what was there before */
  set(text: string, length: number, value: Value): Value | undefined {
    let node = this.root
    while (node.end < length) {
      const child = childAt(node, text, length)
      const end = child === undefined ? -1 : sharedEnd(child, text, length)
      if (child === undefined || end === -1) {
        addChild(node, new LevelNode(text, node.end + 1, length, value))
        return undefined
      }
      node = end < child.end ? split(node, child, end) : child
    }
    const old = node.value
    node.text = text
    node.value = value
    return old
  }

  /** @returns what was there */
  delete(path: string): Value | undefined {
    let above = this.root
    let parent = this.root
    let node = this.root
    while (node.end < path.length) {
      const child = childAt(node, path, path.length)
      if (child === undefined || sharedEnd(child, path, path.length) !== child.end) return undefined
      above = parent
      parent = node
      node = child
    }
    const old = node.value
    if (old === undefined) return undefined
    node.value = undefined
    node.text = detached(path.slice(0, node.end))
    if (node.children !== undefined) join(parent, node)
    else {
      removeChild(parent, node)
      if (parent !== this.root) join(above, parent)
    }
    return old
  }
}

/** The child that may begin with the next level of a path that is the node's up to there; a single one may be another. */
function childAt<Value>(
  { children, end }: LevelNode<Value>,
  path: string,
  length: number,
): LevelNode<Value> | undefined {
  return children instanceof Map ? children.get(levelAt(path, end + 1, length)) : children
}

/** Where the levels end that a path has in common with a node, above which it is the same; -1 for no level. */
function sharedEnd<Value>({ text, start, end }: LevelNode<Value>, path: string, length: number): number {
  let shared = -1
  for (let at = start; ; at++) {
    const here = at === end ? slash : text.charCodeAt(at)
    const there = at === length ? slash : path.charCodeAt(at)
    if (here !== there) return shared
    if (here !== slash) continue
    shared = at
    if (at === end || at === length) return shared
  }
}

function addChild<Value>(node: LevelNode<Value>, child: LevelNode<Value>): void {
  const { children } = node
  if (children === undefined) node.children = child
  else if (children instanceof Map) children.set(keyOf(child), child)
  else {
    const both = new Map([[keyOf(children), children]])
    both.set(keyOf(child), child)
    node.children = both
  }
}

/** In the place of the child that begins with the same level: who goes through them meets it there. */
function replaceChild<Value>(node: LevelNode<Value>, child: LevelNode<Value>): void {
  if (node.children instanceof Map) node.children.set(levelAt(child.text, child.start, child.end), child)
  else node.children = child
}

function removeChild<Value>(node: LevelNode<Value>, child: LevelNode<Value>): void {
  const { children } = node
  if (children instanceof Map) children.delete(levelAt(child.text, child.start, child.end))
  if (!(children instanceof Map) || children.size === 0) node.children = undefined
}

/** Makes two nodes of a child. @returns the upper one, which ends where it is told */
function split<Value>(node: LevelNode<Value>, child: LevelNode<Value>, end: number): LevelNode<Value> {
  const { text, start } = child
  const upper = new LevelNode<Value>(detached(text.slice(0, end)), start, end, undefined)
  child.start = end + 1
  upper.children = child
  replaceChild(node, upper)
  return upper
}

/** Makes one node of two, when the upper one has no value and a single child. */
function join<Value>(above: LevelNode<Value>, node: LevelNode<Value>): void {
  let { children } = node
  if (children instanceof Map) {
    if (children.size > 1) return
    const [only] = children.values()
    children = only
  }
  if (children === undefined) return
  if (node.value !== undefined) {
    node.children = children
    return
  }
  children.start = node.start
  replaceChild(above, children)
}

/** The level that begins at `at`. */
export function levelAt(path: string, at: number, length: number): string {
  const end = path.indexOf('/', at)
  return path.slice(at, end === -1 || end > length ? length : end)
}

function keyOf<Value>({ text, start, end }: LevelNode<Value>): string {
  return detached(levelAt(text, start, end))
}
