import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { DamselflyError } from '#src/core/errors.js'
import { limits } from '#src/core/limits.js'
import type { Pin } from '#src/core/pin.js'
import { commandOf } from '#src/core/pin-order.js'
import { PinOutbox } from '#src/gpio/outbox.js'
import { startPinTopics } from '#src/gpio/pin-topics.js'
import { MemoryHub } from '../support/gpio-hub.js'
import { input, output, simulatedBoard } from '../support/gpio-kit.js'
import { pwm } from '../support/gpio-pwm.js'

async function world(t: TestContext, pins: readonly Pin[], hub = new MemoryHub()) {
  const { board, log, counters } = await simulatedBoard(t)
  await board.start(pins)
  log.lines.length = 0
  const outbox = new PinOutbox({ hub, log, counters })
  const topics = await startPinTopics({ board, hub, outbox, name: 'shed', log })
  const command = (pin: string, payload: string | Uint8Array, chain: readonly string[] = []): Promise<void> =>
    hub.publish({ topic: `damselfly/shed/pins/${pin}/set`, payload, chain })
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  await settle()
  return { board, log, counters, hub, outbox, topics, command, settle }
}

const prefix = 'damselfly/shed/pins'

test("each pin's state is there, retained, from the start, and follows the pin", async (t) => {
  const { board, hub, settle } = await world(t, [output('lamp', 17), input('door', 27, { pull: 'up' })])
  assert.deepEqual(hub.states, { [`${prefix}/lamp`]: 'off', [`${prefix}/door`]: 'on' })
  board.set('lamp', 'on', { chain: ['evening', 'lamp'] })
  await settle()
  assert.equal(hub.states[`${prefix}/lamp`], 'on')
  const last = hub.published.at(-1)
  assert.deepEqual([last?.retain, last?.chain], [true, ['evening', 'lamp']])
})

const understood = [
  ['on', 'on'],
  [' ON\n', 'on'],
  ['"ON"', 'on'],
  ['1', 1],
  ['true', 'on'],
  ['Off', 'off'],
  ['0', 0],
  ['"false"', 'off'],
  ['Toggle', 'toggle'],
  ['BLINK', 'blink'],
  ['40', 40],
  ['"40"', 40],
  [' -1.5 ', -1.5],
] as const

for (const [payload, command] of understood)
  test(`${JSON.stringify(payload)} commands ${command}`, () => {
    assert.equal(commandOf(Buffer.from(payload)), command)
  })

const strange = [
  '',
  ' ',
  'an',
  'on off',
  'NaN',
  '0x10',
  '1e3',
  '{"state":"on"}',
  '"on',
  '__proto__',
  'null',
  '\u0000on',
]

for (const payload of strange)
  test(`${JSON.stringify(payload)} is no command`, () => {
    assert.equal(commandOf(Buffer.from(payload)), undefined)
  })

test('a command is looked for in 64 bytes and no more; bytes that are no text are none', () => {
  assert.equal(commandOf(Buffer.from('on'.padStart(64))), 'on')
  assert.equal(commandOf(Buffer.from('on'.padStart(65))), undefined)
  assert.equal(commandOf(Buffer.from([0xff, 0xfe])), undefined)
})

test('a command on the set topic switches the pin and passes its chain on', async (t) => {
  const { board, hub, command, settle } = await world(t, [output('lamp', 17)])
  await command('lamp', 'ON', ['rule'])
  await settle()
  assert.equal(board.state('lamp'), 'on')
  const state = hub.published.at(-1)
  assert.deepEqual([state?.topic, state?.payload, state?.chain], [`${prefix}/lamp`, 'on', ['rule']])
  await command('lamp', 'toggle')
  assert.equal(board.state('lamp'), 'off')
})

test('unusable payloads are one clear line, without the payload, and change nothing', async (t) => {
  const { board, log, command } = await world(t, [output('lamp', 17)])
  for (const payload of ['secret', '', Buffer.alloc(1024 * 1024), '{"msg":']) await command('lamp', payload)
  assert.equal(board.state('lamp'), 'off')
  assert.deepEqual(log.lines, [
    {
      level: 'warn',
      message: 'pin command not understood',
      topic: `${prefix}/lamp/set`,
      client: 'damselfly',
      bytes: 6,
      expected: 'on, off, toggle or blink',
    },
  ])
})

