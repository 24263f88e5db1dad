import assert from 'node:assert/strict'
import { test } from 'node:test'
import { telemetryKinds } from '#src/core/telemetry.js'
import { brief, problemsOf, settingsOf } from '../support/config-world.js'

const readings: readonly [yaml: string, expected: object | undefined][] = [
  ['', undefined],
  ['telemetry:', undefined],
  ['telemetry: false', undefined],
  ['telemetry: true', { everyMs: 60_000, kinds: telemetryKinds }],
  ['telemetry: {}', { everyMs: 60_000, kinds: telemetryKinds }],
  [
    'telemetry: { every: 5m, publish: home/pi, only: [load, temperature] }',
    { everyMs: 300_000, publish: 'home/pi', kinds: ['temperature', 'load'] },
  ],
  ['telemetry: { only: wifi }', { everyMs: 60_000, kinds: ['wifi'] }],
]

for (const [yaml, expected] of readings)
  test(`${yaml || 'nothing'} is read`, async () => {
    assert.deepEqual((await settingsOf({ yaml })).settings.telemetry, expected)
  })

const mistakes: readonly [yaml: string, expected: string][] = [
  [
    'telemetry: yes',
    '1:12 telemetry is neither a map nor true | found yes | expected true, or a map such as { every: 60s, only: [temperature, load] }',
  ],
  [
    'telemetry: { evry: 60s }',
    '1:14 telemetry has no key "evry" | expected one of every, publish, only | try every',
  ],
  [
    'telemetry: { every: 10ms }',
    '1:21 "every" of telemetry is too short | found 10ms | expected at least 1000ms',
  ],
  [
    'telemetry: { only: [lod] }',
    '1:21 "only" of telemetry is not one of its values | found lod | expected temperature, throttling, load, memory, disk, wifi or uptime | try load',
  ],
  [
    'telemetry: { only: [] }',
    '1:20 "only" of telemetry is empty | found [] | expected temperature, throttling, load, memory, disk, wifi or uptime',
  ],
  [
    'telemetry: { publish: a/# }',
    '1:23 "publish" of telemetry is not a topic: a topic to publish to has no wildcards (+ and # are for filters) | found a/# | expected a topic such as home/door',
  ],
]

for (const [yaml, expected] of mistakes)
  test(`${yaml} is a mistake`, async () => {
    assert.deepEqual((await problemsOf({ yaml })).map(brief), [expected])
  })
