import type { LineChoice, Pin } from '../core/pin.ts'
import { topicProblem } from '../core/topics.ts'
import type { TreeReader } from './tree-reader.ts'
import type { Tree, TreeEntry, TreeMap } from './yaml-tree.ts'

/** What every kind of pin has. */
export interface CommonPinKeys {
  readonly line: LineChoice
  readonly isActiveLow: boolean
  readonly place: Pin['place']
}

/** Reads a key of the pin if it is there. */
export function fieldsOf(name: string, map: TreeMap) {
  return fieldsIn(map, `of the pin "${name}"`)
}

/** Reads a key of a map if it is there; `whose` follows it in sentences: `of the sensor "attic"`. */
export function fieldsIn(map: TreeMap, whose: string) {
  return <Value>(key: string, read: (tree: Tree, what: string) => Value | undefined): Value | undefined => {
    const tree = map.entries.get(key)?.value
    return tree === undefined ? undefined : read(tree, `"${key}" ${whose}`)
  }
}

/** Tells a name that cannot stand in topics. */
export function tellName(entry: TreeEntry, kind: 'pin' | 'sensor' | 'bridge', reader: TreeReader): void {
  if (/^[A-Za-z0-9_-]+$/.test(entry.key)) return
  reader.mistake(entry, `"${entry.key}" cannot be the name of a ${kind}: it stands in topics`, {
    found: null,
    expected: 'letters, digits, - and _',
    suggestion: entry.key.replaceAll(/[^A-Za-z0-9_-]+/g, '-').replaceAll(/^-|-$/g, '') || undefined,
  })
}

/** A topic to publish to. */
export function readTopic(tree: Tree, what: string, reader: TreeReader): string | undefined {
  const topic = reader.text(tree, what, 'a topic such as home/door')
  if (topic === undefined) return undefined
  const problem = topicProblem(topic)
  if (problem === undefined) return topic
  return reader.mistake(tree, `${what} is not a topic: ${problem}`, { expected: 'a topic such as home/door' })
}
