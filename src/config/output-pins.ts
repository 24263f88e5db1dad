import type { Interlock, OutputPin } from '../core/pin.ts'
import { type CommonPinKeys, fieldsOf } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import type { TreeMap } from './yaml-tree.ts'

const deadTimeMsDefault = 100

/** The keys of a switched output. */
export function readOutput(name: string, map: TreeMap, common: CommonPinKeys, reader: TreeReader): OutputPin {
  const field = fieldsOf(name, map)
  const interlock = readInterlock(name, map, reader)
  const maxOnMs = field('max_on', (tree, what) => reader.duration(tree, what, { atLeastMs: 1 }))
  return {
    name,
    direction: 'out',
    ...common,
    initial: field('initial', (tree, what) => reader.state(tree, what)) ?? 'off',
    onStop: field('on_stop', (tree, what) => reader.state(tree, what)) ?? 'off',
    ...(maxOnMs === undefined ? {} : { maxOnMs }),
    ...(interlock === undefined ? {} : { interlock }),
  }
}

/** Which outputs may not be on together with this one; whether they exist is seen when all pins are read. */
export function readInterlock(name: string, map: TreeMap, reader: TreeReader): Interlock | undefined {
  const field = fieldsOf(name, map)
  const deadTimeMs = field('dead_time', (tree, what) => reader.duration(tree, what))
  const pins = field('interlock', (tree, what) => {
    const expected = 'the name of another output, or a list of them: [down]'
    const names = (tree.kind === 'list' ? tree.items : [tree]).map((item) =>
      reader.text(item, what, expected),
    )
    if (names.length === 0) return reader.mistake(tree, `${what} is empty`, { expected })
    return names.every((one) => one !== undefined) ? names : undefined
  })
  const deadTime = map.entries.get('dead_time')
  if (deadTime !== undefined && !map.entries.has('interlock'))
    return reader.mistake(deadTime, `the pin "${name}" has a dead time and no interlock`, {
      found: null,
      expected: 'interlock: and the outputs that are never on together with it',
    })
  return pins === undefined ? undefined : { pins, deadTimeMs: deadTimeMs ?? deadTimeMsDefault }
}
