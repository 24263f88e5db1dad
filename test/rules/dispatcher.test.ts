import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { DamselflyError } from '#src/core/errors.js'
import { limits } from '#src/core/limits.js'
import { MemoryHub, rule, step } from '../support/rules.js'
import { rulesWorld as world } from '../support/rules-world.js'
import { until } from '../support/until.js'

test('a message reaches each rule that it matches once, with what is known of it', async (context) => {
  const seen: unknown[] = []
  const note = step((event) => {
    seen.push([event.topic, event.levels, event.payload, event.host, event.ip, event.client])
  })
  const overlapping = rule('overlapping', { kind: 'message', filters: ['a/#', 'a/b', '+/b'] }, [note])
  const { publish } = await world(context, [overlapping, rule('other', 'x', [note])])
  await publish('a/b', '{"v":1}')
  await until('the rule fired', () => seen.length > 0)
  await turn()
  assert.deepEqual(seen, [['a/b', ['a', 'b'], { v: 1 }, 'pi', '10.0.0.2', 'test']])
})

test('wildcards do not reach $SYS topics, and a rule that names them does', async (context) => {
  const seen: string[] = []
  const note = (name: string) => step(() => void seen.push(name))
  const { publish } = await world(context, [
    rule('all', '#', [note('all')]),
    rule('sys', '$SYS/+/x', [note('sys')]),
  ])
  await publish('$SYS/1/x')
  await publish('plain')
  await until('both fired', () => seen.length === 2)
  assert.deepEqual(seen, ['sys', 'all'])
})

test('10,000 messages in a burst: every step runs, in order within each topic', async (context) => {
  const perTopic = new Map<string, number[]>()
  const late = step(async (event) => {
    if ((event.payload as number) % 3 === 0) await turn()
    perTopic.set(event.topic, [...(perTopic.get(event.topic) ?? []), event.payload as number])
  })
  const { hub, counters } = await world(context, [rule('burst', 'burst/+', [late])])
  for (let index = 0; index < 10_000; index++)
    void hub.publish({ topic: `burst/${index % 10}`, payload: `${index}` })
  await until('all ran', () => counters.get('steps.done') === 10_000)
  for (let topic = 0; topic < 10; topic++) {
    const expected = Array.from({ length: 1_000 }, (_, index) => index * 10 + topic)
    assert.deepEqual(perTopic.get(`burst/${topic}`), expected)
  }
})

test('a step that hangs ends at its time limit with one line that names rule, action and cause', async (context) => {
  const after: string[] = []
  let aborted: unknown
  const hangs = step(
    (_, { signal }) => {
      signal.addEventListener('abort', () => (aborted = signal.reason))
      return new Promise(() => {})
    },
    { timeoutMs: 30 },
  )
  const slow = rule('slow', 'a', [hangs, step(() => void after.push('next step'))])
  const quick = rule('quick', 'a', [step(() => void after.push('other rule'))])
  const { publish, log } = await world(context, [slow, quick])
  await publish('a')
  await until('the step behind it ran', () => after.length === 2)
  assert.deepEqual(after, ['other rule', 'next step'])
  assert.equal(aborted instanceof DamselflyError && aborted.code, 'STEP_TIMEOUT')
  const [line, ...more] = log.having('step failed')
  assert.equal(more.length, 0)
  assert.equal(line?.fields['rule'], 'slow')
  assert.equal(line?.fields['action'], 'test')
  assert.match(String(line?.fields['reason']), /longer than 30ms/)
})

test('a step that throws is logged once while it repeats, and the next message is handled', async (context) => {
  let runs = 0
  const throws = () =>
    step(() => {
      runs++
      throw new Error('boom')
    })
  const { publish, log, counters } = await world(context, [rule('bad', 'a', [throws(), throws()])])
  for (let message = 0; message < 50; message++) await publish('a')
  await until('all ran', () => runs === 100)
  assert.equal(counters.get('steps.failed'), 100)
  assert.equal(log.having('step failed').length, 2) // one for each of the two steps
})

