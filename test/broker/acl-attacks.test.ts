import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { QoS } from '#src/core/message.js'
import { accessWith, aclOf } from '../support/acl.js'
import { type Line, SessionWorld, turns } from '../support/session-world.js'
import { publishBytes } from '../support/v5-packets.js'
import {
  type ConnectFields,
  connectBytes,
  packet,
  prefixed,
  properties,
  u16,
} from '../support/wire-client.js'

const list = `topic read public/#
user eve
topic readwrite home/#
topic deny home/lock
topic read open/#
user bob
topic readwrite #
topic readwrite $SYS/#
pattern readwrite devices/%c/#
`

async function worldOf(context: TestContext, text = list): Promise<SessionWorld> {
  const world = await SessionWorld.open(undefined, accessWith(await aclOf(context, text)))
  context.after(() => world.close())
  return world
}

/** A client of this user; nobody by name: `undefined`. */
function enter(world: SessionWorld, user: string | undefined, fields: ConnectFields = {}): Promise<Line> {
  return world.join(
    { clientId: user ?? 'anonymous', ...fields },
    { certificateUser: user, address: '10.0.0.7' },
  )
}

async function reload(context: TestContext, world: SessionWorld, text: string): Promise<void> {
  world.setAccess(accessWith(await aclOf(context, text)))
  await turns()
}

/** Payloads alone. */
function payloads(line: Line): string[] {
  return line.messages().map((told) => told.split(' ')[0] as string)
}

test('what may not be published is acknowledged and dropped on 3.1.1, whatever its QoS, and logged once', async (context) => {
  const world = await worldOf(context)
  const bob = await enter(world, 'bob')
  bob.subscribe('#')
  const eve = await enter(world, 'eve')
  for (const qos of [0, 1, 2] as const) eve.publish('garden/x', 'stolen', qos, qos + 1)
  for (const qos of [0, 1, 2] as const) eve.publish('home/lock', 'open', qos, qos + 5)
  eve.publish('home/lamp', 'on', 1, 9)
  await world.keep()
  assert.deepEqual(payloads(bob), ['on'])
  assert.deepEqual(eve.answers(), ['40020002', '50020003', '40020006', '50020007', '40020009'])
  assert.equal(world.counters.get('publishes.refused'), 6)
  assert.deepEqual(
    world.log.having('publish refused').map(({ fields }) => fields),
    [
      { client: 'eve', address: '10.0.0.7', topic: 'garden/x', reason: 'config/acl does not allow it' },
      { client: 'eve', address: '10.0.0.7', topic: 'home/lock', reason: 'config/acl:4 denies it' },
    ],
  )
})

test('clients of MQTT 5 are told 0x87', async (context) => {
  const world = await worldOf(context)
  const eve = await enter(world, 'eve', { level: 5 })
  eve.publish('garden/x', 'stolen', 1, 1)
  eve.publish('garden/x', 'stolen', 2, 2)
  eve.publish('home/lamp', 'on', 1, 3)
  await turns()
  assert.deepEqual(eve.answers(), ['4003000187', '5003000287', '40020003'])
})

test('a client that goes from topic to topic is asked about each', async (context) => {
  const world = await worldOf(context)
  const bob = await enter(world, 'bob')
  bob.subscribe('#', 0)
  const eve = await enter(world, 'eve')
  for (let round = 0; round < 3; round++)
    for (const topic of ['home/a', 'garden/a', 'home/b', 'home/lock']) eve.publish(topic, topic)
  await turns()
  assert.deepEqual([...new Set(payloads(bob))], ['home/a', 'home/b'])
  assert.equal(world.counters.get('publishes.refused'), 6)
})

const subscriptions: readonly (readonly [filter: string, code3: string, code5: string])[] = [
  ['garden/x', '80', '87'],
  ['garden/#', '80', '87'],
  ['home/lock', '80', '87'],
  ['+/lock', '01', '01'],
  ['$SYS/#', '80', '87'],
  ['$share/g/garden/x', '80', '87'],
  ['$share/g/home/lamp', '01', '01'],
  ['devices/eve/#', '01', '01'],
  ['devices/bob/#', '80', '87'],
  ['#', '01', '01'],
]
for (const [filter, code3, code5] of subscriptions)
  test(`a subscription to ${filter} is answered with ${code3}, and with ${code5} in MQTT 5`, async (context) => {
    const world = await worldOf(context)
    for (const level of [4, 5] as const) {
      const eve = await enter(world, 'eve', { level })
      eve.subscribe(filter)
      await turns()
      assert.equal(eve.answers()[0]?.slice(-2), level === 4 ? code3 : code5)
    }
    const refused = code3 === '80' ? 2 : 0
    assert.equal(world.counters.get('subscriptions.refused'), refused)
  })

