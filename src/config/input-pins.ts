import { limits } from '../core/limits.ts'
import type { InputPin } from '../core/pin.ts'
import { type CommonPinKeys, fieldsOf, readTopic } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import { inputPinKeys } from './vocabulary.ts'
import type { TreeMap } from './yaml-tree.ts'

/** The keys of an input. */
export function readInput(name: string, map: TreeMap, common: CommonPinKeys, reader: TreeReader): InputPin {
  const field = fieldsOf(name, map)
  const publish = field('publish', (tree, what) => readTopic(tree, what, reader))
  const atMostMs = limits.pinDebounceMsMax
  return {
    name,
    direction: 'in',
    ...common,
    pull: field('pull', (tree, what) => reader.oneOf(tree, what, inputPinKeys.pull.enum)) ?? 'as-is',
    debounceMs: field('debounce', (tree, what) => reader.duration(tree, what, { atMostMs })) ?? 0,
    ...(publish === undefined ? {} : { publish }),
  }
}
