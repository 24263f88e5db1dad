import assert from 'node:assert/strict'
import { afterEach, type TestContext, test } from 'node:test'
import { setLimits } from '#src/core/limits.js'
import { publishBytes, pubrel, subscribeBytes, unsubscribeBytes } from '../support/conformance.js'
import { type Line, SessionWorld, turns } from '../support/session-world.js'
import { connectBytes } from '../support/wire-client.js'

afterEach(() => setLimits({}))

const type = { connack: 2, puback: 4, pubrec: 5, pubcomp: 7, suback: 9, unsuback: 11, pingresp: 13 } as const

/** A broker whose store keeps nothing until it is told to. */
async function stuckWorld(context: TestContext): Promise<SessionWorld> {
  const world = await SessionWorld.open()
  context.after(() => world.close())
  return world
}

function typesOf(line: Line): number[] {
  return line.packets.splice(0).map((one) => one.type)
}

async function connected(world: SessionWorld, clientId: string): Promise<Line> {
  const line = world.connect()
  line.say(connectBytes({ clientId, clean: false }))
  await world.keep()
  assert.deepEqual(typesOf(line), [type.connack])
  return line
}

test('CONNACK of a session that is to stay leaves when the session is kept, and not before; that of a brief one leaves at once', async (context) => {
  const world = await stuckWorld(context)
  const [durable, brief] = [world.connect(), world.connect()]
  durable.say(connectBytes({ clientId: 'durable', clean: false }), [0xc0, 0])
  brief.say(connectBytes({ clientId: 'brief' }), [0xc0, 0])
  await turns()
  world.ledger.begin()
  await turns()
  assert.deepEqual(typesOf(durable), [])
  assert.deepEqual(typesOf(brief), [type.connack, type.pingresp])
  world.ledger.finish()
  await turns()
  assert.deepEqual(typesOf(durable), [type.connack, type.pingresp])
})

test('no answer leaves before what it promises is kept; then all leave, in the order of what they answer', async (context) => {
  const world = await stuckWorld(context)
  const reader = await connected(world, 'reader')
  reader.say(subscribeBytes(1, ['t', 2]))
  await world.keep()
  const sender = await connected(world, 'sender')
  sender.say(publishBytes('t', 'before', { qos: 2, id: 9 }))
  await world.keep()
  typesOf(reader)
  typesOf(sender)

  const each: readonly (readonly [Buffer, number])[] = [
    [subscribeBytes(1, ['own', 1]), type.suback],
    [publishBytes('t', 'one', { qos: 1, id: 2 }), type.puback],
    [publishBytes('t', 'two', { qos: 2, id: 3 }), type.pubrec],
    [pubrel(9), type.pubcomp],
    [publishBytes('state', 'x', { qos: 1, id: 4, retain: true }), type.puback],
    [publishBytes('nobody', 'nothing to keep', { qos: 1, id: 5 }), type.puback],
    [unsubscribeBytes(6, 'own'), type.unsuback],
  ]
  for (const [said] of each) {
    sender.say(said)
    await turns()
    world.ledger.begin() // of the first: the others go to the next batch
    await turns()
    assert.deepEqual(typesOf(sender), [])
  }
  world.ledger.finish()
  await turns()
  assert.deepEqual(typesOf(sender), [type.suback], 'what was written down later waits')
  await world.keep()
  assert.deepEqual(
    typesOf(sender),
    each.slice(1).map(([, answer]) => answer),
  )
})

for (const [title, said] of [
  ['SUBACK', [subscribeBytes(1, ['own', 1])]],
  ['PUBACK', [publishBytes('t', 'one', { qos: 1, id: 2 })]],
  ['PUBREC', [publishBytes('nobody', 'two', { qos: 2, id: 3 })]],
  ['PUBCOMP', [pubrel(9)]],
  ['UNSUBACK', [unsubscribeBytes(6, 'known')]],
] as const)
  test(`${title} waits for the store on its own`, async (context) => {
    const world = await stuckWorld(context)
    const reader = await connected(world, 'reader')
    reader.say(subscribeBytes(1, ['t', 2]))
    const sender = await connected(world, 'sender')
    sender.say(subscribeBytes(8, ['known', 0]), publishBytes('t', 'before', { qos: 2, id: 9 }))
    await world.keep()
    typesOf(sender)
    sender.say(...said)
    await turns()
    assert.deepEqual(typesOf(sender), [])
    await world.keep()
    assert.equal(typesOf(sender).length, 1)
  })

test('a client whose answers wait in too great a number is not read until they have left, and not taken for silent meanwhile', async (context) => {
  setLimits({ heldAnswersMax: 50 })
  const world = await stuckWorld(context)
  const { counters } = world
  const line = world.connect()
  line.say(connectBytes({ clientId: 'eager', clean: false, keepAlive: 1 }))
  await world.keep()
  typesOf(line)
  const state = (id: number): Buffer => publishBytes('state', `${id}`, { qos: 1, id, retain: true })
  for (let id = 1; id <= 49; id++) line.say(state(id))
  await turns()
  assert.equal(counters.get('heldAnswersMax'), 0)
  assert.equal(line.isPaused(), false)
  line.say(state(50))
  await turns()
  assert.equal(counters.get('heldAnswersMax'), 1)
  assert.equal(line.isPaused(), true)
  const { recorded } = world.ledger
  for (let id = 51; id <= 99; id++) line.say(state(id))
  await turns()
  assert.equal(world.ledger.recorded, recorded, 'nothing more is read')
  for (const connection of world.connections) connection.checkTime(performance.now() + 60_000)
  assert.equal(line.isClosed, false)
  await world.keep()
  await world.keep()
  assert.deepEqual(
    line.packets.map(({ body }) => body.readUInt16BE(0)),
    Array.from({ length: 99 }, (_, index) => index + 1),
  )
  assert.equal(counters.get('heldAnswersMax'), 1)
  for (const connection of world.connections) connection.checkTime(performance.now() + 60_000)
  assert.equal(line.isClosed, true, 'its keep alive counts again')
})

test('a client that is not read is let go all the same when its connection is lost', async (context) => {
  setLimits({ heldAnswersMax: 2 })
  const world = await stuckWorld(context)
  const line = await connected(world, 'eager')
  for (let id = 1; id <= 3; id++) line.say(publishBytes('state', 'x', { qos: 1, id, retain: true }))
  await turns()
  assert.equal(line.isPaused(), true)
  line.destroy()
  await turns()
  assert.deepEqual([...world.connections], [])
  await world.keep()
})