test('runs that never return are left behind up to a limit; beyond it the step is refused', async (context) => {
  let runs = 0
  const hangs = step(
    () => {
      runs++
      return new Promise(() => {})
    },
    { timeoutMs: 1 },
  )
  const { publish, counters, log } = await world(context, [rule('hangs', 'a/+', [hangs])])
  for (let index = 0; index < limits.abandonedRunsMax; index++) await publish(`a/${index}`)
  await until('all were left behind', () => counters.get('steps.failed') === limits.abandonedRunsMax)
  assert.equal(runs, limits.abandonedRunsMax)
  assert.equal(counters.get('abandonedRunsMax'), 0)
  await publish('a/one more')
  await until('it was refused', () => counters.get('abandonedRunsMax') === 1)
  assert.equal(runs, limits.abandonedRunsMax)
  assert.ok(
    log
      .having('step failed')
      .some(({ fields }) => /must end when its signal aborts/.test(String(fields['reason']))),
  )
})

test('rules that publish to each other are cut at the depth limit, with the rules of the loop named', async (context) => {
  const hub = new MemoryHub()
  let runs = 0
  const publishTo = (topic: string) =>
    step((_, { chain }) => {
      runs++
      return hub.publish({ topic, payload: '', chain })
    })
  const loop = [rule('ping', 'ping', [publishTo('pong')]), rule('pong', 'pong', [publishTo('ping')])]
  const { publish, log, counters } = await world(context, loop, { hub })
  await publish('ping')
  await until('it was cut', () => counters.get('ruleDepthMax') === 1)
  assert.equal(runs, limits.ruleDepthMax)
  const [line] = log.having('rule loop cut')
  assert.deepEqual(line?.fields['rules'], ['ping', 'pong'])
})

test('a chain as deep as the limit allows is not a loop', async (context) => {
  const hub = new MemoryHub()
  const reached: number[] = []
  const rules = Array.from({ length: limits.ruleDepthMax }, (_, depth) =>
    rule(`r${depth}`, `d/${depth}`, [
      step((_, { chain }) => {
        reached.push(depth)
        return hub.publish({ topic: `d/${depth + 1}`, payload: '', chain })
      }),
    ]),
  )
  const { publish, counters } = await world(context, rules, { hub })
  await publish('d/0')
  await until('the last was reached', () => reached.length === limits.ruleDepthMax)
  assert.equal(counters.get('ruleDepthMax'), 0)
})

test('a condition that does not hold keeps the rule from firing; why is told at debug only', async (context) => {
  const condition = {
    text: 'payload.x',
    test: () => ({ holds: false, why: 'payload has no field "x"', isError: true }),
  }
  const refuses = rule('refuses', 'a', [step(() => assert.fail('must not run'))], { condition })
  const quiet = await world(context, [refuses])
  await quiet.publish('a')
  assert.equal(quiet.counters.get('rules.conditionErrors'), 1)
  assert.equal(quiet.log.lines.length, 0)
  const loud = await world(context, [refuses], { isDebug: true })
  await loud.publish('a')
  assert.equal(loud.log.having('rule did not fire')[0]?.fields['why'], 'payload has no field "x"')
})

test('retained messages that were there first fire only the rules that ask for them', async (context) => {
  const hub = new MemoryHub()
  await hub.publish({ topic: 'door', payload: 'open', retain: true })
  const fired: string[] = []
  const note = (name: string) => step((event) => void fired.push(`${name} ${event.payload} ${event.retain}`))
  const { publish } = await world(
    context,
    [
      rule('normal', 'door', [note('normal')]),
      rule('asks', 'door', [note('asks')], { firesOnRetained: true }),
    ],
    { hub },
  )
  await until('one fired', () => fired.length > 0)
  await turn()
  assert.deepEqual(fired, ['asks open true'])
  await publish('door', 'shut')
  await until('both fired', () => fired.length === 3)
  assert.deepEqual(fired.slice(1).sort(), ['asks shut false', 'normal shut false'])
})

test('a reload leaves unchanged rules alone, ends removed ones and begins new ones', async (context) => {
  const fired: string[] = []
  const note = (name: string) => step(() => void fired.push(name))
  const { publish, dispatcher } = await world(context, [
    rule('kept', 'a', [note('kept, first')], { throttleMs: 60_000 }),
    rule('gone', 'a', [note('gone')]),
  ])
  await publish('a')
  await until('both fired', () => fired.length === 2)
  await dispatcher.apply([
    rule('kept', 'a', [note('kept, second')], { throttleMs: 60_000 }),
    rule('new', 'a', [note('new')]),
    rule('disabled', 'a', [note('disabled')], { isEnabled: false }),
  ])
  await publish('a')
  await until('the new one fired', () => fired.includes('new'))
  await turn()
  assert.deepEqual(fired, ['kept, first', 'gone', 'new'])
})

