import {
  type EntityWish,
  type HomeAssistantSettings,
  homeAssistantDefaults,
  outputRoles,
} from '../core/home-assistant.ts'
import { nearest } from '../core/nearest.ts'
import { isOutput, type Pin } from '../core/pin.ts'
import { topicProblem } from '../core/topics.ts'
import { fieldsIn } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import { entityKeys, homeAssistantKeys } from './vocabulary/house.ts'
import { isNothing, type Tree, type TreeEntry } from './yaml-tree.ts'

/** What may be named below `homeassistant:`. */
export interface Named {
  readonly pins: readonly Pin[]
  /** All names, those with mistakes included. */
  readonly pinNames: readonly string[]
  readonly sensorNames: readonly string[]
}

/** Reads `homeassistant:`. A map means that it is wanted. */
export function readHomeAssistant(
  tree: Tree | undefined,
  named: Named,
  reader: TreeReader,
): HomeAssistantSettings {
  if (tree === undefined || isNothing(tree)) return homeAssistantDefaults
  const value = tree.kind === 'scalar' ? tree.value : undefined
  if (value === true) return { ...homeAssistantDefaults, mode: 'on' }
  if (value === false) return { ...homeAssistantDefaults, mode: 'off' }
  if (value === 'auto') return homeAssistantDefaults
  if (tree.kind !== 'map') {
    const suggestion = value === 'on' ? 'true' : value === 'off' ? 'false' : undefined
    reader.mistake(tree, 'homeassistant is not one of its values', {
      expected: 'true, false, auto, or a map such as { area: Garage }',
      suggestion,
    })
    return homeAssistantDefaults
  }
  reader.knownKeys(tree, 'homeassistant', Object.keys(homeAssistantKeys))
  const field = fieldsIn(tree, 'of homeassistant')
  const text = (key: string, example: string): string | undefined =>
    field(key, (one, what) => reader.text(one, what, `a text such as ${example}`))
  const kinds = new Map(named.pins.map((pin) => [pin.name, pin]))
  return {
    mode: field('announce', (one, what) => readMode(one, what, reader)) ?? 'on',
    prefix: field('prefix', (one, what) => readPrefix(one, what, reader)) ?? homeAssistantDefaults.prefix,
    name: text('name', 'Garden shed'),
    area: text('area', 'Garage'),
    pins:
      field('pins', (one) => readWishes(one, { kind: 'pin', names: named.pinNames, pins: kinds }, reader)) ??
      new Map(),
    sensors:
      field('sensors', (one) => readWishes(one, { kind: 'sensor', names: named.sensorNames }, reader)) ??
      new Map(),
  }
}

function readMode(tree: Tree, what: string, reader: TreeReader): 'on' | 'auto' | 'off' | undefined {
  const value = tree.kind === 'scalar' ? tree.value : undefined
  if (value === true) return 'on'
  if (value === false) return 'off'
  if (value === 'auto') return 'auto'
  return reader.mistake(tree, `${what} is not one of its values`, { expected: 'true, false or auto' })
}

function readPrefix(tree: Tree, what: string, reader: TreeReader): string | undefined {
  const prefix = reader.text(tree, what, 'a topic such as homeassistant')
  if (prefix === undefined) return undefined
  const problem = topicProblem(prefix) ?? (/^\/|\/$/.test(prefix) ? 'a / at its end' : undefined)
  if (problem === undefined) return prefix
  return reader.mistake(tree, `${what} is not the beginning of topics: ${problem}`, {
    expected: 'homeassistant, or what the settings of its MQTT integration say',
  })
}

interface Wished {
  readonly kind: 'pin' | 'sensor'
  readonly names: readonly string[]
  readonly pins?: ReadonlyMap<string, Pin>
}

function readWishes(
  tree: Tree,
  wished: Wished,
  reader: TreeReader,
): ReadonlyMap<string, EntityWish> | undefined {
  const what = `"${wished.kind}s" of homeassistant`
  const map = reader.map(tree, what, 'a map of name: { name: …, class: … }')
  const wishes = new Map<string, EntityWish>()
  for (const entry of map?.entries.values() ?? []) {
    if (!wished.names.includes(entry.key))
      reader.mistake(entry, `there is no ${wished.kind} "${entry.key}"`, {
        found: null,
        expected: `one of those below ${wished.kind}s:`,
        suggestion: nearest(entry.key, wished.names),
      })
    const wish = readWish(entry, wished, reader)
    if (wish !== undefined) wishes.set(entry.key, wish)
  }
  return wishes
}

function readWish(entry: TreeEntry, { kind, pins }: Wished, reader: TreeReader): EntityWish | undefined {
  const { key, value } = entry
  if (value.kind === 'scalar' && value.value === false) return { isHidden: true }
  const whose = `the ${kind} "${key}"`
  const map = reader.map(value, whose, '{ name: …, class: … }, or false to hide it')
  if (map === undefined) return undefined
  reader.knownKeys(map, whose, Object.keys(entityKeys))
  const field = fieldsIn(map, `of ${whose}`)
  const text = (name: string, example: string): string | undefined =>
    field(name, (one, what) => reader.text(one, what, `a text such as ${example}`))
  const as = field('as', (one, what) => readRole(one, what, pins?.get(key), reader))
  const name = text('name', 'Garage door')
  const deviceClass = text('class', 'door')
  const unit = text('unit', 'kWh')
  const icon = text('icon', 'mdi:garage')
  return {
    isHidden: false,
    ...(as === undefined ? {} : { as }),
    ...(name === undefined ? {} : { name }),
    ...(deviceClass === undefined ? {} : { deviceClass }),
    ...(unit === undefined ? {} : { unit }),
    ...(icon === undefined ? {} : { icon }),
  }
}

function readRole(
  tree: Tree,
  what: string,
  pin: Pin | undefined,
  reader: TreeReader,
): EntityWish['as'] | undefined {
  const role = reader.oneOf(tree, what, outputRoles)
  if (role === undefined || pin === undefined) return role
  if (isOutput(pin) && rolesOf(pin).includes(role)) return role
  return reader.mistake(tree, `${what} does not fit it`, {
    expected: isOutput(pin) ? rolesOf(pin).join(', ') : 'no "as": it is an input',
  })
}

function rolesOf(pin: Pin): readonly string[] {
  if (pin.direction === 'out') return ['switch', 'light', 'fan']
  const isServo = pin.direction === 'pwm' && pin.scale.kind === 'angle'
  return isServo ? ['number'] : ['number', 'light', 'fan']
}
