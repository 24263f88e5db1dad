import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCounter, isOutput, type Pin } from '#src/core/pin.js'
import { input, output } from '../support/gpio-kit.js'
import { pwm } from '../support/gpio-pwm.js'

const water = input('water', 22, { count: { perPulse: 1, ratePer: 'h', everyMs: 1_000 } })
const unheardOf = { ...output('later', 5), direction: 'analog' } as unknown as Pin

test('switched and PWM pins are outputs; inputs, and a direction of tomorrow, are none', () => {
  const pins = [output('lamp', 17), pwm('fan', 18), input('door', 27), water, unheardOf]
  assert.deepEqual(pins.map(isOutput), [true, true, false, false, false])
})

test('an input with `count` is a counter, and nothing else is one', () => {
  const pins = [
    water,
    input('door', 27),
    output('lamp', 17),
    pwm('fan', 18),
    { ...unheardOf, count: {} } as Pin,
  ]
  assert.deepEqual(pins.map(isCounter), [true, false, false, false, false])
})
