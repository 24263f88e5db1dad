import assert from 'node:assert/strict'
import { afterEach, type TestContext, test } from 'node:test'
import { setLimits } from '#src/core/limits.js'
import { accessWith } from '../support/acl.js'
import { type Line, SessionWorld } from '../support/session-world.js'
import { type ConnectFields, connectBytes } from '../support/wire-client.js'

afterEach(() => setLimits({}))

/** Users are those that their certificates name. */
const access = accessWith(undefined)

async function worldOf(context: TestContext): Promise<SessionWorld> {
  const world = await SessionWorld.open(undefined, access)
  context.after(() => world.close())
  return world
}

function enter(world: SessionWorld, user: string | undefined, fields: ConnectFields = {}): Promise<Line> {
  return world.join(fields, { certificateUser: user })
}

async function leaveSession(world: SessionWorld, user: string, clientId: string): Promise<void> {
  const line = await enter(world, user, { clientId, clean: false })
  line.say([0xe0, 0])
  await world.keep()
}

function idsOf(world: SessionWorld): string[] {
  return [...world.sessions.all].map(({ clientId }) => clientId).sort()
}

test('who leaves too many sessions behind loses his own, also those of a run before, and is named once', async (context) => {
  setLimits({ sessionsMax: 5 })
  const first = await worldOf(context)
  for (const [user, id] of [
    ['bob', 'bob1'],
    ['bob', 'bob2'],
    ['eve', 'eve1'],
  ] as const)
    await leaveSession(first, user, id)
  for (let index = 0; index < 20; index++) await leaveSession(first, 'low', `s${index}`)
  assert.deepEqual(idsOf(first), ['bob1', 'bob2', 'eve1', 's18', 's19'])
  assert.equal(first.counters.get('sessionsMax'), 18)
  const lines = first.log.having(
    'session ended: too many wait for clients that are away, most of them of one owner',
  )
  assert.deepEqual(
    lines.map(({ fields }) => fields),
    [{ client: 's0', user: 'low', bound: 'sessionsMax' }],
  )

  const second = await first.crash(access)
  context.after(() => second.close())
  await leaveSession(second, 'low', 's20')
  assert.deepEqual(idsOf(second), ['bob1', 'bob2', 'eve1', 's19', 's20'])
})

test('whoever subscribes without end is refused, and named once; others subscribe meanwhile, and he again when he has let go', async (context) => {
  setLimits({ subscriptionBytesMax: 10 * 1_002 })
  const world = await worldOf(context)
  const low = await enter(world, 'low', { level: 5, clientId: 'low' })
  const bob = await enter(world, 'bob', { level: 5, clientId: 'bob' })
  const grantedTo = async (line: Line, filter: string): Promise<string | undefined> => {
    line.subscribe(filter)
    await world.keep()
    return line.answers().at(-1)?.slice(-2)
  }
  const codes: (string | undefined)[] = []
  for (let index = 0; index < 8; index++) codes.push(await grantedTo(low, `f${index}`))
  assert.deepEqual(codes, [...Array(5).fill('01'), '97', '97', '97'])
  // half of what is left
  assert.deepEqual(
    [await grantedTo(bob, 'b1'), await grantedTo(bob, 'b2'), await grantedTo(bob, 'b3')],
    ['01', '01', '97'],
  )
  assert.equal(world.counters.get('subscriptionBytesMax'), 4)
  const [line, ...more] = world.log.having('subscription refused')
  assert.deepEqual([line?.fields['user'], line?.fields['bound']], ['low', 'subscriptionBytesMax'])
  assert.equal(more.length, 0)
  low.say([0xe0, 0])
  await world.keep()
  assert.equal(await grantedTo(bob, 'b3'), '01')
  const again = await enter(world, 'low', { level: 5, clientId: 'low' })
  assert.equal(await grantedTo(again, 'f0'), '01')
})

test('subscriptions of a session that is away, and of a run before, are counted for its owner', async (context) => {
  setLimits({ subscriptionBytesMax: 4 * 1_002 })
  const first = await worldOf(context)
  const low = await enter(first, 'low', { clientId: 'low', clean: false })
  for (const filter of ['f0', 'f1']) low.subscribe(filter)
  await first.keep()
  const second = await first.crash(access)
  context.after(() => second.close())
  for (const [user, code] of [
    ['low', '80'],
    ['bob', '01'],
  ] as const) {
    const line = await enter(second, user, { clientId: `${user}2` })
    line.subscribe('f2')
    await second.keep()
    assert.equal(line.answers().at(-1)?.slice(-2), code, user)
  }
})

test('whoever leaves wills without end is refused; another’s is taken', async (context) => {
  setLimits({ willBytesMax: 4 * 1_301 })
  const world = await worldOf(context)
  const will = { topic: 'w', payload: Buffer.alloc(1_000) }
  for (const clientId of ['low1', 'low2']) await enter(world, 'low', { clientId, will })
  const refused = world.connect({ certificateUser: 'low' })
  refused.say(connectBytes({ clientId: 'low3', will }))
  await world.keep()
  assert.equal(refused.packets[0]?.body[1], 3)
  assert.equal(world.log.having('client refused')[0]?.fields['user'], 'low')
  await enter(world, 'bob', { clientId: 'bob', will })
})
