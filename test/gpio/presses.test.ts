import assert from 'node:assert/strict'
import { mock, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { Counters } from '#src/core/counters.js'
import type { Press } from '#src/core/pin.js'
import { monotonicMs } from '#src/gpio/clock.js'
import { PinOutbox } from '#src/gpio/outbox.js'
import { startPresses } from '#src/gpio/presses.js'
import { MemoryHub } from '../support/gpio-hub.js'
import { SayingBoard } from '../support/gpio-inputs.js'
import { input, KeptLog, simulatedBoard } from '../support/gpio-kit.js'
import { until } from '../support/until.js'

const press: Press = {
  topics: { short: 'home/bell', long: 'home/bell/long', double: 'home/bell/double' },
  longMs: 500,
  doubleMs: 300,
}
const bell = input('bell', 27, { press })

/** Presses under a clock that `pass` moves; `told` are `TOPIC PAYLOAD`. */
function world(t: TestContext) {
  mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] })
  t.after(() => mock.timers.reset())
  const clock = { nowMs: 1_000_000 }
  const board = new SayingBoard()
  const hub = new MemoryHub()
  const outbox = new PinOutbox({ hub, log: new KeptLog(), counters: new Counters() })
  const presses = startPresses({ board, outbox, name: 'pi', nowMs: () => clock.nowMs })
  const told = () => hub.published.splice(0).map(({ topic, payload }) => `${topic} ${payload}`)
  const pass = (ms: number): void => {
    clock.nowMs += ms
    mock.timers.tick(ms)
    mock.timers.tick(0) // the immediate that a timer has asked for
  }
  const edge = (state: 'on' | 'off', pin = bell): void => board.edge(pin, state, { atMs: clock.nowMs })
  return { board, hub, presses, told, pass, edge, clock }
}

test('each kind goes to its topic and to the pin’s own, not retained', (t) => {
  const { hub, told, pass, edge } = world(t)
  edge('on')
  pass(100)
  edge('off')
  pass(299)
  assert.deepEqual(told(), [])
  pass(1)
  assert.deepEqual(
    hub.published.map(({ retain, qos }) => [retain, qos]),
    [
      [undefined, 1],
      [undefined, 1],
    ],
  )
  assert.deepEqual(told(), ['damselfly/pi/pins/bell/press short', 'home/bell short'])

  edge('on')
  pass(500)
  assert.deepEqual(told(), ['damselfly/pi/pins/bell/press long', 'home/bell/long long'])
  pass(5_000)
  edge('off')
  pass(5_000)
  assert.deepEqual(told(), [])

  for (const state of ['on', 'off', 'on', 'off'] as const) {
    edge(state)
    pass(100)
  }
  pass(5_000)
  assert.deepEqual(told(), ['damselfly/pi/pins/bell/press double', 'home/bell/double double'])
})

test('a kind without a topic goes to the pin’s own alone, and an input without press has none', (t) => {
  const { told, edge } = world(t)
  const plain = input('plain', 22, { press: { topics: {} } })
  edge('on', plain)
  edge('off', plain)
  assert.deepEqual(told(), ['damselfly/pi/pins/plain/press short'])
  const door = input('door', 23)
  edge('on', door)
  edge('off', door)
  assert.deepEqual(told(), [])
})

test('the rules that pressed a simulated button are told, so that a loop can be cut', (t) => {
  const { board, hub, clock } = world(t)
  const plain = input('plain', 22, { press: { topics: { short: 'a' } } })
  board.edge(plain, 'on', { atMs: clock.nowMs }, ['evening'])
  board.edge(plain, 'off', { atMs: clock.nowMs }, ['evening'])
  assert.deepEqual(
    hub.published.map(({ chain }) => chain),
    [['evening'], ['evening']],
  )
})

test('a release that nobody heard makes no long press', (t) => {
  const { board, told, pass, edge, clock } = world(t)
  edge('on')
  pass(100)
  board.seen(bell, 'off') // the level was looked at, for edges had been dropped
  pass(5_000)
  assert.deepEqual(told(), [])
  edge('on')
  pass(100)
  board.edge(bell, 'on', { atMs: clock.nowMs, lostEdges: 1 })
  pass(450)
  assert.deepEqual(told(), [])
  edge('off')
  pass(300)
  assert.deepEqual(told(), ['damselfly/pi/pins/bell/press short', 'home/bell short'])
})

test('a reload that leaves press alone leaves a press under way alone; a changed one begins anew', (t) => {
  const { told, pass, edge } = world(t)
  edge('on')
  pass(100)
  edge('off', input('bell', 27, { press: { ...press } }))
  pass(300)
  assert.equal(told().length, 2)
  edge('on')
  edge('off', input('bell', 27, { press: { ...press, doubleMs: 200 } }))
  pass(5_000)
  assert.deepEqual(told(), [])
})

test('a pin that is gone, and presses that are closed, tell nothing more', async (t) => {
  const { board, presses, told, pass, edge } = world(t)
  edge('on')
  board.remove(bell)
  pass(5_000)
  edge('on')
  presses.close()
  pass(5_000)
  edge('off')
  assert.deepEqual(told(), [])
})

for (const [title, moments, expected] of [
  ['a release takes no short press for a long one', [60], 'short'],
  ['a second press takes no double one for two', [60, 100, 140], 'double'],
] as const)
  test(`a busy process that hears late of ${title}`, async (t) => {
    const board = new SayingBoard()
    const hub = new MemoryHub()
    const outbox = new PinOutbox({ hub, log: new KeptLog(), counters: new Counters() })
    const presses = startPresses({ board, outbox, name: 'pi' })
    t.after(() => presses.close())
    const quick = input('bell', 27, { press: { topics: {}, longMs: 200, doubleMs: 150 } })
    const { port1: thread, port2: process } = new MessageChannel()
    t.after(() => thread.close())
    process.on('message', ([state, atMs]) => board.edge(quick, state, { atMs }))

    const pressedMs = monotonicMs()
    board.edge(quick, 'on', { atMs: pressedMs })
    // the thread tells the edges in time, and the process hears of them when its timers are long over
    for (const [index, ms] of moments.entries())
      thread.postMessage([index % 2 === 0 ? 'off' : 'on', pressedMs + ms])
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
    await until('a press', () => hub.published.length > 0)
    await sleep(250)
    assert.deepEqual(
      hub.published.map(({ payload }) => payload),
      [expected],
    )
  })

test('buttons of the simulator are told apart, too', async (t) => {
  const { board, log, counters } = await simulatedBoard(t)
  const hub = new MemoryHub()
  const presses = startPresses({ board, outbox: new PinOutbox({ hub, log, counters }), name: 'pi' })
  t.after(() => presses.close())
  await board.start([input('bell', 27, { press: { topics: {}, longMs: 100, doubleMs: 100 } })])
  const kinds = () => hub.published.map(({ payload }) => payload).join(' ')
  const click = (): void => {
    board.simulate('bell', 'on')
    board.simulate('bell', 'off')
  }
  click()
  await until('short', () => kinds() === 'short')
  board.simulate('bell', 'on')
  await until('long', () => kinds() === 'short long')
  board.simulate('bell', 'off')
  click()
  click()
  assert.equal(kinds(), 'short long double')
})
