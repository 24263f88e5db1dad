import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hubWorld, TestReceiver } from '../support/hub-world.js'

const receivers = (count: number): TestReceiver[] => Array.from({ length: count }, () => new TestReceiver())

const counts = (members: readonly TestReceiver[]): number[] => members.map((member) => member.take().length)

test('each message goes to one member, in turn', async (context) => {
  const { subscribe, publish } = await hubWorld(context)
  const members = receivers(3)
  for (const member of members) subscribe(member, '$share/s/a/+')
  for (let index = 0; index < 6; index++) publish('a/b', `${index}`)
  assert.deepEqual(
    members.map(({ heard }) => heard),
    [
      ['a/b 0 q0', 'a/b 3 q0'],
      ['a/b 1 q0', 'a/b 4 q0'],
      ['a/b 2 q0', 'a/b 5 q0'],
    ],
  )
  publish('b')
  assert.deepEqual(counts(members), [2, 2, 2])
})

test('members that are connected share among themselves; those that are not get their turn only while nobody is', async (context) => {
  const { subscribe, publish } = await hubWorld(context)
  const members = receivers(4)
  for (const member of members) subscribe(member, '$share/s/a')
  const [one, two, three] = members as [TestReceiver, TestReceiver, TestReceiver]
  one.isLive = false
  three.isLive = false
  for (let index = 0; index < 6; index++) publish('a')
  assert.deepEqual(counts(members), [0, 3, 0, 3])
  for (const member of members) member.isLive = false
  for (let index = 0; index < 8; index++) publish('a', '', { qos: 1 })
  assert.deepEqual(counts(members), [2, 2, 2, 2])
  two.isLive = true
  for (let index = 0; index < 3; index++) publish('a')
  assert.deepEqual(counts(members), [0, 3, 0, 0])
})

test('each member has its own QoS, identifier and flags [MQTT-4.8.2-3]', async (context) => {
  const { subscribe, publish } = await hubWorld(context)
  const [low, high] = [new TestReceiver(), new TestReceiver()]
  subscribe(low, '$share/s/a', { qos: 0, identifier: 4 })
  subscribe(high, '$share/s/a', { qos: 2, identifier: 5, retainAsPublished: true })
  for (let index = 0; index < 2; index++) publish('a', 'x', { qos: 1, retain: true })
  assert.deepEqual([low.heard, high.heard], [['a x q0 #4'], ['a x q1 retain #5']])
})

test('shares of other names or filters, and subscriptions of one’s own, get copies of their own', async (context) => {
  const { subscribe, publish } = await hubWorld(context)
  const receiver = new TestReceiver()
  for (const [index, filter] of ['$share/s/a', '$share/t/a', '$share/s/+', 'a'].entries())
    subscribe(receiver, filter, { identifier: index + 1 })
  publish('a', 'x')
  assert.deepEqual(receiver.heard.toSorted(), ['a x q0 #1', 'a x q0 #2', 'a x q0 #3', 'a x q0 #4'])
  assert.deepEqual(
    receiver.targets.map(({ share }) => share !== undefined),
    [false, true, true, true],
  )
})

test('who subscribes again has one place, the old one, with the new options', async (context) => {
  const { subscribe, unsubscribe, publish } = await hubWorld(context)
  const [one, two] = [new TestReceiver(), new TestReceiver()]
  const old = subscribe(one, '$share/s/a', { qos: 0 })
  subscribe(two, '$share/s/a')
  const renewed = subscribe(one, '$share/s/a', { qos: 1, identifier: 3 })
  unsubscribe(old) // comes late, and ends nothing
  for (let index = 0; index < 4; index++) publish('a', 'x', { qos: 2 })
  assert.deepEqual(one.take(), ['a x q1 #3', 'a x q1 #3'])
  assert.deepEqual(counts([two]), [2])
  unsubscribe(renewed)
  unsubscribe(renewed)
  for (let index = 0; index < 2; index++) publish('a')
  assert.deepEqual(counts([one, two]), [0, 2])
})

test('when all have left nobody is found, and a new share begins with whoever comes', async (context) => {
  const { subscribe, unsubscribe, publish, router } = await hubWorld(context)
  const [one, two] = [new TestReceiver(), new TestReceiver()]
  const deliveries = [subscribe(one, '$share/s/a/#'), subscribe(two, '$share/s/a/#')]
  publish('a')
  for (const delivery of deliveries) unsubscribe(delivery)
  assert.deepEqual(router.routeOf('a').shares, [])
  publish('a')
  const share = one.targets[0]?.share
  const [publication] = one.publications
  assert.ok(share !== undefined && publication !== undefined)
  assert.equal(share.redistribute(publication, 0), false)
  assert.deepEqual(counts([one, two]), [1, 0])
  subscribe(two, '$share/s/a/#')
  publish('a')
  assert.deepEqual(counts([one, two]), [0, 1])
})

test('who leaves takes nobody’s turn', async (context) => {
  const { subscribe, unsubscribe, publish } = await hubWorld(context)
  const members = receivers(4)
  const deliveries = members.map((member) => subscribe(member, '$share/s/a'))
  publish('a')
  publish('a')
  assert.deepEqual(counts(members), [1, 1, 0, 0])
  unsubscribe(deliveries[0] as (typeof deliveries)[0])
  publish('a')
  publish('a')
  assert.deepEqual(counts(members), [0, 0, 1, 1])
  unsubscribe(deliveries[3] as (typeof deliveries)[0])
  publish('a')
  assert.deepEqual(counts(members), [0, 1, 0, 0])
})

test('what a member had that has ended goes to another one, with its QoS', async (context) => {
  const { subscribe, unsubscribe, publish } = await hubWorld(context)
  const [ended, away, live] = [new TestReceiver(), new TestReceiver(), new TestReceiver()]
  const first = subscribe(ended, '$share/s/a', { qos: 2, identifier: 1 })
  publish('a', 'x', { qos: 2 })
  subscribe(away, '$share/s/a', { qos: 2 })
  subscribe(live, '$share/s/a', { qos: 1, identifier: 2 })
  away.isLive = false
  const share = ended.targets[0]?.share
  const [publication] = ended.publications
  assert.ok(share !== undefined && publication !== undefined)
  unsubscribe(first)
  for (const qos of [2, 0] as const) assert.equal(share.redistribute(publication, qos), true)
  assert.deepEqual([away.heard, live.heard], [[], ['a x q1 #2', 'a x q0 #2']])
  assert.deepEqual(ended.heard, ['a x q2 #1'])
})
