import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import type { Needs } from '#src/core/memory.js'
import { createCompiler } from '#src/rules/expressions.js'
import { Moment, RuleMemory } from '#src/rules/rule-memory.js'
import { simulatedClock } from '../support/clock.js'
import { eventWith } from '../support/expression-events.ts'

const pins = { state: () => 'off' as const }
const counting: Needs = { lastTopics: [], isCounting: true, windowsMs: [60_000], changes: [] }

/** Takes one message after the other into account; gives what the expression is for each, or why it fails. */
function over(source: string, payloads: readonly string[], topic = 'a'): unknown[] {
  const expression = createCompiler().expression(source)
  const memory = new RuleMemory(new Counters())
  return payloads.map((payload) => {
    const event = eventWith(payload, { topic })
    const moment = new Moment(pins, undefined)
    memory.observe(event, moment, expression.needs as Needs)
    try {
      return expression.evaluate(event, moment)
    } catch (error) {
      return (error as Error).message
    }
  })
}

const sequences: readonly (readonly [
  source: string,
  payloads: readonly string[],
  values: readonly unknown[],
])[] = [
  ['changed(payload)', ['1', '1', '2', '2', '1'], [false, false, true, false, true]],
  ['changed(payload)', ['on', '"on"', 'off'], [false, false, true]],
  ['changed(payload)', ['1', '"1"', 'true', '"true"', 'null', ''], [false, true, true, true, true, true]],
  [
    'changed(payload)',
    ['{"a":1,"b":[1,{"c":2,"d":3}]}', '{"b":[1,{"d":3,"c":2}],"a":1}', '{"b":[1,{"d":3,"c":4}],"a":1}'],
    [false, false, true],
  ],
  ['changed(payload)', ['[1,2]', '[2,1]', '["1,2"]', '[1,[2]]'], [false, true, true, true]],
  ['changed(bytes(payload))', ['x', 'y', 'y'], [false, true, false]],
  ['changed(now)', ['1', '2'], [false, false]],
  [
    'changed(payload.x) || changed(payload.y)',
    ['{"x":1,"y":1}', '{"x":2,"y":1}', '{"x":2,"y":2}'],
    [false, true, true],
  ],
  [
    'payload.go && changed(payload.x)',
    ['{"go":true,"x":1}', '{"go":false,"x":2}', '{"go":true,"x":2}'],
    [false, false, false],
  ],
  [
    'changed(payload.x)',
    ['{"x":1}', '{"y":1}', '{"x":1}', '{"x":2}'],
    [false, 'changed(payload.x): payload has no field "x"; it has y', false, true],
  ],
  [
    'changed(payload, 0.5)',
    ['20', '20.4', '20.5', '20.6', '20.9', '21.1', '21.2', '20.7', '20.6'],
    [false, false, false, true, false, false, true, false, true],
  ],
  [
    'changed(payload, 1)',
    ['5', 'x', '5', '7'],
    [false, 'changed(payload, 1): payload is text "x", not a number', false, true],
  ],
  ['changed(count > 2)', ['', '', '', ''], [false, false, true, false]],
  ['changed(changed(payload))', ['1', '1', '2', '3'], [false, false, true, false]],
  ['count', ['', '', ''], [1, 2, 3]],
]
for (const [source, payloads, expected] of sequences)
  test(`${source} over ${payloads.join(' ')}`, () => assert.deepEqual(over(source, payloads), expected))

test('values of any size are told apart, and what is remembered of them stays small', () => {
  const long = 'x'.repeat(1_000_000)
  assert.deepEqual(over('changed(payload)', [long, long, `${long.slice(1)}y`]), [false, false, true])
  const [read] = createCompiler().expression('changed(payload)').needs?.changes ?? []
  const moment = new Moment(pins, undefined)
  assert.ok(String(read?.read(eventWith(long), moment)).length <= 64)
})

test('a value that is too much work fails by itself, as any expression', () => {
  const deep = '['.repeat(5_000) + ']'.repeat(5_000)
  const wide = `[${'1,'.repeat(300_000)}1]`
  const [first, second, ...rest] = over('changed(payload)', [deep, wide, '1', '2'])
  assert.match(String(first), /nested too deeply/)
  assert.match(String(second), /too much work/)
  assert.deepEqual(rest, [false, true])
})

