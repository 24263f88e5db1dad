import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Access } from '#src/broker/access.js'
import { accessWith, aclOf } from '../support/acl.js'
import { type Line, SessionWorld, turns } from '../support/session-world.js'
import type { ConnectFields } from '../support/wire-client.js'

const list = `user eve
topic readwrite home/#
user bob
topic readwrite #
`

async function accessOf(context: TestContext, text = list): Promise<Access> {
  return accessWith(await aclOf(context, text))
}

async function worldOf(context: TestContext, access?: Access): Promise<SessionWorld> {
  const world = await SessionWorld.open(undefined, access ?? accessWith(undefined))
  context.after(() => world.close())
  return world
}

const kept: ConnectFields = { clientId: 'meter', clean: false }

function enter(world: SessionWorld, user: string | undefined, fields: ConnectFields = {}): Promise<Line> {
  return world.join({ ...kept, ...fields }, { certificateUser: user })
}

async function leave(world: SessionWorld, line: Line): Promise<void> {
  line.say([0xe0, 0])
  await world.keep()
}

function payloads(line: Line): string[] {
  return line.messages().map((told) => told.split(' ')[0] as string)
}

const another = 'session ended: another user connected with its client id'
const dropped = 'messages dropped: who waited for them may not read them any more'

test('a session goes on for its user', async (context) => {
  const world = await worldOf(context)
  const first = await enter(world, 'eve')
  first.subscribe('home/#')
  await leave(world, first)
  world.publish('home/lamp', 'waits')
  const second = await enter(world, 'eve')
  assert.equal(second.isPresent, true)
  assert.deepEqual(payloads(second), ['waits'])
})

for (const [owner, other] of [
  ['eve', 'bob'],
  ['eve', undefined],
  [undefined, 'eve'],
] as const)
  for (const isRestored of [false, true])
    test(`a ${isRestored ? 'restored ' : ''}session of ${owner ?? 'nobody by name'} ends when ${other ?? 'nobody by name'} connects with its client id, who is shown nothing of it`, async (context) => {
      let world = await worldOf(context)
      const first = await enter(world, owner)
      first.subscribe('#')
      await leave(world, first)
      world.publish('home/lamp', 'not for you')
      await world.keep()
      if (isRestored) {
        world = await world.crash(accessWith(undefined))
        context.after(() => world.close())
      }
      const second = await enter(world, other)
      world.publish('home/lamp', 'later')
      await world.keep()
      assert.equal(second.isPresent, false)
      assert.deepEqual(payloads(second), [])
      assert.deepEqual(
        world.log
          .having(another)
          .map(({ fields }) => [fields['client'], fields['owner'], fields['user'], fields['messages']]),
        [['meter', owner, other, 1]],
      )
      assert.equal(world.ledger.disk.sessions.size, 1)
      assert.deepEqual([...world.ledger.disk.bodies], [])
    })

test('a client that is connected is disconnected by another user’s of the same client id, who gets a session of its own', async (context) => {
  const world = await worldOf(context)
  const eve = await enter(world, 'eve', { level: 5 })
  eve.subscribe('#', 0)
  await turns()
  eve.answers()
  const bob = await enter(world, 'bob', { clean: true })
  assert.equal(eve.isClosed, true)
  assert.equal(eve.answers()[0]?.slice(0, 2), 'e0')
  world.publish('home/lamp', 'x', 0)
  await turns()
  assert.deepEqual(payloads(bob), [])
})

/** `guest` has users of its own and lets in everybody without a name, `web` has the same users, `near` those of the house. */
const realms: Access = {
  ...accessWith(undefined),
  listeners: new Map(
    (
      [
        ['main', undefined, 'local'],
        ['guest', 'guests', 'everyone'],
        ['web', 'guests', 'everyone'],
        ['near', undefined, 'local'],
      ] as const
    ).map(([name, realm, allowAnonymous]) => [
      name,
      { allowAnonymous, credentials: undefined, tls: { userFrom: 'common-name' }, realm },
    ]),
  ),
}

for (const [user, owner, other, isHis] of [
  ['bob', 'main', 'near', true],
  ['bob', 'guest', 'web', true],
  ['bob', 'main', 'guest', false],
  ['bob', 'guest', 'main', false],
  [undefined, 'main', 'near', true],
  [undefined, 'main', 'guest', false],
  [undefined, 'guest', 'main', false],
] as const)
  for (const how of ['away', 'restored', 'connected'] as const)
    test(`a session (${how}) of ${user ?? 'nobody by name'} of ${owner} is ${isHis ? '' : 'not '}that of ${user ?? 'nobody by name'} at ${other}`, async (context) => {
      let world = await worldOf(context, realms)
      const first = await world.join(kept, { certificateUser: user, listener: owner })
      first.subscribe('#')
      await world.keep()
      if (how !== 'connected') {
        await leave(world, first)
        world.publish('home/lamp', 'waits')
        await world.keep()
      }
      if (how === 'restored') {
        world = await world.crash(realms)
        context.after(() => world.close())
      }
      const second = await world.join(kept, { certificateUser: user, listener: other })
      assert.equal(first.isClosed, true)
      assert.equal(second.isPresent, isHis)
      world.publish('home/lamp', 'later')
      await world.keep()
      const waits = how === 'connected' ? [] : ['waits']
      assert.deepEqual(payloads(second), isHis ? [...waits, 'later'] : [])
      assert.deepEqual(
        world.log.having(another).map(({ fields }) => [fields['ownerListener'], fields['listener']]),
        isHis ? [] : [[owner, other]],
      )
    })

