import { limits } from '../core/limits.ts'
import type { InputPin, Press, PressKind, PulseCount } from '../core/pin.ts'
import { readNumber } from './numbers.ts'
import { type CommonPinKeys, fieldsIn, fieldsOf, readTopic } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import { countKeys, inputPinKeys, pressKeys } from './vocabulary/pins.ts'
import type { Tree, TreeMap } from './yaml-tree.ts'

/** Unless told. A button bounces for some milliseconds, and each bounce would be a press. */
const pressDefaults = { debounceMs: 20, longMs: 500, doubleMs: 300 }

/** The keys of an input. */
export function readInput(name: string, map: TreeMap, common: CommonPinKeys, reader: TreeReader): InputPin {
  const field = fieldsOf(name, map)
  const publish = field('publish', (tree, what) => readTopic(tree, what, reader))
  const press = field('press', (tree, what) => readPress(tree, what, reader))
  const count = field('count', (tree, what) => readCount(tree, what, reader))
  const atMostMs = limits.pinDebounceMsMax
  const second = map.entries.has('press') ? map.entries.get('count') : undefined
  if (second !== undefined)
    reader.mistake(second, `the pin "${name}" cannot tell presses apart and count pulses`, {
      found: null,
      expected: 'press or count, not both',
    })
  return {
    name,
    direction: 'in',
    ...common,
    pull: field('pull', (tree, what) => reader.oneOf(tree, what, inputPinKeys.pull.enum)) ?? 'as-is',
    debounceMs:
      field('debounce', (tree, what) => reader.duration(tree, what, { atMostMs })) ??
      (press === undefined ? 0 : pressDefaults.debounceMs),
    ...(publish === undefined ? {} : { publish }),
    ...(press === undefined ? {} : { press }),
    ...(count === undefined ? {} : { count }),
  }
}

/** What is asked for by a topic or by a time is told apart; without either, everything is. */
function readPress(tree: Tree, what: string, reader: TreeReader): Press | undefined {
  const map = mapOrTrue(tree, what, '{ short: home/bell, long: home/bell/long }', reader)
  if (map === undefined) return undefined
  reader.knownKeys(map, what, Object.keys(pressKeys))
  const field = fieldsIn(map, `in ${what}`)
  const topics: Partial<Record<PressKind, string>> = {}
  for (const kind of ['short', 'long', 'double'] as const) {
    const topic = field(kind, (value, name) => readTopic(value, name, reader))
    if (topic !== undefined) topics[kind] = topic
  }
  const time = (key: string): number | undefined =>
    field(key, (value, name) => reader.duration(value, name, { atLeastMs: 1 }))
  const longMs = time('long_after') ?? pressDefaults.longMs
  const doubleMs = time('double_within') ?? pressDefaults.doubleMs
  const isAsked = (...keys: string[]): boolean =>
    map.entries.size === 0 || keys.some((key) => map.entries.has(key))
  return {
    topics,
    ...(isAsked('long', 'long_after') ? { longMs } : {}),
    ...(isAsked('double', 'double_within') ? { doubleMs } : {}),
  }
}

function readCount(tree: Tree, what: string, reader: TreeReader): PulseCount | undefined {
  const map = mapOrTrue(tree, what, '{ per_pulse: 0.001, rate_per: h }', reader)
  if (map === undefined) return undefined
  reader.knownKeys(map, what, Object.keys(countKeys))
  const field = fieldsIn(map, `in ${what}`)
  const perPulse = field('per_pulse', (value, name) =>
    readNumber(value, name, reader, {
      expected:
        'what one pulse adds to the total, such as 0.001 for a meter of 1000 pulses a kWh; more than 0',
      isRight: (number) => number > 0 && number <= countPerPulseMax,
    }),
  )
  const publish = field('publish', (value, name) => readTopic(value, name, reader))
  return {
    perPulse: perPulse ?? countKeys.per_pulse.default,
    ratePer:
      field('rate_per', (value, name) => reader.oneOf(value, name, countKeys.rate_per.enum)) ??
      countKeys.rate_per.default,
    everyMs:
      field('every', (value, name) => reader.duration(value, name, { atLeastMs: limits.everyMsMin })) ??
      countEveryMs,
    ...(publish === undefined ? {} : { publish }),
  }
}

const countPerPulseMax = 1_000_000
const countEveryMs = 10_000

/** `true` is a map with nothing in it. */
function mapOrTrue(tree: Tree, what: string, example: string, reader: TreeReader): TreeMap | undefined {
  if (tree.kind === 'map') return tree
  if (tree.kind === 'scalar' && tree.value === true) return { ...tree, kind: 'map', entries: new Map() }
  return reader.mistake(tree, `${what} is neither a map nor true`, {
    expected: `true, or a map such as ${example}`,
  })
}
