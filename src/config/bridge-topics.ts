import type { BridgeTopic } from '../core/bridge.ts'
import type { QoS } from '../core/message.ts'
import { filterProblem } from '../core/topics.ts'
import { readNumber } from './numbers.ts'
import { fieldsIn, readTopic } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import { bridgeTopicKeys } from './vocabulary/bridges.ts'
import type { Tree, TreeMap } from './yaml-tree.ts'

const expected = 'a filter such as sensors/#, or { topic: sensors/#, direction: both, qos: 1 }'

/** Reads what one bridge shares; `whose` is `of the bridge "cloud"`. */
export function readBridgeTopics(tree: Tree, whose: string, reader: TreeReader): readonly BridgeTopic[] {
  const list = reader.list(tree, `"topics" ${whose}`, `a list: each begins with "- ", and is ${expected}`)
  if (list?.items.length === 0)
    reader.mistake(list, `"topics" ${whose} is empty`, { expected: `at least one, ${expected}` })
  return (list?.items ?? []).flatMap((item) => readOne(item, whose, reader) ?? [])
}

function readOne(tree: Tree, whose: string, reader: TreeReader): BridgeTopic | undefined {
  if (tree.kind === 'scalar') {
    const pattern = reader.text(tree, `a topic ${whose}`, expected)
    const plain = { direction: 'out', qos: 1, localPrefix: '', remotePrefix: '' } as const
    return pattern === undefined ? undefined : checked({ pattern, ...plain }, tree, whose, reader)
  }
  const map = reader.map(tree, `a topic ${whose}`, expected)
  if (map === undefined) return undefined
  const before = reader.problems.count
  const meant = reader.knownKeys(map, `a topic ${whose}`, Object.keys(bridgeTopicKeys))
  const field = fieldsIn(map, `of a topic ${whose}`)
  const text = (key: string): string | undefined =>
    field(key, (value, what) => readPrefix(value, what, reader))
  const direction = field('direction', (value, what) =>
    reader.oneOf(value, what, bridgeTopicKeys.direction.enum),
  )
  const qos = field('qos', (value, what) =>
    readNumber(value, what, reader, { expected: '0, 1 or 2', isRight: (it) => [0, 1, 2].includes(it) }),
  )
  const names = readNames(map, meant, whose, reader)
  const localPrefix = text('local_prefix')
  const remotePrefix = text('remote_prefix')
  if (names === undefined || reader.problems.count !== before) return undefined
  const common = { direction: direction ?? 'out', qos: (qos ?? 1) as QoS } as const
  const prefixes = { localPrefix: localPrefix ?? '', remotePrefix: remotePrefix ?? '' }
  return checked({ ...common, ...prefixes, ...names }, map, whose, reader)
}

/** `topic:`, or `local:` and `remote:`. */
function readNames(
  map: TreeMap,
  meant: ReadonlySet<string>,
  whose: string,
  reader: TreeReader,
): Pick<BridgeTopic, 'pattern'> | Omit<BridgeTopic, 'direction' | 'qos'> | undefined {
  const field = fieldsIn(map, `of a topic ${whose}`)
  const has = (key: string): boolean => map.entries.has(key) || meant.has(key)
  const pattern = field('topic', (value, what) => reader.text(value, what, expected))
  const local = field('local', (value, what) => readTopic(value, what, reader))
  const remote = field('remote', (value, what) => readTopic(value, what, reader))
  const isOne = has('local') || has('remote')
  if (has('topic') === isOne)
    return reader.mistake(map, `a topic ${whose} says ${isOne ? 'too much' : 'not which'}`, {
      expected: 'topic: a filter; or local: and remote:, of which each is one topic',
    })
  if (pattern !== undefined) return { pattern }
  if (!isOne) return undefined
  const missing = ['local', 'remote'].find((key) => !has(key))
  if (missing !== undefined)
    return reader.mistake(map, `a topic ${whose} has no "${missing}"`, {
      expected: 'local: and remote:, as the topic is called here and there',
    })
  for (const key of ['local_prefix', 'remote_prefix']) {
    const entry = map.entries.get(key)
    if (entry !== undefined)
      reader.mistake(entry, `"${key}" goes with topic:, not with local: and remote:`, { found: null })
  }
  if (local === undefined || remote === undefined) return undefined
  return { pattern: '', localPrefix: local, remotePrefix: remote }
}

function readPrefix(tree: Tree, what: string, reader: TreeReader): string | undefined {
  const prefix = 'the beginning of topics, such as home/'
  if (tree.kind === 'scalar' && tree.value === '') return ''
  const text = reader.text(tree, what, prefix)
  if (text === undefined || !/[+#]/.test(text)) return text
  return reader.mistake(tree, `${what} has a wildcard in it`, { expected: `${prefix}, without + and #` })
}

function checked(topic: BridgeTopic, tree: Tree, whose: string, reader: TreeReader): BridgeTopic | undefined {
  const { pattern, localPrefix, remotePrefix, direction } = topic
  const sides = [
    ['here', localPrefix + pattern],
    ['there', remotePrefix + pattern],
  ] as const
  for (const [side, filter] of sides) {
    const problem = filterProblem(filter)
    if (problem !== undefined)
      return reader.mistake(tree, `a topic ${whose} is "${filter}" ${side}, which is no filter: ${problem}`, {
        found: null,
        ...(/[^/]#$/.test(filter) ? { expected: 'a / at the end of the prefix' } : {}),
      })
    if (filter.startsWith('$share/'))
      return reader.mistake(
        tree,
        `a topic ${whose} is a shared subscription, which a bridge cannot be part of`,
      )
  }
  if (direction !== 'out' && /^\$SYS(?:\/|$)/.test(localPrefix + pattern))
    return reader.mistake(tree, `a topic ${whose} would come in below $SYS, which is this broker’s own`, {
      expected: 'direction: out, or a local_prefix such as other/',
    })
  return topic
}
