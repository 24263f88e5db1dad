import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatDuration, parseDuration, parseFrequency, parsePulse } from '#src/core/units.js'

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

for (const [text, hertz] of [
  ['50Hz', 50],
  ['25kHz', 25_000],
  ['1.5 khz', 1_500],
  ['2MHz', 2_000_000],
  ['25', undefined],
  ['25mHz', undefined],
  ['-1Hz', undefined],
  ['Hz', undefined],
] as const)
  test(`${text} is ${hertz === undefined ? 'no frequency' : `${hertz} Hz`}`, () => {
    assert.equal(parseFrequency(text), hertz)
  })

for (const [text, ns] of [
  ['0.5ms', 500_000],
  ['1500us', 1_500_000],
  ['2.5 µs', 2_500],
  ['1s', undefined],
  ['1', undefined],
] as const)
  test(`${text} is ${ns === undefined ? 'no width of a pulse' : `a pulse of ${ns} ns`}`, () => {
    assert.equal(parsePulse(text), ns)
  })