test('a session of a store that does not say whose it is goes to the next who has its client id, as far as that may read', async (context) => {
  const before = await worldOf(context)
  const line = await enter(before, 'eve')
  line.subscribe('#')
  await leave(before, line)
  for (const [number, session] of before.ledger.disk.sessions) {
    const { owner: _, ...record } = session.record
    before.ledger.disk.sessions.set(number, { ...session, record })
  }
  const world = await before.crash(await accessOf(context))
  context.after(() => world.close())
  world.publish('garden/x', 'garden')
  world.publish('home/lamp', 'lamp')
  const eve = await enter(world, 'eve')
  assert.equal(eve.isPresent, true)
  world.publish('garden/x', 'garden')
  await turns()
  assert.deepEqual(payloads(eve), ['lamp'])
  assert.deepEqual(
    world.log.having(dropped).map(({ fields }) => fields['messages']),
    [1],
  )
  const [stored] = world.ledger.disk.sessions.values()
  assert.deepEqual(stored?.record.owner, { user: 'eve', listener: 'main' })
})

test('for a client that is away waits what its user may read, also after a restart', async (context) => {
  let world = await worldOf(context, await accessOf(context))
  const eve = await enter(world, 'eve')
  eve.subscribe('#')
  await leave(world, eve)
  for (const round of [1, 2]) {
    world.publish('garden/x', `garden${round}`)
    world.publish('home/lamp', `lamp${round}`)
    await world.keep()
    if (round === 2) break
    world = await world.crash(await accessOf(context))
    context.after(() => world.close())
  }
  assert.deepEqual(payloads(await enter(world, 'eve')), ['lamp1', 'lamp2'])
})

test('what waited in the store is not sent when a list came meanwhile that does not let its user read it', async (context) => {
  const before = await worldOf(context)
  const eve = await enter(before, 'eve')
  eve.subscribe('#')
  await leave(before, eve)
  for (const topic of ['garden/x', 'home/lamp']) before.publish(topic, topic)
  await before.keep()
  const world = await before.crash(await accessOf(context))
  context.after(() => world.close())
  assert.deepEqual(payloads(await enter(world, 'eve')), ['home/lamp'])
  assert.equal(world.counters.get('messages.unreadable'), 1)
})

for (const isAway of [true, false])
  test(`what waits for a client that is ${isAway ? 'away' : 'connected and answers nothing'} is dropped when its user may not read it any more`, async (context) => {
    const world = await worldOf(context, await accessOf(context))
    const eve = await enter(world, 'eve', {
      level: 5,
      properties: Buffer.from([17, 0, 0, 2, 88, 33, 0, 1]),
    })
    eve.subscribe('home/#')
    if (isAway) await leave(world, eve)
    world.publish('home/lamp', 'sent')
    for (let round = 0; round < 5; round++) world.publish('home/lock', `lock${round}`)
    world.publish('home/lamp', 'waits')
    await world.keep()
    if (!isAway) assert.deepEqual(payloads(eve), ['sent'])
    world.setAccess(await accessOf(context, `${list}user eve\ntopic deny home/lock\n`))
    await world.keep()
    assert.equal(world.counters.get('messages.unreadable'), 5)
    assert.deepEqual(
      world.log.having(dropped).map(({ fields }) => fields['messages']),
      [5],
    )
    const line = isAway ? await enter(world, 'eve') : eve
    for (let id = 1; id < 4; id++) line.puback(id)
    await world.keep()
    assert.deepEqual(payloads(line), isAway ? ['sent', 'waits'] : ['waits'])
    world.publish('home/lamp', 'next')
    await world.keep()
    assert.deepEqual(payloads(line), ['next'])
    for (let id = 1; id < 9; id++) line.puback(id)
    await world.keep()
    assert.deepEqual([...world.ledger.disk.bodies], [])
  })

