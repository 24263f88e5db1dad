import assert from 'node:assert/strict'
import { afterEach, type TestContext, test } from 'node:test'
import { setLimits } from '#src/core/limits.js'
import { steadyMs, wallMs } from '#src/core/steady-clock.js'
import { standingClock } from '../support/clock.js'
import { type Line, SessionWorld, turns } from '../support/session-world.js'
import { bytes, type ConnectFields, packet, prefixed, u16, u32 } from '../support/wire-client.js'

afterEach(() => setLimits({}))

async function open(context: TestContext): Promise<SessionWorld> {
  standingClock(context, 1_000_000_000)
  const world = await SessionWorld.open()
  context.after(() => world.close())
  return world
}

/** Time goes on, and the sessions look at the clock. */
async function pass(context: TestContext, world: SessionWorld, seconds: number): Promise<void> {
  context.mock.timers.tick(seconds * 1_000)
  world.sessions.tick(steadyMs())
  await world.keep()
}

interface Wishes {
  readonly clientId?: string
  readonly clean?: boolean
  /** Session Expiry Interval. */
  readonly seconds?: number
  readonly delaySeconds?: number
  readonly willExpirySeconds?: number
  readonly hasWill?: boolean
  readonly willRetain?: boolean
}

function client(wishes: Wishes): ConnectFields {
  const { clientId = 'a', clean = false, seconds = 0, hasWill = true, willRetain = false } = wishes
  const willProperties = bytes(
    ...(wishes.delaySeconds === undefined ? [] : [24, u32(wishes.delaySeconds)]),
    ...(wishes.willExpirySeconds === undefined ? [] : [2, u32(wishes.willExpirySeconds)]),
  )
  const will = {
    topic: 'will',
    payload: 'gone',
    qos: 1,
    retain: willRetain,
    properties: willProperties,
  } as const
  return { level: 5, clean, clientId, properties: bytes(17, u32(seconds)), ...(hasWill ? { will } : {}) }
}

/** Who hears the wills. */
async function witness(world: SessionWorld): Promise<Line> {
  const line = await world.join({ clientId: 'witness' })
  line.subscribe('will', 0)
  await world.keep()
  return line
}

async function lose(world: SessionWorld, line: Line): Promise<void> {
  line.destroy()
  await world.keep()
}

const gone = ['gone q0']

for (const [how, act, published] of [
  ['the connection is lost', (line: Line) => void line.destroy(), gone],
  ['DISCONNECT asks for it', (line: Line) => line.say([0xe0, 1, 4]), gone],
  ['a packet is malformed', (line: Line) => line.say([0x82, 0]), gone],
  ['DISCONNECT takes leave', (line: Line) => line.say([0xe0, 0]), []],
  ['DISCONNECT takes leave with 0', (line: Line) => line.say([0xe0, 1, 0]), []],
] as const) {
  for (const seconds of [0, 60]) {
    test(`a will is ${published.length > 0 ? '' : 'not '}published when ${how}, of a session of ${seconds} s`, async (context) => {
      const world = await open(context)
      const other = await witness(world)
      act(await world.join(client({ seconds })))
      await world.keep()
      assert.deepEqual(other.messages(), published)
      await pass(context, world, 100)
      assert.deepEqual(other.messages(), [])
    })
  }
}

test('a will waits for its delay [MQTT-3.1.3-9]', async (context) => {
  const world = await open(context)
  const other = await witness(world)
  await lose(world, await world.join(client({ seconds: 60, delaySeconds: 10 })))
  await pass(context, world, 9)
  assert.deepEqual(other.messages(), [])
  await pass(context, world, 1)
  assert.deepEqual(other.messages(), gone)
  await pass(context, world, 100)
  assert.deepEqual(other.messages(), [])
})

test('a will that waits is dropped when the client is back in time, and published when it was due before', async (context) => {
  const world = await open(context)
  const other = await witness(world)
  await lose(world, await world.join(client({ seconds: 60, delaySeconds: 10 })))
  await pass(context, world, 9)
  await lose(world, await world.join(client({ seconds: 60, delaySeconds: 10 })))
  await pass(context, world, 9)
  assert.deepEqual(other.messages(), [])
  context.mock.timers.tick(1_000) // nobody has looked at the clock since
  await world.join(client({ seconds: 60, hasWill: false }))
  assert.deepEqual(other.messages(), gone)
  await pass(context, world, 100)
  assert.deepEqual(other.messages(), [])
})

test('a will that waits is published when the session ends before', async (context) => {
  const world = await open(context)
  const other = await witness(world)
  await lose(world, await world.join(client({ clientId: 'expires', seconds: 5, delaySeconds: 60 })))
  await lose(world, await world.join(client({ clientId: 'at once', seconds: 0, delaySeconds: 60 })))
  assert.deepEqual(other.messages(), gone)
  await pass(context, world, 5)
  assert.deepEqual(other.messages(), gone)
  await lose(world, await world.join(client({ clientId: 'anew', seconds: 60, delaySeconds: 60 })))
  await world.join(client({ clientId: 'anew', clean: true, hasWill: false }))
  assert.deepEqual(other.messages(), gone)
})

