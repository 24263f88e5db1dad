import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gpioAction } from '#src/actions/gpio.js'
import { complaints, makeWorld } from '../support/actions-world.js'

test('gpio switches the pin, and hands on the time and the rules that led to it', async () => {
  await using world = await makeWorld()
  await world.run(gpioAction, { gpio: 'lamp', set: 'on', for: '30s' }, { chain: ['first', 'second'] })
  await world.run(gpioAction, { gpio: 'lamp', set: 'toggle' })
  assert.deepEqual(world.commands, [
    ['set', 'lamp', 'on', { forMs: 30_000, chain: ['first', 'second'], by: 'rule a rule' }],
    ['set', 'lamp', 'toggle', { chain: ['a rule'], by: 'rule a rule' }],
  ])
})

test('gpio with for alone switches on', async () => {
  await using world = await makeWorld()
  await world.run(gpioAction, { gpio: 'lamp', for: '200ms' })
  assert.deepEqual(world.commands, [
    ['set', 'lamp', 'on', { forMs: 200, chain: ['a rule'], by: 'rule a rule' }],
  ])
})

test('gpio blinks, with the time of a phase or without', async () => {
  await using world = await makeWorld()
  await world.run(gpioAction, { gpio: 'lamp', blink: '200ms', for: '10s' })
  await world.run(gpioAction, { gpio: 'lamp', set: 'Blink' })
  assert.deepEqual(
    world.commands.map(([, , command, options]) => [command, options]),
    [
      ['blink', { forMs: 10_000, blinkMs: 200, chain: ['a rule'], by: 'rule a rule' }],
      ['blink', { chain: ['a rule'], by: 'rule a rule' }],
    ],
  )
})

test('gpio understands what devices send for on and off', async () => {
  await using world = await makeWorld()
  const on = ['on', 'ON', ' On\n', true, 'true']
  const off = ['off', 'OFF', false, 'False']
  for (const set of [...on, ...off]) await world.run(gpioAction, { gpio: 'lamp', set })
  const states = world.commands.map(([, , command]) => command)
  assert.deepEqual(states, [...on.map(() => 'on'), ...off.map(() => 'off')])
})

test('gpio takes numbers, which the pin makes sense of', async () => {
  await using world = await makeWorld()
  for (const set of [1, '0', 40, '40', '"21.5"', -5]) await world.run(gpioAction, { gpio: 'fan', set })
  assert.deepEqual(
    world.commands.map(([, , command]) => command),
    [1, 0, 40, 40, 21.5, -5],
  )
})

test('gpio refuses what is no command', () => {
  for (const set of ['dim', '', Number.NaN, Number.POSITIVE_INFINITY, null, {}, [], new Uint8Array([1])]) {
    const found = complaints(gpioAction, { gpio: 'lamp', set })
    assert.equal(found.length, 1, `set: ${JSON.stringify(set)}`)
    assert.match(found.join(), /on, off, toggle, blink or a number/)
  }
})

test('gpio refuses a step that says neither set nor for', () => {
  assert.deepEqual(complaints(gpioAction, { gpio: 'lamp' }), [
    'set: is missing: on, off, toggle, blink or a number',
  ])
})

test('gpio refuses a pin that is not there and an option it does not know', () => {
  const outputs = new Set(['lamp'])
  assert.match(
    complaints(gpioAction, { gpio: 'lmap', set: 'on' }, { outputs }).join(),
    /output pins are lamp/,
  )
  assert.match(complaints(gpioAction, { gpio: 'lamp', sett: 'on', set: 'on' }, { outputs }).join(), /"sett"/)
  assert.deepEqual(complaints(gpioAction, { gpio: 'lamp', set: 'on' }, { outputs }), [])
})