test('a wildcard brings what may be read, and nothing else: live, retained, from the house', async (context) => {
  const world = await worldOf(context)
  world.publish('home/lock', 'retained-lock', 1, true)
  world.publish('home/lamp', 'retained-lamp', 1, true)
  world.publish('garden/x', 'retained-garden', 1, true)
  await turns()
  const eve = await enter(world, 'eve')
  for (const filter of ['#', 'home/+', '+/lock']) eve.subscribe(filter)
  await turns(20)
  assert.deepEqual([...new Set(payloads(eve))], ['retained-lamp'])
  const bob = await enter(world, 'bob')
  for (const qos of [0, 1, 2] as const satisfies readonly QoS[])
    for (const topic of ['home/lock', 'garden/x', 'home/lamp']) bob.publish(topic, topic, qos, qos + 10)
  world.publish('home/lock', 'house')
  await turns()
  for (let id = 1; id < 9; id++) eve.puback(id)
  assert.deepEqual([...new Set(payloads(eve))], ['home/lamp'])
})

test('a route that is remembered leaves out who may not read, whoever comes later', async (context) => {
  const world = await worldOf(context)
  for (let round = 0; round < 3; round++) world.publish('home/lock', 'x', 0)
  const eve = await enter(world, 'eve')
  const bob = await enter(world, 'bob')
  eve.subscribe('home/#', 0)
  bob.subscribe('home/#', 0)
  for (let round = 0; round < 3; round++) world.publish('home/lock', `${round}`, 0)
  await turns()
  assert.deepEqual([payloads(eve), payloads(bob)], [[], ['0', '1', '2']])
})

test('a shared subscription gives a message to a member that may read it, and to nobody when there is none', async (context) => {
  const world = await worldOf(context)
  const eve = await enter(world, 'eve', { level: 5 })
  const bob = await enter(world, 'bob', { level: 5 })
  for (const line of [eve, bob]) line.subscribe('$share/g/#', 0)
  for (let round = 0; round < 4; round++) world.publish('home/lock', `lock${round}`, 0)
  for (let round = 0; round < 4; round++) world.publish('home/lamp', `lamp${round}`, 0)
  await turns()
  const heard = [payloads(eve), payloads(bob)]
  assert.deepEqual(
    heard[0]?.filter((it) => it.startsWith('lock')),
    [],
  )
  assert.equal(heard[1]?.filter((it) => it.startsWith('lock')).length, 4)
  assert.equal(heard[0]?.length, 2, 'they still take turns where both may')
  bob.say([0xe0, 0])
  await turns()
  world.publish('home/lock', 'nobody', 0)
  await turns()
  assert.deepEqual(payloads(eve), [])
})

test('nobody publishes below $SYS, whatever the list allows; who reads there needs a line of its own', async (context) => {
  const world = await worldOf(context)
  world.hub.publishSystem('$SYS/broker/uptime', '5')
  const bob = await enter(world, 'bob', { level: 5 })
  bob.subscribe('$SYS/#', 0)
  bob.publish('$SYS/broker/uptime', '0', 1, 1)
  await turns()
  assert.equal(bob.answers().at(-1), '4003000187')
  assert.deepEqual(payloads(bob), ['5'])
  const eve = await enter(world, 'eve')
  for (const filter of ['$SYS/#', '$SYS/broker/uptime', '#']) eve.subscribe(filter, 0)
  await turns()
  assert.deepEqual(payloads(eve), [])
})

test('a will outside the list keeps no client of MQTT 3.1.1 out, and is not published', async (context) => {
  const world = await worldOf(context)
  const bob = await enter(world, 'bob')
  bob.subscribe('#', 0)
  for (const [topic, refused] of [
    ['garden/x', 1],
    ['$SYS/x', 2],
    ['home/lamp', 2],
  ] as const) {
    const line = world.connect({ certificateUser: 'eve' })
    line.say(connectBytes({ clientId: 'eve', level: 4, will: { topic } }))
    await turns()
    assert.deepEqual([line.packets[0]?.type, line.packets[0]?.body[1], line.isClosed], [2, 0, false])
    assert.equal(world.counters.get('wills.refused'), refused)
    line.destroy()
    await turns()
  }
  assert.equal(payloads(bob).length, 1)
  const [told, ...more] = world.log.having('client connected without its will')
  assert.deepEqual(told?.fields, {
    client: 'eve',
    address: told?.fields['address'],
    topic: 'garden/x',
    reason: 'its will: config/acl does not allow it',
    remedy: 'let it write garden/x in config/acl',
  })
  assert.equal(more.length, 1) // that of $SYS
})

test('a will outside the list ends the CONNECT of MQTT 5, and the log says what to do', async (context) => {
  const world = await worldOf(context)
  for (const [topic, code] of [
    ['garden/x', 0x87],
    ['home/lock', 0x87],
    ['$SYS/x', 0x87],
    ['home/lamp', 0],
  ] as const) {
    const line = world.connect({ certificateUser: 'eve' })
    line.say(connectBytes({ clientId: 'eve', level: 5, will: { topic } }))
    await turns()
    assert.deepEqual([line.packets[0]?.type, line.packets[0]?.body[1]], [2, code])
    assert.equal(line.isClosed, code !== 0)
  }
  const told = world.log.having('client refused').map(({ fields }) => [fields['reason'], fields['remedy']])
  assert.deepEqual(told[0], ['its will: config/acl does not allow it', 'let it write garden/x in config/acl'])
})