test('a client that takes over the session sets off the will of the other, unless that has a delay', async (context) => {
  const world = await open(context)
  const other = await witness(world)
  const first = await world.join(client({ seconds: 60 }))
  const second = await world.join(client({ seconds: 60, delaySeconds: 10 }))
  assert.equal(first.isClosed, true)
  assert.equal(first.packets.at(-1)?.body[0], 0x8e)
  assert.deepEqual(other.messages(), gone)
  await world.join(client({ seconds: 60, hasWill: false }))
  assert.equal(second.isClosed, true)
  await pass(context, world, 100)
  assert.deepEqual(other.messages(), [])
})

test('after a crash a will is published when its delay is over, and its message expires so long after that', async (context) => {
  const first = await open(context)
  await first.join(client({ seconds: 600, delaySeconds: 10, willExpirySeconds: 20 }))
  await pass(context, first, 300) // longer than the message lives
  const second = await first.crash()
  context.after(() => second.close())
  const other = await second.join({ level: 5, clientId: 'b', clean: false, properties: bytes(17, u32(600)) })
  other.subscribe('will', 1)
  await second.keep()
  other.destroy()
  await pass(context, second, 9)
  assert.equal(second.sessions.queuedMessages, 0)
  await pass(context, second, 1)
  assert.equal(second.sessions.queuedMessages, 1)
  context.mock.timers.tick(15_000)
  const back = await second.join({ level: 5, clientId: 'b', clean: false, properties: bytes(17, u32(600)) })
  const { body } = back.packets[0] as { body: Buffer }
  assert.equal(
    body.toString('hex').includes(`02${u32(5).toString('hex')}`),
    true,
    'Message Expiry Interval of 5 s',
  )
  await pass(context, second, 100)
  assert.equal(second.ledger.disk.read().sessions.filter(({ record }) => record.will !== undefined).length, 0)
})

test('a will does not come to its own session with No Local [MQTT-3.8.3-3]', async (context) => {
  const world = await open(context)
  for (const [clientId, options] of [
    ['a', 4],
    ['b', 0],
  ] as const) {
    const line = await world.join(client({ clientId, seconds: 60 }))
    line.subscribe('will', 1, options)
    await world.keep()
    await lose(world, line)
    const back = await world.join(client({ clientId, seconds: 60, hasWill: false }))
    assert.equal(back.messages().length, options === 0 ? 1 : 0)
    await lose(world, back)
  }
})

test('a session lasts as long as it asked for, to the second, also after a crash', async (context) => {
  const first = await open(context)
  for (const clientId of ['a', 'b'])
    await lose(first, await first.join(client({ clientId, seconds: 60, hasWill: false })))
  await pass(context, first, 30)
  const second = await first.crash()
  context.after(() => second.close())
  context.mock.timers.tick(29_999)
  assert.equal((await second.join(client({ clientId: 'a', hasWill: false }))).isPresent, true)
  context.mock.timers.tick(1)
  assert.equal((await second.join(client({ clientId: 'b', hasWill: false }))).isPresent, false) // nobody has looked yet
  await pass(context, second, 0)
  assert.equal(second.counters.get('sessions.expired'), 1)
  assert.deepEqual(
    second.ledger.disk.read().sessions.map(({ record }) => record.clientId),
    ['a'],
  )
})

test('no session is kept longer than the bound, one of MQTT 3.1.1 neither', async (context) => {
  setLimits({ sessionExpirySecondsMax: 100 })
  const world = await open(context)
  const never = 0xffff_ffff
  await lose(world, await world.join(client({ seconds: never, hasWill: false })))
  await lose(world, await world.join({ clientId: 'old', clean: false }))
  await pass(context, world, 99)
  assert.equal(world.sessions.count, 2)
  await pass(context, world, 1)
  assert.equal(world.sessions.count, 0)
  assert.equal(world.counters.get('sessions.expired'), 2)
  assert.equal(world.ledger.disk.sessions.size, 0)
})

test('without the bound a session of MQTT 3.1.1 is kept for good', async (context) => {
  const world = await open(context)
  await lose(world, await world.join({ clientId: 'old', clean: false }))
  await pass(context, world, 3_600 * 24 * 365 * 100)
  assert.equal((await world.join({ clientId: 'old', clean: false })).isPresent, true)
})