test('each topic has its own count and its own values', () => {
  const { needs, evaluate } = createCompiler().expression('[count, changed(payload)]')
  const memory = new RuleMemory(new Counters())
  const seen = ['a 1', 'b 1', 'a 2', 'b 1'].map((text) => {
    const [topic = '', payload = ''] = text.split(' ')
    const moment = new Moment(pins, undefined)
    const event = eventWith(payload, { topic })
    memory.observe(event, moment, needs as Needs)
    return evaluate(event, moment)
  })
  assert.deepEqual(seen, [
    [1, false],
    [1, false],
    [2, true],
    [2, false],
  ])
})

test('a window counts the messages within it, that of the event included', (context) => {
  const clock = simulatedClock(context)
  const memory = new RuleMemory(new Counters())
  const needs = { ...counting, windowsMs: [60_000, 10_000] }
  const counts = [0, 30_000, 20_000, 9_999, 1, 60_000].map((pauseMs) => {
    clock.advance(pauseMs)
    const moment = new Moment(pins, undefined)
    memory.observe(eventWith(''), moment, needs)
    return [moment.countWithin(60_000), moment.countWithin(10_000), moment.count()]
  })
  assert.deepEqual(counts, [
    [1, 1, 1],
    [2, 1, 2],
    [3, 1, 3],
    [4, 2, 4],
    [4, 2, 5],
    [1, 1, 6],
  ])
})

test('an event that is no message is told how things stand, and leaves no trace', () => {
  const { needs } = createCompiler().expression('[count, count("1m"), changed(payload)]')
  const memory = new RuleMemory(new Counters())
  const tell = (how: 'observe' | 'recall', payload: string) => {
    const moment = new Moment(pins, undefined)
    memory[how](eventWith(payload), moment, needs as Needs)
    return [moment.count(), moment.countWithin(60_000), moment.changed('changed(payload)')]
  }
  assert.deepEqual(tell('recall', '1'), [0, 0, 'first'])
  assert.deepEqual(tell('observe', '1'), [1, 1, 'first'])
  assert.deepEqual(tell('recall', '1'), [1, 1, 'same'])
  assert.deepEqual(tell('recall', '2'), [1, 1, 'changed'])
  assert.deepEqual(tell('observe', '1'), [2, 2, 'same'])
})

function observeOn(memory: RuleMemory, topic: string, times = 1): Moment {
  let moment = new Moment(pins, undefined)
  for (let time = 0; time < times; time++) {
    moment = new Moment(pins, undefined)
    memory.observe(eventWith('', { topic }), moment, counting)
  }
  return moment
}

test('at its limit of times a window counts them all; beyond it the count stands still, and the limit is counted', () => {
  const counters = new Counters()
  const memory = new RuleMemory(counters)
  const atLimit = observeOn(memory, 'a', limits.countTimesMax)
  assert.deepEqual([atLimit.countWithin(60_000), counters.get('countTimesMax')], [limits.countTimesMax, 0])
  const beyond = observeOn(memory, 'a')
  assert.deepEqual([beyond.countWithin(60_000), counters.get('countTimesMax')], [limits.countTimesMax, 1])
  assert.equal(beyond.count(), limits.countTimesMax + 1)
})

test('at its limit of times for all topics a rule remembers them all; one more costs the topic that was silent for longest', () => {
  const counters = new Counters()
  const memory = new RuleMemory(counters)
  const topics = limits.ruleCountTimesMax / limits.countTimesMax
  for (let topic = 0; topic < topics; topic++) observeOn(memory, `${topic}`, limits.countTimesMax)
  assert.equal(counters.get('ruleCountTimesMax'), 0)
  observeOn(memory, 'one more')
  assert.equal(counters.get('ruleCountTimesMax'), 1)
  assert.equal(observeOn(memory, '1').count(), limits.countTimesMax + 1)
  assert.equal(observeOn(memory, '0').count(), 1)
})

test('at its limit of topics a rule remembers them all; one more costs the oldest', () => {
  const counters = new Counters()
  const memory = new RuleMemory(counters)
  for (let topic = 0; topic < limits.ruleTimersMax; topic++) observeOn(memory, `${topic}`)
  assert.equal(counters.get('ruleTimersMax'), 0)
  observeOn(memory, 'one more')
  assert.equal(counters.get('ruleTimersMax'), 1)
  assert.equal(observeOn(memory, '1').count(), 2)
  assert.equal(observeOn(memory, '0').count(), 1)
})
