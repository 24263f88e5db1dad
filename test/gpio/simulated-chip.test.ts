import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedChip } from '#src/gpio/simulated-chip.js'

const high = { isActiveLow: false, value: true }

test('an output is driven in its request, and inverted when it is active low', () => {
  const chip = new SimulatedChip()
  assert.equal(chip.level(17), undefined)
  chip.requestOutput(17, high)
  const relay = chip.requestOutput(18, { isActiveLow: true, value: true })
  assert.deepEqual([chip.level(17), chip.level(18)], [true, false])
  relay.write(false)
  assert.equal(chip.level(18), true)
})

test('a line is held until it is released, and keeps its level then', async () => {
  const chip = new SimulatedChip()
  const line = chip.requestOutput(17, high)
  assert.throws(() => chip.requestOutput(17, high), { code: 'GPIO_BUSY', message: /GPIO17 .* "damselfly"/ })
  const asInput = { isActiveLow: false, pull: 'up', debounceMs: 0 } as const
  assert.throws(() => chip.requestInput(17, asInput, () => {}), { code: 'GPIO_BUSY' })
  line.release()
  assert.equal(chip.level(17), true)
  await chip.requestInput(17, asInput, () => {}).release()
  chip.requestOutput(17, high)
  await chip.close()
})

const rests = [
  { pull: 'up', isActiveLow: false, value: true },
  { pull: 'up', isActiveLow: true, value: false },
  { pull: 'down', isActiveLow: false, value: false },
  { pull: 'down', isActiveLow: true, value: true },
  { pull: 'none', isActiveLow: true, value: false },
  { pull: 'as-is', isActiveLow: false, value: false },
] as const

for (const { pull, isActiveLow, value } of rests)
  test(`an input rests at ${value ? 'on' : 'off'} with pull ${pull}${isActiveLow ? ', active low' : ''}`, () => {
    const line = new SimulatedChip().requestInput(2, { pull, isActiveLow, debounceMs: 0 }, () => {})
    assert.equal(line.read(), value)
  })

test('an edge is told before drive returns, with its chain, and only when the level changes', () => {
  const edges: string[] = []
  const line = new SimulatedChip().requestInput(
    2,
    { pull: 'up', isActiveLow: true, debounceMs: 0 },
    (value, chain) => edges.push(`${value} ${chain}`),
  )
  line.drive?.(false, ['a'])
  line.drive?.(true, ['a', 'b'])
  line.drive?.(true, [])
  line.drive?.(false, [])
  assert.deepEqual(edges, ['true a,b', 'false '])
})
