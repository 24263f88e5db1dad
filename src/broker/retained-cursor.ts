import { steadyMs } from '../core/steady-clock.ts'
import { LevelNode, type LevelTree } from './level-tree.ts'
import type { RetainedMessage } from './retained-message.ts'

/** Nodes looked at before `next` returns in vain. */
const stepsMax = 1_000
const dollar = 36

type Node = LevelNode<RetainedMessage>

/**
 * Goes through the retained messages whose topics match a filter, each topic once. It may rest between two of them:
 * what is retained or cleared meanwhile is seen as it is then, or not at all. What has expired is left out.
 */
export class RetainedCursor {
  readonly #levels: readonly string[]
  /** Which of them is `#`. */
  readonly #restAt: number
  readonly #isWild: boolean
  /** What is to be looked at, the next last. */
  readonly #due: (Node | Iterator<Node, undefined>)[] = []

  constructor(tree: LevelTree<RetainedMessage>, filter: string) {
    this.#levels = filter.split('/')
    this.#restAt = this.#levels.at(-1) === '#' ? this.#levels.length - 1 : Number.POSITIVE_INFINITY
    this.#isWild = filter.startsWith('+') || filter.startsWith('#')
    const first = this.#below(tree.root, 0)
    if (first !== undefined) this.#due.push(first)
  }

  /** Whether there are no more. */
  get isDone(): boolean {
    return this.#due.length === 0
  }

  /** The next message; undefined when there is none, or when it has looked for a while: `isDone` tells which. */
  next(): RetainedMessage | undefined {
    for (let steps = 0; steps < stepsMax; steps++) {
      const due = this.#due.at(-1)
      if (due === undefined) return undefined
      let node: Node | undefined
      if (due instanceof LevelNode) {
        this.#due.pop()
        node = due
      } else {
        node = due.next().value
        if (node === undefined) this.#due.pop()
      }
      const found = node === undefined ? undefined : this.#follow(node)
      if (found !== undefined) return found
    }
    return undefined
  }

  /**
   * Follows the filter from a node on, up to a wildcard. All levels above the node are looked at again: since it became
   * due they may have become levels of others. @returns the message of where that led
   */
  #follow(first: Node): RetainedMessage | undefined {
    if (this.#isWild && first.text.charCodeAt(0) === dollar) return undefined // [MQTT-4.7.2-1]
    let at = 0
    let depth = 0
    for (let node: Node | undefined = first; node !== undefined; ) {
      depth = this.#depthAfter(node, at, depth)
      if (depth === -1) return undefined
      if (depth === this.#levels.length) return current(node)
      const next = this.#below(node, depth)
      if (depth === this.#restAt) return current(node) // # also matches the level above it [MQTT-4.7.1-2]
      at = node.end + 1
      node = next
    }
    return undefined
  }

  /**
   * The child that the filter's level at `depth` may lead to; at a wildcard nothing, and all children are due.
   */
  #below(node: Node, depth: number): Node | undefined {
    const level = this.#levels[depth] as string
    const { children } = node
    if (level !== '+' && level !== '#') return children instanceof Map ? children.get(level) : children
    if (children !== undefined) this.#due.push(children instanceof Map ? children.values() : children)
    return undefined
  }

  /**
   * Goes through the levels up to the end of a node, of which the one that begins at `from` meets the filter's at `fromDepth`.
   * @returns the filter's level that comes after them, or its `#`; -1 when it does not match
   */
  #depthAfter({ text, end }: Node, from: number, fromDepth: number): number {
    let depth = fromDepth
    for (let at = from; at <= end; depth++) {
      if (depth >= this.#restAt) return this.#restAt
      const level = this.#levels[depth]
      if (level === undefined) return -1
      const slashAt = text.indexOf('/', at)
      const levelEnd = slashAt === -1 || slashAt > end ? end : slashAt
      if (level !== '+' && !(level.length === levelEnd - at && text.startsWith(level, at))) return -1
      at = levelEnd + 1
    }
    return depth
  }
}

function current({ value }: Node): RetainedMessage | undefined {
  return value === undefined || isExpired(value) ? undefined : value
}

export function isExpired({ expiresAtMs }: RetainedMessage): boolean {
  return expiresAtMs !== 0 && expiresAtMs <= steadyMs()
}
