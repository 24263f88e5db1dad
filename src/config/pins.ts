import type { LineChoice, Pin } from '../core/pin.ts'
import { readInput } from './input-pins.ts'
import { checkInterlocks } from './interlocks.ts'
import { readOutput } from './output-pins.ts'
import { type CommonPinKeys, fieldsOf, tellName } from './pin-fields.ts'
import { readPwm, readServo } from './pwm-pins.ts'
import type { TreeReader } from './tree-reader.ts'
import { bothPinKeys, inputPinKeys, outputPinKeys, pwmPinKeys, servoPinKeys } from './vocabulary/pins.ts'
import { isNothing, type Tree, type TreeEntry, type TreeMap } from './yaml-tree.ts'

/** What a pin is, by the key that says so with `true`. */
type Kind = 'in' | 'out' | 'pwm' | 'servo'

const kinds = {
  in: { keys: inputPinKeys, one: 'an input', read: readInput },
  out: { keys: outputPinKeys, one: 'an output', read: readOutput },
  pwm: { keys: pwmPinKeys, one: 'a PWM pin', read: readPwm },
  servo: { keys: servoPinKeys, one: 'a servo', read: readServo },
} as const

const kindNames = Object.keys(kinds) as readonly Kind[]

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
    if (entry.value.kind !== 'map' || isMeantAsOutput(entry.value)) outputs.add(entry.key)
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
  if (map !== undefined) checkInterlocks(map, pins, outputs, reader)
  return { pins, outputs }
}

function isMeantAsOutput({ entries }: TreeMap): boolean {
  return !entries.has('in') || kindNames.some((kind) => kind !== 'in' && entries.has(kind))
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
  const kind = readKind(entry, map, reader)
  const meant = tellStrangeKeys(entry, map, kind, reader)
  const common = readCommon(entry, map, meant, reader)
  const pin = kinds[kind ?? 'out'].read(entry.key, map, common, reader)
  return reader.problems.count === before ? pin : undefined
}

function readKind(entry: TreeEntry, map: TreeMap, reader: TreeReader): Kind | undefined {
  const found = kindNames.filter((kind) => {
    const value = map.entries.get(kind)?.value
    return value !== undefined && (reader.boolean(value, `"${kind}" of the pin "${entry.key}"`) ?? true)
  })
  const [first, second] = found
  if (first !== undefined && second === undefined) return first
  reader.mistake(
    entry,
    first !== undefined && second !== undefined
      ? `the pin "${entry.key}" cannot be ${kinds[first].one} and ${kinds[second].one}`
      : `the pin "${entry.key}" must say whether it is an input or an output`,
    { found: null, expected: 'exactly one of in: true, out: true, pwm: true and servo: true' },
  )
  return undefined
}

/** Gives the keys that were probably meant. */
function tellStrangeKeys(
  entry: TreeEntry,
  map: TreeMap,
  kind: Kind | undefined,
  reader: TreeReader,
): ReadonlySet<string> {
  const own = kind === undefined ? {} : kinds[kind].keys
  const known = Object.keys({ ...bothPinKeys, ...(kind === undefined ? outputPinKeys : own) })
  const ours = new Map(map.entries)
  for (const found of map.entries.values()) {
    const isKind = Object.hasOwn(kinds, found.key)
    if (!isKind && (Object.hasOwn(own, found.key) || ownersOf(found.key) === undefined)) continue
    ours.delete(found.key)
    if (kind === undefined || isKind) continue
    reader.mistake(
      found,
      `${found.key} is for ${ownersOf(found.key)}; "${entry.key}" is ${kinds[kind].one}`,
      {
        found: null,
        expected: `one of ${known.join(', ')}`,
      },
    )
  }
  return reader.knownKeys({ ...map, entries: ours }, `the pin "${entry.key}"`, known)
}

/** Which kinds of pins have a key, in words; undefined when none has. */
function ownersOf(key: string): string | undefined {
  if (Object.hasOwn(outputPinKeys, key)) return 'outputs'
  if (Object.hasOwn(inputPinKeys, key)) return 'inputs'
  const [pwm, servo] = [Object.hasOwn(pwmPinKeys, key), Object.hasOwn(servoPinKeys, key)]
  if (pwm && servo) return 'PWM pins and servos'
  return pwm ? 'PWM pins' : servo ? 'servos' : undefined
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
