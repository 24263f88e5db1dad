import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pin } from '#src/core/pin.js'
import { readPinOrder } from '#src/core/pin-order.js'
import { output } from '../support/gpio-kit.js'

const place = { file: 'x', line: 1, column: 1 }
const door = {
  name: 'door',
  direction: 'in',
  line: 27,
  isActiveLow: false,
  pull: 'up',
  debounceMs: 0,
  place,
} as const
const meter: Pin = { ...door, name: 'meter', count: { perPulse: 1, ratePer: 'h', everyMs: 1_000 } }
const pins: readonly Pin[] = [output('lamp', 17), door, meter]

const read = (topic: string, payload: string) =>
  readPinOrder({ topic, payload: Buffer.from(payload) }, 'shed', pins)
const problem = (pin: string, payload: string) => {
  const order = read(`damselfly/shed/pins/${pin}/set`, payload)
  return order !== undefined && 'problem' in order ? order.problem : undefined
}

test('a command for a pin of ours is read as the pin would read it', () => {
  assert.deepEqual(read('damselfly/shed/pins/lamp/set', ' "ON" '), { pin: 'lamp', command: 'on' })
  assert.deepEqual(read('damselfly/shed/pins/meter/set', '12.5'), { pin: 'meter', command: 12.5 })
})

test('what cannot be obeyed comes with the reason', () => {
  assert.equal(problem('lmap', 'on'), 'no pin is called lmap; nearest: lamp')
  assert.equal(problem('q'.repeat(99), 'on'), `no pin is called ${'q'.repeat(64)}`)
  assert.match(problem('lamp', 'onn') ?? '', /does not understand that; it knows on, off, toggle or blink/)
  assert.match(problem('lamp', 'on'.padStart(65)) ?? '', /does not understand/)
  assert.match(problem('lamp', '5') ?? '', /switched pin/)
  assert.match(problem('door', 'on') ?? '', /is an input/)
  assert.deepEqual(read('damselfly/other/pins/lamp/set', 'on'), { problem: 'this Damselfly is called shed' })
})

test('other topics are no commands', () => {
  for (const topic of ['damselfly/shed/pins/lamp', 'damselfly/shed/pins/a/b/set', 'damselfly/shed/set', 'x'])
    assert.equal(read(topic, 'on'), undefined)
})
