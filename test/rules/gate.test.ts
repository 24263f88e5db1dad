import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import { Debounce, Latch, Throttle } from '#src/rules/gate.js'

const item = (value: string | number, bytes = 0) => ({ value, event: { bytes: new Uint8Array(bytes) } })
const none = { onFull: () => assert.fail('must not be full') }

test('throttle admits the first and the next only when its period has passed, each topic by itself', (context) => {
  let nowMs = 0
  context.mock.method(performance, 'now', () => nowMs)
  const throttle = new Throttle(1_000, none)
  assert.deepEqual([throttle.admits('a'), throttle.admits('a'), throttle.admits('b')], [true, false, true])
  nowMs = 999
  assert.equal(throttle.admits('a'), false)
  nowMs = 1_000
  assert.deepEqual([throttle.admits('a'), throttle.admits('a')], [true, false])
})

test('throttle at its limit remembers all; one more makes it forget the topic that fired longest ago', () => {
  let full = 0
  const throttle = new Throttle(60_000, { onFull: () => full++ })
  for (let topic = 0; topic < limits.ruleTimersMax; topic++) throttle.admits(`${topic}`)
  assert.deepEqual([throttle.admits('0'), full], [false, 0])
  throttle.admits('one more')
  assert.deepEqual([throttle.admits('0'), throttle.admits('5')], [true, false])
  assert.equal(full, 2) // once for the one more, once for 0 when it came again
})

/** A firing that ran. */
function fire(latch: Latch, topic: string, isElse = false): void {
  latch.queued(topic)
  latch.taken(topic, isElse)
  latch.began(topic, isElse)
}

test('a topic that has fired is disarmed until it is armed, each topic by itself', () => {
  const latch = new Latch()
  fire(latch, 'a')
  assert.deepEqual([latch.isDisarmed('a'), latch.isDisarmed('b')], [true, false])
  latch.arm('a')
  assert.equal(latch.isDisarmed('a'), false)
})

test('at its limit a latch remembers all topics and has no room for another before one is armed', () => {
  const latch = new Latch()
  for (let topic = 0; topic < limits.ruleTimersMax - 1; topic++) fire(latch, `${topic}`)
  assert.equal(latch.hasRoomFor('the last'), true)
  fire(latch, 'the last')
  assert.deepEqual([latch.hasRoomFor('one more'), latch.hasRoomFor('0')], [false, true])
  assert.deepEqual([latch.isDisarmed('0'), latch.isDisarmed('the last')], [true, true])
  fire(latch, '0', true)
  assert.equal(latch.hasRoomFor('one more'), true)
})

test('a latch stands as the last firing left it that ran, when all behind it were dropped', () => {
  const latch = new Latch()
  fire(latch, 'a')
  for (const isElse of [true, false]) {
    latch.queued('a')
    latch.taken('a', isElse)
  }
  latch.dropped('a') // the else
  assert.equal(latch.isDisarmed('a'), true)
  latch.dropped('a') // the do behind it: the first is still on
  assert.equal(latch.isDisarmed('a'), true)
})

test('what items keep from being forgotten counts, once for all that keep it', () => {
  const passed: string[] = []
  const debounce = new Debounce(
    60_000,
    (topic: string, _: ReturnType<typeof item> & { memory: { held: { bytes: number }[] } }) =>
      passed.push(topic),
    { onFull: () => {} },
  )
  const held = [{ bytes: limits.ruleQueueBytesMax }]
  debounce.offer('a', { ...item(0), memory: { held } })
  debounce.offer('same', { ...item(0), memory: { held } })
  assert.deepEqual(passed, [])
  debounce.offer('b', { ...item(0), memory: { held: [{ bytes: 1 }] } })
  assert.deepEqual(passed, ['a', 'same'])
  debounce.clear()
})

test('debounce lets the last one through when the topic has been quiet, each topic by itself', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const passed: string[] = []
  const debounce = new Debounce(
    100,
    (topic, { value }: { value: string | number; event: { bytes: Uint8Array } }) =>
      passed.push(`${topic}${value}`),
    none,
  )
  debounce.offer('a', item(1))
  debounce.offer('b', item(2))
  context.mock.timers.tick(99)
  assert.deepEqual(passed, [])
  context.mock.timers.tick(1)
  assert.deepEqual(passed, ['a1', 'b2'])
})

test('an offer within the quiet time starts it again', async () => {
  const passed: unknown[] = []
  const debounce = new Debounce(40, (_, { value }: ReturnType<typeof item>) => passed.push(value), none)
  for (const value of [1, 2, 3]) debounce.offer('a', item(value))
  await new Promise((resolve) => setTimeout(resolve, 120))
  assert.deepEqual(passed, [3])
})

test('flushed, it lets all through at once; cleared, nothing any more', async () => {
  const passed: unknown[] = []
  const debounce = new Debounce(10, (_, { value }: ReturnType<typeof item>) => passed.push(value), none)
  debounce.offer('a', item(1))
  debounce.offer('b', item(2))
  debounce.flush()
  assert.deepEqual(passed, [1, 2])
  debounce.offer('a', item(3))
  debounce.clear()
  await new Promise((resolve) => setTimeout(resolve, 40))
  assert.deepEqual(passed, [1, 2])
})

test('debounce at its limit of topics keeps all; one more lets the oldest through early', () => {
  const passed: string[] = []
  let full = 0
  const debounce = new Debounce(60_000, (topic: string, _: ReturnType<typeof item>) => passed.push(topic), {
    onFull: () => full++,
  })
  for (let topic = 0; topic < limits.ruleTimersMax; topic++) debounce.offer(`${topic}`, item(0))
  assert.deepEqual([passed, full], [[], 0])
  debounce.offer('one more', item(0))
  assert.deepEqual([passed, full], [['0'], 1])
  debounce.clear()
})

test('debounce at its limit of bytes keeps all; one byte more lets the oldest through early', () => {
  const passed: string[] = []
  const debounce = new Debounce(60_000, (topic: string, _: ReturnType<typeof item>) => passed.push(topic), {
    onFull: () => {},
  })
  debounce.offer('a', item(0, limits.ruleQueueBytesMax - 1))
  debounce.offer('b', item(0, 1))
  debounce.offer('b', item(0, 1))
  assert.deepEqual(passed, [])
  debounce.offer('b', item(0, 2))
  assert.deepEqual(passed, ['a'])
  debounce.clear()
})
