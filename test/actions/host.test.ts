import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { type ActionDefinition, defineAction, type RunContext } from '#src/core/action.js'
import { DamselflyError } from '#src/core/errors.js'
import { makeWorld, messageEvent } from '../support/actions-world.js'

type Parts = Partial<Omit<ActionDefinition, 'name' | 'options'>>

function action(parts: Parts, name = 'probe'): ActionDefinition {
  return defineAction({ name, options: (z) => z.object({ [name]: z.unknown() }), run() {}, ...parts })
}

const noSignal = (): AbortSignal => assert.fail('nobody needs a signal')

test('an action that does it at once is done at once, without a promise or an AbortController', async () => {
  await using world = await makeWorld()
  let runs = 0
  const run = world.host.runnerFor(action({ run: () => void runs++ }), 'r')
  assert.equal(run({ probe: 1 }, messageEvent(), noSignal, []), undefined)
  assert.equal(runs, 1)
})

test('an action gets its options, the event, the rule, the data folder and the signal', async () => {
  await using world = await makeWorld()
  const event = messageEvent()
  const options = { probe: 1 }
  const { signal } = new AbortController()
  const seen: RunContext<unknown>[] = []
  const probe = action({ run: (context) => void seen.push(context) })
  world.host.runnerFor(probe, 'r')(options, event, () => signal, [])
  const [context] = seen
  assert.ok(context !== undefined)
  assert.equal(context.options, options)
  assert.equal(context.event, event)
  assert.equal(context.rule, 'r')
  assert.equal(context.dataDir, world.dataDir)
  assert.equal(context.signal, signal)
})

test('what an action logs carries its rule and its name, with or without fields', async () => {
  await using world = await makeWorld()
  const run = ({ log }: RunContext<unknown>) => {
    log.info({ a: 1 }, 'with fields')
    const plain = log.warn as unknown as (text: string) => void
    plain('without')
  }
  await world.run(action({ run }), { probe: 1 })
  const own = { rule: 'a rule', action: 'probe' }
  assert.deepEqual(world.lines, [
    { level: 'info', fields: { ...own, a: 1 }, message: 'with fields' },
    { level: 'warn', fields: own, message: 'without' },
  ])
})

test('what an action publishes and switches carries the rules that led to it', async () => {
  await using world = await makeWorld()
  const run = async ({ publish, gpio }: RunContext<unknown>) => {
    await publish({ topic: 'a', payload: 'b', chain: ['forged'] })
    gpio.set('lamp', 'on', { forMs: 5 })
    await gpio.pulse('bell', 200)
  }
  await world.run(action({ run }), { probe: 1 }, { chain: ['x', 'y'] })
  assert.deepEqual(world.published, [{ topic: 'a', payload: 'b', qos: 0, retain: false, chain: ['x', 'y'] }])
  assert.deepEqual(world.commands, [
    ['set', 'lamp', 'on', { forMs: 5, chain: ['x', 'y'], by: 'rule a rule' }],
    ['pulse', 'bell', 200, undefined, { chain: ['x', 'y'], by: 'rule a rule' }],
  ])
})

test('what plain JavaScript hands over wrongly is made right or refused before it gets any further', async () => {
  await using world = await makeWorld()
  const send = (message: object) =>
    world.run(action({ run: ({ publish }) => publish(message as never) }), { probe: 1 })
  await send({ topic: 'a', payload: { t: 1 } })
  await send({ topic: 'a' })
  assert.deepEqual(
    world.published.map(({ payload }) => payload),
    ['{"t":1}', ''],
  )
  await assert.rejects(send({ topic: 5, payload: '' }), { code: 'OPTIONS_INVALID' })
  await assert.rejects(send({ topic: 'a', payload: '', qos: 3 }), { code: 'OPTIONS_INVALID' })
  const set = (command: unknown) =>
    world.run(action({ run: ({ gpio }) => gpio.set('lamp', command as 'on') }), { probe: 1 })
  await assert.rejects(set(true), { code: 'OPTIONS_INVALID', message: /command is true; expected "on"/ })
  const pulse = (ms: unknown) =>
    world.run(action({ run: ({ gpio }) => gpio.pulse('lamp', ms as number) }), { probe: 1 })
  await assert.rejects(pulse('1s'), { code: 'OPTIONS_INVALID' })
  assert.deepEqual(world.commands, [])
})