test('DISCONNECT may end a session at once, or let it last longer; a clean start ends it too, and nothing of it stays', async (context) => {
  const world = await open(context)
  const { disk } = world.ledger
  const wishes = { seconds: 60, hasWill: false }
  const begin = async (): Promise<Line> => {
    const line = await world.join(client(wishes))
    line.subscribe('t', 1)
    world.publish('t', 'x')
    await world.keep()
    assert.deepEqual([disk.sessions.size, disk.bodies.size], [1, 1])
    return line
  }
  const leave = async (line: Line, seconds: number): Promise<void> => {
    line.say([0xe0, 7, 0, 5, 17], u32(seconds))
    await world.keep()
  }
  await leave(await begin(), 0)
  assert.deepEqual([disk.sessions.size, disk.bodies.size], [0, 0])

  await leave(await begin(), 120)
  await pass(context, world, 119)
  assert.equal(disk.sessions.size, 1)
  const clean = await world.join(client({ ...wishes, clean: true }))
  assert.equal(clean.isPresent, false)
  assert.deepEqual([disk.sessions.size, disk.bodies.size], [1, 0])
  assert.deepEqual(disk.read().sessions[0]?.subscriptions, [])
  await leave(clean, 0)

  const brief = await world.join(client({ hasWill: false }))
  await leave(brief, 60) // [MQTT-3.14.2-2]
  assert.equal(brief.packets.at(-1)?.body[0], 0x82)
  assert.equal(disk.sessions.size, 0)
})

test('as many sessions may be away as allowed, whoever is connected; one more costs the one that is away longest', async (context) => {
  setLimits({ sessionsMax: 2 })
  const world = await open(context)
  const join = (clientId: string): Promise<Line> =>
    world.join(client({ clientId, seconds: 600, hasWill: false }))
  for (const clientId of ['a', 'b']) {
    await lose(world, await join(clientId))
    await pass(context, world, 1)
  }
  const c = await join('c')
  await world.join({ clientId: 'clean' })
  assert.equal(world.counters.get('sessionsMax'), 0)
  assert.equal(world.sessions.count, 4)
  await lose(world, await join('a')) // it is back, and away a shorter time than b now
  await lose(world, c)
  assert.equal(world.counters.get('sessionsMax'), 1)
  const ids = world.ledger.disk.read().sessions.map(({ record }) => record.clientId)
  assert.deepEqual(ids.sort(), ['a', 'c'])
})

test('after a start it is still known who is away longest', async (context) => {
  const first = await open(context)
  const lines: Line[] = []
  for (const clientId of ['a', 'b', 'c'])
    lines.push(await first.join(client({ clientId, seconds: 600, hasWill: false })))
  for (const line of lines.reverse()) {
    await lose(first, line)
    await pass(context, first, 1)
  }
  const second = await first.crash()
  context.after(() => second.close())
  setLimits({ sessionsMax: 2 })
  await lose(second, await second.join(client({ clientId: 'd', seconds: 600, hasWill: false })))
  const ids = second.ledger.disk.read().sessions.map(({ record }) => record.clientId)
  assert.deepEqual(ids.sort(), ['a', 'd'])
  assert.equal(second.counters.get('sessionsMax'), 2)
})

test('a session that was to end with its connection has ended when the process was killed before', async (context) => {
  const first = await open(context)
  await lose(first, await first.join(client({ seconds: 60, hasWill: false })))
  await first.join(client({ seconds: 0, hasWill: false }))
  const second = await first.crash()
  context.after(() => second.close())
  assert.equal((await second.join(client({ hasWill: false }))).isPresent, false)
  await turns()
})

test('a wall clock that is set while it runs ends no session and no message, and what is written down is of the time that is right now', async (context) => {
  const world = await open(context)
  const line = await world.join(client({ seconds: 60, hasWill: false }))
  line.subscribe('t', 1)
  await world.keep()
  await lose(world, line)
  const sender = await world.join({ level: 5, clientId: 'sender' })
  sender.say(packet(0x32, prefixed('t'), u16(1), 5, 2, u32(50), 'x'))
  await world.keep()
  const steady = performance.now()
  context.mock.method(performance, 'now', () => steady + 10_000)
  context.mock.timers.tick(365 * 24 * 3_600_000)
  world.sessions.tick(steadyMs())
  await world.keep()
  const back = await world.join(client({ seconds: 60, hasWill: false }))
  assert.deepEqual(back.messages(), ['x q1 #1'])
  assert.equal(wallMs(steadyMs()), Date.now())
})

test('a wall clock that was set back between two runs lengthens no lifetime beyond what it was', async (context) => {
  const first = await open(context)
  const line = await first.join(client({ seconds: 60, hasWill: false }))
  line.subscribe('t', 1)
  await first.keep()
  await lose(first, line)
  const sender = await first.join({ level: 5, clientId: 'sender' })
  sender.say(packet(0x32, prefixed('t'), u16(1), 5, 2, u32(50), 'x'))
  await first.keep()
  context.mock.timers.setTime(500_000_000)
  const second = await first.crash()
  context.after(() => second.close())
  const back = await second.join(client({ seconds: 60, hasWill: false }))
  const [publish] = back.packets.filter(({ type }) => type === 3)
  assert.equal(publish?.body.readUInt32BE(3 + 2 + 2), 50)
  await lose(second, back)
  context.mock.timers.setTime(500_061_000)
  second.sessions.tick(steadyMs())
  assert.equal((await second.join(client({ seconds: 60, hasWill: false }))).isPresent, false)
})
