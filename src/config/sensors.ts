import { limits } from '../core/limits.ts'
import { nearest } from '../core/nearest.ts'
import type { Sensor, SensorSource } from '../core/pin.ts'
import { readNumber } from './numbers.ts'
import { fieldsIn, readTopic, tellName } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import { sensorKeys } from './vocabulary/house.ts'
import { isNothing, type Tree, type TreeEntry } from './yaml-tree.ts'

/** Reads `sensors:`. One with a mistake is left out, and its mistakes are told. */
export function readSensors(tree: Tree | undefined, reader: TreeReader): readonly Sensor[] {
  if (tree === undefined || isNothing(tree)) return []
  const map = reader.map(tree, 'sensors', 'a map of name: { read: cpu, every: 30s }')
  const entries = [...(map?.entries.values() ?? [])]
  const tooMany = entries[limits.sensorsMax]
  if (tooMany !== undefined)
    reader.mistake(tooMany, `there are ${entries.length} sensors`, {
      found: null,
      expected: `at most ${limits.sensorsMax}`,
    })
  return entries.flatMap((entry) => readSensor(entry, reader) ?? [])
}

function readSensor(entry: TreeEntry, reader: TreeReader): Sensor | undefined {
  const before = reader.problems.count
  const { key: name } = entry
  tellName(entry, 'sensor', reader)
  const map = reader.map(entry.value, `the sensor "${name}"`, '{ read: cpu, every: 30s }')
  if (map === undefined) return undefined
  const meant = reader.knownKeys(map, `the sensor "${name}"`, Object.keys(sensorKeys))
  if (!map.entries.has('read') && !meant.has('read'))
    reader.mistake(entry, `the sensor "${name}" does not say what it reads`, {
      found: null,
      expected: `read: and ${sources}`,
    })
  const field = fieldsIn(map, `of the sensor "${name}"`)
  const source = field('read', (tree, what) => readSource(tree, what, reader))
  const publish = field('publish', (tree, what) => readTopic(tree, what, reader))
  const number = (key: string, expected: string, isRight: (value: number) => boolean): number | undefined =>
    field(key, (tree, what) => readNumber(tree, what, reader, { expected, isRight }))
  const everyMs = field('every', (tree, what) =>
    reader.duration(tree, what, { atLeastMs: limits.sensorEveryMsMin }),
  )
  const scale = number(
    'scale',
    'a number such as 0.001, not 0',
    (it) => it !== 0 && Math.abs(it) <= factorMax,
  )
  const offset = number('offset', 'a number such as -0.5', (it) => Math.abs(it) <= factorMax)
  const decimals = number(
    'decimals',
    'a whole number from 0 to 9',
    (it) => Number.isInteger(it) && it >= 0 && it <= 9,
  )
  if (source === undefined || reader.problems.count !== before) return undefined
  return {
    name,
    source,
    everyMs: everyMs ?? 60_000,
    ...(publish === undefined ? {} : { publish }),
    scale: scale ?? 1,
    offset: offset ?? 0,
    decimals: decimals ?? (source.kind === 'file' ? 3 : 1),
    place: reader.place(entry),
  }
}

const factorMax = 1_000_000_000

const sources =
  'cpu, w1: and a sensor’s id such as w1:28-0316a2795aff, or the whole path of a file that holds one number'

function readSource(tree: Tree, what: string, reader: TreeReader): SensorSource | undefined {
  const text = tree.kind === 'scalar' && typeof tree.value === 'string' ? tree.value : ''
  if (text === 'cpu') return { kind: 'cpu' }
  if (text.startsWith('/')) return { kind: 'file', path: text }
  const id = text.startsWith('w1:') ? text.slice('w1:'.length).toLowerCase() : undefined
  if (id !== undefined && w1Id.test(id)) return { kind: 'w1', id }
  if (id !== undefined)
    return reader.mistake(tree, `${what} names no 1-Wire sensor`, {
      expected: 'w1: and an id such as 28-0316a2795aff; ls /sys/bus/w1/devices lists those that are there',
    })
  return reader.mistake(tree, `${what} is no source`, { expected: sources, suggestion: suggestionFor(text) })
}

// drivers/w1/w1.c: the family, then the number of the sensor
const w1Id = /^[0-9a-f]{2}-[0-9a-f]{1,12}$/

function suggestionFor(text: string): string | undefined {
  if (w1Id.test(text.toLowerCase())) return `w1:${text.toLowerCase()}`
  if (/^sys\//.test(text)) return `/${text}`
  return nearest(text, ['cpu'])
}
