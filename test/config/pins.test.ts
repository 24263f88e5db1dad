import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, problemsOf, settingsOf } from '../support/config-world.js'

const file = 'config/damselfly.yaml'

test('pins are read with every key', async () => {
  const { settings } = await settingsOf({
    yaml: `pins:
  lamp: { gpio: 17, out: true, active: low, initial: on, on_stop: on, max_on: 10m }
  door: { gpio: "GPIO27", in: true, active: high, pull: up, debounce: 30ms, publish: home/door }`,
  })
  assert.deepEqual(settings.pins, [
    {
      name: 'lamp',
      direction: 'out',
      line: 17,
      isActiveLow: true,
      initial: 'on',
      onStop: 'on',
      maxOnMs: 600_000,
      place: { file, line: 2, column: 3 },
    },
    {
      name: 'door',
      direction: 'in',
      line: 'GPIO27',
      isActiveLow: false,
      pull: 'up',
      debounceMs: 30,
      publish: 'home/door',
      place: { file, line: 3, column: 3 },
    },
  ])
})

test('pins have defaults, and true and false are on and off', async () => {
  const { settings } = await settingsOf({
    yaml: 'pins:\n  a: { gpio: "4", out: true }\n  b: { gpio: 5, in: true, out: false }\n  c: { gpio: 6, out: true, initial: true, on_stop: false }',
  })
  const [a, b, c] = settings.pins
  assert.deepEqual(a, {
    name: 'a',
    direction: 'out',
    line: 4,
    isActiveLow: false,
    initial: 'off',
    onStop: 'off',
    place: { file, line: 2, column: 3 },
  })
  assert.deepEqual(b?.direction === 'in' && [b.pull, b.debounceMs, b.publish], ['as-is', 0, undefined])
  assert.deepEqual(c?.direction === 'out' && [c.initial, c.onStop], ['on', 'off'])
})

const mistakes: readonly [pin: string, problems: readonly RegExp[]][] = [
  ['lamp: 17', [/^2:9 the pin "lamp" is not a map \| found 17/]],
  ['lamp: { gpio: 17 }', [/^2:3 the pin "lamp" must say whether it is an input or an output/]],
  ['lamp: { gpio: 17, in: true, out: true }', [/^2:3 the pin "lamp" cannot be an input and an output/]],
  [
    'lamp: { gpio: 17, out: yes }',
    [/^2:26 "out" of the pin "lamp" is neither true nor false \| found yes .* try true/],
  ],
  ['lamp: { out: true }', [/^2:3 the pin "lamp" does not say on which line it is/]],
  ['lamp: { gpoi: 17, out: true }', [/^2:11 the pin "lamp" has no key "gpoi" .* try gpio/]],
  ['lamp: { gpio: 1.5, out: true }', [/^2:17 "gpio" of the pin "lamp" is not a line \| found 1.5/]],
  ['lamp: { gpio: -1, out: true }', [/is not a line/]],
  ['lamp: { gpio: , out: true }', [/is not a line \| found nothing/]],
  ['la/mp: { gpio: 17, out: true }', [/^2:3 "la\/mp" cannot be the name of a pin.* try la-mp/]],
  ['door: { gpio: 17, in: true, max_on: 10m }', [/^2:31 max_on is for outputs; "door" is an input/]],
  ['lamp: { gpio: 17, out: true, pull: up }', [/^2:32 pull is for inputs; "lamp" is an output/]],
  [
    'lamp: { gpio: 17, out: true, initial: onn }',
    [/^2:41 "initial" of the pin "lamp" .* expected on or off \| try on/],
  ],
  ['lamp: { gpio: 17, out: true, max_on: 10 }', [/has no unit \| found 10 .* try 10s for seconds, or 10ms/]],
  ['lamp: { gpio: 17, out: true, max_on: 0s }', [/too short/]],
  ['lamp: { gpio: 17, out: true, max_on: 30d }', [/is not a duration .* at most 24d/]],
  ['lamp: { gpio: 17, out: true, active: lo }', [/expected high or low \| try low/]],
  ['door: { gpio: 17, in: true, debounce: 61s }', [/too long/]],
  ['door: { gpio: 17, in: true, pull: upp }', [/expected up, down, none or as-is \| try up/]],
  ['door: { gpio: 17, in: true, publish: a/+ }', [/^2:40 "publish" of the pin "door" is not a topic/]],
  ['door: { gpio: 17, in: true, publish: 5 }', [/is not a text \| found 5 .* try '5', in quotes/]],
  [
    'a: { gpio: 17, out: true }\n  b: { gpio: GPIO17, in: true }',
    [/^3:14 the pins "a" and "b" are on the same line/],
  ],
]
for (const [pin, expected] of mistakes)
  test(`the pin ${JSON.stringify(pin)} is refused`, async () => {
    const problems = (await problemsOf({ yaml: `pins:\n  ${pin}` })).map(brief)
    assert.equal(problems.length, expected.length, problems.join('\n'))
    for (const [index, pattern] of expected.entries()) assert.match(problems[index] as string, pattern)
  })

test('a debounce of a minute is allowed', async () => {
  const { settings } = await settingsOf({ yaml: 'pins: { a: { gpio: 1, in: true, debounce: 60s } }' })
  assert.equal(settings.pins[0]?.direction === 'in' && settings.pins[0].debounceMs, 60_000)
})

test('a rule may name an output pin that itself has a mistake', async () => {
  const problems = await problemsOf({
    yaml: 'pins: { a: { gpio: x y, out: true, pull: up } }\nrules:\n - { on: a, do: { gpio: a, set: on } }',
  })
  assert.equal(problems.length, 1)
})
