import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import type { Sensor } from '#src/core/pin.js'
import { brief, problemsOf, settingsOf } from '../support/config-world.js'

async function sensorsOf(yaml: string): Promise<readonly Omit<Sensor, 'place'>[]> {
  const { settings } = await settingsOf({ yaml })
  return settings.sensors.map(({ place: _, ...sensor }) => sensor)
}

test('each source has what it needs unless told', async () => {
  const yaml = `
sensors:
  cpu: { read: cpu }
  attic: { read: w1:28-0316A2795AFF, every: 30s, publish: home/attic, offset: -0.5 }
  hum: { read: /sys/bus/iio/devices/iio:device0/in_humidityrelative_input, scale: 0.001, decimals: 0, every: 1s }
  raw: { read: /sys/raw }
`
  assert.deepEqual(await sensorsOf(yaml), [
    { name: 'cpu', source: { kind: 'cpu' }, everyMs: 60_000, scale: 1, offset: 0, decimals: 1 },
    {
      name: 'attic',
      source: { kind: 'w1', id: '28-0316a2795aff' },
      everyMs: 30_000,
      publish: 'home/attic',
      scale: 1,
      offset: -0.5,
      decimals: 1,
    },
    {
      name: 'hum',
      source: { kind: 'file', path: '/sys/bus/iio/devices/iio:device0/in_humidityrelative_input' },
      everyMs: 1_000,
      scale: 0.001,
      offset: 0,
      decimals: 0,
    },
    {
      name: 'raw',
      source: { kind: 'file', path: '/sys/raw' },
      everyMs: 60_000,
      scale: 1,
      offset: 0,
      decimals: 3,
    },
  ])
})

test('there may be none', async () => {
  assert.deepEqual(await sensorsOf('sensors:\n'), [])
  assert.deepEqual(await sensorsOf('rules: []\n'), [])
})

const sources =
  'cpu, w1: and a sensor’s id such as w1:28-0316a2795aff, or the whole path of a file that holds one number'
const mistakes: readonly [sensor: string, expected: string][] = [
  ['a: cpu', '2:6 the sensor "a" is not a map | found cpu | expected { read: cpu, every: 30s }'],
  ['a: { every: 30s }', `2:3 the sensor "a" does not say what it reads | expected read: and ${sources}`],
  [
    'a: { raed: cpu }',
    '2:8 the sensor "a" has no key "raed" | expected one of read, every, publish, scale, offset, decimals | try read',
  ],
  [
    'a: { read: cpi }',
    `2:14 "read" of the sensor "a" is no source | found cpi | expected ${sources} | try cpu`,
  ],
  [
    'a: { read: ds18b20 }',
    `2:14 "read" of the sensor "a" is no source | found ds18b20 | expected ${sources}`,
  ],
  [
    'a: { read: 28-0316a2795aff }',
    `2:14 "read" of the sensor "a" is no source | found 28-0316a2795aff | expected ${sources} | try w1:28-0316a2795aff`,
  ],
  [
    'a: { read: sys/class/hwmon/hwmon0/temp1_input }',
    `2:14 "read" of the sensor "a" is no source | found sys/class/hwmon/hwmon0/temp1_input | expected ${sources} | try /sys/class/hwmon/hwmon0/temp1_input`,
  ],
  ['a: { read: 5 }', `2:14 "read" of the sensor "a" is no source | found 5 | expected ${sources}`],
  [
    'a: { read: "w1:28-../../x" }',
    '2:14 "read" of the sensor "a" names no 1-Wire sensor | found "w1:28-../../x" | expected w1: and an id such as 28-0316a2795aff; ls /sys/bus/w1/devices lists those that are there',
  ],
  [
    'a: { read: cpu, every: 999ms }',
    '2:26 "every" of the sensor "a" is too short | found 999ms | expected at least 1000ms',
  ],
  [
    'a: { read: cpu, scale: 0 }',
    '2:26 "scale" of the sensor "a" is not right | found 0 | expected a number such as 0.001, not 0',
  ],
  [
    'a: { read: cpu, offset: .nan }',
    '2:27 "offset" of the sensor "a" is not right | found .nan | expected a number such as -0.5',
  ],
  [
    'a: { read: cpu, decimals: 10 }',
    '2:29 "decimals" of the sensor "a" is not right | found 10 | expected a whole number from 0 to 9',
  ],
  [
    'a: { read: cpu, decimals: 1.5 }',
    '2:29 "decimals" of the sensor "a" is not right | found 1.5 | expected a whole number from 0 to 9',
  ],
  [
    'a b: { read: cpu }',
    '2:3 "a b" cannot be the name of a sensor: it stands in topics | expected letters, digits, - and _ | try a-b',
  ],
  [
    'a: { read: cpu, publish: + }',
    '2:28 "publish" of the sensor "a" is not a topic: a topic to publish to has no wildcards (+ and # are for filters) | found + | expected a topic such as home/door',
  ],
]
for (const [sensor, expected] of mistakes)
  test(`a mistake is told in its place: ${sensor}`, async () => {
    assert.deepEqual((await problemsOf({ yaml: `sensors:\n  ${sensor}\n` })).map(brief), [expected])
  })

test('there may be as many sensors as the limit says, and not one more', async () => {
  const yaml = (count: number) =>
    `sensors:\n${Array.from({ length: count }, (_, index) => `  s${index}: { read: cpu }\n`).join('')}`
  assert.equal((await sensorsOf(yaml(limits.sensorsMax))).length, limits.sensorsMax)
  const [problem] = await problemsOf({ yaml: yaml(limits.sensorsMax + 1) })
  assert.equal(problem && brief(problem), '66:3 there are 65 sensors | expected at most 64')
})
