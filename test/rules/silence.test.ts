import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event } from '#src/core/event.js'
import { eventOf } from '#src/core/event.js'
import { limits } from '#src/core/limits.js'
import type { Rule } from '#src/core/rule.js'
import { timerMsMax } from '#src/core/units.js'
import { createCompiler } from '#src/rules/expressions.js'
import { Silence } from '#src/rules/silence.js'
import { simulatedClock } from '../support/clock.js'
import { MemoryHub, rule, step } from '../support/rules.js'
import { rulesWorld, settle } from '../support/rules-world.js'

const { condition } = createCompiler()
const minuteMs = 60_000

/** Tells when a topic has been silent for ten minutes, and when it speaks again. */
function alarm(did: string[], overrides: Partial<Rule> = {}, filter = 's/+'): Rule {
  const note = (what: string) => step(({ topic, payload }) => void did.push(`${what} ${topic} ${payload}`))
  return rule('alarm', filter, [note('silent')], {
    afterMs: 10 * minuteMs,
    elseSteps: [note('back')],
    ...overrides,
  })
}

test('a topic that has been silent for so long fires once, with its last message and the present time', async (context) => {
  const clock = simulatedClock(context)
  const seen: Event[] = []
  const { publish, counters } = await rulesWorld(context, [
    rule('alarm', 's/+', [step((event) => void seen.push(event))], { afterMs: 10 * minuteMs }),
  ])
  await publish('s/a', '1')
  clock.advance(9 * minuteMs)
  await publish('s/a', '2')
  clock.advance(10 * minuteMs - 1)
  await settle()
  assert.deepEqual([seen.length, counters.get('rules.fired')], [0, 0])
  clock.advance(1)
  await settle()
  const [event] = seen
  assert.deepEqual([event?.topic, event?.levels, event?.payload], ['s/a', ['s', 'a'], 2])
  assert.equal(event?.now.getTime(), Date.now())
  clock.advance(60 * minuteMs)
  await settle()
  assert.equal(seen.length, 1)
})

test('else runs once when the topic speaks again after a silence for which the rule fired', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  const { publish } = await rulesWorld(context, [alarm(did)])
  await publish('s/a', '1')
  clock.advance(10 * minuteMs)
  await publish('s/a', '2')
  await publish('s/a', '3')
  clock.advance(10 * minuteMs)
  await settle()
  assert.deepEqual(did, ['silent s/a 1', 'back s/a 2', 'silent s/a 3'])
})

test('each topic is silent by itself', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  const { publish } = await rulesWorld(context, [alarm(did)])
  await publish('s/a', '1')
  for (let minute = 0; minute < 10; minute++) {
    await publish('s/b', `${minute}`)
    clock.advance(minuteMs)
  }
  await settle()
  assert.deepEqual(did, ['silent s/a 1'])
})

test('a topic without a wildcard is waited for from the start, though it never spoke', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  await rulesWorld(context, [
    alarm(did, {}, 's/a'),
    alarm(did, { name: 'any', source: 'any' }, 'x/+'),
    alarm(did, { name: 'asks', source: 'asks', condition: condition('payload.t > 3') }, 's/b'),
    alarm(did, { name: 'null', source: 'null', condition: condition('payload == null') }, 's/c'),
  ])
  clock.advance(10 * minuteMs)
  await settle()
  assert.deepEqual(did, ['silent s/a null', 'silent s/c null'])
})

test('a retained message that was there first begins the time, and does not fire', async (context) => {
  const clock = simulatedClock(context)
  const hub = new MemoryHub()
  await hub.publish({ topic: 's/a', payload: '7', retain: true })
  const did: string[] = []
  await rulesWorld(context, [alarm(did), alarm(did, { name: 'plain', source: 'plain' }, 's/a')], { hub })
  await settle()
  assert.deepEqual(did, [])
  clock.advance(10 * minuteMs)
  await settle()
  assert.deepEqual(did, ['silent s/a 7', 'silent s/a 7'])
})

test('when is asked about the last message, at the time of the silence', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  const isAwake = condition('now.getHours() < 22 && payload == "open"')
  const { publish } = await rulesWorld(context, [alarm(did, { condition: isAwake })])
  await publish('s/a', 'open') // at 21:30
  await publish('s/b', 'shut')
  clock.advance(10 * minuteMs)
  clock.advance(15 * minuteMs)
  await publish('s/c', 'open') // 22:05 when it has been silent
  await publish('s/b', 'shut')
  clock.advance(10 * minuteMs)
  await settle()
  assert.deepEqual(did, ['silent s/a open'])
})

