import type { OutputPin } from '../core/pin.ts'
import { type CommonPinKeys, fieldsOf } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import type { TreeMap } from './yaml-tree.ts'

/** The keys of an output. */
export function readOutput(name: string, map: TreeMap, common: CommonPinKeys, reader: TreeReader): OutputPin {
  const field = fieldsOf(name, map)
  const maxOnMs = field('max_on', (tree, what) => reader.duration(tree, what, { atLeastMs: 1 }))
  return {
    name,
    direction: 'out',
    ...common,
    initial: field('initial', (tree, what) => reader.state(tree, what)) ?? 'off',
    onStop: field('on_stop', (tree, what) => reader.state(tree, what)) ?? 'off',
    ...(maxOnMs === undefined ? {} : { maxOnMs }),
  }
}