test('an action is started once before its first run, however many wait for it', async () => {
  await using world = await makeWorld()
  const trace: string[] = []
  const probe = action({
    async start({ dataDir, publish }) {
      await new Promise((resolve) => setImmediate(resolve))
      await publish({ topic: 'started', payload: dataDir })
      trace.push('start')
    },
    run: () => void trace.push('run'),
    stop: () => void trace.push('stop'),
  })
  assert.deepEqual(trace, [])
  await Promise.all([1, 2, 3].map(() => world.run(probe, { probe: 1 })))
  await world.run(probe, { probe: 1 }, { rule: 'another rule' })
  await world.host.close()
  assert.deepEqual(trace, ['start', 'run', 'run', 'run', 'run', 'stop'])
  assert.deepEqual(world.published[0]?.chain, [])
})

for (const kind of ['throws', 'rejects']) {
  test(`a start that ${kind} fails the step, and is tried again after a pause`, async (t) => {
    await using world = await makeWorld()
    const clock = mock.method(performance, 'now', () => nowMs)
    t.after(() => clock.mock.restore())
    let nowMs = 0
    let starts = 0
    const fail = (): Promise<void> => {
      starts++
      if (starts > 1) return Promise.resolve()
      if (kind === 'throws') throw new Error('no such port')
      return Promise.reject(new Error('no such port'))
    }
    const probe = action({ start: fail })
    const refused = { code: 'ACTION_START_FAILED', message: /^probe could not start: no such port; / }
    const both = [world.run(probe, { probe: 1 }), world.run(probe, { probe: 1 })]
    for (const run of both) await assert.rejects(run, refused)
    nowMs = 9_999
    await assert.rejects(world.run(probe, { probe: 1 }), refused)
    assert.equal(starts, 1)
    nowMs = 10_000
    await world.run(probe, { probe: 1 })
    assert.equal(starts, 2)
  })
}

test('what an action throws comes out as it is', async () => {
  await using world = await makeWorld()
  const error = new DamselflyError('STORE_FAILED', 'too much', { limit: 'storeRowsMax' })
  const thrower = world.host.runnerFor(
    action({
      run() {
        throw error
      },
    }),
    'r',
  )
  assert.throws(() => thrower({ probe: 1 }, messageEvent(), noSignal, []), error)
  await assert.rejects(world.run(action({ run: () => Promise.reject(error) }), { probe: 1 }), error)
  await assert.rejects(world.run(action({ run: () => Promise.reject(new Error('x')) }), { probe: 1 }), /x/)
})

test('a run that returns something else than a promise is done', async () => {
  await using world = await makeWorld()
  const run = world.host.runnerFor(action({ run: () => 5 as never }), 'r')
  assert.equal(run({ probe: 1 }, messageEvent(), noSignal, []), undefined)
})

test('a close stops what was used, the last one first, and logs what fails', async () => {
  await using world = await makeWorld()
  const trace: string[] = []
  const named = (name: string, stop = () => void trace.push(name)) => action({ start() {}, stop }, name)
  const first = named('first')
  const second = named('second', () => {
    trace.push('second')
    throw new Error('stuck')
  })
  const third = named('third')
  const unused = named('unused')
  world.host.runnerFor(unused, 'r')
  for (const one of [first, second, third]) await world.run(one, { [one.name]: 1 })
  await world.host.close()
  assert.deepEqual(trace, ['third', 'second', 'first'])
  assert.deepEqual(
    world.lines.map(({ level, fields, message }) => [level, fields['action'], message]),
    [['error', 'second', 'action failed to stop']],
  )
  await assert.rejects(world.run(first, { first: 1 }), { code: 'ACTION_START_FAILED' })
})

test('a close does not wait for ever for an action that does not stop', async (t) => {
  await using world = await makeWorld()
  await world.run(action({ stop: () => new Promise<void>(() => {}) }), { probe: 1 })
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const closing = world.host.close()
  await new Promise((resolve) => setImmediate(resolve))
  t.mock.timers.tick(5_000)
  await closing
  assert.deepEqual(world.lines, [
    { level: 'error', fields: { action: 'probe', timeoutMs: 5_000 }, message: 'action does not stop' },
  ])
})
