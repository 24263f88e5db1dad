import type { PwmPin } from '../core/pin.ts'
import { parseFrequency, parsePulse } from '../core/units.ts'
import { readInterlock } from './output-pins.ts'
import { type CommonPinKeys, fieldsOf } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import type { Tree, TreeMap } from './yaml-tree.ts'

const hertzDefault = 1_000
const hertzMin = 1
const hertzMax = 10_000_000
const servoPeriodNs = 20_000_000 // 50 Hz
const servoPulsesNs = [500_000, 2_500_000] as const
const rangeDegreesMax = 3_600

/** The keys of a PWM pin, whose numbers are percent of the period. */
export function readPwm(name: string, map: TreeMap, common: CommonPinKeys, reader: TreeReader): PwmPin {
  const field = fieldsOf(name, map)
  const hertz = field('frequency', (tree, what) => readFrequency(tree, what, reader)) ?? hertzDefault
  const interlock = readInterlock(name, map, reader)
  return {
    ...readPulsed(name, map, common, reader, { unit: 'percent', most: 100 }),
    periodNs: Math.round(1e9 / hertz),
    scale: { kind: 'duty' },
    ...(interlock === undefined ? {} : { interlock }),
  }
}

/** The keys of a servo, whose numbers are degrees. */
export function readServo(name: string, map: TreeMap, common: CommonPinKeys, reader: TreeReader): PwmPin {
  const field = fieldsOf(name, map)
  const range = { least: 1, most: rangeDegreesMax, unit: 'degrees' }
  const rangeDegrees = field('range', (tree, what) => readNumber(tree, what, range, reader)) ?? 180
  const pulses = field('pulse', (tree, what) => readPulses(tree, what, reader)) ?? servoPulsesNs
  const [minPulseNs, maxPulseNs] = pulses
  return {
    ...readPulsed(name, map, common, reader, { unit: 'degrees', most: rangeDegrees }),
    periodNs: servoPeriodNs,
    scale: { kind: 'angle', minPulseNs, maxPulseNs, rangeDegrees },
  }
}

interface Extent {
  readonly unit: string
  readonly most: number
}

function readPulsed(
  name: string,
  map: TreeMap,
  common: CommonPinKeys,
  reader: TreeReader,
  { unit, most }: Extent,
): Omit<PwmPin, 'scale' | 'periodNs'> {
  const field = fieldsOf(name, map)
  const number = (key: string) =>
    field(key, (tree, what) => readNumber(tree, what, { least: 0, most, unit }, reader))
  const min = number('min') ?? 0
  const max = number('max') ?? most
  const maxEntry = map.entries.get('max') ?? map.entries.get('min')
  if (max <= min && maxEntry !== undefined)
    reader.mistake(maxEntry.value, `the pin "${name}" has no room between its limits`, {
      expected: `min: below max:, within 0 and ${most} ${unit}`,
    })
  const level = (key: string) =>
    field(key, (tree, what) => readLevel(tree, what, { min, max, unit }, reader)) ?? 'off'
  const channel = field('channel', (tree, what) => readChannel(tree, what, reader))
  const pwmChip = field('pwm_chip', (tree, what) =>
    reader.text(tree, what, 'a device such as 1f00098000.pwm'),
  )
  const maxOnMs = field('max_on', (tree, what) => reader.duration(tree, what, { atLeastMs: 1 }))
  return {
    name,
    direction: 'pwm',
    ...common,
    ...(channel === undefined ? {} : { channel }),
    ...(pwmChip === undefined ? {} : { pwmChip }),
    min,
    max,
    initial: level('initial'),
    onStop: level('on_stop'),
    ...(maxOnMs === undefined ? {} : { maxOnMs }),
  }
}

function readNumber(
  tree: Tree,
  what: string,
  { least, most, unit }: { readonly least: number; readonly most: number; readonly unit: string },
  reader: TreeReader,
): number | undefined {
  const value = tree.kind === 'scalar' ? tree.value : undefined
  if (typeof value === 'number' && value >= least && value <= most) return value
  return reader.mistake(tree, `${what} is not a number of ${unit}`, {
    expected: `a number from ${least} to ${most}`,
  })
}

function readLevel(
  tree: Tree,
  what: string,
  { min, max, unit }: { readonly min: number; readonly max: number; readonly unit: string },
  reader: TreeReader,
): 'off' | number | undefined {
  const value = tree.kind === 'scalar' ? tree.value : undefined
  if (value === 'off' || value === false || (value === 0 && unit === 'percent')) return 'off'
  if (value === 'on' || value === true) return max
  if (typeof value === 'number' && value >= min && value <= max) return value
  return reader.mistake(
    tree,
    typeof value === 'number' ? `${what} is outside its limits` : `${what} is not one of its values`,
    { expected: `on, off or a number from ${min} to ${max}, in ${unit}` },
  )
}

function readFrequency(tree: Tree, what: string, reader: TreeReader): number | undefined {
  const value = tree.kind === 'scalar' ? tree.value : undefined
  const hertz = typeof value === 'string' ? parseFrequency(value) : undefined
  if (hertz !== undefined && hertz >= hertzMin && hertz <= hertzMax) return hertz
  if (typeof value === 'number')
    return reader.mistake(tree, `${what} has no unit`, {
      expected: 'a frequency such as 50Hz or 25kHz',
      suggestion: value < 100 ? `${value}kHz for a fan, or ${value}Hz` : `${value}Hz`,
    })
  return reader.mistake(tree, `${what} is not a frequency`, {
    expected: 'a frequency such as 50Hz or 25kHz, from 1Hz to 10MHz',
  })
}

function readPulses(tree: Tree, what: string, reader: TreeReader): readonly [number, number] | undefined {
  const texts =
    tree.kind === 'list' ? tree.items.map((item) => (item.kind === 'scalar' ? item.value : '')) : []
  const [first, second, ...more] = texts.map((text) =>
    typeof text === 'string' ? parsePulse(text) : undefined,
  )
  const isRight = first !== undefined && second !== undefined && first !== second && more.length === 0
  if (isRight && Math.min(first, second) > 0 && Math.max(first, second) < servoPeriodNs)
    return [first, second]
  return reader.mistake(tree, `${what} are not two pulses`, {
    expected: 'the pulses at 0 degrees and at the end of the range: [0.5ms, 2.5ms]; each shorter than 20ms',
  })
}

function readChannel(tree: Tree, what: string, reader: TreeReader): number | undefined {
  const value = tree.kind === 'scalar' ? tree.value : undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  return reader.mistake(tree, `${what} is not the number of a channel`, { expected: 'a number from 0' })
}
