import { nearest } from '../core/nearest.ts'
import { isOutput, type Pin } from '../core/pin.ts'
import type { TreeReader } from './tree-reader.ts'
import type { Tree, TreeMap } from './yaml-tree.ts'

/**
 * What can only be seen when all pins are read: that an interlock names outputs, and that nothing in the file itself
 * drives two of them on. `on_stop` may drive none: after a stop and a crash nobody keeps a dead time.
 */
export function checkInterlocks(
  map: TreeMap,
  pins: readonly Pin[],
  outputs: ReadonlySet<string>,
  reader: TreeReader,
): void {
  const byName = new Map(pins.filter(isOutput).map((pin) => [pin.name, pin]))
  const tree = (pin: string, key: string): Tree | undefined => {
    const value = map.entries.get(pin)?.value
    return value?.kind === 'map' ? value.entries.get(key)?.value : undefined
  }
  const pairs = [...byName.values()].flatMap(({ name, interlock }) =>
    (interlock?.pins ?? []).map((other, index) => ({ name, other, index })),
  )
  const locked = new Set<string>()
  const told = new Set<string>()
  for (const { name, other, index } of pairs) {
    const value = tree(name, 'interlock')
    const place = value?.kind === 'list' ? value.items[index] : value
    const problem = problemOf(name, other, byName.get(other), outputs)
    if (problem !== undefined && place !== undefined)
      reader.mistake(place, problem, {
        expected: 'the names of other outputs in pins:',
        suggestion: nearest(
          other,
          [...outputs].filter((output) => output !== name),
        ),
      })
    if (problem !== undefined) continue
    for (const one of [name, other]) locked.add(one)
    const second = [name, other].sort((a, b) => order(pins, a) - order(pins, b))[1] as string
    const both = [name, other].every((one) => (byName.get(one)?.initial ?? 'off') !== 'off')
    const initial = tree(second, 'initial')
    if (!both || initial === undefined || told.has(second)) continue
    told.add(second)
    reader.mistake(initial, `the pins "${name}" and "${other}" are never on together, and both begin on`, {
      expected: 'initial: off for one of them',
    })
  }
  for (const name of locked) {
    const onStop = tree(name, 'on_stop')
    if (onStop === undefined || byName.get(name)?.onStop === 'off') continue
    reader.mistake(onStop, `the pin "${name}" is in an interlock, so it must be off when Damselfly stops`, {
      expected: 'on_stop: off, for nobody keeps the dead time then',
    })
  }
}

function problemOf(
  name: string,
  other: string,
  pin: Pin | undefined,
  outputs: ReadonlySet<string>,
): string | undefined {
  if (other === name) return `the pin "${name}" cannot be in an interlock with itself`
  if (pin?.direction === 'pwm' && pin.scale.kind === 'angle')
    return `the servo "${other}" cannot be in an interlock`
  return outputs.has(other) ? undefined : `no output pin is named "${other}"`
}

function order(pins: readonly Pin[], name: string): number {
  return pins.findIndex((pin) => pin.name === name)
}
