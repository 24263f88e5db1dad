import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gpioAction } from '#src/actions/gpio.js'
import type { ActionDefinition } from '#src/core/action.js'
import { brief, problemsOf, settingsOf } from '../support/config-world.js'

const file = 'config/damselfly.yaml'

test('PWM pins and servos are read with every key', async () => {
  const { settings } = await settingsOf({
    yaml: `pins:
  fan: { gpio: 18, pwm: true, frequency: 25kHz, min: 20, max: 90, initial: 40, on_stop: on, max_on: 1h, active: low, channel: 2, pwm_chip: 1f00098000.pwm }
  arm: { gpio: 19, servo: true, range: 270, pulse: [500us, 2.5ms], min: 10, max: 200, initial: 90, on_stop: off }`,
  })
  assert.deepEqual(settings.pins, [
    {
      name: 'fan',
      direction: 'pwm',
      line: 18,
      isActiveLow: true,
      place: { file, line: 2, column: 3 },
      channel: 2,
      pwmChip: '1f00098000.pwm',
      min: 20,
      max: 90,
      initial: 40,
      onStop: 90,
      maxOnMs: 3_600_000,
      periodNs: 40_000,
      scale: { kind: 'duty' },
    },
    {
      name: 'arm',
      direction: 'pwm',
      line: 19,
      isActiveLow: false,
      place: { file, line: 3, column: 3 },
      min: 10,
      max: 200,
      initial: 90,
      onStop: 'off',
      periodNs: 20_000_000,
      scale: { kind: 'angle', minPulseNs: 500_000, maxPulseNs: 2_500_000, rangeDegrees: 270 },
    },
  ])
})

test('PWM pins and servos have defaults; 0 percent is off, and 0 degrees is an angle', async () => {
  const { settings } = await settingsOf({
    yaml: 'pins:\n  led: { gpio: 12, pwm: true, initial: 0, on_stop: false }\n  arm: { gpio: 13, servo: true, initial: 0 }',
  })
  const [led, arm] = settings.pins
  assert.ok(led?.direction === 'pwm' && arm?.direction === 'pwm')
  assert.deepEqual(
    [led.periodNs, led.min, led.max, led.initial, led.onStop],
    [1_000_000, 0, 100, 'off', 'off'],
  )
  assert.deepEqual([arm.min, arm.max, arm.initial, arm.onStop], [0, 180, 0, 'off'])
})

test('an interlock is a name or a list of them, with a dead time of 100 ms unless told', async () => {
  const { settings } = await settingsOf({
    yaml: `pins:
  up: { gpio: 5, out: true, interlock: down, dead_time: 500ms }
  down: { gpio: 6, out: true, initial: on, interlock: [up, left] }
  left: { gpio: 12, pwm: true }
  right: { gpio: 13, pwm: true, interlock: [left], dead_time: 0s }`,
  })
  const locks = settings.pins.map((pin) => (pin.direction === 'in' ? undefined : pin.interlock))
  assert.deepEqual(locks, [
    { pins: ['down'], deadTimeMs: 500 },
    { pins: ['up', 'left'], deadTimeMs: 100 },
    undefined,
    { pins: ['left'], deadTimeMs: 0 },
  ])
})