test('a rule that is replaced finishes what it had taken', async (context) => {
  const done: number[] = []
  const slow = rule('slow', 'a', [
    step(async (event) => {
      await sleep(5)
      done.push(event.payload as number)
    }),
  ])
  const { hub, dispatcher } = await world(context, [slow])
  for (const value of [1, 2, 3]) await hub.publish({ topic: 'a', payload: `${value}` })
  await dispatcher.apply([])
  await until('all three are done', () => done.length === 3)
  assert.deepEqual(done, [1, 2, 3])
})

test('every: fires by the clock, and a late tick is skipped instead of piling up', async (context) => {
  let runs = 0
  let release = (): void => {}
  const { counters } = await world(context, [
    rule('tick', { kind: 'every', everyMs: 10 }, [
      step((event) => {
        assert.equal(event.topic, '')
        runs++
        return new Promise<void>((resolve) => (release = resolve))
      }),
    ]),
  ])
  await until('ticks were skipped', () => counters.get('rules.ticksSkipped') >= 3)
  assert.equal(runs, 1)
  release()
  await until('the next one came', () => runs === 2)
  release()
})

test('at: fires by a cron pattern', async (context) => {
  let runs = 0
  await world(context, [rule('each second', { kind: 'at', cron: '* * * * * *' }, [step(() => void runs++)])])
  await until('it fired', () => runs > 0)
})

test('close waits for what was taken, then aborts what does not end', async (context) => {
  const done: string[] = []
  const { publish, dispatcher, log } = await world(context, [
    rule('quick', 'a', [step(() => sleep(20).then(() => void done.push('quick')))]),
    rule('hangs', 'a', [step(() => new Promise(() => {}))]),
  ])
  await publish('a')
  await turn()
  await turn()
  const beganMs = performance.now()
  await dispatcher.close(200)
  assert.ok(performance.now() - beganMs < 5_000)
  assert.deepEqual(done, ['quick'])
  assert.match(String(log.having('step failed')[0]?.fields['reason']), /Damselfly stops/)
})

test('stopped while a step hangs, no further step begins, and the stop takes no longer than its grace', async (context) => {
  const began: string[] = []
  const hangs = (name: string) =>
    step(() => {
      began.push(name)
      return new Promise(() => {})
    })
  const { publish, dispatcher } = await world(context, [
    rule('hangs', 'a', [hangs('1'), hangs('2'), hangs('3')]),
  ])
  await publish('a')
  await until('the first began', () => began.length === 1)
  await dispatcher.close(20)
  assert.deepEqual(began, ['1'])
})

test('a stop waits also for rules that a reload took away, and aborts them at the end', async (context) => {
  const done: string[] = []
  const slow = rule('slow', 'a', [step(() => sleep(30).then(() => void done.push('slow')))])
  const hangs = rule('hangs', 'a', [step(() => new Promise(() => {}))])
  const { publish, dispatcher, log } = await world(context, [slow, hangs])
  await publish('a')
  await turn()
  await turn()
  await dispatcher.apply([])
  await dispatcher.close(200)
  assert.deepEqual(done, ['slow'])
  assert.equal(log.having('step failed').length, 1)
})

test('debounce asks the condition about the last message only', async (context) => {
  const fired: unknown[] = []
  const isOpen = { text: '', test: ({ payload }: { payload: unknown }) => ({ holds: payload === 'open' }) }
  const door = rule('door', 'door', [step((event) => void fired.push(event.payload))], {
    condition: isOpen,
    debounceMs: 30,
  })
  const { publish } = await world(context, [door])
  await publish('door', 'open')
  await publish('door', 'shut')
  await sleep(60)
  assert.deepEqual(fired, [])
  await publish('door', 'shut')
  await publish('door', 'open')
  await until('it fired', () => fired.length === 1)
})

test('a message that waits for its quiet time is not lost by a reload', async (context) => {
  const fired: unknown[] = []
  const patient = rule('patient', 'a', [step((event) => void fired.push(event.payload))], {
    debounceMs: 60_000,
  })
  const { publish, dispatcher } = await world(context, [patient])
  await publish('a', 'kept')
  await dispatcher.apply([])
  await until('it fired', () => fired.length === 1)
})

