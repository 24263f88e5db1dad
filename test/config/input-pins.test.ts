import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InputPin } from '#src/core/pin.js'
import { brief, problemsOf, settingsOf } from '../support/config-world.js'

async function pinOf(keys: string): Promise<InputPin> {
  const { settings } = await settingsOf({ yaml: `pins:\n  it: { gpio: 27, in: true, ${keys} }\n` })
  return settings.pins[0] as InputPin
}

const presses: readonly [yaml: string, expected: InputPin['press']][] = [
  ['true', { topics: {}, longMs: 500, doubleMs: 300 }],
  ['{}', { topics: {}, longMs: 500, doubleMs: 300 }],
  ['{ short: a }', { topics: { short: 'a' } }],
  ['{ short: a, long: b }', { topics: { short: 'a', long: 'b' }, longMs: 500 }],
  ['{ double: c }', { topics: { double: 'c' }, doubleMs: 300 }],
  ['{ short: a, long_after: 2s }', { topics: { short: 'a' }, longMs: 2_000 }],
  [
    '{ short: a, long: b, double: c, long_after: 1s, double_within: 250ms }',
    { topics: { short: 'a', long: 'b', double: 'c' }, longMs: 1_000, doubleMs: 250 },
  ],
]
for (const [yaml, expected] of presses)
  test(`press: ${yaml} tells apart what it asks for`, async () => {
    assert.deepEqual((await pinOf(`press: ${yaml}`)).press, expected)
  })

test('a button is debounced for 20ms unless told; other inputs are not', async () => {
  assert.equal((await pinOf('press: true')).debounceMs, 20)
  assert.equal((await pinOf('press: true, debounce: 0s')).debounceMs, 0)
  assert.equal((await pinOf('press: true, debounce: 50ms')).debounceMs, 50)
  assert.equal((await pinOf('count: true')).debounceMs, 0)
})

const counts: readonly [yaml: string, expected: InputPin['count']][] = [
  ['true', { perPulse: 1, ratePer: 'h', everyMs: 10_000 }],
  ['{}', { perPulse: 1, ratePer: 'h', everyMs: 10_000 }],
  [
    '{ per_pulse: 0.001, rate_per: h, every: 1m, publish: home/power }',
    { perPulse: 0.001, ratePer: 'h', everyMs: 60_000, publish: 'home/power' },
  ],
  ['{ per_pulse: 10, rate_per: s, every: 100ms }', { perPulse: 10, ratePer: 's', everyMs: 100 }],
]
for (const [yaml, expected] of counts)
  test(`count: ${yaml} says what a pulse means`, async () => {
    assert.deepEqual((await pinOf(`count: ${yaml}`)).count, expected)
  })

const mistakes: readonly [keys: string, expected: string][] = [
  [
    'press: yes',
    '2:36 "press" of the pin "it" is neither a map nor true | found yes | expected true, or a map such as { short: home/bell, long: home/bell/long }',
  ],
  [
    'press: { shrot: a }',
    '2:38 "press" of the pin "it" has no key "shrot" | expected one of short, long, double, long_after, double_within | try short',
  ],
  [
    'press: { short: a/# }',
    '2:45 "short" in "press" of the pin "it" is not a topic: a topic to publish to has no wildcards (+ and # are for filters) | found a/# | expected a topic such as home/door',
  ],
  [
    'press: { long_after: 1 }',
    '2:50 "long_after" in "press" of the pin "it" has no unit | found 1 | expected a duration such as 200ms, 30s, 10m or 1h30m; at most 24d | try 1s for seconds, or 1ms for milliseconds',
  ],
  [
    'press: { double_within: 0s }',
    '2:53 "double_within" in "press" of the pin "it" is too short | found 0s | expected at least 1ms',
  ],
  [
    'count: 5',
    '2:36 "count" of the pin "it" is neither a map nor true | found 5 | expected true, or a map such as { per_pulse: 0.001, rate_per: h }',
  ],
  [
    'count: { per_pulse: 0 }',
    '2:49 "per_pulse" in "count" of the pin "it" is not right | found 0 | expected what one pulse adds to the total, such as 0.001 for a meter of 1000 pulses a kWh; more than 0',
  ],
  [
    'count: { per_pulse: .inf }',
    '2:49 "per_pulse" in "count" of the pin "it" is not right | found .inf | expected what one pulse adds to the total, such as 0.001 for a meter of 1000 pulses a kWh; more than 0',
  ],
  [
    'count: { per_pulse: 1/1000 }',
    '2:49 "per_pulse" in "count" of the pin "it" is not a number | found 1/1000 | expected what one pulse adds to the total, such as 0.001 for a meter of 1000 pulses a kWh; more than 0',
  ],
  [
    'count: { rate_per: d }',
    '2:48 "rate_per" in "count" of the pin "it" is not one of its values | found d | expected h, m or s',
  ],
  [
    'count: { every: 99ms }',
    '2:45 "every" in "count" of the pin "it" is too short | found 99ms | expected at least 100ms',
  ],
  [
    'press: true, count: true',
    '2:42 the pin "it" cannot tell presses apart and count pulses | expected press or count, not both',
  ],
]
for (const [keys, expected] of mistakes)
  test(`a mistake is told in its place: ${keys}`, async () => {
    const problems = await problemsOf({ yaml: `pins:\n  it: { gpio: 27, in: true, ${keys} }\n` })
    assert.deepEqual(problems.map(brief), [expected])
  })

test('an output has neither presses nor a count', async () => {
  const yaml =
    'pins:\n  lamp: { gpio: 17, out: true, press: true }\n  fan: { gpio: 18, out: true, count: true }\n'
  assert.deepEqual(
    (await problemsOf({ yaml })).map((problem) => brief(problem).split(' | ')[0]),
    ['2:32 press is for inputs; "lamp" is an output', '3:31 count is for inputs; "fan" is an output'],
  )
})
