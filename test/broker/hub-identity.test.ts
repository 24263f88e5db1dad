import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Access } from '#src/broker/access.js'
import type { OwnIdentity } from '#src/core/access.js'
import { accessWith, aclOf } from '../support/acl.js'
import { SessionWorld, turns } from '../support/session-world.js'
import { connectBytes } from '../support/wire-client.js'

const nothing = 'subscription of our own brings nothing: it is not allowed'

async function accessOf(context: TestContext, text: string): Promise<Access> {
  return accessWith(await aclOf(context, text))
}

async function worldOf(context: TestContext, text: string): Promise<SessionWorld> {
  const world = await SessionWorld.open(undefined, await accessOf(context, text))
  context.after(() => world.close())
  return world
}

/** The topics of what a part of ours hears. */
function heardBy(world: SessionWorld, identity: OwnIdentity, ...filters: readonly string[]): string[] {
  const heard: string[] = []
  world.hubFor(identity).subscribe(filters, ({ topic }) => heard.push(topic))
  return heard
}

test('without a section of its own a part of ours may do everything', async (context) => {
  const world = await worldOf(context, 'user $pins\ntopic read a')
  const heard = heardBy(world, '$rules', '#')
  await world.hubFor('$rules').publish({ topic: 'any/thing', payload: 'x' })
  assert.deepEqual(heard, ['any/thing'])
  assert.deepEqual(world.log.having(nothing), [])
})

test('with one it publishes what that allows, and is told the file and the line otherwise', async (context) => {
  const world = await worldOf(context, 'user $rules\ntopic write home/#\ntopic deny home/lock')
  const hub = world.hubFor('$rules')
  await hub.publish({ topic: 'home/lamp', payload: 'on' })
  await assert.rejects(hub.publish({ topic: 'home/lock', payload: 'open' }), {
    code: 'NOT_AUTHORIZED',
    message: '$rules may not publish to "home/lock": config/acl:3 denies it (topic deny home/lock)',
  })
  await assert.rejects(hub.publish({ topic: 'garden', payload: 'x' }), {
    code: 'NOT_AUTHORIZED',
    message: '$rules may not publish to "garden": config/acl does not allow it',
  })
  await assert.rejects(hub.publish({ topic: 'a/#', payload: 'x' }), { code: 'TOPIC_INVALID' })
  assert.equal(world.counters.get('publishes.refused'), 2)
})

test('it hears what it may read, live and retained; a subscription that brings nothing is told, once', async (context) => {
  const world = await worldOf(context, 'user $pins\ntopic read home/#\nuser bob\ntopic #')
  for (const topic of ['home/lamp', 'garden']) await world.hub.publish({ topic, payload: 'x', retain: true })
  const heard = heardBy(world, '$pins', '#', 'garden/#')
  for (const topic of ['home/lamp', 'garden']) await world.hub.publish({ topic, payload: 'x' })
  const retained: string[] = []
  for await (const { topic } of world.hubFor('$pins').retained('#')) retained.push(topic)
  assert.deepEqual([heard, retained], [['home/lamp'], ['home/lamp']])
  world.setAccess(await accessOf(context, 'user $pins\ntopic read home/#'))
  assert.deepEqual(
    world.log.having(nothing).map(({ level, fields }) => [level, fields]),
    [['warn', { identity: '$pins', filter: 'garden/#', file: 'config/acl' }]],
  )
})

test('it follows a reload, and is told again what a later one takes away', async (context) => {
  const world = await worldOf(context, 'user $rules\ntopic home/#')
  const heard = heardBy(world, '$rules', 'home/#')
  const hub = world.hubFor('$rules')
  await hub.publish({ topic: 'home/lamp', payload: 'x' })
  for (const round of [1, 2]) {
    world.setAccess(await accessOf(context, 'user $rules\ntopic garden/#'))
    await assert.rejects(hub.publish({ topic: 'home/lamp', payload: 'x' }), { code: 'NOT_AUTHORIZED' })
    assert.equal(world.log.having(nothing).length, round)
    world.setAccess(accessWith(undefined))
    await hub.publish({ topic: 'home/lamp', payload: 'x' })
  }
  assert.equal(heard.length, 3)
})

test('an ended subscription is neither called nor told of', async (context) => {
  const world = await worldOf(context, 'user $rules\ntopic home/#')
  const heard: string[] = []
  const end = world.hubFor('$rules').subscribe('home/#', ({ topic }) => heard.push(topic))
  end()
  end()
  await world.hub.publish({ topic: 'home/lamp', payload: 'x' })
  world.setAccess(await accessOf(context, 'user $rules\ntopic garden/#'))
  await turns()
  assert.deepEqual([heard, world.log.having(nothing)], [[], []])
})

test('no client is one of our parts, whatever it is called', async (context) => {
  const world = await worldOf(context, 'user $rules\ntopic readwrite #\nuser bob\ntopic read home/#')
  const line = world.connect({ certificateUser: '$rules' })
  line.say(connectBytes({ clientId: '$rules', level: 5 }))
  await turns()
  assert.notEqual(line.packets[0]?.body[1], 0)
  const named = world.connect()
  named.isV5 = true
  named.say(connectBytes({ clientId: 'x', level: 5, username: '$rules' }))
  await turns()
  named.publish('home/lamp', 'x', 1, 1)
  await turns()
  assert.equal(named.answers().at(-1), '4003000187')
})
