import type { LevelNode, LevelTree } from './level-tree.ts'
import type { Publication } from './publication.ts'

/** Levels of topics looked at before `next` returns in vain. */
const stepsMax = 1_000

type Node = LevelNode<Publication>

/** Nodes, and the level of the filter from which on they are to be followed. */
interface Walk {
  readonly nodes: Iterator<Node, undefined>
  readonly depth: number
}

/**
 * Goes through the retained messages whose topics match a filter, each topic once. It may rest between two of them:
 * what is retained or cleared meanwhile is seen as it is then, or not at all. What has expired is left out.
 */
export class RetainedCursor {
  readonly #levels: readonly string[]
  readonly #walks: Walk[] = []
  #first: Node | undefined

  constructor(tree: LevelTree<Publication>, filter: string) {
    this.#levels = filter.split('/')
    this.#first = tree.root
  }

  /** Whether there are no more. */
  get isDone(): boolean {
    return this.#first === undefined && this.#walks.length === 0
  }

  /** The next message; undefined when there is none, or when it has looked for a while: `isDone` tells which. */
  next(): Publication | undefined {
    const root = this.#first
    if (root !== undefined) {
      this.#first = undefined
      const found = this.#follow(root, 0, true)
      if (found !== undefined) return found
    }
    for (let steps = 0; steps < stepsMax; steps++) {
      const walk = this.#walks.at(-1)
      if (walk === undefined) return undefined
      const step = walk.nodes.next()
      if (step.done) this.#walks.pop()
      else {
        const found = this.#follow(step.value, walk.depth, false)
        if (found !== undefined) return found
      }
    }
    return undefined
  }

  /** Follows the filter from one of its levels on, up to a wildcard. @returns the message of where that led */
  #follow(from: Node, fromDepth: number, isRoot: boolean): Publication | undefined {
    let node = from
    for (let depth = fromDepth; depth < this.#levels.length; depth++) {
      const level = this.#levels[depth] as string
      const { children } = node
      if (level === '+' || level === '#') {
        if (children !== undefined) {
          const nodes = isRoot && depth === 0 ? visible(children) : children.values()
          this.#walks.push({ nodes, depth: level === '#' ? depth : depth + 1 })
        }
        return level === '#' ? current(node) : undefined // # also matches the level above it [MQTT-4.7.1-2]
      }
      const child = children?.get(level)
      if (child === undefined) return undefined
      node = child
    }
    return current(node)
  }
}

/** Those that a leading wildcard sees [MQTT-4.7.2-1]. */
function* visible(children: ReadonlyMap<string, Node>): Generator<Node, undefined> {
  for (const [level, node] of children) if (!level.startsWith('$')) yield node
  return undefined
}

function current({ value }: Node): Publication | undefined {
  return value === undefined || isExpired(value) ? undefined : value
}

export function isExpired({ expiresAtMs }: Publication): boolean {
  return expiresAtMs !== 0 && expiresAtMs <= Date.now()
}
