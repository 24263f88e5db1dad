import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import type { Rule } from '#src/core/rule.js'
import { createCompiler } from '#src/rules/expressions.js'
import { simulatedClock } from '../support/clock.js'
import { MemoryHub, rule, step } from '../support/rules.js'
import { rulesWorld, settle } from '../support/rules-world.js'

const compiler = createCompiler()

/** A rule whose one step notes what an expression is. */
function noting(did: unknown[], on: string, source: string, overrides: Partial<Rule> = {}): Rule {
  const { needs, evaluate } = compiler.expression(source)
  const note = {
    ...step(() => {}),
    ...(needs === undefined ? {} : { needs }),
    options: (event: never, memory: never) => void did.push(evaluate(event, memory)),
  }
  return rule(`notes ${source}`, on, [note], overrides)
}

test('last gives the message before, of another topic and of the rule’s own', async (context) => {
  const did: unknown[] = []
  const { publish } = await rulesWorld(context, [
    noting(did, 'a', '[payload, last("a").?payload.orValue("none"), last("b").?payload.orValue("none")]'),
  ])
  await publish('a', '1')
  await publish('b', 'x')
  await publish('a', '2')
  await publish('a', '3')
  await settle()
  assert.deepEqual(did, [
    [1, 'none', 'none'],
    [2, 1, 'x'],
    [3, 2, 'x'],
  ])
})

test('a retained message is known from the start, and the one after it counts', async (context) => {
  const hub = new MemoryHub()
  await hub.publish({ topic: 'home/mode', payload: 'away', retain: true })
  const did: unknown[] = []
  const isAway = compiler.condition('last("home/mode").payload == "away"')
  const alarm = rule('alarm', 'door', [step(() => void did.push('alarm'))], { condition: isAway })
  const { publish, counters } = await rulesWorld(context, [alarm], { hub })
  await publish('door')
  await publish('home/mode', 'home')
  await publish('door')
  await settle()
  assert.deepEqual([did, counters.get('rules.conditionFalse')], [['alarm'], 1])
})

test('what rules publish themselves is known as well, and so are topics with a leading $', async (context) => {
  const hub = new MemoryHub()
  const did: unknown[] = []
  await rulesWorld(
    context,
    [
      rule('sets', 'a', [step(() => hub.publish({ topic: '$house/mode', payload: 'night' }))]),
      noting(did, 'b', 'last("$house/mode").payload'),
    ],
    { hub },
  )
  await hub.publish({ topic: 'a', payload: '' })
  await settle()
  await hub.publish({ topic: 'b', payload: '' })
  await settle()
  assert.deepEqual(did, ['night'])
})

test('a step that runs late sees what was before its event, not what came since', async (context) => {
  const did: unknown[] = []
  let release = (): void => {}
  const slow = step(() => new Promise<void>((resolve) => (release = resolve)))
  const late = noting(did, 'a', '[payload, last("a").?payload.orValue(0), count, changed(payload > 1)]')
  const { publish } = await rulesWorld(context, [{ ...late, steps: [slow, ...late.steps] }])
  for (const value of [1, 2, 3, 4]) await publish('a', `${value}`)
  for (let message = 0; message < 4; message++) {
    await settle()
    release()
  }
  await settle()
  assert.deepEqual(did, [
    [1, 0, 1, false],
    [2, 1, 2, true],
    [3, 2, 3, false],
    [4, 3, 4, false],
  ])
})

test('with debounce, last is about what came before the message, and only the last message is counted', async (context) => {
  const clock = simulatedClock(context)
  const did: unknown[] = []
  const { publish } = await rulesWorld(context, [
    noting(did, 'a', '[payload, last("a").?payload.orValue(0), count, changed(payload)]', {
      debounceMs: 1_000,
    }),
  ])
  for (const value of [1, 2, 3]) await publish('a', `${value}`)
  clock.advance(1_000)
  await publish('a', '4')
  clock.advance(1_000)
  await settle()
  assert.deepEqual(did, [
    [3, 2, 1, false],
    [4, 3, 2, true],
  ])
})

test('three messages within a minute fire, three within an hour do not', async (context) => {
  const clock = simulatedClock(context)
  const did: unknown[] = []
  const alarm = rule('alarm', 'pin/wrong', [step(() => void did.push(Date.now()))], {
    condition: compiler.condition('count("1m") >= 3'),
    throttleMs: 60_000,
  })
  const { publish } = await rulesWorld(context, [alarm])
  for (const pauseMs of [0, 1_200_000, 1_200_000, 20_000]) {
    clock.advance(pauseMs)
    await publish('pin/wrong')
  }
  assert.deepEqual(did, [])
  clock.advance(20_000)
  await publish('pin/wrong')
  await publish('pin/wrong')
  await settle()
  assert.equal(did.length, 1)
})

test('every: counts its ticks, and changed looks from tick to tick', async (context) => {
  const clock = simulatedClock(context)
  const did: unknown[] = []
  let state: 'on' | 'off' = 'off'
  const ticking = noting(did, '', '[count, changed(pins.door)]')
  await rulesWorld(context, [{ ...ticking, trigger: { kind: 'every', everyMs: 1_000 } }], {
    pins: { state: () => state },
  })
  for (const next of ['off', 'on', 'on'] as const) {
    state = next
    clock.advance(1_000)
    await settle()
  }
  assert.deepEqual(did, [
    [1, false],
    [2, true],
    [3, false],
  ])
})

