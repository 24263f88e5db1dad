import { type LevelNode, LevelTree } from './level-tree.ts'

/**
 * Values by topic filter. Finds those that match a topic in time that grows with the topic's levels and with what
 * matches, not with the number of filters. Filters are valid. Nothing is left of a filter that has gone.
 */
export class FilterTree<Value> {
  readonly #tree = new LevelTree<Value[]>()

  add(filter: string, value: Value): void {
    const values = this.#tree.get(filter)
    if (values === undefined) this.#tree.set(filter, [value])
    else values.push(value)
  }

  /** @returns whether it was there; of a value that was added twice one is removed */
  remove(filter: string, value: Value): boolean {
    const values = this.#tree.get(filter)
    const index = values?.indexOf(value) ?? -1
    if (values === undefined || index === -1) return false
    values.splice(index, 1)
    if (values.length === 0) this.#tree.delete(filter)
    return true
  }

  /** Whether there is any value at all. */
  get isEmpty(): boolean {
    return this.#tree.root.children === undefined
  }

  /** The values whose filters match a valid topic; those of one filter in the order in which they were added. */
  match(topic: string): Value[] {
    const found: Value[] = []
    const { root } = this.#tree
    const levels = topic.split('/')
    if (topic.startsWith('$')) {
      const child = root.children?.get(levels[0] as string) // [MQTT-4.7.2-1]
      if (child !== undefined) collect(child, levels, 1, found)
    } else collect(root, levels, 0, found)
    return found
  }
}

function collect<Value>(
  node: LevelNode<Value[]>,
  levels: readonly string[],
  depth: number,
  found: Value[],
): void {
  append(found, node.children?.get('#')?.value) // also matches the level above it [MQTT-4.7.1-2]
  if (depth === levels.length) return append(found, node.value)
  const exact = node.children?.get(levels[depth] as string)
  if (exact !== undefined) collect(exact, levels, depth + 1, found)
  const single = node.children?.get('+')
  if (single !== undefined) collect(single, levels, depth + 1, found)
}

function append<Value>(to: Value[], values: readonly Value[] | undefined): void {
  if (values !== undefined) for (const value of values) to.push(value)
}
