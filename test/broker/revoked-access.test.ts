import assert from 'node:assert/strict'
import { afterEach, type TestContext, test } from 'node:test'
import type { Access } from '#src/broker/access.js'
import { setLimits } from '#src/core/limits.js'
import { Secret } from '#src/core/secret.js'
import { type BrokerWorld, brokerWorld } from '../support/broker.js'
import { until } from '../support/until.js'
import { publishBytes } from '../support/v5-packets.js'
import { type ConnectFields, connectBytes, WireClient } from '../support/wire-client.js'

afterEach(() => setLimits({}))

const only = (username: string, password: string): Access => ({
  allowAnonymous: 'local',
  credentials: { username, password: new Secret(password) },
})
const right = { username: 'house', password: 'key' }

async function guestOf(
  context: TestContext,
  { port }: BrokerWorld,
  fields: ConnectFields,
): Promise<WireClient> {
  const client = await WireClient.connect(context, port)
  client.send(connectBytes(fields))
  const { type, body } = await client.next()
  assert.deepEqual([type, body[1]], [2, 0])
  return client
}

test('who knows the old password alone is disconnected when there is a new one, each with a line, and told in MQTT 5', async (context) => {
  const world = await brokerWorld(context, { access: only('house', 'key'), isLocal: false })
  const v4 = await guestOf(context, world, { clientId: 'v4', ...right })
  const v5 = await guestOf(context, world, { clientId: 'v5', level: 5, ...right })
  world.broker.setAccess(only('house', 'another'))
  const { type, body } = await v5.next()
  assert.deepEqual([type, body[0]], [14, 0x87])
  await v5.closed()
  await v4.closed()
  assert.deepEqual(v4.pending, [])
  const lines = world.log.having('client disconnected')
  assert.deepEqual(lines.map(({ fields }) => fields['client']).sort(), ['v4', 'v5'])
  for (const { fields } of lines)
    assert.match(String(fields['reason']), /may not stay, .*: wrong user name or password/)
  assert.equal(world.counters.get('clients.refused'), 0)
})

test('who would be let in by what is set now stays', async (context) => {
  const world = await brokerWorld(context, { access: only('house', 'key'), isLocal: false })
  const stays = await guestOf(context, world, right)
  for (const access of [
    only('house', 'key'),
    { ...only('house', 'key'), allowAnonymous: 'nobody' } as const,
    only('house', 'key'),
  ])
    world.broker.setAccess(access)
  stays.send([0xc0, 0])
  assert.equal((await stays.next()).type, 13)
  world.broker.setAccess(only('home', 'key'))
  await stays.closed()
})

test('who came with a name that is none any more goes, also where everybody may come in: it would be somebody else', async (context) => {
  const world = await brokerWorld(context, { access: only('house', 'key'), isLocal: false })
  const named = await guestOf(context, world, right)
  world.broker.setAccess({ allowAnonymous: 'everyone', credentials: undefined })
  await named.closed()
  await guestOf(context, world, right)
})

test('who came without a name goes when a name is needed, and with a name that meant nothing then if it is wrong now', async (context) => {
  const open: Access = { allowAnonymous: 'everyone', credentials: undefined }
  const world = await brokerWorld(context, { access: open, isLocal: false })
  const anonymous = await guestOf(context, world, { clientId: 'nobody' })
  const wrong = await guestOf(context, world, { clientId: 'wrong', username: 'house', password: 'lock' })
  const fitting = await guestOf(context, world, { clientId: 'right', ...right })
  world.broker.setAccess(only('house', 'key'))
  await anonymous.closed()
  await wrong.closed()
  fitting.send([0xc0, 0])
  assert.equal((await fitting.next()).type, 13)
  assert.equal(world.broker.clientCount, 1)
})

test('who may stay on this machine does when others go', async (context) => {
  const open: Access = { allowAnonymous: 'everyone', credentials: undefined }
  const world = await brokerWorld(context, { access: open })
  const local = await guestOf(context, world, {})
  world.broker.setAccess(only('house', 'key'))
  local.send([0xc0, 0])
  assert.equal((await local.next()).type, 13)
})

test('one whose takeover has to wait is asked about again before it is let in', async (context) => {
  const world = await brokerWorld(context, { access: only('house', 'key'), isLocal: false })
  for (let takeover = 0; takeover < 3; takeover++)
    await guestOf(context, world, { clientId: 'twin', ...right })
  const waiting = await WireClient.connect(context, world.port)
  waiting.send(connectBytes({ clientId: 'twin', ...right }))
  await until('it has to wait', () => world.log.having('two clients use one client id').length > 0)
  world.broker.setAccess(only('house', 'another'))
  const { type, body } = await waiting.next()
  assert.deepEqual([type, body[1]], [2, 4])
})

test('a topic that a client may publish to is asked about again', async (context) => {
  const world = await brokerWorld(context)
  const client = await guestOf(context, world, { level: 5 })
  client.send(publishBytes('a/b', 'x', { qos: 1, id: 1 }))
  assert.ok([0, 0x10].includes((await client.next()).body[2] ?? 0))
  setLimits({ topicLevelsMax: 1 })
  world.broker.setAccess({ allowAnonymous: 'local', credentials: undefined })
  client.send(publishBytes('a/b', 'x', { qos: 1, id: 2 }))
  assert.equal((await client.next()).body[2], 0x90)
})
