import assert from 'node:assert/strict'
import { afterEach, type TestContext, test } from 'node:test'
import { setLimits } from '#src/core/limits.js'
import { accessWith } from '../support/acl.js'
import { type Line, SessionWorld } from '../support/session-world.js'
import type { ConnectFields } from '../support/wire-client.js'

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
