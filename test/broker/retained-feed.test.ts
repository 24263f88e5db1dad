import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { SessionWorld, turns } from '../support/session-world.js'
import { u32 } from '../support/wire-client.js'

async function open(context: TestContext): Promise<SessionWorld> {
  const world = await SessionWorld.open()
  context.after(() => world.close())
  return world
}

const durable = {
  level: 5,
  clean: false,
  clientId: 'a',
  properties: Buffer.concat([[17], u32(0xffff_ffff), [33, 0, 2]].map(Buffer.from)),
} as const
const noLocal = 4

/** The first character of each. */
function numbers(messages: readonly string[]): string {
  return messages.map((message) => message[0]).join('')
}

test('retained messages come as fast as they are answered, and with RETAIN', async (context) => {
  const world = await open(context)
  for (const number of [1, 2, 3]) world.publish(`t/${number}`, `${number}`, 1, true)
  const line = await world.join(durable)
  line.subscribe('t/+', 1)
  await world.keep()
  assert.deepEqual(line.messages(), ['1 q1 #1 retain', '2 q1 #2 retain'])
  line.puback(1)
  await world.keep()
  assert.deepEqual(line.messages(), ['3 q1 #3 retain'])
})

test('a session that goes on has its retained messages after the connection is lost; one that ends has not', async (context) => {
  const world = await open(context)
  for (const number of [1, 2, 3, 4]) world.publish(`t/${number}`, `${number}`, 1, true)
  const before = await world.join(durable)
  before.subscribe('t/+', 1)
  await world.keep()
  before.puback(1)
  await world.keep()
  before.destroy()
  await turns()
  const after = await world.join(durable)
  assert.deepEqual(
    after.messages(),
    ['2 q1 #2 retain dup', '3 q1 #3 retain dup'].map((one) => one.replace(' retain dup', ' dup retain')),
  )
  after.puback(2)
  await world.keep()
  assert.deepEqual(after.messages(), ['4 q1 #4 retain'])
  const anew = await world.join({ ...durable, clean: true })
  await turns()
  assert.deepEqual(anew.messages(), [])
})

test('none comes after UNSUBACK [MQTT-3.10.4-2], and all come again for a new SUBSCRIBE', async (context) => {
  const world = await open(context)
  for (const number of [1, 2, 3, 4]) world.publish(`t/${number}`, `${number}`, 1, true)
  const line = await world.join(durable)
  line.subscribe('t/+', 1)
  await world.keep()
  assert.equal(numbers(line.messages()), '12')
  line.unsubscribe('t/+')
  for (const id of [1, 2]) line.puback(id)
  await world.keep()
  assert.equal(numbers(line.messages()), '')
  line.subscribe('t/+', 1)
  await world.keep()
  assert.equal(numbers(line.messages()), '12')
  line.subscribe('t/+', 0)
  for (const id of [3, 4]) line.puback(id)
  await world.keep()
  assert.equal(numbers(line.messages()), '1234') // [MQTT-3.8.4-3]
})

test('No Local holds for retained messages as well, also for those from before a restart [MQTT-3.8.3-3]', async (context) => {
  const first = await open(context)
  const line = await first.join(durable)
  line.publish('t/own', 'own', 1, 1, true)
  first.publish('t/other', 'other', 1, true)
  await first.keep()
  const second = await first.crash()
  context.after(() => second.close())
  const back = await second.join(durable)
  back.subscribe('t/+', 1, noLocal)
  await second.keep()
  assert.deepEqual(back.messages(), ['other q1 #1 retain'])
  back.subscribe('t/own', 1)
  await second.keep()
  assert.deepEqual(back.messages(), ['own q1 #2 retain'])
})

test('a search among many retained messages lets others have their turn, also when several search', async (context) => {
  const world = await open(context)
  for (let number = 0; number < 30_000; number++) world.publish(`t/${number}/x`, 'x', 0, true)
  world.publish('t/last/y', 'y', 0, true)
  const [a, b] = [await world.join({ clientId: 'a' }), await world.join({ clientId: 'b' })]
  const other = await world.join({ clientId: 'c' })
  for (const line of [a, b]) line.subscribe('t/+/y', 0)
  let answered = 0
  for (; a.packets.length + b.packets.length < 4; answered++) {
    other.say([0xc0, 0])
    await turns(3)
    assert.equal(other.packets.splice(0).length, 1, 'PINGRESP')
  }
  assert.ok(answered > 1, 'somebody was answered before the search was over')
  for (const line of [a, b]) assert.deepEqual(line.messages(), ['y q0 retain'])
})

test('many retained messages for one client let others have their turn', async (context) => {
  const world = await open(context)
  for (let number = 0; number < 30_000; number++) world.publish(`t/${number}`, 'x', 0, true)
  const line = await world.join({ clientId: 'a' })
  line.subscribe('t/+', 0)
  let rounds = 0
  let count = 0
  for (; count < 30_000; rounds++) {
    await turns(3)
    count += line.messages().length
  }
  assert.ok(rounds > 1)
  assert.equal(count, 30_000)
})
