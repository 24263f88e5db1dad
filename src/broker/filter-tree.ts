import { type LevelNode, LevelTree, levelAt } from './level-tree.ts'

const plus = 43
const hash = 35
const dollar = 36
const none: readonly never[] = []

/**
 * Values by topic filter. Finds those that match a topic in time that grows with the topic's levels and with what
 * matches, not with the number of filters. Filters are valid. Nothing is left of a filter that has gone.
 */
export class FilterTree<Value> {
  readonly #tree = new LevelTree<Value[]>()

  add(filter: string, value: Value): void {
    const values = this.#tree.get(filter)
    if (values === undefined) this.#tree.set(filter, filter.length, [value])
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

  /** The values whose filters match a valid topic; those of one filter in the order in which they were added. */
  match(topic: string): readonly Value[] {
    return below(this.#tree.root, topic, 0, none)
  }
}

/** Adds what matches at a node, of whose levels the last is the one before `at`, and below it. */
function below<Value>(
  { value, children }: LevelNode<Value[]>,
  topic: string,
  at: number,
  before: readonly Value[],
): readonly Value[] {
  const isEnd = at > topic.length
  const found = isEnd ? append(before, value) : before
  if (!(children instanceof Map)) return children === undefined ? found : through(children, topic, at, found)
  const rest = children.get('#') // also matches the level above it [MQTT-4.7.1-2]
  const single = isEnd ? undefined : children.get('+')
  const exact = isEnd ? undefined : children.get(levelAt(topic, at, topic.length))
  const withRest = rest === undefined ? found : through(rest, topic, at, found)
  const withSingle = single === undefined ? withRest : through(single, topic, at, withRest)
  return exact === undefined ? withSingle : through(exact, topic, at, withSingle)
}

/** The same from a node on whose first level is to match the one that begins at `from`. */
function through<Value>(
  node: LevelNode<Value[]>,
  topic: string,
  from: number,
  found: readonly Value[],
): readonly Value[] {
  const { text, start, end } = node
  let at = from
  for (let textAt = start; textAt <= end; ) {
    const first = text.charCodeAt(textAt)
    const isWild = first === plus || first === hash
    if (isWild && textAt === 0 && topic.charCodeAt(0) === dollar) return found // [MQTT-4.7.2-1]
    if (first === hash) return append(found, node.value)
    if (at > topic.length) return found
    const levelEnd = endOf(topic, at)
    const textEnd = Math.min(endOf(text, textAt), end)
    if (first !== plus && !isSame(text, textAt, textEnd, topic, at, levelEnd)) return found
    at = levelEnd + 1
    textAt = textEnd + 1
  }
  return below(node, topic, at, found)
}

function endOf(path: string, at: number): number {
  const end = path.indexOf('/', at)
  return end === -1 ? path.length : end
}

function isSame(
  path: string,
  pathAt: number,
  pathEnd: number,
  topic: string,
  at: number,
  end: number,
): boolean {
  if (pathEnd - pathAt !== end - at) return false
  for (let index = pathAt, other = at; index < pathEnd; index++, other++)
    if (path.charCodeAt(index) !== topic.charCodeAt(other)) return false
  return true
}

/** What is found is one array, which is there once there is something. */
function append<Value>(found: readonly Value[], values: readonly Value[] | undefined): readonly Value[] {
  if (values === undefined) return found
  if (found.length === 0) return values.slice()
  for (const value of values) (found as Value[]).push(value)
  return found
}
