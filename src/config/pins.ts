import type { LineChoice, Pin } from '../core/pin.ts'
import { readInput } from './input-pins.ts'
import { readOutput } from './output-pins.ts'
import { type CommonPinKeys, fieldsOf, tellName } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import { bothPinKeys, inputPinKeys, outputPinKeys } from './vocabulary.ts'
import { isNothing, type Tree, type TreeEntry, type TreeMap } from './yaml-tree.ts'

/** The pins of `pins:`, in its order. A pin with a mistake is left out, and its mistakes are told. */
export interface PinsReading {
  readonly pins: readonly Pin[]
  /** The names of all that are outputs or meant to be, those with mistakes included. */
  readonly outputs: ReadonlySet<string>
}

export function readPins(tree: Tree | undefined, reader: TreeReader): PinsReading {
  const pins: Pin[] = []
  const outputs = new Set<string>()
  if (tree === undefined || isNothing(tree)) return { pins, outputs }
  const map = reader.map(tree, 'pins', 'a map of name: { gpio: …, out: true } or name: { gpio: …, in: true }')
  const lines = new Map<string, string>()
  for (const entry of map?.entries.values() ?? []) {
    if (entry.value.kind !== 'map' || entry.value.entries.has('out') || !entry.value.entries.has('in'))
      outputs.add(entry.key)
    const pin = readPin(entry, reader)
    if (pin === undefined) continue
    const line = lineKey(pin.line)
    const other = lines.get(line)
    if (other === undefined) {
      lines.set(line, pin.name)
      pins.push(pin)
      continue
    }
    const extent = (entry.value as TreeMap).entries.get('gpio')?.value ?? entry
    reader.mistake(extent, `the pins "${other}" and "${pin.name}" are on the same line`, {
      expected: 'one pin a line',
      suggestion: `give "${pin.name}" the GPIO that it is wired to`,
    })
  }
  return { pins, outputs }
}

function readPin(entry: TreeEntry, reader: TreeReader): Pin | undefined {
  const before = reader.problems.count
  tellName(entry, 'pin', reader)
  const map = reader.map(
    entry.value,
    `the pin "${entry.key}"`,
    '{ gpio: 17, out: true } or { gpio: 27, in: true }',
  )
  if (map === undefined) return undefined
  const direction = readDirection(entry, map, reader)
  const meant = tellStrangeKeys(entry, map, direction, reader)
  const common = readCommon(entry, map, meant, reader)
  const pin =
    direction === 'in'
      ? readInput(entry.key, map, common, reader)
      : readOutput(entry.key, map, common, reader)
  return reader.problems.count === before ? pin : undefined
}

function readDirection(entry: TreeEntry, map: TreeMap, reader: TreeReader): 'in' | 'out' | undefined {
  const found = (['in', 'out'] as const).filter((key) => {
    const value = map.entries.get(key)?.value
    return value !== undefined && (reader.boolean(value, `"${key}" of the pin "${entry.key}"`) ?? true)
  })
  if (found.length === 1) return found[0]
  reader.mistake(
    entry,
    found.length === 2
      ? `the pin "${entry.key}" cannot be an input and an output`
      : `the pin "${entry.key}" must say whether it is an input or an output`,
    { found: null, expected: 'exactly one of in: true and out: true' },
  )
  return undefined
}

/** Gives the keys that were probably meant. */
function tellStrangeKeys(
  entry: TreeEntry,
  map: TreeMap,
  direction: 'in' | 'out' | undefined,
  reader: TreeReader,
): ReadonlySet<string> {
  const own = direction === 'in' ? inputPinKeys : outputPinKeys
  const others = direction === 'in' ? outputPinKeys : inputPinKeys
  const [is, isNot] = direction === 'in' ? ['an input', 'outputs'] : ['an output', 'inputs']
  const known = Object.keys({ ...bothPinKeys, ...own })
  const ours = new Map(map.entries)
  for (const found of map.entries.values()) {
    if (found.key !== 'in' && found.key !== 'out' && !Object.hasOwn(others, found.key)) continue
    ours.delete(found.key)
    if (direction === undefined || found.key === 'in' || found.key === 'out') continue
    reader.mistake(found, `${found.key} is for ${isNot}; "${entry.key}" is ${is}`, {
      found: null,
      expected: `one of ${known.join(', ')}`,
    })
  }
  return reader.knownKeys({ ...map, entries: ours }, `the pin "${entry.key}"`, known)
}

function readCommon(
  entry: TreeEntry,
  map: TreeMap,
  meant: ReadonlySet<string>,
  reader: TreeReader,
): CommonPinKeys {
  const field = fieldsOf(entry.key, map)
  if (!map.entries.has('gpio') && !meant.has('gpio'))
    reader.mistake(entry, `the pin "${entry.key}" does not say on which line it is`, {
      found: null,
      expected: 'gpio: and a number as in pinout diagrams, such as 17 for GPIO17',
    })
  return {
    line: field('gpio', (tree, what) => readLine(tree, what, reader)) ?? 0,
    isActiveLow: field('active', (tree, what) => reader.oneOf(tree, what, bothPinKeys.active.enum)) === 'low',
    place: reader.place(entry),
  }
}

function readLine(tree: Tree, what: string, reader: TreeReader): LineChoice | undefined {
  const value = tree.kind === 'scalar' ? tree.value : undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  if (typeof value === 'string' && /^\d{1,6}$/.test(value)) return Number(value)
  if (typeof value === 'string' && value !== '') return value
  return reader.mistake(tree, `${what} is not a line`, {
    expected: 'a number as in pinout diagrams, such as 17 for GPIO17, or the name of a line',
  })
}

// a number N means the line named GPION
function lineKey(line: LineChoice): string {
  return typeof line === 'number' ? `GPIO${line}` : line
}