test('what throttle holds back is not counted as fired', async (context) => {
  const { publish, counters } = await world(context, [
    rule('once', 'a', [step(() => {})], { throttleMs: 60_000 }),
  ])
  for (let message = 0; message < 5; message++) await publish('a')
  assert.deepEqual([counters.get('rules.fired'), counters.get('rules.throttled')], [1, 4])
})

test('a rule that has moved in its file is logged at its new place, and not restarted', async (context) => {
  const steps = (line: number) => [
    step(() => Promise.reject(new Error('boom')), { place: { file: 'f', line, column: 1 } }),
  ]
  const { publish, dispatcher, log } = await world(context, [rule('moved', 'a', steps(1))])
  await dispatcher.apply([rule('moved', 'a', steps(99))])
  await publish('a')
  await until('it failed', () => log.having('step failed').length === 1)
  assert.equal(log.having('step failed')[0]?.fields['at'], 'f:99:1')
})

test('a limit that an action reached is counted under its own name', async (context) => {
  const full = step(() => {
    throw new DamselflyError('STORE_FAILED', 'too much', { limit: 'storeRowsMax' })
  })
  const { publish, counters } = await world(context, [rule('full', 'a', [full])])
  await publish('a')
  await until('it failed', () => counters.get('steps.failed') === 1)
  assert.equal(counters.get('storeRowsMax'), 1)
})

test('the queue of a rule at its limit of messages keeps them all; one more costs the oldest, counted and said', async (context) => {
  let release = (): void => {}
  let runs = 0
  const held = step(() => {
    runs++
    return runs === 1 ? new Promise<void>((resolve) => (release = resolve)) : undefined
  })
  const { hub, publish, counters, log } = await world(context, [rule('held', 'a', [held])])
  await publish('a')
  await until('the first runs', () => runs === 1)
  for (let message = 0; message < limits.ruleQueueMessagesMax; message++)
    void hub.publish({ topic: 'a', payload: '' })
  await turn()
  assert.equal(counters.get('ruleQueueMessagesMax'), 0)
  await publish('a')
  assert.equal(counters.get('ruleQueueMessagesMax'), 1)
  assert.equal(log.having('rule cannot keep up: oldest message dropped').length, 1)
  release()
  await until('all ran', () => runs === limits.ruleQueueMessagesMax + 1)
})

test('the queue of a rule at its limit of bytes keeps them all; more costs the oldest, counted under that name', async (context) => {
  let release = (): void => {}
  const held = step(() => new Promise<void>((resolve) => (release = resolve)))
  const { publish, counters } = await world(context, [rule('held', 'a', [held])])
  await publish('a')
  await turn()
  await turn()
  const half = 'x'.repeat(limits.ruleQueueBytesMax / 2 - 700 - 'a'.length)
  await publish('a', half)
  await publish('a', half)
  assert.equal(counters.get('ruleQueueBytesMax'), 0)
  await publish('a', 'x')
  assert.deepEqual([counters.get('ruleQueueBytesMax'), counters.get('ruleQueueMessagesMax')], [1, 0])
  release()
})

test('as many topics run side by side as allowed, and not one more', async (context) => {
  let running = 0
  const releases: (() => void)[] = []
  const held = step(() => {
    running++
    return new Promise<void>((resolve) => releases.push(resolve)).then(() => void running--)
  })
  const { publish } = await world(context, [rule('held', 'a/+', [held])])
  for (let topic = 0; topic <= limits.ruleLanesMax; topic++) await publish(`a/${topic}`)
  await sleep(20)
  assert.equal(running, limits.ruleLanesMax)
  for (let topic = 0; topic <= limits.ruleLanesMax; topic++) {
    await until('one more began', () => releases.length > topic)
    releases[topic]?.()
  }
})

test('rules are found for more topics than are remembered', async (context) => {
  let runs = 0
  const { hub, counters } = await world(context, [rule('all', 't/#', [step(() => void runs++)])])
  for (let topic = 0; topic <= limits.matchCacheTopicsMax; topic++)
    void hub.publish({ topic: `t/${topic}`, payload: '' })
  void hub.publish({ topic: 't/0', payload: '' })
  await until('all ran', () => counters.get('steps.done') === limits.matchCacheTopicsMax + 2)
  assert.equal(counters.get('matchCacheTopicsMax'), 2)
})
