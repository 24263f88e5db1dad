import assert from 'node:assert/strict'
import { afterEach, type TestContext, test } from 'node:test'
import { limits, setLimits } from '#src/core/limits.js'
import { standingClock } from '../support/clock.js'
import { type Line, SessionWorld, turns } from '../support/session-world.js'
import { type ConnectFields, packet, prefixed, u16, u32 } from '../support/wire-client.js'

afterEach(() => setLimits({}))

async function open(context: TestContext): Promise<SessionWorld> {
  const world = await SessionWorld.open()
  context.after(() => world.close())
  return world
}

/** A client of MQTT 5 whose session stays, with a window of so many messages. */
function durable(clientId: string, window = 100, clean = false): ConnectFields {
  return {
    level: 5,
    clean,
    clientId,
    properties: Buffer.concat([[17], u32(0xffff_ffff), [33], u16(window)].map(Buffer.from)),
  }
}

/** Connects, subscribes and forgets the answers. */
async function listen(
  world: SessionWorld,
  fields: ConnectFields,
  filter = 't',
  qos: 0 | 1 | 2 = 2,
): Promise<Line> {
  const line = await world.join(fields)
  line.subscribe(filter, qos)
  await world.keep()
  line.answers()
  return line
}

test('what was not answered is sent again with DUP and its identifier, before what came meanwhile', async (context) => {
  const world = await open(context)
  const before = await listen(world, durable('a', 2))
  for (const payload of ['1', '2', '3']) world.publish('t', payload)
  await world.keep()
  assert.deepEqual(before.messages(), ['1 q1 #1', '2 q1 #2'])
  before.puback(1)
  await world.keep()
  assert.deepEqual(before.messages(), ['3 q1 #3'])
  before.destroy()
  await turns()
  world.publish('t', '4')
  const after = await world.join(durable('a', 10))
  assert.deepEqual(after.messages(), ['2 q1 #2 dup', '3 q1 #3 dup', '4 q1 #4'])
})

test('an answer to a message before it is sent again makes no room in the window', async (context) => {
  const world = await open(context)
  const before = await listen(world, durable('a', 3))
  for (const payload of ['1', '2', '3']) world.publish('t', payload)
  world.publish('t', '4')
  await world.keep()
  before.destroy()
  await turns()
  const after = await world.join(durable('a', 1))
  assert.deepEqual(after.messages(), ['1 q1 #1 dup'])
  after.puback(2)
  await world.keep()
  assert.deepEqual(after.messages(), [])
  after.puback(1)
  await world.keep()
  assert.deepEqual(after.messages(), ['3 q1 #3 dup'])
  after.puback(3)
  await world.keep()
  assert.deepEqual(after.messages(), ['4 q1 #4'])
})

test('a message that comes with the answer which makes room does not overtake one that is to be sent again', async (context) => {
  const world = await open(context)
  const before = await listen(world, durable('a', 2))
  for (const payload of ['1', '2']) world.publish('t', payload)
  await world.keep()
  before.destroy()
  await turns()
  const after = await world.join(durable('a', 1))
  assert.deepEqual(after.messages(), ['1 q1 #1 dup'])
  after.holdBreath()
  after.puback(1)
  after.publish('t', '3', 1)
  after.speak()
  await world.keep()
  assert.deepEqual(after.messages(), ['2 q1 #2 dup'])
})

test('a message of QoS 2 leaves when its identifier is kept; one whose connection breaks before has never been sent', async (context) => {
  const world = await open(context)
  const before = await listen(world, durable('a'))
  world.publish('t', '1', 2)
  world.publish('t', '2', 1)
  await turns()
  assert.deepEqual(before.messages(), [])
  before.destroy()
  await turns()
  const after = await world.join(durable('a'))
  assert.deepEqual(after.messages(), ['1 q2 #1', '2 q1 #2'])
})

test('an answer to a message that was not sent yet is an answer to nothing', async (context) => {
  const world = await open(context)
  const line = await listen(world, durable('a'))
  world.publish('t', '1', 2)
  line.pubrec(1)
  line.pubcomp(1)
  await world.keep()
  assert.deepEqual(line.messages(), ['1 q2 #1'])
  assert.deepEqual(line.answers(), ['6203000192'])
})

test('messages of QoS 2 reach a session that is kept nowhere but in memory', async (context) => {
  const world = await open(context)
  world.ledger.isMemory = true
  const line = await listen(world, durable('a'))
  world.publish('t', '1', 2)
  await turns()
  assert.deepEqual(line.messages(), ['1 q2 #1'])
})

test('the second batch wakes a message that the first one did not', async (context) => {
  const world = await open(context)
  const line = await listen(world, durable('a'))
  const other = await listen(world, durable('b'), 'other')
  other.publish('other', 'x', 1)
  world.ledger.begin()
  world.publish('t', '1', 2)
  world.ledger.finish()
  await turns()
  assert.deepEqual(line.messages(), [])
  await world.keep()
  assert.deepEqual(line.messages(), ['1 q2 #1'])
})

test('a session that ends while a message is on its way to several takes nothing of it', async (context) => {
  setLimits({ sessionsMax: 1, outputBytesMax: 100 })
  const world = await open(context)
  const slow = await listen(world, durable('slow'), 't', 0)
  const away = await listen(world, durable('away'))
  away.destroy()
  await turns()
  slow.stick()
  world.publish('t', 'x'.repeat(60))
  await turns() // it is written, and not read
  world.publish('t', 'x'.repeat(120)) // too much for one, which goes away: then there are too many away
  await world.keep()
  assert.equal(slow.isClosed, true)
  assert.equal(world.counters.get('sessionsMax'), 1)
  assert.equal(world.sessions.count, 1)
  assert.equal(world.ledger.disk.read().sessions[0]?.record.clientId, 'slow')
})

