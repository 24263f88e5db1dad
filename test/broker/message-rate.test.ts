import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { MessageRate } from '#src/broker/message-rate.js'
import { setLimits } from '#src/core/limits.js'

beforeEach(() => setLimits({ messageRateMax: 100 }))
after(() => setLimits({}))

test('a second’s worth of messages may come at once; one more makes a pause as long as its share', () => {
  const rate = new MessageRate()
  assert.equal(rate.take(100, 5_000), 0)
  assert.equal(rate.take(1, 5_000), 10)
})

test('messages at the rate are never held up', () => {
  const rate = new MessageRate()
  for (let index = 0; index < 1_000; index++) assert.equal(rate.take(1, index * 10), 0)
})

test('who reads on after each pause takes the rate, and a burst at the start', () => {
  const rate = new MessageRate()
  let nowMs = 0
  let taken = 0
  while (nowMs < 10_000) {
    taken += 7
    nowMs += rate.take(7, nowMs)
  }
  assert.ok(taken >= 1_090 && taken <= 1_110, `${taken}`)
})

test('what was read beyond the rate is paid for in full, and the burst comes back in a quiet second', () => {
  const rate = new MessageRate()
  assert.equal(rate.take(350, 0), 2_500)
  assert.equal(rate.take(0, 1_000), 1_500)
  assert.equal(rate.take(0, 2_500), 0)
  assert.equal(rate.take(1, 2_500), 10)
  assert.equal(rate.take(100, 60_000), 0)
  assert.equal(rate.take(1, 60_000), 10)
})

test('a changed rate holds from the next message on; 0 is any number', () => {
  const rate = new MessageRate()
  rate.take(100, 0)
  setLimits({ messageRateMax: 1_000 })
  assert.equal(rate.take(10, 0), 10)
  setLimits({ messageRateMax: 0 })
  assert.equal(rate.take(1_000_000, 0), 0)
  setLimits({ messageRateMax: 100 })
  assert.equal(rate.take(100, 0), 0) // what went by meanwhile is not owed
  assert.equal(rate.take(1, 0), 10)
})
