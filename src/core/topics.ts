import { limitDefaults, limits } from './limits.ts'

/**
 * What is wrong with a topic name, or undefined when a message may carry it.
 * [MQTT-4.7.3-1] at least one character, [MQTT-4.7.3-2] no U+0000, at most `topicBytesMax` bytes, which is less than [MQTT-4.7.3-3] allows,
 * [MQTT-4.7.1-1] no wildcard.
 * @param levelsMax `limits.topicLevelsMax` for what a client says; unless told, what we ourselves may say at all times
 */
export function topicProblem(
  topic: string,
  levelsMax: number = limitDefaults.topicLevelsMax,
): string | undefined {
  if (topic.includes('+') || topic.includes('#'))
    return 'a topic to publish to has no wildcards (+ and # are for filters)'
  return commonProblem(topic, levelsMax)
}

/**
 * What is wrong with a topic filter, or undefined when one may subscribe to it.
 * [MQTT-4.7.1-2] `#` stands alone as the last level, [MQTT-4.7.1-3] `+` stands alone in its level.
 * @param levelsMax as for `topicProblem`
 */
export function filterProblem(
  filter: string,
  levelsMax: number = limitDefaults.topicLevelsMax,
): string | undefined {
  const common = commonProblem(filter, levelsMax)
  if (common !== undefined) return common
  const levels = filter.split('/')
  for (const [index, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || index !== levels.length - 1))
      return '# must be the last level, alone: a/b/#'
    if (level.includes('+') && level !== '+') return '+ must be a whole level: a/+/b'
  }
  return undefined
}

function commonProblem(text: string, levelsMax: number): string | undefined {
  if (text.length === 0) return 'it is empty'
  if (text.includes('\0')) return 'it contains U+0000'
  // a character is at most three bytes, and a level at least a slash: most texts need not be counted
  if (text.length * 3 > limits.topicBytesMax && Buffer.byteLength(text) > limits.topicBytesMax) {
    return `it is longer than ${limits.topicBytesMax} bytes`
  }
  if (hasMoreLevels(text, levelsMax)) return `it has more than ${levelsMax} levels`
  return undefined
}

function hasMoreLevels(text: string, levelsMax: number): boolean {
  let levels = 1
  for (let at = text.indexOf('/'); at !== -1; at = text.indexOf('/', at + 1)) {
    if (++levels > levelsMax) return true
  }
  return false
}

/**
 * Whether a topic matches a filter, both of which are valid. A leading wildcard never matches
 * a topic that begins with `$` [MQTT-4.7.2-1].
 */
export function matchesFilter(filter: string, topic: string): boolean {
  const filterLevels = filter.split('/')
  const topicLevels = topic.split('/')
  if (topic.startsWith('$') && (filterLevels[0] === '+' || filterLevels[0] === '#')) return false
  for (const [index, level] of filterLevels.entries()) {
    if (level === '#') return true
    if (index >= topicLevels.length) return false
    if (level !== '+' && level !== topicLevels[index]) return false
  }
  return filterLevels.length === topicLevels.length
}

/** Whether a topic is one of those that only the broker itself publishes to. */
export function isSystemTopic(topic: string): boolean {
  return topic.startsWith('$SYS')
}

/** Why nobody else may publish there, whatever an access control list allows. */
export const systemTopicReason = 'topics below $SYS are the broker’s own'

interface Node<Value> {
  readonly children: Map<string, Node<Value>>
  readonly values: Value[]
}

/**
 * Finds the values whose filters match a topic in time that grows with the topic's levels, not with
 * the number of filters. Values come in the order in which they were added.
 */
export class FilterIndex<Value> {
  readonly #root: Node<readonly [order: number, value: Value]> = { children: new Map(), values: [] }
  #size = 0

  add(filter: string, value: Value): void {
    let node = this.#root
    for (const level of filter.split('/')) {
      let child = node.children.get(level)
      if (child === undefined) {
        child = { children: new Map(), values: [] }
        node.children.set(level, child)
      }
      node = child
    }
    node.values.push([this.#size++, value])
  }

  match(topic: string): Value[] {
    if (this.#size === 0) return []
    const found: (readonly [number, Value])[] = []
    collect(this.#root, topic.split('/'), 0, !topic.startsWith('$'), found)
    if (found.length > 1) found.sort(([a], [b]) => a - b)
    return found.map(([, value]) => value)
  }

  /** Whether some value passes the test of those whose filters match a topic that this filter matches too. */
  someOverlapping(filter: string, test: (value: Value) => boolean): boolean {
    const levels = filter.split('/')
    const isHidden = filter.startsWith('$')
    const passes = ({ values }: Node<readonly [number, Value]>): boolean =>
      values.some(([, value]) => test(value))
    const walk = (node: Node<readonly [number, Value]>, depth: number): boolean => {
      const level = levels[depth]
      if ((level === undefined || level === '#') && passes(node)) return true // '#' also matches the level above it
      const isWild = level === '+' || level === '#'
      for (const [name, child] of isWild ? node.children : namesakes(node, level)) {
        const isWildcard = name === '+' || name === '#'
        if (node === this.#root && (isWild ? name.startsWith('$') : isHidden && isWildcard)) continue // [MQTT-4.7.2-1]
        if (name === '#' ? passes(child) : walk(child, level === '#' ? depth : depth + 1)) return true
      }
      return false
    }
    return walk(this.#root, 0)
  }
}

/** Adds what matches at a node and below it. `mayWild`: whether a wildcard may match the level at `depth`. */
function collect<Found>(
  { children, values }: Node<Found>,
  levels: readonly string[],
  depth: number,
  mayWild: boolean, // [MQTT-4.7.2-1]
  found: Found[],
): void {
  const rest = mayWild ? children.get('#') : undefined // '#' also matches the level above it
  if (rest !== undefined) for (const value of rest.values) found.push(value)
  if (depth === levels.length) {
    for (const value of values) found.push(value)
    return
  }
  const exact = children.get(levels[depth] as string)
  if (exact !== undefined) collect(exact, levels, depth + 1, true, found)
  const single = mayWild ? children.get('+') : undefined
  if (single !== undefined) collect(single, levels, depth + 1, true, found)
}

/** The children of a node that match this level of a topic; past its end that of `#`, which matches the level above it. */
function* namesakes<Value>(
  { children }: Node<Value>,
  level: string | undefined,
): Iterable<[string, Node<Value>]> {
  for (const name of level === undefined ? ['#'] : [level, '+', '#']) {
    const child = children.get(name)
    if (child !== undefined) yield [name, child]
  }
}