test('a silence for which when said no, or which throttle swallowed, ends without else', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  const { publish, counters } = await rulesWorld(context, [
    alarm(did, { condition: condition('payload != 1'), throttleMs: 60 * minuteMs }),
  ])
  for (const value of [1, 2, 3]) {
    await publish('s/a', `${value}`)
    clock.advance(10 * minuteMs)
  }
  await publish('s/a', '4')
  await settle()
  assert.deepEqual(did, ['silent s/a 2', 'back s/a 3'])
  assert.equal(counters.get('rules.throttled'), 1)
})

test('the longest time there is does not fire early', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  const { publish } = await rulesWorld(context, [alarm(did, { afterMs: timerMsMax })])
  await publish('s/a', '1')
  clock.advance(timerMsMax - 1)
  await publish('s/b', '1')
  await settle()
  assert.deepEqual(did, [])
  clock.advance(1)
  await settle()
  assert.deepEqual(did, ['silent s/a 1'])
})

test('a reload keeps the time running, with the same text and with another', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  const { publish, dispatcher } = await rulesWorld(context, [alarm(did)])
  await publish('s/a', '1')
  clock.advance(4 * minuteMs)
  await dispatcher.apply([alarm(did)])
  clock.advance(4 * minuteMs)
  await dispatcher.apply([alarm(did, { source: 'changed', throttleMs: 1 })])
  clock.advance(2 * minuteMs)
  await settle()
  assert.deepEqual(did, ['silent s/a 1'])
  await dispatcher.apply([alarm(did, { source: 'changed again' })])
  await publish('s/a', '2')
  await settle()
  assert.deepEqual(did, ['silent s/a 1', 'back s/a 2'])
})

test('a reload with another time counts from the last message', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  const { publish, dispatcher } = await rulesWorld(context, [alarm(did)])
  await publish('s/a', '1')
  clock.advance(4 * minuteMs)
  await dispatcher.apply([alarm(did, { source: 'longer', afterMs: 20 * minuteMs })])
  clock.advance(15 * minuteMs)
  await settle()
  assert.deepEqual(did, [])
  await dispatcher.apply([alarm(did, { source: 'shorter', afterMs: 5 * minuteMs })])
  clock.advance(1_000)
  await settle()
  assert.deepEqual(did, ['silent s/a 1'])
})

test('a rule that goes, listens to other topics or has no after: any more waits for nothing', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  const { publish, dispatcher } = await rulesWorld(context, [
    alarm(did, { name: 'goes', source: 'goes' }),
    alarm(did, { name: 'moves', source: 'moves' }),
    alarm(did, { name: 'fires', source: 'fires' }),
  ])
  await publish('s/a', '1')
  const { afterMs: _, elseSteps: __, ...plain } = alarm(did, { name: 'fires', source: 'fires now' })
  await dispatcher.apply([alarm(did, { name: 'moves', source: 'moved' }, 'x/+'), plain])
  clock.advance(60 * minuteMs)
  await settle()
  assert.deepEqual(did, [])
})

test('close ends all waiting', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  const { publish, dispatcher } = await rulesWorld(context, [alarm(did)])
  await publish('s/a', '1')
  await dispatcher.close(0)
  clock.advance(60 * minuteMs)
  await settle()
  assert.deepEqual(did, [])
})

const messageOn = (topic: string, bytes = 0) =>
  eventOf(
    { topic, payload: new Uint8Array(bytes), qos: 0, retain: false, client: '', chain: [] },
    { host: '', ip: '' },
  )

test('at its limit of topics all are waited for; one more costs the one that was silent for longest', (context) => {
  const clock = simulatedClock(context)
  let full = 0
  const silent: string[] = []
  const silence = new Silence({ onFull: () => full++ })
  silence.serve(
    1_000,
    (topic) => silent.push(topic),
    () => true,
  )
  for (let topic = 0; topic < limits.ruleTimersMax; topic++) silence.spoke(messageOn(`${topic}`))
  assert.equal(full, 0)
  silence.spoke(messageOn('one more'))
  clock.advance(1_000)
  assert.deepEqual([silent.length, silent.includes('0'), full], [limits.ruleTimersMax, false, 1])
})

test('at its limit of bytes all last messages are kept; one byte more costs the oldest', (context) => {
  const clock = simulatedClock(context)
  let full = 0
  const silent: string[] = []
  const silence = new Silence({ onFull: () => full++ })
  silence.serve(
    1_000,
    (topic) => silent.push(topic),
    () => true,
  )
  silence.spoke(messageOn('a', limits.ruleQueueBytesMax - 1))
  silence.spoke(messageOn('b', 1))
  silence.spoke(messageOn('b', 1))
  assert.equal(full, 0)
  silence.spoke(messageOn('b', 2))
  clock.advance(1_000)
  assert.deepEqual([silent, full], [['b'], 1])
})
