import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PulseCount } from '#src/core/pin.js'
import { PulseMeter } from '#src/gpio/pulse-meter.js'

const power: PulseCount = { perPulse: 0.001, ratePer: 'h', everyMs: 10_000 } // 1000 pulses a kWh: kWh and kW
const water: PulseCount = { perPulse: 0.5, ratePer: 'm', everyMs: 10_000 } // litres, litres a minute

function meterOf(count: PulseCount, pulses = 0, total = 0): PulseMeter {
  return new PulseMeter(count, { pulses, total })
}

test('the total is counted in whole pulses: a million of a thousandth are a thousand', () => {
  const meter = meterOf(power)
  for (let pulse = 0; pulse < 1_000_000; pulse++) meter.add(1, pulse)
  assert.deepEqual(meter.reading, { pulses: 1_000_000, total: 1_000 })
  meter.add(3, 1_000_000)
  assert.deepEqual(meter.reading, { pulses: 1_000_003, total: 1_000.003 })
})

test('it goes on from a reading, and from the total that it is given', () => {
  const meter = meterOf(power, 40, 12_345.678)
  meter.add(1, 0)
  assert.deepEqual(meter.reading, { pulses: 41, total: 12_345.679 })
  meter.align(20_000)
  assert.deepEqual(meter.reading, { pulses: 41, total: 20_000 })
  meter.add(2, 1)
  assert.deepEqual(meter.reading, { pulses: 43, total: 20_000.002 })
})

test('the rate is that of the pulses since the last sample', () => {
  const meter = meterOf(power)
  for (let at = 0; at <= 9_000; at += 1_800) meter.add(1, at) // 2 kW
  assert.equal(meter.sample(9_500).rate, 2)
  for (let at = 9_900; at <= 18_000; at += 900) meter.add(1, at) // 4 kW, and the silence before is no part of it
  assert.equal(meter.sample(18_500).rate, 4)
})

test('one pulse a sample is enough, and the first one of all has no rate', () => {
  const meter = meterOf(water)
  assert.equal(meter.sample(0).rate, 0)
  meter.add(1, 5_000)
  assert.equal(meter.sample(10_000).rate, 0)
  meter.add(1, 15_000)
  assert.equal(meter.sample(20_000).rate, 3) // half a litre in ten seconds
})

test('without a pulse the rate falls, and is 0 after ten intervals, but not before a minute', () => {
  const meter = meterOf(water)
  for (let at = 0; at <= 10_000; at += 1_000) meter.add(1, at)
  assert.equal(meter.sample(10_000).rate, 30)
  assert.equal(meter.sample(11_000).rate, 30)
  assert.equal(meter.sample(20_000).rate, 3) // no more than that, or a pulse would have come
  assert.equal(meter.sample(70_000).rate, 0.5)
  assert.equal(meter.sample(70_001).rate, 0)
  meter.add(1, 100_000)
  assert.equal(meter.sample(100_000).rate, 0.3333) // half a litre in the ninety seconds since the one before
})

test('pulses further apart than an hour have no rate', () => {
  const meter = meterOf(water)
  meter.add(1, 0)
  meter.add(1, 3_600_000)
  assert.equal(meter.sample(3_600_000).rate, 0.008333)
  meter.add(1, 7_200_001)
  assert.equal(meter.sample(7_200_001).rate, 0)
})

test('pulses that were lost and counted late are part of the rate, and pulses of the same moment are no infinity', () => {
  const meter = meterOf(power)
  meter.add(1, 0)
  meter.add(9, 9_000)
  assert.equal(meter.sample(9_000).rate, 3.6)
  meter.add(1, 9_500)
  meter.add(1, 9_500)
  assert.ok(Number.isFinite(meter.sample(9_500).rate))
})