test('a topic alias is asked about as its topic is, also when the list has changed since', async (context) => {
  const world = await worldOf(context)
  const bob = await enter(world, 'bob')
  bob.subscribe('#', 0)
  const eve = await enter(world, 'eve', { level: 5 })
  const aliased = (topic: string, alias: number, id: number) =>
    packet(
      0x32,
      prefixed(topic),
      u16(id),
      properties([35], u16(alias)),
      topic === '' ? `alias${alias}` : topic,
    )
  eve.say(
    aliased('garden/x', 1, 1),
    aliased('', 1, 2),
    aliased('home/lamp', 2, 3),
    aliased('', 2, 4),
    aliased('', 1, 5),
  )
  await turns()
  assert.deepEqual(eve.answers(), ['4003000187', '4003000287', '40020003', '40020004', '4003000587'])
  assert.deepEqual(payloads(bob), ['home/lamp', 'alias2'])
  await reload(context, world, `${list}user eve\ntopic deny home/lamp\n`)
  eve.say(aliased('', 2, 6))
  await turns()
  assert.deepEqual(eve.answers(), ['4003000687'])
})

test('names that would be wildcards in a pattern widen none, and the log says so', async (context) => {
  const world = await worldOf(context)
  const bob = await enter(world, 'bob')
  bob.subscribe('devices/#', 0)
  for (const clientId of ['+', '#', 'bob/x', 'a+b']) {
    const line = await enter(world, undefined, { clientId, level: 5 })
    line.subscribe('devices/#')
    line.subscribe('devices/bob/x')
    line.publish('devices/bob/x', 'stolen', 1, 1)
    line.publish(`devices/${clientId.replaceAll(/[+#]/g, 'x')}/x`, 'stolen', 1, 2)
    await turns()
    assert.deepEqual(
      line.answers().map((hex) => hex.slice(-2)),
      ['87', '87', '87', '87'],
      clientId,
    )
  }
  assert.deepEqual(payloads(bob), [])
  const [told] = world.log.having('pattern lines do not hold for a client: its name would be a wildcard')
  assert.deepEqual([told?.fields['client'], told?.fields['file']], ['+', 'config/acl'])
})

test('a reload takes rights away and gives them back, and disconnects nobody', async (context) => {
  const world = await worldOf(context)
  const eve = await enter(world, 'eve', { level: 5 })
  eve.subscribe('home/#', 0)
  await turns()
  const tell = async (payload: string): Promise<void> => {
    for (let round = 0; round < 2; round++) world.publish('home/lamp', payload, 0)
    await turns()
  }
  await tell('before')
  await reload(context, world, 'user eve\ntopic write home/#')
  await tell('meanwhile')
  await reload(context, world, list)
  await tell('after')
  assert.deepEqual(payloads(eve), ['before', 'before', 'after', 'after'])
  world.setAccess(accessWith(undefined))
  world.publish('home/lock', 'unlisted', 0)
  await turns()
  assert.deepEqual(payloads(eve), ['unlisted'])
  assert.equal(eve.isClosed, false)
})

test('a list of its own holds at each listener, and the main one where a listener is no more', async (context) => {
  const [main, guests] = [await aclOf(context, list), await aclOf(context, 'pattern read public/#')]
  const world = await SessionWorld.open(undefined, accessWith(main, { guests }))
  context.after(() => world.close())
  const here = await world.join({ clientId: 'here', level: 5 }, { certificateUser: 'eve' })
  const there = await world.join(
    { clientId: 'there', level: 5 },
    { certificateUser: 'eve', listener: 'guests' },
  )
  for (const line of [here, there]) line.publish('home/lamp', 'x', 1, 1)
  await turns()
  assert.deepEqual([here.answers(), there.answers()], [['40020001'], ['4003000187']])
  world.setAccess(accessWith(main))
  there.publish('home/lamp', 'x', 1, 2)
  there.publish('garden/x', 'x', 1, 3)
  await turns()
  assert.deepEqual(there.answers(), ['40020002', '4003000387'])
})

test('refusals of QoS 0 are counted each and logged once in ten seconds', async (context) => {
  const world = await worldOf(context)
  const eve = await enter(world, 'eve')
  for (let round = 0; round < 50; round++) eve.publish(`garden/${round}`, 'x')
  await turns()
  assert.equal(world.counters.get('publishes.refused'), 50)
  assert.equal(world.log.having('publish refused').length, 1)
})

test('bytes of a refused message reach nobody in the process either', async (context) => {
  const world = await worldOf(context)
  const heard: string[] = []
  world.hub.subscribe('#', ({ topic }) => heard.push(topic))
  const eve = await enter(world, 'eve', { level: 5 })
  eve.say(publishBytes('garden/x', 'x', { qos: 1, id: 1 }), publishBytes('home/x', 'x', { qos: 1, id: 2 }))
  await turns()
  assert.deepEqual(heard, ['home/x'])
})