test('commands for unknown pins are one line together, with the nearest name', async (t) => {
  const { log, command } = await world(t, [output('lamp', 17)])
  for (const name of ['lmap', '__proto__', 'constructor', '', 'x'.repeat(10_000)]) await command(name, 'on')
  assert.equal(log.lines.length, 1)
  assert.deepEqual(
    [log.lines[0]?.message, log.lines[0]?.['nearest'], log.lines[0]?.['pins']],
    ['command for an unknown pin', 'lamp', ['lamp']],
  )
})

test('an input publishes its edges, not its first level, and a simulated one obeys its set topic', async (t) => {
  const door = input('door', 27, { pull: 'up', isActiveLow: true, publish: 'home/door' })
  const { hub, command, settle, log } = await world(t, [door])
  assert.equal(
    hub.published.some(({ topic }) => topic === 'home/door'),
    false,
  )
  await command('door', 'on', ['rule'])
  await command('door', 'on')
  await command('door', 'toggle')
  await settle()
  const edges = hub.published.filter(({ topic }) => topic === 'home/door')
  assert.deepEqual(
    edges.map(({ payload, retain, chain }) => [payload, retain, chain]),
    [
      ['on', undefined, ['rule']],
      ['off', undefined, []],
    ],
  )
  assert.deepEqual(hub.states, { [`${prefix}/door`]: 'off' })
  assert.deepEqual(log.of('warn'), [])
})

test('a command for a real input is one warning, and changes nothing', async (t) => {
  const { board, log, command } = await world(t, [input('door', 27)])
  t.mock.method(board, 'isSimulatedInput', () => false) // as the board of a real chip says
  await command('door', 'on')
  await command('door', 'on')
  assert.equal(board.state('door'), 'off')
  assert.deepEqual(
    log.of('warn').map(({ message }) => message),
    ['command for an input: only its wire can change it'],
  )
})

test('a command that fails is one warning with the reason', async (t) => {
  const { board, log, command } = await world(t, [output('lamp', 17)])
  t.mock.method(board, 'set', () => {
    throw new DamselflyError('GPIO_FAILED', 'cannot write: EIO')
  })
  await command('lamp', 'on')
  assert.deepEqual(
    [log.lines[0]?.message, log.lines[0]?.['reason']],
    ['pin command failed', 'cannot write: EIO'],
  )
})

test('states of pins that exist no more are cleared, at the start and at a reload; others stay', async (t) => {
  const hub = new MemoryHub()
  for (const topic of [`${prefix}/old`, 'damselfly/other/pins/old', `${prefix}/old/set`, `${prefix}/lamp`])
    await hub.publish({ topic, payload: 'on', retain: true })
  const { board, settle } = await world(t, [output('lamp', 17), output('pump', 18)], hub)
  const others = { 'damselfly/other/pins/old': 'on', [`${prefix}/old/set`]: 'on' }
  assert.deepEqual(hub.states, { ...others, [`${prefix}/lamp`]: 'off', [`${prefix}/pump`]: 'off' })
  await board.apply([output('lamp', 17), output('fan', 18, { initial: 'on' })])
  await settle()
  assert.deepEqual(hub.states, { ...others, [`${prefix}/lamp`]: 'off', [`${prefix}/fan`]: 'on' })
})

test('a close of the board and then of the topics leaves the states of on_stop, and obeys no more', async (t) => {
  const { board, hub, outbox, topics, command } = await world(t, [
    output('lamp', 17),
    output('vent', 18, { onStop: 'on' }),
  ])
  await command('lamp', 'on')
  hub.hold()
  await board.close()
  topics.close()
  const closing = outbox.close()
  hub.release()
  await closing
  assert.deepEqual(hub.states, { [`${prefix}/lamp`]: 'off', [`${prefix}/vent`]: 'on' })
  const count = hub.published.length
  await command('lamp', 'on')
  assert.equal(hub.published.length, count + 1)
})