test('in a rule with after, messages are counted and silence is not', async (context) => {
  const clock = simulatedClock(context)
  const did: unknown[] = []
  const { publish } = await rulesWorld(context, [
    noting(did, 'a', '[payload, count, changed(payload), last("a").payload]', { afterMs: 60_000 }),
  ])
  await publish('a', '1')
  await publish('a', '2')
  clock.advance(60_000)
  await publish('a', '2')
  clock.advance(60_000)
  await settle()
  assert.deepEqual(did, [
    [2, 2, false, 2],
    [2, 3, false, 2],
  ])
})

test('a reload keeps what a rule of the same name has seen, and what last knows', async (context) => {
  const did: unknown[] = []
  const source = '[count, changed(payload), last("b").?payload.orValue("none")]'
  const { publish, dispatcher } = await rulesWorld(context, [noting(did, 'a', source)])
  await publish('b', 'x')
  await publish('a', '1')
  await dispatcher.apply([noting(did, 'a', source)])
  await publish('a', '1')
  await dispatcher.apply([noting(did, 'a', source, { source: 'changed', throttleMs: 1 })])
  await publish('a', '2')
  await dispatcher.apply([noting(did, 'a', source, { source: 'fresh' })], true)
  await publish('a', '2')
  await settle()
  assert.deepEqual(did, [
    [1, false, 'x'],
    [2, false, 'x'],
    [3, true, 'x'],
    [4, false, 'x'],
  ])
})

test('a rule of another name begins anew, and a topic that nobody names is forgotten', async (context) => {
  const did: unknown[] = []
  const rules = (name: string) => [noting(did, 'a', '[count, last("b").?payload.orValue("none")]', { name })]
  const { publish, dispatcher } = await rulesWorld(context, rules('one'))
  await publish('b', 'x')
  await publish('a', '1')
  await dispatcher.apply(rules('two'))
  await publish('a', '1')
  await dispatcher.apply([])
  await dispatcher.apply(rules('two'))
  await publish('a', '1')
  await settle()
  assert.deepEqual(did, [
    [1, 'x'],
    [1, 'x'],
    [1, 'none'],
  ])
})

test('no message is lost or seen twice while a reload reads retained messages', async (context) => {
  const did: unknown[] = []
  const hub = new MemoryHub()
  const { dispatcher } = await rulesWorld(
    context,
    [rule('r', 'a', [step((event) => void did.push(event.payload))])],
    { hub },
  )
  const applied = dispatcher.apply([
    noting(did, 'a', '[payload, last("b").payload]', { name: 'r', source: 'new' }),
  ])
  await hub.publish({ topic: 'b', payload: '7' })
  await hub.publish({ topic: 'a', payload: '1' })
  await applied
  await hub.publish({ topic: 'a', payload: '2' })
  await settle()
  assert.equal(did.length, 2)
  assert.deepEqual(did[1], [2, 7])
})

test('payloads that waiting steps hold back count as theirs: the queue stays bounded', async (context) => {
  const hub = new MemoryHub()
  const held = step(() => new Promise<void>(() => {}))
  const asking = { ...held, needs: compiler.expression('last("big").payload').needs }
  const { counters } = await rulesWorld(context, [rule('r', 'a', [asking as never])], { hub })
  const big = { topic: 'big', payload: 'x'.repeat(limits.lastBytesMax) }
  const fitting = Math.floor(limits.ruleQueueBytesMax / (limits.lastBytesMax + 1_000))
  await hub.publish({ topic: 'a', payload: '' })
  await settle() // the first runs
  for (let message = 0; message < fitting; message++) {
    await hub.publish(big)
    await hub.publish({ topic: 'a', payload: '' })
  }
  assert.equal(counters.get('ruleQueueBytesMax'), 0)
  await hub.publish(big)
  await hub.publish({ topic: 'a', payload: '' })
  assert.equal(counters.get('ruleQueueBytesMax'), 1)
})

test('one large last message that many waiting steps share counts once: nothing is dropped for it', async (context) => {
  const hub = new MemoryHub()
  const held = step(() => new Promise<void>(() => {}))
  const asking = { ...held, needs: compiler.expression('last("big").payload').needs }
  const { counters } = await rulesWorld(context, [rule('r', 'a', [asking as never])], { hub })
  await hub.publish({ topic: 'big', payload: 'x'.repeat(limits.lastBytesMax) })
  for (let message = 0; message < 1_000; message++) await hub.publish({ topic: 'a', payload: '' })
  assert.equal(counters.get('ruleQueueBytesMax'), 0)
})

test('a hub that cannot read its retained messages costs the start of last, and nothing else', async (context) => {
  class FailingHub extends MemoryHub {
    // biome-ignore lint/correctness/useYield: it fails before
    override async *retained(): AsyncIterable<never> {
      throw new Error('the disk is gone')
    }
  }
  const did: unknown[] = []
  const hub = new FailingHub()
  const { log } = await rulesWorld(context, [noting(did, 'a', 'last("b").?payload.orValue("none")')], { hub })
  await hub.publish({ topic: 'a', payload: '' })
  await settle()
  assert.deepEqual(did, ['none'])
  assert.deepEqual(log.having('retained messages could not be read')[0]?.fields['lastOf'], 'b')
})
