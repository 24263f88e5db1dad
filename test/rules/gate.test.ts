import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { limits } from '#src/core/limits.js'
import { Gate } from '#src/rules/gate.js'

test('throttle lets the first through and the next only when its time has passed, each topic by itself', (context) => {
  let nowMs = 0
  context.mock.method(performance, 'now', () => nowMs)
  const passed: string[] = []
  const gate = new Gate<number>({ throttleMs: 1_000 }, (topic, item) => passed.push(`${topic}${item}`))
  gate.offer('a', 1)
  gate.offer('a', 2)
  gate.offer('b', 3)
  nowMs = 999
  gate.offer('a', 4)
  nowMs = 1_000
  gate.offer('a', 5)
  assert.deepEqual(passed, ['a1', 'b3', 'a5'])
})

test('debounce lets the last one through when the topic has been quiet', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const passed: string[] = []
    const gate = new Gate<number>({ debounceMs: 100 }, (topic, item) => passed.push(`${topic}${item}`))
    gate.offer('a', 1)
    mock.timers.tick(99)
    assert.deepEqual(passed, [])
    mock.timers.tick(1)
    assert.deepEqual(passed, ['a1'])
  } finally {
    mock.timers.reset()
  }
})

test('an offer within the quiet time starts it again', async () => {
  const passed: number[] = []
  const gate = new Gate<number>({ debounceMs: 40 }, (_, item) => passed.push(item))
  for (const item of [1, 2, 3]) gate.offer('a', item)
  await new Promise((resolve) => setTimeout(resolve, 120))
  assert.deepEqual(passed, [3])
})

test('closed, it lets nothing through any more', async () => {
  const passed: number[] = []
  const gate = new Gate<number>({ debounceMs: 10 }, (_, item) => passed.push(item))
  gate.offer('a', 1)
  gate.close()
  await new Promise((resolve) => setTimeout(resolve, 40))
  assert.deepEqual(passed, [])
})

test('at its limit of topics all wait; one more lets the oldest through early', () => {
  const passed: string[] = []
  const gate = new Gate<number>({ debounceMs: 60_000 }, (topic) => passed.push(topic))
  for (let topic = 0; topic < limits.ruleTimersMax; topic++) gate.offer(`${topic}`, 0)
  assert.deepEqual(passed, [])
  gate.offer('one more', 0)
  assert.deepEqual(passed, ['0'])
  gate.close()
})

test('throttle at its limit forgets the topic that fired longest ago', () => {
  const passed: string[] = []
  const gate = new Gate<number>({ throttleMs: 60_000 }, (topic) => passed.push(topic))
  for (let topic = 0; topic < limits.ruleTimersMax; topic++) gate.offer(`${topic}`, 0)
  gate.offer('0', 1)
  assert.equal(passed.length, limits.ruleTimersMax)
  gate.offer('one more', 0)
  gate.offer('0', 2)
  assert.equal(passed.length, limits.ruleTimersMax + 2)
})
