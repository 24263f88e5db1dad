import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatDuration, parseDuration } from '#src/core/units.js'

const durations = [
  ['200ms', 200],
  ['30s', 30_000],
  ['1.5s', 1_500],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
  ['1h 30m', 5_400_000],
  ['2d', 172_800_000],
  ['24d20h', 2_145_600_000],
] as const

for (const [text, ms] of durations) {
  test(`${text} is ${ms} ms`, () => {
    assert.equal(parseDuration(text), ms)
    assert.equal(parseDuration(formatDuration(ms)), ms)
  })
}

for (const text of ['', '5', '5 seconds', '-1s', 's', '1s2', '25d', 'on', '1e3s']) {
  test(`"${text}" is not a duration`, () => {
    assert.throws(() => parseDuration(text), { code: 'DURATION_INVALID' })
  })
}

test('a duration is written with the units that people use', () => {
  assert.equal(formatDuration(90_000), '1m30s')
  assert.equal(formatDuration(250), '250ms')
  assert.equal(formatDuration(0), '0s')
})
