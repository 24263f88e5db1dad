import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import type { TraceEvent } from '#src/core/trace.js'
import { createCompiler } from '#src/rules/expressions.js'
import { simulatedClock } from '../support/clock.js'
import { MemoryHub, rule, step } from '../support/rules.js'
import { holdingStep, holdLanes, rulesWorld, settle } from '../support/rules-world.js'

const { condition } = createCompiler()
const nothing = step(() => {})

/** What was told, in one line each. */
function lines(told: readonly TraceEvent[]): string[] {
  return told.map((event) => {
    if (event.kind === 'message') return `${event.id} ${event.topic} → ${event.rules.join(', ')}`
    if (event.kind === 'rule') return `${event.id} ${event.rule} ${event.outcome}: ${event.why ?? ''}`
    return `${event.id} ${event.rule} step ${event.step} ${event.action} ${event.outcome}: ${event.reason ?? ''}`
  })
}

test('each message is told with the rules that it matches, what they made of it and why', async (context) => {
  const { publish, told } = await rulesWorld(
    context,
    [
      rule('fires', 'a', [nothing, nothing]),
      rule('misses', '#', [nothing], { condition: condition('payload.msg == "ON"') }),
      rule('else', 'a', [nothing], { condition: condition('payload.temp > 30'), elseSteps: [nothing] }),
    ],
    { isTraced: true },
  )
  await publish('a', '{"temp":21}')
  await publish('b', 'x')
  await publish('$c', 'nobody asked for it')
  await settle()
  assert.deepEqual(lines(told), [
    '1 a → fires, misses, else',
    '1 fires fired: ',
    '1 misses missed: payload has no field "msg"; it has temp',
    '1 else else: payload.temp > 30 is false: payload.temp is 21',
    '1 fires step 1 test done: ',
    '1 fires step 2 test done: ',
    '1 else step 1 test done: ',
    '2 b → misses',
    '2 misses missed: payload is text "x", not an object',
  ])
  const [first] = told
  assert.ok(first?.kind === 'message')
  assert.deepEqual(
    [Buffer.from(first.payload).toString(), first.client, first.qos],
    ['{"temp":21}', 'test', 0],
  )
  assert.ok(Math.abs(first.atMs - Date.now()) < 60_000)
})

test('a message that no rule matches is told as well', async (context) => {
  const { publish, told } = await rulesWorld(context, [], { isTraced: true })
  await publish('a')
  assert.deepEqual(lines(told), ['1 a → '])
})

test('a step that fails is told with its reason, and a late one with its time', async (context) => {
  const clock = simulatedClock(context)
  let release = (): void => {}
  const late = step(() => new Promise<void>((resolve) => (release = resolve)))
  const fails = step(() => Promise.reject(new Error('boom')))
  const badOptions = step(() => {}, {
    options: () => {
      throw new Error('payload has no field "x"')
    },
  })
  const { publish, told } = await rulesWorld(context, [rule('r', 'a', [late, fails, badOptions])], {
    isTraced: true,
  })
  await publish('a')
  await settle()
  clock.advance(1_500)
  release()
  await settle()
  assert.deepEqual(lines(told).slice(2), [
    '1 r step 1 test done: ',
    '1 r step 2 test failed: boom',
    '1 r step 3 test failed: payload has no field "x"',
  ])
  const [, , step1, step2] = told
  assert.deepEqual(
    [step1?.kind === 'step' && step1.tookMs, step2?.kind === 'step' && step2.tookMs],
    [1_500, 0],
  )
})

test('what throttle, until, debounce, after and a loop did is told', async (context) => {
  const clock = simulatedClock(context)
  const hub = new MemoryHub()
  const { told } = await rulesWorld(
    context,
    [
      rule('throttled', 'a', [nothing], { throttleMs: 60_000 }),
      rule('until', 'a', [nothing], { condition: condition('payload > 1'), until: condition('payload < 0') }),
      rule('waits', 'b', [nothing], { debounceMs: 1_000 }),
      rule('silence', 's/+', [nothing], { afterMs: 60_000, elseSteps: [nothing] }),
      rule('loop', 'c', [nothing]),
    ],
    { hub, isTraced: true },
  )
  const publish = (topic: string, payload = '', chain: string[] = []) =>
    hub.publish({ topic, payload, chain })
  for (const payload of ['2', '2', '-1']) await publish('a', payload)
  await publish('b')
  await publish('c', '', ['1', '2', '3', '4', '5', '6', '7', '8'])
  await publish('s/x', 'tick')
  clock.advance(60_000)
  await publish('s/x', 'tock')
  await settle()
  assert.deepEqual(
    lines(told).filter((line) => !line.includes('→ ') || line.includes('cut')),
    [
      '1 throttled fired: ',
      '1 until fired: ',
      '1 throttled step 1 test done: ',
      '1 until step 1 test done: ',
      '2 throttled throttled: ',
      '2 until disarmed: payload < 0 is false: payload is 2',
      '3 throttled throttled: ',
      '3 until missed: until holds: the next message can fire it again',
      '4 waits waiting: debounce: it waits until the topic has been quiet',
      '5 loop cut: 1 → 2 → 3 → 4 → 5 → 6 → 7 → 8 → loop',
      '6 silence waiting: after: it fires when the topic falls silent',
      '4 waits fired: ',
      '7 silence fired: no message on s/x for 1m',
      '8 silence else: the topic speaks again',
      '4 waits step 1 test done: ',
      '7 silence step 1 test done: ',
      '8 silence step 1 test done: ',
    ],
  )
})

