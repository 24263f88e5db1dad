import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import type { Rule } from '#src/core/rule.js'
import { createCompiler } from '#src/rules/expressions.js'
import { simulatedClock } from '../support/clock.js'
import { rule, step } from '../support/rules.js'
import { holdingStep, holdLanes, rulesWorld, settle } from '../support/rules-world.js'

const { condition, conditionMap } = createCompiler()

/** A fan: on above 30, off below 27; `did` gets what its steps do. */
function fan(did: string[], overrides: Partial<Rule> = {}): Rule {
  return rule('fan', 't/+', [step(({ topic, payload }) => void did.push(`${topic} on ${payload}`))], {
    condition: condition('payload > 30'),
    until: condition('payload < 27'),
    elseSteps: [step(({ topic, payload }) => void did.push(`${topic} off ${payload}`))],
    ...overrides,
  })
}

test('a rule with until fires once when its condition becomes true, and again when until has held in between', async (context) => {
  const did: string[] = []
  const { publish, counters } = await rulesWorld(context, [fan(did)])
  for (const value of [25, 31, 35, 29, 31, 26, 26, 30, 31]) await publish('t/a', `${value}`)
  await settle()
  assert.deepEqual(did, ['t/a on 31', 't/a off 26', 't/a on 31'])
  assert.deepEqual([counters.get('rules.fired'), counters.get('rules.else')], [2, 1])
  assert.equal(counters.get('rules.disarmed'), 3)
})

test('until goes by topic', async (context) => {
  const did: string[] = []
  const { publish } = await rulesWorld(context, [fan(did)])
  for (const topic of ['t/a', 't/b', 't/a']) await publish(topic, '31')
  await publish('t/b', '20')
  await settle()
  assert.deepEqual(did, ['t/a on 31', 't/b on 31', 't/b off 20'])
})

test('a value that meets until at the very start does nothing: nothing was on', async (context) => {
  const did: string[] = []
  const { publish } = await rulesWorld(context, [fan(did)])
  await publish('t/a', '20')
  await settle()
  assert.deepEqual(did, [])
})

test('an until that cannot be worked out leaves the rule disarmed', async (context) => {
  const did: string[] = []
  const { publish } = await rulesWorld(context, [fan(did, { until: condition('payload.t < 27') })])
  await publish('t/a', '31')
  await publish('t/a', '20')
  await publish('t/a', '31')
  await settle()
  assert.deepEqual(did, ['t/a on 31'])
})

test('a firing that throttle swallows does not disarm, and throttle does not hold back the off', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  const { publish, counters } = await rulesWorld(context, [fan(did, { throttleMs: 60_000 })])
  await publish('t/a', '31')
  await publish('t/a', '20')
  await publish('t/a', '32')
  await settle()
  assert.deepEqual(did, ['t/a on 31', 't/a off 20'])
  assert.equal(counters.get('rules.throttled'), 1)
  clock.advance(60_000)
  await publish('t/a', '33')
  await settle()
  assert.deepEqual(did, ['t/a on 31', 't/a off 20', 't/a on 33'])
})

test('a rule whose else is cut as a loop stays disarmed', async (context) => {
  const did: string[] = []
  const { hub, publish, counters } = await rulesWorld(context, [fan(did)])
  await publish('t/a', '31')
  const chain = Array.from({ length: 8 }, (_, index) => `r${index}`)
  await hub.publish({ topic: 't/a', payload: '20', chain })
  await publish('t/a', '31')
  await settle()
  assert.deepEqual([did, counters.get('ruleDepthMax')], [['t/a on 31'], 1])
  await publish('t/a', '20')
  await settle()
  assert.deepEqual(did, ['t/a on 31', 't/a off 20'])
})

test('without until, else runs for each message that does not meet the condition, and not when that fails', async (context) => {
  const did: unknown[] = []
  const note = (name: string) => step(({ payload }) => void did.push([name, payload]))
  const { publish, counters } = await rulesWorld(context, [
    rule('r', 'a', [note('do')], { condition: condition('payload.x > 1'), elseSteps: [note('else')] }),
  ])
  for (const payload of ['{"x":2}', '{"x":1}', '{"x":0}', '{"y":0}']) await publish('a', payload)
  await settle()
  assert.deepEqual(did, [
    ['do', { x: 2 }],
    ['else', { x: 1 }],
    ['else', { x: 0 }],
  ])
  assert.deepEqual([counters.get('rules.else'), counters.get('rules.conditionErrors')], [2, 1])
})

test('else of a map runs also where a field is missing: a map never fails', async (context) => {
  const did: string[] = []
  const { publish } = await rulesWorld(context, [
    rule('r', 'a', [step(() => void did.push('do'))], {
      condition: conditionMap({ msg: 'ON' }),
      elseSteps: [step(() => void did.push('else'))],
    }),
  ])
  for (const payload of ['{"msg":"ON"}', '{}']) await publish('a', payload)
  await settle()
  assert.deepEqual(did, ['do', 'else'])
})

test('throttle holds for do and else each by itself, so that neither makes the other wait', async (context) => {
  const clock = simulatedClock(context)
  const did: unknown[] = []
  const note = (name: string) => step(({ payload }) => void did.push(`${name} ${payload}`))
  const { publish } = await rulesWorld(context, [
    rule('r', 'a', [note('do')], {
      condition: condition('payload > 1'),
      elseSteps: [note('else')],
      throttleMs: 10_000,
    }),
  ])
  for (const value of [2, 3, 1, 0]) await publish('a', `${value}`)
  await settle()
  assert.deepEqual(did, ['do 2', 'else 1'])
  clock.advance(10_000)
  await publish('a', '0')
  await settle()
  assert.deepEqual(did, ['do 2', 'else 1', 'else 0'])
})