const mistakes: readonly [pins: string, problems: readonly RegExp[]][] = [
  [
    'fan: { gpio: 18, pwm: true, out: true }',
    [/the pin "fan" cannot be an output and a PWM pin.*exactly one of/],
  ],
  [
    'fan: { gpio: 18, pwm: true, frequency: 25 }',
    [/has no unit \| found 25 .* try 25kHz for a fan, or 25Hz/],
  ],
  ['fan: { gpio: 18, pwm: true, frequency: 25mHz }', [/"frequency" of the pin "fan" is not a frequency/]],
  ['fan: { gpio: 18, pwm: true, frequency: 11MHz }', [/from 1Hz to 10MHz/]],
  ['fan: { gpio: 18, pwm: true, frequency: 0.5Hz }', [/from 1Hz to 10MHz/]],
  [
    'fan: { gpio: 18, pwm: true, min: 101 }',
    [/"min" of the pin "fan" is not a number of percent.*from 0 to 100/],
  ],
  ['fan: { gpio: 18, pwm: true, min: 50, max: 50 }', [/^2:45 the pin "fan" has no room between its limits/]],
  [
    'fan: { gpio: 18, pwm: true, min: 20, initial: 10 }',
    [/"initial" .* is outside its limits .*from 20 to 100, in percent/],
  ],
  [
    'fan: { gpio: 18, pwm: true, on_stop: full }',
    [/"on_stop" .* is not one of its values.*on, off or a number/],
  ],
  ['fan: { gpio: 18, pwm: true, channel: 1.5 }', [/not the number of a channel/]],
  ['fan: { gpio: 18, pwm: true, range: 90 }', [/range is for servos; "fan" is a PWM pin/]],
  ['fan: { gpio: 18, pwm: true, pull: up }', [/pull is for inputs; "fan" is a PWM pin/]],
  ['fan: { gpio: 18, pwm: true, freqency: 1kHz }', [/has no key "freqency" .* try frequency/]],
  ['lamp: { gpio: 18, out: true, frequency: 1kHz }', [/frequency is for PWM pins; "lamp" is an output/]],
  ['lamp: { gpio: 18, out: true, max: 1 }', [/max is for PWM pins and servos; "lamp" is an output/]],
  ['arm: { gpio: 18, servo: true, frequency: 1kHz }', [/frequency is for PWM pins; "arm" is a servo/]],
  ['arm: { gpio: 18, servo: true, interlock: x }', [/interlock is for outputs; "arm" is a servo/]],
  ['arm: { gpio: 18, servo: true, pulse: 1ms }', [/are not two pulses.*\[0.5ms, 2.5ms\]/]],
  ['arm: { gpio: 18, servo: true, pulse: [1ms, 1ms] }', [/are not two pulses/]],
  ['arm: { gpio: 18, servo: true, pulse: [1ms, 20ms] }', [/each shorter than 20ms/]],
  ['arm: { gpio: 18, servo: true, max: 181 }', [/"max" of the pin "arm" .*from 0 to 180/]],
  ['arm: { gpio: 18, servo: true, initial: 181 }', [/outside its limits/]],
  ['a: { gpio: 18, pwm: true }\n  b: { gpio: 18, out: true }', [/the pins "a" and "b" are on the same line/]],
  ['a: { gpio: 1, out: true, interlock: [] }', [/"interlock" of the pin "a" is empty/]],
  ['a: { gpio: 1, out: true, interlock: [5] }', [/is not a text/]],
  ['a: { gpio: 1, out: true, dead_time: 1s }', [/^2:28 the pin "a" has a dead time and no interlock/]],
  ['a: { gpio: 1, out: true, interlock: a }', [/the pin "a" cannot be in an interlock with itself/]],
  [
    'up: { gpio: 1, out: true, interlock: [dwon] }\n  down: { gpio: 2, out: true }',
    [/^2:41 no output pin is named "dwon" .* try down/],
  ],
  ['a: { gpio: 1, out: true, interlock: b }\n  b: { gpio: 2, in: true }', [/no output pin is named "b"/]],
  ['a: { gpio: 1, out: true, interlock: b }\n  b: { gpio: 2, servo: true }', [/the servo "b" cannot be/]],
  [
    'a: { gpio: 1, out: true, initial: on, interlock: b }\n  b: { gpio: 2, out: true, initial: on, interlock: a }',
    [/^3:37 the pins "a" and "b" are never on together, and both begin on/],
  ],
  [
    'a: { gpio: 1, out: true, interlock: b }\n  b: { gpio: 2, out: true, on_stop: on }',
    [/^3:37 the pin "b" is in an interlock, so it must be off when Damselfly stops/],
  ],
]
for (const [pins, expected] of mistakes)
  test(`the pins ${JSON.stringify(pins)} are refused`, async () => {
    const problems = (await problemsOf({ yaml: `pins:\n  ${pins}` })).map(brief)
    assert.equal(problems.length, expected.length, problems.join('\n'))
    for (const [index, pattern] of expected.entries()) assert.match(problems[index] as string, pattern)
  })

test('a pin with a mistake may be named in an interlock', async () => {
  const problems = await problemsOf({
    yaml: 'pins:\n  a: { gpio: 1, out: true, interlock: b }\n  b: { gpio: 2, out: true, pull: up }',
  })
  assert.equal(problems.length, 1)
})

const house = `pins:
  lamp: { gpio: 17, out: true }
  fan: { gpio: 18, pwm: true }
  arm: { gpio: 19, servo: true }
rules:
  - { on: x, do: `

const steps: readonly [step: string, problem: RegExp | undefined][] = [
  ['{ gpio: lamp, set: 1 }', undefined],
  ['{ gpio: lamp, blink: 500ms, for: 10s }', undefined],
  ['{ gpio: lamp, set: blink }', undefined],
  ['{ gpio: fan, set: 40 }', undefined],
  ['{ gpio: fan, blink: 20ms }', undefined],
  ['{ gpio: arm, set: "${payload.angle}" }', undefined],
  ['{ gpio: lamp, set: 40 }', /pin lamp is a switched pin: it knows on, off, toggle or blink, not 40/],
  ['{ gpio: arm, set: blink }', /pin arm is a servo: .* not "blink"/],
  ['{ gpio: arm, blink: 1s }', /pin arm is a servo/],
  ['{ gpio: lamp, set: on, blink: 1s }', /cannot be set to on and blink; leave out one/],
  ['{ gpio: lamp, blink: 19ms }', /a phase of 19ms is too short: at least 20ms/],
  ['{ gpio: lamp, set: onn }', /"onn" is not on, off, toggle, blink or a number .* try on/],
]
for (const [step, expected] of steps)
  test(`the step ${step} is ${expected === undefined ? 'understood' : 'refused at load'}`, async () => {
    const actions = [gpioAction as unknown as ActionDefinition]
    const problems = (await problemsOf({ yaml: `${house}${step} }`, actions })).map(brief)
    assert.equal(problems.length, expected === undefined ? 0 : 1, problems.join('\n'))
    if (expected !== undefined) assert.match(problems[0] as string, expected)
  })
