import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  formatBytes,
  formatDuration,
  parseBytes,
  parseDuration,
  parseFrequency,
  parsePeriod,
  parsePulse,
} from '#src/core/units.js'

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

for (const [text, seconds] of [
  ['90s', 90],
  ['2m', 120],
  ['2h', 7_200],
  ['14d', 1_209_600],
  ['2w', 1_209_600],
  ['1y', 31_536_000],
  ['1d 12h', 129_600],
  ['0.5h', 1_800],
  ['14', undefined],
  ['14 days', undefined],
  ['200ms', undefined],
  ['-1d', undefined],
  ['', undefined],
] as const)
  test(`"${text}" is ${seconds === undefined ? 'no period' : `${seconds} seconds`}`, () => {
    assert.equal(parsePeriod(text), seconds)
  })

for (const [text, bytes] of [
  ['10485760', 10_485_760],
  ['512B', 512],
  ['512KB', 512_000],
  ['512kb', 512_000],
  ['512KiB', 524_288],
  ['10MB', 10_000_000],
  ['10 MiB', 10_485_760],
  ['1.5GiB', 1_610_612_736],
  ['1GB', 1_000_000_000],
  ['10M', undefined],
  ['10Mi', undefined],
  ['1,5MB', undefined],
  ['-1', undefined],
  ['MB', undefined],
  ['', undefined],
] as const)
  test(`"${text}" is ${bytes === undefined ? 'no size' : `${bytes} bytes`}`, () => {
    assert.equal(parseBytes(text), bytes)
  })

test('a size is written exactly, with the largest unit that divides it', () => {
  for (const [bytes, text] of [
    [0, '0B'],
    [1_000, '1000B'],
    [1_024, '1KiB'],
    [10_485_760, '10MiB'],
    [10_485_761, '10485761B'],
    [17_179_869_184, '16GiB'],
  ] as const) {
    assert.equal(formatBytes(bytes), text)
    assert.equal(parseBytes(text), bytes)
  }
})