test('while the broker is behind, edges up to the limit wait; more are dropped, and the state is right in the end', async (t) => {
  const { hub, counters, log, command, settle, board } = await world(t, [
    input('door', 27, { publish: 'home/door' }),
    output('lamp', 17),
  ])
  const before = hub.published.length
  hub.hold()
  const flips = limits.pinMessagesMax / 2 // each is a state and an edge
  for (let flip = 0; flip < flips; flip++) board.simulate('door', 'toggle')
  assert.equal(hub.published.length - before, limits.pinMessagesMax)
  assert.equal(counters.get('pinMessagesMax'), 0)
  board.simulate('door', 'toggle')
  board.set('lamp', 'on')
  assert.equal(hub.published.length - before, limits.pinMessagesMax)
  assert.equal(counters.get('pinMessagesMax'), 1)
  assert.equal(log.of('warn').length, 1)
  hub.release()
  await settle()
  assert.deepEqual(hub.states, { [`${prefix}/door`]: board.state('door'), [`${prefix}/lamp`]: 'on' })
  await command('lamp', 'off')
  await settle()
  assert.equal(hub.states[`${prefix}/lamp`], 'off')
})

test('states that wait for the broker are told even if the board has been closed since', async (t) => {
  const { hub, outbox, topics, board } = await world(t, [
    output('lamp', 17),
    output('vent', 18, { onStop: 'on' }),
  ])
  hub.hold()
  for (let flip = 0; flip < limits.pinMessagesMax; flip++) board.set('lamp', 'toggle')
  await board.close()
  topics.close()
  const closing = outbox.close()
  hub.release()
  await closing
  assert.deepEqual(hub.states, { [`${prefix}/lamp`]: 'off', [`${prefix}/vent`]: 'on' })
})

test('a message that the broker refuses is one warning, and the pins go on', async (t) => {
  const { board, hub, log, settle } = await world(t, [output('lamp', 17)])
  hub.failure = new DamselflyError('BROKER_CLOSED', 'the broker is closed')
  board.set('lamp', 'on')
  board.set('lamp', 'off')
  await settle()
  assert.deepEqual(
    log.of('warn').map(({ message, reason }) => [message, reason]),
    [['pin message not published', 'the broker is closed']],
  )
})

test('a state that a client publishes is corrected when it is wrong, and left alone when it is true', async (t) => {
  const { board, hub, log, settle } = await world(t, [output('lamp', 17), pwm('fan', 18)])
  board.set('fan', 40)
  await settle()
  const claim = (pin: string, payload: string): Promise<void> =>
    hub.publish({ topic: `${prefix}/${pin}`, payload, client: 'bridge' })
  const before = hub.published.length
  await claim('fan', '40')
  await claim('lamp', 'off')
  await settle()
  assert.equal(hub.published.length, before + 2)
  await claim('fan', '70')
  await settle()
  assert.equal(hub.states[`${prefix}/fan`], '40')
  const corrected = log.lines.filter(
    ({ message }) => message === 'pin state published by a client: corrected',
  )
  assert.equal(corrected.length, 1)
})

test('to clear a state of a pin that a client has made up does not wait for the broker; the state of a true pin does', async (t) => {
  const { board, log } = await simulatedBoard(t)
  await board.start([output('lamp', 17)])
  const hub = new MemoryHub()
  const said: string[] = []
  const outbox: Pick<PinOutbox, 'send' | 'sendLatest'> = {
    send: ({ topic, payload }) => said.push(`may be dropped: ${topic} "${payload}"`),
    sendLatest: (_key, { topic, payload }) => said.push(`waits: ${topic} "${payload}"`),
  }
  const topics = await startPinTopics({ board, hub, outbox, name: 'shed', log })
  t.after(() => topics.close())
  said.length = 0
  for (const pin of ['none', 'lamp'])
    await hub.publish({ topic: `${prefix}/${pin}`, payload: 'on', client: 'odd' })
  assert.deepEqual(said, [`may be dropped: ${prefix}/none ""`, `waits: ${prefix}/lamp "off"`])
})