test('a message for many sessions is stored once, and goes with the last of them', async (context) => {
  setLimits({ sessionQueueMessagesMax: 1 })
  const world = await open(context)
  const { bodies } = world.ledger.disk
  const lines: Line[] = []
  for (const id of ['a', 'b', 'c']) lines.push(await listen(world, durable(id), 't', 1))
  const [a, b, c] = lines as [Line, Line, Line]
  for (const line of [b, c]) line.destroy()
  await turns()
  world.publish('t', '1')
  await world.keep()
  assert.equal(bodies.size, 1)
  a.puback(1)
  await world.keep()
  assert.equal(bodies.size, 1)
  world.publish('t', '2') // the first one is dropped by those who are away
  a.puback(2)
  await world.keep()
  assert.deepEqual(
    [...bodies.values()].map(({ payload }) => `${payload}`),
    ['2'],
  )
  ;(await world.join(durable('b', 100, true))).destroy()
  await world.keep()
  assert.equal(bodies.size, 1)
  const last = await world.join(durable('c'))
  assert.deepEqual(last.messages(), ['2 q1 #1'])
  last.puback(1)
  await world.keep()
  world.ledger.disk.read()
  assert.equal(bodies.size, 0)
  assert.equal(world.house.budget.bytes, 0)
})

test('what expires while it waits is not sent, neither before nor after a restart, and leaves nothing', async (context) => {
  standingClock(context, 1_000_000)
  const first = await open(context)
  const line = await listen(first, durable('a'), 't', 1)
  line.destroy()
  await turns()
  const sender = await first.join({ level: 5, clientId: 'sender' })
  for (const seconds of [10, 30, 60])
    sender.say(packet(0x32, prefixed('t'), u16(seconds), 5, 2, u32(seconds), `${seconds}`))
  await first.keep()
  assert.equal(first.ledger.disk.bodies.size, 3)
  context.mock.timers.tick(20_000)
  const second = await first.crash()
  context.after(() => second.close())
  context.mock.timers.tick(20_000)
  const back = await second.join(durable('a'))
  assert.deepEqual(back.messages(), ['60 q1 #3'])
  back.puback(3)
  await second.keep()
  assert.equal(second.ledger.disk.bodies.size, 0)
  assert.equal(second.house.budget.bytes, 0)
})

test('a message that had left before it expired is sent again all the same', async (context) => {
  standingClock(context, 1_000_000)
  const world = await open(context)
  const line = await listen(world, durable('a'), 't', 2)
  const sender = await world.join({ level: 5, clientId: 'sender' })
  sender.say(packet(0x34, prefixed('t'), u16(1), 5, 2, u32(10), 'x'))
  await world.keep()
  assert.deepEqual(line.messages(), ['x q2 #1'])
  line.destroy()
  await turns()
  context.mock.timers.tick(20_000)
  assert.deepEqual((await world.join(durable('a'))).messages(), ['x q2 #1 dup']) // [MQTT-4.4.0-1]
})

test('an answer that lets memory go is not withheld', async (context) => {
  const world = await open(context)
  const line = await listen(world, durable('a'))
  world.publish('t', 'x'.repeat(1_000), 2)
  await world.keep()
  line.answers()
  world.house.budget.add(limits.memoryBytesMax)
  line.pubrec(1)
  await world.keep()
  assert.deepEqual(line.answers(), ['62020001'])
})

test('a client that reads too slowly is let go, and one that only asks and reads no answers as well', async (context) => {
  setLimits({ outputBytesMax: 200 })
  const world = await open(context)
  for (const act of [
    (line: Line): void => {
      for (let count = 0; count < 9; count++) line.say([0xc0, 0])
      for (let count = 0; count < 100; count++) line.say([0xc0, 0])
    },
    (): void => {
      for (let count = 0; count < 20; count++) world.publish('t', 'x'.repeat(20), 0)
    },
  ]) {
    const line = await listen(world, { clientId: 'slow' }, 't', 0)
    line.stick()
    line.say([0xc0, 0])
    await turns()
    const before = world.counters.get('outputBytesMax')
    act(line)
    assert.equal(line.isClosed, true)
    assert.equal(world.counters.get('outputBytesMax'), before + 1)
  }
})

test('a client of MQTT 5 may use its whole window though the store is slow; one message more ends its connection', async (context) => {
  setLimits({ inflightMessagesMax: 4 })
  const world = await open(context)
  await listen(world, durable('away'), 't')
  const sender = await world.join(durable('sender'))
  for (const id of [1, 2]) sender.publish('t', 'x', 2, id)
  for (const id of [3, 4]) sender.publish('t', 'x', 1, id)
  assert.equal(sender.isClosed, false)
  await world.keep()
  assert.deepEqual(sender.answers(), ['50020001', '50020002', '40020003', '40020004'])
  sender.say([0x62, 2], u16(1)) // the last answer to the first waits for the store
  for (const id of [5, 6]) sender.publish('t', 'x', 1, id)
  await turns()
  assert.equal(sender.isClosed, false)
  sender.publish('t', 'x', 1, 7)
  assert.equal(sender.isClosed, true)
})

test('what an earlier connection left unreleased takes no place in the window of the next', async (context) => {
  setLimits({ inflightMessagesMax: 2 })
  const world = await open(context)
  const before = await world.join(durable('sender'))
  for (const id of [1, 2]) before.publish('t', 'x', 2, id)
  await world.keep()
  before.destroy()
  await turns()
  const after = await world.join(durable('sender'))
  for (const id of [1, 2]) after.say([0x62, 2], u16(id))
  for (const id of [3, 4]) after.publish('t', 'x', 1, id)
  await world.keep()
  assert.equal(after.isClosed, false)
})
