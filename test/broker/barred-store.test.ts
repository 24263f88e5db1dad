import assert from 'node:assert/strict'
import { afterEach, type TestContext, test } from 'node:test'
import { setLimits } from '#src/core/limits.js'
import { type Line, SessionWorld, turns } from '../support/session-world.js'
import { connectBytes, properties, u32 } from '../support/wire-client.js'

afterEach(() => setLimits({}))

const longSession = properties([17], u32(600)).subarray(1) // Session Expiry Interval
const puback = (id: number, code = 0): string => `40${code === 0 ? '02' : '03'}000${id}${hex(code)}`
const pubrec = (id: number, code = 0): string => `50${code === 0 ? '02' : '03'}000${id}${hex(code)}`
const hex = (code: number): string => (code === 0 ? '' : code.toString(16))
const quota = 0x97

/** A store that is to keep what `kept` is sent, for a reader that is connected; clients of MQTT 5 and 3.1.1. */
async function barredWorld(context: TestContext) {
  const world = await SessionWorld.open()
  context.after(() => world.close())
  const reader = await world.join({ clientId: 'reader', clean: false })
  reader.subscribe('kept', 2)
  const durable = { level: 5, clean: false, properties: longSession } as const
  const v5 = await world.join({ clientId: 'v5', level: 5 })
  const own = await world.join({ clientId: 'own', ...durable })
  const v3 = await world.join({ clientId: 'v3' })
  await world.keep()
  reader.answers()
  return { world, ledger: world.ledger, reader, v5, own, v3 }
}

async function said(line: Line, say: () => void): Promise<string[]> {
  say()
  await turns()
  return line.answers()
}

test('while nothing can be kept, a message of MQTT 5 that must be is refused, and nobody gets it', async (context) => {
  const { ledger, reader, v5, own } = await barredWorld(context)
  ledger.bar()
  assert.deepEqual(await said(v5, () => v5.publish('kept', 'one', 1, 1)), [puback(1, quota)])
  assert.deepEqual(await said(v5, () => v5.publish('kept', 'two', 2, 2)), [pubrec(2, quota)])
  assert.deepEqual(await said(v5, () => v5.publish('nobody', 'state', 1, 3, true)), [puback(3, quota)])
  assert.deepEqual(await said(own, () => own.publish('nobody', 'its id', 2, 4)), [pubrec(4, quota)])
  assert.equal(ledger.refusals, 4)
  assert.deepEqual(reader.messages(), [])
})

test('what need not be kept is taken then, and answered before what waits', async (context) => {
  const { ledger, reader, v5, own } = await barredWorld(context)
  ledger.bar()
  assert.deepEqual(await said(own, () => own.subscribe('new')), [], 'SUBACK waits')
  assert.deepEqual(await said(own, () => own.publish('nobody', 'x', 1, 1)), [puback(1)])
  assert.deepEqual(await said(own, () => own.publish('kept', 'x', 1, 2)), [puback(2, quota)])
  assert.deepEqual(await said(v5, () => v5.publish('nobody', 'x', 2, 3)), [pubrec(3)])
  assert.deepEqual(await said(v5, () => v5.publish('kept', 'live')), [])
  assert.deepEqual(reader.messages(), ['live q0'])
  assert.equal(ledger.refusals, 1)
})

test('what waited when it began is refused, in its order, and its identifier free; then messages are taken as ever', async (context) => {
  const { world, ledger, v5, own } = await barredWorld(context)
  v5.publish('kept', 'one', 1, 1)
  v5.publish('nobody', 'two', 1, 2)
  own.publish('kept', 'three', 2, 3)
  own.subscribe('new')
  await turns()
  ledger.begin()
  assert.deepEqual([v5.answers(), own.answers()], [[], []])
  ledger.bar()
  await turns()
  assert.deepEqual(v5.answers(), [puback(1, quota), puback(2)])
  assert.deepEqual(own.answers(), [pubrec(3, quota)])
  assert.equal(ledger.refusals, 2)
  await world.keep()
  assert.deepEqual(own.answers(), ['90040009' + '0001'], 'SUBACK has come')
  own.publish('kept', 'again', 2, 3)
  await world.keep()
  assert.deepEqual(own.answers(), [pubrec(3)])
  const { sessions } = ledger.disk.read()
  const payloads = sessions.flatMap(({ deliveries }) => deliveries.map(({ message }) => `${message.payload}`))
  assert.ok(payloads.includes('again'), 'it was no repetition')
})

test('a message of MQTT 3.1.1 is answered when it is kept, be that late', async (context) => {
  const { world, ledger, reader, v3 } = await barredWorld(context)
  ledger.bar()
  assert.deepEqual(await said(v3, () => v3.publish('kept', 'one', 1, 1)), [])
  assert.deepEqual(await said(v3, () => v3.publish('kept', 'live')), [])
  assert.deepEqual(reader.messages(), ['one q1 #1', 'live q0'])
  await world.keep()
  assert.deepEqual(v3.answers(), [puback(1)])
})

test('when as much waits to be kept as may, a message of MQTT 5 is refused, and an earlier client not read until there is room', async (context) => {
  const { world, ledger, v5, v3 } = await barredWorld(context)
  v5.publish('kept', 'one', 1, 1)
  v3.publish('kept', 'two', 1, 2)
  await turns()
  assert.equal(v3.isPaused(), false)
  ledger.isFull = true
  v3.publish('kept', 'three', 1, 3)
  await turns()
  assert.deepEqual([v3.isPaused(), v5.isPaused()], [true, false])
  assert.equal(world.counters.get('unkeptBytesMax'), 1)
  v5.publish('kept', 'four', 1, 4)
  await turns()
  assert.deepEqual([v5.answers(), ledger.refusals], [[], 1], 'behind what it had sent before')
  await world.keep()
  assert.deepEqual(v5.answers(), [puback(1), puback(4, quota)])
  assert.deepEqual(v3.answers(), [puback(2), puback(3)])
  assert.equal(v3.isPaused(), true)
  ledger.isFull = false
  world.publish('kept', 'something else')
  await world.keep()
  assert.equal(v3.isPaused(), false)
})

test('a client that wants a session is let in while nothing can be kept; it is sent no message of QoS 2 whose identifier is not kept', async (context) => {
  const { world, ledger, reader } = await barredWorld(context)
  world.publish('kept', 'exactly', 2)
  await turns()
  assert.deepEqual(reader.messages(), [], 'it waits for its identifier')
  ledger.begin()
  ledger.bar()
  reader.destroy()
  const again = world.connect()
  again.say(connectBytes({ clientId: 'reader', clean: false }))
  const fresh = world.connect()
  fresh.say(connectBytes({ clientId: 'fresh', clean: false }))
  await turns()
  assert.deepEqual([again.answers(), fresh.answers()], [['20020100'], ['20020000']])
  assert.deepEqual(again.messages(), [])
  await world.keep()
  assert.deepEqual(again.messages(), ['exactly q2 #1'])
})

test('who waits for CONNACK when it begins is let in', async (context) => {
  const { world, ledger } = await barredWorld(context)
  const line = world.connect()
  line.say(connectBytes({ clientId: 'fresh', clean: false }))
  await turns()
  assert.deepEqual(line.answers(), [])
  ledger.bar()
  await turns()
  assert.deepEqual(line.answers(), ['20020000'])
})
