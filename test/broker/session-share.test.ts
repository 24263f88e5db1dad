import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Line, SessionWorld } from '../support/session-world.js'
import { u32 } from '../support/wire-client.js'

async function open(context: TestContext): Promise<SessionWorld> {
  const world = await SessionWorld.open()
  context.after(() => world.close())
  return world
}

async function member(world: SessionWorld, clientId: string, qos: 0 | 1 | 2, window = 100): Promise<Line> {
  const properties = Buffer.concat([[17], u32(3_600), [33, 0, window]].map(Buffer.from))
  const line = await world.join({ level: 5, clean: false, clientId, properties })
  line.subscribe('$share/s/t', qos)
  await world.keep()
  line.answers()
  return line
}

/** The session ends with this connection. */
async function leaveForGood(world: SessionWorld, line: Line): Promise<void> {
  line.say([0xe0, 7, 0, 5, 17, 0, 0, 0, 0])
  await world.keep()
}

test('what a member has not answered goes to another when its session ends, at the QoS of the other', async (context) => {
  const world = await open(context)
  const a = await member(world, 'a', 1, 1)
  for (const payload of ['1', '2']) world.publish('t', payload, 2)
  await world.keep()
  assert.deepEqual(a.messages(), ['1 q1 #1'])
  const b = await member(world, 'b', 2)
  await leaveForGood(world, a)
  assert.deepEqual(b.messages(), ['1 q2 #1', '2 q2 #2'])
  assert.equal(world.sessions.count, 1)
  world.ledger.disk.read()
})

test('a message of QoS 2 that was sent goes to nobody else; one that was not does [MQTT-4.8.2-5]', async (context) => {
  const world = await open(context)
  const a = await member(world, 'a', 2, 1)
  for (const payload of ['1', '2']) world.publish('t', payload, 2)
  await world.keep()
  assert.deepEqual(a.messages(), ['1 q2 #1'])
  const b = await member(world, 'b', 2)
  await leaveForGood(world, a)
  assert.deepEqual(b.messages(), ['2 q2 #1'])
})

test('what was sent to a member whose session ends with its connection goes to another, QoS 2 excepted', async (context) => {
  const world = await open(context)
  const lines: Line[] = []
  for (const clientId of ['a', 'b']) {
    const line = await world.join({ level: 5, clientId })
    line.subscribe('$share/s/t', 2)
    await world.keep()
    lines.push(line)
  }
  const [a, b] = lines as [Line, Line]
  for (const [payload, qos] of [
    ['1', 1],
    ['2', 1],
    ['3', 2],
    ['4', 2],
  ] as const)
    world.publish('t', payload, qos)
  await world.keep()
  assert.deepEqual(a.messages(), ['1 q1 #1', '3 q2 #2'])
  assert.deepEqual(b.messages(), ['2 q1 #1', '4 q2 #2'])
  a.destroy()
  await world.keep()
  assert.deepEqual(b.messages(), ['1 q1 #3'])
})

test('a member that is away keeps what it has, and gets nothing new while another is there [MQTT-4.8.2-4]', async (context) => {
  const world = await open(context)
  const a = await member(world, 'a', 2)
  world.publish('t', '1', 1)
  await world.keep()
  assert.deepEqual(a.messages(), ['1 q1 #1'])
  const b = await member(world, 'b', 2)
  a.destroy()
  await world.keep()
  for (const payload of ['2', '3']) world.publish('t', payload, 1)
  await world.keep()
  assert.deepEqual(b.messages(), ['2 q1 #1', '3 q1 #2'])
  const back = await member(world, 'a', 2)
  assert.deepEqual(back.messages(), ['1 q1 #1 dup'])
})

test('what waits for a member goes to another also after a restart, unless it may have come by another subscription', async (context) => {
  const first = await open(context)
  const a = await member(first, 'a', 1, 1)
  a.subscribe('u/+', 1)
  a.subscribe('$share/s/u/#', 1)
  await first.keep()
  for (const topic of ['t', 't', 'u/1']) first.publish(topic, topic, 1)
  await first.keep()
  a.destroy()
  await first.keep()
  const second = await first.crash()
  context.after(() => second.close())
  const b = await member(second, 'b', 1)
  const back = await member(second, 'a', 1)
  b.messages()
  await leaveForGood(second, back)
  assert.deepEqual(b.messages(), ['t q1 #1', 't q1 #2'])
  assert.equal(second.sessions.count, 1)
  second.ledger.disk.read()
})