test('what was sent and not answered is not sent again when it may not be read any more: QoS 1 ends, QoS 2 goes on with PUBREL', async (context) => {
  const world = await worldOf(context, await accessOf(context))
  const first = await enter(world, 'eve')
  first.subscribe('home/#', 2)
  world.publish('home/lock', 'one', 1)
  world.publish('home/lock', 'two', 2)
  world.publish('home/lamp', 'lamp', 1)
  await world.keep()
  assert.deepEqual(first.messages(), ['one q1 #1', 'two q2 #2', 'lamp q1 #3'])
  first.destroy()
  await world.keep()
  world.setAccess(await accessOf(context, `${list}user eve\ntopic deny home/lock\n`))
  const second = await enter(world, 'eve')
  await world.keep()
  assert.deepEqual(second.messages(), ['lamp q1 #3 dup'])
  assert.deepEqual(second.answers(), ['62020002'])
  second.pubcomp(2)
  second.puback(3)
  await world.keep()
  world.publish('home/lamp', 'next', 1)
  await world.keep()
  assert.deepEqual(second.messages(), ['next q1 #4'])
  second.puback(4)
  await world.keep()
  assert.deepEqual([...world.ledger.disk.bodies], [])
})

test('of a shared subscription, what its member may not read any more goes to another', async (context) => {
  const world = await worldOf(context, await accessOf(context))
  const eve = await enter(world, 'eve')
  eve.subscribe('$share/g/home/#')
  await leave(world, eve)
  world.publish('home/lamp', 'first')
  await world.keep()
  const bob = await enter(world, 'bob', { clientId: 'other' })
  bob.subscribe('$share/g/home/#')
  await world.keep()
  world.setAccess(await accessOf(context, 'user bob\ntopic readwrite #'))
  await world.keep()
  assert.deepEqual(payloads(bob), ['first'])
  assert.equal(world.counters.get('messages.unreadable'), 0)
})

test('sessions of many clients that are away are looked through, each whole', async (context) => {
  const world = await worldOf(context, await accessOf(context))
  for (let index = 0; index < 50; index++) {
    const line = await enter(world, 'eve', { clientId: `c${index}` })
    line.subscribe('home/#')
    await leave(world, line)
  }
  for (let index = 0; index < 20; index++) world.publish('home/lock', `${index}`)
  await world.keep()
  world.setAccess(await accessOf(context, 'user bob\ntopic #'))
  world.setAccess(await accessOf(context, 'user bob\ntopic #'))
  await turns(50)
  await world.keep()
  assert.equal(world.sessions.queuedMessages, 0)
  assert.equal(world.counters.get('messages.unreadable'), 1_000)
  assert.deepEqual([...world.ledger.disk.bodies], [])
})

const will = { topic: 'home/will', payload: 'gone', retain: true, properties: Buffer.from([24, 0, 0, 0, 1]) }

for (const [title, isAllowed] of [
  ['published when it is due', true],
  ['dropped when its user may not write there any more', false],
] as const)
  test(`a delayed will, of a restored session too, is ${title}`, async (context) => {
    const revoked = 'user eve\ntopic read home/#\nuser bob\ntopic #\n'
    for (const isRestored of [false, true]) {
      let world = await worldOf(context, await accessOf(context))
      const eve = await enter(world, 'eve', { level: 5, will, properties: Buffer.from([17, 0, 0, 2, 88]) })
      eve.destroy()
      await world.keep()
      const access = await accessOf(context, isAllowed ? list : revoked)
      if (isRestored) {
        world = await world.crash(access)
        context.after(() => world.close())
      } else world.setAccess(access)
      const bob = await enter(world, 'bob', { clientId: 'bob' })
      bob.subscribe('#')
      await turns()
      world.sessions.tick(Date.now() + 5_000)
      await world.keep()
      assert.deepEqual(payloads(bob), isAllowed ? ['gone'] : [])
      assert.equal(world.log.having('publish refused').length, isAllowed ? 0 : 1)
    }
  })

test('a will is not published by a connection that ends because its user may not write any more', async (context) => {
  const world = await worldOf(context, await accessOf(context))
  const eve = await enter(world, 'eve', { will: { topic: 'home/will', payload: 'gone' } })
  const bob = await enter(world, 'bob', { clientId: 'bob' })
  bob.subscribe('#')
  world.setAccess(await accessOf(context, 'user bob\ntopic #'))
  eve.destroy()
  await world.keep()
  assert.deepEqual(payloads(bob), [])
})

test('a session that goes on at another listener may read what that one’s list allows', async (context) => {
  const [main, guests] = [
    await aclOf(context, `${list}pattern read public/#`),
    await aclOf(context, 'pattern read public/#'),
  ]
  const world = await worldOf(context, accessWith(main, { guests }))
  const first = await enter(world, 'eve')
  first.subscribe('home/#')
  first.subscribe('public/#')
  await leave(world, first)
  for (const topic of ['home/lamp', 'public/x']) world.publish(topic, `${topic}1`)
  await world.keep()
  const second = await world.join({ ...kept }, { certificateUser: 'eve', listener: 'guests' })
  assert.equal(second.isPresent, true)
  for (const topic of ['home/lamp', 'public/x']) world.publish(topic, `${topic}2`)
  await world.keep()
  assert.deepEqual(payloads(second), ['public/x1', 'public/x2'])
  const [stored] = world.ledger.disk.sessions.values()
  assert.equal(stored?.record.owner?.listener, 'guests')
})
