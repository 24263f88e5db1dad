import { limits } from '../core/limits.ts'
import { type TelemetryKind, type TelemetrySettings, telemetryKinds } from '../core/telemetry.ts'
import { alternatives } from './alternatives.ts'
import { fieldsIn, readTopic } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import { telemetryKeys } from './vocabulary/house.ts'
import { isNothing, type Tree } from './yaml-tree.ts'

const everyMsDefault = 60_000

/** Reads `telemetry:`; undefined when none is wanted. */
export function readTelemetry(tree: Tree | undefined, reader: TreeReader): TelemetrySettings | undefined {
  if (tree === undefined || isNothing(tree)) return undefined
  if (tree.kind === 'scalar' && tree.value === false) return undefined
  if (tree.kind === 'scalar' && tree.value === true) return { everyMs: everyMsDefault, kinds: telemetryKinds }
  if (tree.kind !== 'map')
    return reader.mistake(tree, 'telemetry is neither a map nor true', {
      expected: 'true, or a map such as { every: 60s, only: [temperature, load] }',
    })
  reader.knownKeys(tree, 'telemetry', Object.keys(telemetryKeys))
  const field = fieldsIn(tree, 'of telemetry')
  const publish = field('publish', (value, what) => readTopic(value, what, reader))
  return {
    everyMs:
      field('every', (value, what) => reader.duration(value, what, { atLeastMs: limits.sensorEveryMsMin })) ??
      everyMsDefault,
    ...(publish === undefined ? {} : { publish }),
    kinds: field('only', (value, what) => readKinds(value, what, reader)) ?? telemetryKinds,
  }
}

function readKinds(tree: Tree, what: string, reader: TreeReader): readonly TelemetryKind[] | undefined {
  const items = tree.kind === 'list' ? tree.items : [tree]
  if (items.length === 0)
    return reader.mistake(tree, `${what} is empty`, { expected: alternatives(telemetryKinds) })
  const kinds = items.flatMap((item) => reader.oneOf(item, what, telemetryKinds) ?? [])
  return telemetryKinds.filter((kind) => kinds.includes(kind))
}