test('do and else of one topic run in the order of its messages, also when one of them is slow', async (context) => {
  const did: string[] = []
  let release = (): void => {}
  const { publish } = await rulesWorld(context, [
    rule(
      'r',
      'a',
      [step(() => new Promise<void>((resolve) => (release = resolve)).then(() => void did.push('do')))],
      {
        condition: condition('payload > 1'),
        elseSteps: [step(() => void did.push('else'))],
      },
    ),
  ])
  await publish('a', '2')
  await publish('a', '1')
  await settle()
  assert.deepEqual(did, [])
  release()
  await settle()
  assert.deepEqual(did, ['do', 'else'])
})

test('else by the clock: every: asks when each time', async (context) => {
  const clock = simulatedClock(context)
  const did: string[] = []
  let state: 'on' | 'off' = 'off'
  await rulesWorld(
    context,
    [
      rule('watch', { kind: 'every', everyMs: 5_000 }, [step(() => void did.push('on'))], {
        condition: condition('pins.door == "on"'),
        elseSteps: [step(() => void did.push('off'))],
      }),
    ],
    { pins: { state: () => state } },
  )
  clock.advance(5_000)
  await settle()
  state = 'on'
  clock.advance(5_000)
  await settle()
  assert.deepEqual(did, ['off', 'on'])
})

test('what a rule has fired for is remembered through a reload, also when its text has changed', async (context) => {
  const did: string[] = []
  const { publish, dispatcher } = await rulesWorld(context, [fan(did)])
  await publish('t/a', '31')
  await dispatcher.apply([fan(did)])
  await publish('t/a', '31')
  await dispatcher.apply([fan(did, { source: 'changed', until: condition('payload < 20') })])
  await publish('t/a', '31')
  await publish('t/a', '19')
  await settle()
  assert.deepEqual(did, ['t/a on 31', 't/a off 19'])
})

test('a rule of another name begins armed', async (context) => {
  const did: string[] = []
  const { publish, dispatcher } = await rulesWorld(context, [fan(did)])
  await publish('t/a', '31')
  await dispatcher.apply([fan(did, { name: 'other', source: 'other' })])
  await publish('t/a', '32')
  await settle()
  assert.deepEqual(did, ['t/a on 31', 't/a on 32'])
})

test('a firing that is dropped has not been: the topic is armed as before', async (context) => {
  const did: string[] = []
  const isOn = condition('payload > 30 || topic != "t/a"')
  const { step: on, release } = holdingStep(({ topic, payload }) => void did.push(`${topic} on ${payload}`))
  const { publish, counters } = await rulesWorld(context, [
    fan(did, { steps: [on], condition: isOn, until: condition('topic != "t/a" || payload < 27') }),
  ])
  await holdLanes(publish)
  await publish('t/a', '31') // fires, waits, and is dropped for those behind it
  for (let more = 0; more < limits.ruleQueueMessagesMax; more++) void publish('t/b', '1')
  await Promise.resolve()
  assert.equal(counters.get('ruleQueueMessagesMax'), 1)
  release()
  await settle()
  await publish('t/a', '32')
  await settle()
  assert.deepEqual(
    did.filter((line) => line.startsWith('t/a')),
    ['t/a on 32'],
  )
})

test('an else that is dropped is tried at the next message', async (context) => {
  const did: string[] = []
  const { step: on, release } = holdingStep(({ topic, payload }) => void did.push(`${topic} on ${payload}`))
  const { publish, counters } = await rulesWorld(context, [
    fan(did, {
      steps: [on],
      condition: condition('payload > 30 || topic != "t/a"'),
      until: condition('topic != "t/a" || payload < 27'),
    }),
  ])
  await publish('t/a', '31')
  await settle()
  await holdLanes(publish)
  await publish('t/a', '20')
  for (let more = 0; more < limits.ruleQueueMessagesMax; more++) void publish('t/b', '1')
  await Promise.resolve()
  assert.equal(counters.get('ruleQueueMessagesMax'), 1)
  release()
  await settle()
  await publish('t/a', '21')
  await settle()
  assert.deepEqual(
    did.filter((line) => line.startsWith('t/a')),
    ['t/a on 31', 't/a off 21'],
  )
})

test('a rule that cannot remember one more topic does not fire for it, and says so once', async (context) => {
  const did: string[] = []
  const { publish, counters, log } = await rulesWorld(context, [fan(did)])
  for (let topic = 0; topic < limits.ruleTimersMax; topic++) await publish(`t/${topic}`, '31')
  while (counters.get('steps.done') < limits.ruleTimersMax) await settle()
  assert.deepEqual([did.length, counters.get('ruleTimersMax')], [limits.ruleTimersMax, 0])
  for (const topic of ['t/x', 't/y', 't/0']) await publish(topic, '31')
  await settle()
  assert.deepEqual([did.length, counters.get('ruleTimersMax')], [limits.ruleTimersMax, 2])
  const warnings = log.lines.filter(({ level }) => level === 'warn')
  assert.equal(warnings.length, 1)
  assert.deepEqual([warnings[0]?.fields['rule'], warnings[0]?.fields['topic']], ['fan', 't/x'])
  await publish('t/0', '20')
  await settle()
  await publish('t/x', '31')
  await settle()
  assert.deepEqual(did.slice(-2), ['t/0 off 20', 't/x on 31'])
})
