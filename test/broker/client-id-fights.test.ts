import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, type TestContext, test } from 'node:test'
import { limits, setLimits } from '#src/core/limits.js'
import { type BrokerWorld, brokerWorld } from '../support/broker.js'
import { bytes, type ConnectFields, connectBytes, WireClient } from '../support/wire-client.js'

afterEach(() => setLimits({}))

const line = 'two clients use one client id'

/** Two clients have taken one id from each other: the second is connected, and the next waits. Time stands still. */
async function fight(context: TestContext) {
  const world = await brokerWorld(context)
  context.mock.timers.enable({ apis: ['setTimeout'] })
  await come(context, world)
  await come(context, world)
  return { world, inside: await come(context, world) }
}

async function ask(context: TestContext, { port }: BrokerWorld, fields: ConnectFields = {}) {
  const client = await WireClient.connect(context, port)
  client.send(connectBytes({ clientId: 'esp', ...fields }))
  return client
}

async function come(context: TestContext, world: BrokerWorld, fields: ConnectFields = {}) {
  const client = await ask(context, world, fields)
  assert.equal((await client.next()).type, 2)
  return client
}

/** Everything that was sent to the broker before has been read by it. */
async function settled(client: WireClient): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    client.send([0xc0, 0])
    assert.equal((await client.next()).type, 13)
  }
}

test('who gives up while it waits takes nothing over: the client that is there stays, with its session', async (context) => {
  const { world, inside } = await fight(context)
  for (let attempt = 0; attempt < 4; attempt++) {
    const ghost = await ask(context, world, { clean: true })
    const closed = once(ghost.socket, 'close')
    ghost.socket.end(bytes([0xc0, 0]))
    await closed
  }
  context.mock.timers.tick(10_000)
  await settled(inside)
  assert.equal(world.broker.clientCount, 1)
  assert.equal(world.log.having(line).length, 1)
  // and nobody waits longer for it: a second, as the first time
  const next = await ask(context, world)
  await settled(inside)
  context.mock.timers.tick(1_000)
  assert.equal((await next.next()).type, 2)
})

test('who waits is let in at once when the other has gone', async (context) => {
  const { world, inside } = await fight(context)
  const next = await ask(context, world)
  await settled(inside)
  assert.deepEqual(next.pending, [])
  inside.socket.destroy()
  assert.equal((await next.next()).type, 2)
})

test('of two that wait for one id the newest is let in, when the first was due; the other is closed', async (context) => {
  const { world, inside } = await fight(context)
  const older = await ask(context, world)
  await settled(inside)
  context.mock.timers.tick(900)
  const closed = once(older.socket, 'close')
  const newest = await ask(context, world)
  await closed
  context.mock.timers.tick(100)
  assert.equal((await newest.next()).type, 2)
  assert.equal(world.broker.clientCount, 1)
})

test('what a client sends while it waits is heard after; more than allowed ends its connection', async (context) => {
  setLimits({ connectPacketBytesMax: 5_000 })
  const { world, inside } = await fight(context)
  const patient = await ask(context, world)
  patient.send([0xc0, 0])
  await settled(inside)
  context.mock.timers.tick(1_000)
  assert.deepEqual([(await patient.next()).type, (await patient.next()).type], [2, 13])
  assert.equal(world.counters.get('connectPacketBytesMax'), 0)
  const loud = await ask(context, world)
  const closed = once(loud.socket, 'close')
  loud.send(bytes(Buffer.alloc(limits.connectPacketBytesMax + 1, 0xc0)))
  await closed
  assert.equal(world.counters.get('connectPacketBytesMax'), 1)
})
