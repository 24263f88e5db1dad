import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Evictions } from '#src/broker/evictions.js'
import { Counters } from '#src/core/counters.js'
import { limits, setLimits } from '#src/core/limits.js'

/** Takes over at once, or when the delay is over. */
function take(evictions: Evictions, id: string, address: string, otherAddress: string, nowMs: number) {
  const takeover = evictions.look(id, address, otherAddress, nowMs)
  evictions.note(id, takeover.delayMs, nowMs + takeover.delayMs)
  return takeover
}

const [one, other] = ['10.0.0.5', '10.0.0.6']

test('a device that comes back, and comes back once more, is let in at once', () => {
  const evictions = new Evictions(new Counters())
  for (const nowMs of [0, 9_000, 10_001, 30_000])
    assert.deepEqual(take(evictions, 'esp', one, one, nowMs), { delayMs: 0, isFight: false })
})

test('the third takeover within ten seconds is a fight, and waits a second; a moment later it is none', () => {
  for (const [thirdMs, delayMs] of [
    [10_000, 1_000],
    [10_001, 0],
  ] as const) {
    const evictions = new Evictions(new Counters())
    assert.equal(take(evictions, 'esp', one, other, 0).isFight, false)
    assert.equal(take(evictions, 'esp', other, one, 500).isFight, false)
    const third = take(evictions, 'esp', one, other, thirdMs)
    assert.deepEqual([third.delayMs, third.isFight], [delayMs, delayMs > 0])
  }
})

/** Takes over again and again, each time as soon as it may. */
function fight(evictions: Evictions, fromMs: number, times: number, clientId = 'esp') {
  const delays: number[] = []
  let nowMs = fromMs
  for (let index = 0; index < times; index++) {
    const { delayMs } = take(evictions, clientId, one, other, nowMs)
    delays.push(delayMs)
    nowMs += delayMs + 100
  }
  return { delays, nowMs }
}

test('each next takeover of a fight waits twice as long, at most 8 s', () => {
  const { delays } = fight(new Evictions(new Counters()), 0, 10)
  assert.deepEqual(delays, [0, 0, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000, 8_000])
})

test('who gives up while it waits makes nobody wait longer', () => {
  const evictions = new Evictions(new Counters())
  const { nowMs } = fight(evictions, 0, 3)
  for (let attempt = 0; attempt < 5; attempt++)
    assert.equal(evictions.look('esp', one, other, nowMs + attempt).delayMs, 2_000)
})

test('after a quiet minute a fight is forgotten, and not before', () => {
  for (const [quietMs, delayMs] of [
    [59_999, 2_000],
    [60_000, 0],
  ] as const) {
    const evictions = new Evictions(new Counters())
    const nowMs = fight(evictions, 0, 3).nowMs - 100 // its delay is over
    assert.equal(take(evictions, 'esp', one, other, nowMs + quietMs).delayMs, delayMs)
  }
})

test('another client id is not concerned', () => {
  const evictions = new Evictions(new Counters())
  fight(evictions, 0, 5)
  assert.equal(take(evictions, 'lamp', one, other, 5_000).isFight, false)
})

test('the log line of a fight names the id, both addresses, the delay and a remedy, cut to a length for reading', () => {
  const evictions = new Evictions(new Counters())
  const clientId = 'x'.repeat(60_000)
  assert.equal(take(evictions, clientId, one, other, 0).fields, undefined)
  take(evictions, clientId, other, one, 1)
  const { fields } = take(evictions, clientId, one, other, 2)
  assert.deepEqual(fields, {
    client: `${'x'.repeat(200)}…`,
    address: one,
    otherAddress: other,
    delayMs: 1_000,
    remedy: 'give each client an id of its own; if it is one device, its connection is lost again and again',
  })
})

test('long client ids that begin alike are told apart', () => {
  const evictions = new Evictions(new Counters())
  const long = 'x'.repeat(1_000)
  fight(evictions, 0, 3, `${long}a`)
  assert.equal(take(evictions, `${long}b`, one, other, 10).isFight, false)
  assert.equal(take(evictions, `${long}a`, one, other, 10).isFight, true)
})

test('as many ids as allowed are remembered; for one more the one that was quiet longest is forgotten, and counted', (context) => {
  context.after(() => setLimits({}))
  setLimits({ takeoversRemembered: 3 })
  const counters = new Counters()
  const evictions = new Evictions(counters)
  for (const id of ['a', 'b', 'c', 'a', 'b', 'c', 'a']) take(evictions, id, one, other, 0)
  assert.equal(counters.get('takeoversRemembered'), 0)
  take(evictions, 'd', one, other, 0) // b goes
  assert.equal(counters.get('takeoversRemembered'), 1)
  assert.equal(take(evictions, 'a', one, other, 1).isFight, true)
  assert.equal(take(evictions, 'b', one, other, 1).isFight, false)
  assert.equal(limits.takeoversRemembered, 3)
})
