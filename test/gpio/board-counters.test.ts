import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import type { InputPin, PulseCount } from '#src/core/pin.js'
import { PinBoard } from '#src/gpio/board.js'
import { PinOutbox } from '#src/gpio/outbox.js'
import { startPinTopics } from '#src/gpio/pin-topics.js'
import { PulseCounters } from '#src/gpio/pulse-counters.js'
import { MemoryHub } from '../support/gpio-hub.js'
import { input, KeptLog, temporaryFolder } from '../support/gpio-kit.js'
import { until } from '../support/until.js'

const count: PulseCount = { perPulse: 0.5, ratePer: 'm', everyMs: 20 }
const water = input('water', 22, { count, publish: 'home/pulse' })
const prefix = 'damselfly/shed/pins'

/** A simulated board with counters and topics, joined as the daemon does. */
async function world(t: TestContext, pins: readonly InputPin[]) {
  const dataDir = await temporaryFolder(t)
  const log = new KeptLog()
  const counters = new Counters()
  const hub = new MemoryHub()
  let pulses: PulseCounters | undefined
  const totalOf = (pin: InputPin): number => pulses?.totalOf(pin) ?? 0
  const board = new PinBoard({ choice: 'simulated', dataDir, log, counters, totalOf })
  const outbox = new PinOutbox({ hub, log, counters })
  pulses = await PulseCounters.open({ board, outbox, dataDir, log, counters })
  const counting = pulses
  t.after(async () => {
    await counting.close()
    await board.close()
  })
  await board.start(pins)
  await startPinTopics({ board, hub, outbox, name: 'shed', log })
  pulses.apply()
  log.lines.length = 0
  const command = (pin: string, payload: string): Promise<void> =>
    hub.publish({ topic: `${prefix}/${pin}/set`, payload })
  const sent = (topic: string) =>
    hub.published.filter((message) => message.topic === topic).map(({ payload }) => payload)
  return { board, pulses, hub, log, command, sent }
}

function pulse(board: PinBoard, times = 1): void {
  for (let done = 0; done < times; done++) {
    board.simulate('water', 'on')
    board.simulate('water', 'off')
  }
}

test('the state of an input that counts is its total, retained; its level is told on its publish topic alone', async (t) => {
  const { board, hub, sent } = await world(t, [water])
  assert.equal(hub.states[`${prefix}/water`], '0')
  pulse(board, 3)
  assert.equal(board.state('water'), 1.5)
  await until('the total', () => hub.states[`${prefix}/water`] === '1.5')
  assert.ok(sent(`${prefix}/water`).every((payload) => /^[\d.]+$/.test(String(payload))))
  assert.deepEqual(sent('home/pulse'), ['on', 'off', 'on', 'off', 'on', 'off'])
})

test('a number on its set topic aligns it; a word moves a simulated wire; anything else is told', async (t) => {
  const { board, hub, log, command } = await world(t, [water])
  await command('water', '1234.5')
  assert.equal(board.state('water'), 1234.5)
  assert.equal(hub.states[`${prefix}/water`], '1234.5')
  await command('water', '1') // the total, not the wire
  assert.equal(board.state('water'), 1)
  await command('water', 'on')
  assert.equal(board.state('water'), 1.5)
  await command('water', 'much')
  const [line] = log.of('warn')
  assert.deepEqual(
    [line?.message, line?.['expected']],
    ['pin command not understood', 'a number: the total that the meter shows'],
  )
})

test('only what counts can be aligned', async (t) => {
  const { board } = await world(t, [water, input('door', 27)])
  assert.deepEqual([board.isCounter('water'), board.isCounter('door')], [true, false])
  assert.throws(() => board.align('door', 5), { code: 'PIN_COMMAND_INVALID', message: /door does not count/ })
  assert.throws(() => board.align('dor', 5), { code: 'PIN_UNKNOWN' })
  board.tellTotal('door')
  board.tellTotal('dor')
})

test('an input that begins to count at a reload tells its total, and its level again when it does not', async (t) => {
  const door = input('water', 22)
  const { board, pulses, hub } = await world(t, [door])
  assert.equal(hub.states[`${prefix}/water`], 'off')
  await board.apply([water])
  pulses.apply()
  assert.equal(hub.states[`${prefix}/water`], '0')
  pulse(board, 2)
  await board.apply([door])
  pulses.apply()
  await until('the level', () => hub.states[`${prefix}/water`] === 'off')
  await board.apply([water])
  pulses.apply()
  await until('the total', () => hub.states[`${prefix}/water`] === '1')
})