test('moments are told, and those that are skipped', async (context) => {
  const clock = simulatedClock(context)
  let release = (): void => {}
  const slow = step(() => new Promise<void>((resolve) => (release = resolve)))
  const { told } = await rulesWorld(context, [rule('tick', { kind: 'every', everyMs: 1_000 }, [slow])], {
    isTraced: true,
  })
  clock.advance(1_000)
  await settle()
  clock.advance(2_000)
  assert.deepEqual(lines(told), [
    '1  → tick',
    '1 tick fired: ',
    '2  → tick',
    '2 tick fired: ',
    '3  → tick',
    '3 tick dropped: the moment before is still worked on',
  ])
  release()
  await settle()
  release() // else the stop would wait for a clock that stands still
})

test('a message that had to go for a newer one is told as dropped', async (context) => {
  const hangs = step(() => new Promise<void>(() => {}))
  const { publish, told } = await rulesWorld(context, [rule('r', 'a', [hangs])], { isTraced: true })
  await publish('a')
  await settle()
  const half = 'x'.repeat(9 * 1024 * 1024)
  await publish('a', half)
  await publish('a', half)
  assert.equal(lines(told).at(-1), '2 r dropped: ')
})

test('a retained message that was there first is told to come to the rule that asks for it', async (context) => {
  const hub = new MemoryHub()
  await hub.publish({ topic: 'a', payload: '1', retain: true })
  const { told } = await rulesWorld(
    context,
    [
      rule('asks', 'a', [nothing], { firesOnRetained: true }),
      rule('silence', 'a', [nothing], { afterMs: 60_000 }),
    ],
    { hub, isTraced: true },
  )
  await settle()
  assert.deepEqual(lines(told).slice(0, 4), [
    '1 a → asks',
    '1 asks fired: ',
    '2 a → silence',
    '2 silence waiting: after: it fires when the topic falls silent',
  ])
})

test('while nobody listens nothing is told, and of a message from before then neither', async (context) => {
  let release = (): void => {}
  const late = step(() => new Promise<void>((resolve) => (release = resolve)))
  const { publish, told, tracer } = await rulesWorld(context, [rule('r', 'a', [late])])
  await publish('a')
  await settle()
  tracer.isOn = true
  release()
  await settle()
  assert.deepEqual(told, [])
  await publish('a')
  tracer.isOn = false
  await settle()
  release()
  await settle()
  assert.deepEqual(lines(told), ['1 a → r', '1 r fired: '])
})

test('a message that debounce swallowed is told to have been replaced, the last one to have fired', async (context) => {
  const clock = simulatedClock(context)
  const { publish, told } = await rulesWorld(context, [rule('r', 'a', [nothing], { debounceMs: 1_000 })], {
    isTraced: true,
  })
  await publish('a')
  await publish('a')
  clock.advance(1_000)
  await settle()
  assert.deepEqual(
    lines(told).filter((line) => !line.includes('→') && !line.includes('waiting')),
    ['1 r missed: debounce: a later message took its place', '2 r fired: ', '2 r step 1 test done: '],
  )
})

test('topics that wait because actions of others hang are told in the trace, counted, and logged', async (context) => {
  const clock = simulatedClock(context)
  const ends: (() => void)[] = []
  const hangs = step(() => new Promise<void>((resolve) => ends.push(resolve)))
  const { publish, told, counters, log } = await rulesWorld(context, [rule('r', 't/+', [hangs])], {
    isTraced: true,
  })
  for (let topic = 0; topic < limits.ruleLanesMax; topic++) await publish(`t/${topic}`)
  await settle()
  clock.advance(5_000)
  assert.equal(counters.get('ruleLanesMax'), 0)
  await publish('t/0')
  await publish('t/more')
  await settle()
  assert.deepEqual(lines(told).slice(-3), [
    '17 r fired: ',
    '18 t/more → r',
    '18 r fired: waits behind 16 topics',
  ])
  clock.advance(2_000)
  assert.ok(counters.get('ruleLanesMax') >= 1)
  const [line, ...more] = log.having('topics of this rule wait')
  assert.deepEqual(line?.fields, { rule: 'r', waiting: 2, reason: '16 others are still being worked on' })
  assert.equal(more.length, 0)
  while (ends.length > 0) {
    for (const end of ends.splice(0)) end()
    await settle()
  }
})

test('a rule that waits on many topics is bounded by what they take, not by their payload', async (context) => {
  const holding = holdingStep(() => {})
  const { publish, counters } = await rulesWorld(context, [rule('r', 't/+', [holding.step], {})])
  await holdLanes(publish)
  const fitting = Math.floor(limits.ruleQueueBytesMax / (700 + 450 + 't/10000'.length))
  for (let topic = 0; topic < fitting; topic++) void publish(`t/${10_000 + topic}`)
  await Promise.resolve()
  assert.equal(counters.get('ruleQueueBytesMax'), 0)
  void publish('t/one-more')
  await Promise.resolve()
  assert.equal(counters.get('ruleQueueBytesMax'), 1)
  holding.release()
})
