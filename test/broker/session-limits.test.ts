import assert from 'node:assert/strict'
import { afterEach, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setLimits } from '#src/core/limits.js'
import { type BrokerWorld, brokerWorld, connectPacket, untilClosed } from '../support/broker.js'
import { Peer, puback, publishBytes, subscribeBytes } from '../support/conformance.js'
import { until } from '../support/until.js'
import { type ConnectFields, connectBytes, WireClient } from '../support/wire-client.js'

afterEach(() => setLimits({}))

async function peerAt(
  context: TestContext,
  { port }: BrokerWorld,
  fields: ConnectFields = {},
): Promise<Peer> {
  const peer = new Peer(await WireClient.connect(context, port))
  peer.send(connectBytes(fields))
  const { type, body } = await peer.next()
  assert.deepEqual([type, body[1]], [2, 0], 'a CONNACK with return code 0')
  peer.isSessionPresent = body[0] === 1
  return peer
}

/** A session that is subscribed to `t/#` with QoS 1, and whose client is away. */
async function leaveSession(context: TestContext, world: BrokerWorld, clientId: string): Promise<void> {
  const peer = await peerAt(context, world, { clientId, clean: false })
  await peer.subscribe('t/#', 1)
  await peer.disconnect()
}

/** What waits in a session, by its first word. */
async function waitingIn(context: TestContext, world: BrokerWorld, clientId: string): Promise<string[]> {
  const peer = await peerAt(context, world, { clientId, clean: false })
  const heard = await peer.everythingFrom(await peerAt(context, world))
  return heard.map(({ payload }) => payload.split(' ')[0] as string)
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `${from + index}`)
}

const dropped = 'messages dropped: too many wait for a client'

test('as many messages as allowed wait for a client; each one more costs the oldest, is counted, and told once', async (context) => {
  setLimits({ sessionQueueMessagesMax: 20 })
  const world = await brokerWorld(context)
  const { broker, counters, log } = world
  await leaveSession(context, world, 'shed')
  for (const payload of numbers(0, 20)) await broker.hub.publish({ topic: 't/a', payload, qos: 1 })
  assert.equal(counters.get('sessionQueueMessagesMax'), 0)
  assert.equal(broker.queuedMessages, 20)
  for (const payload of numbers(20, 23)) await broker.hub.publish({ topic: 't/a', payload, qos: 1 })
  assert.equal(counters.get('sessionQueueMessagesMax'), 3)
  const [line, ...more] = log.having(dropped)
  assert.deepEqual(
    [line?.fields['client'], line?.fields['bound'], line?.fields['setting']],
    ['shed', 'sessionQueueMessagesMax', 'MAX_QUEUED_MESSAGES'],
  )
  assert.equal(more.length, 0)
  await broker.hub.publish({ topic: 't/a', payload: 'QoS 0 is not kept for who is away' })
  assert.deepEqual(await waitingIn(context, world, 'shed'), numbers(3, 23))
  assert.equal(broker.queuedMessages, 0)
})

test('what was dropped for one that came later does not come back after a restart', async (context) => {
  setLimits({ sessionQueueMessagesMax: 5 })
  const first = await brokerWorld(context)
  await leaveSession(context, first, 'shed')
  for (const payload of numbers(0, 8)) await first.broker.hub.publish({ topic: 't/a', payload, qos: 1 })
  await first.broker.close()
  const second = await brokerWorld(context, { dataDir: first.dataDir })
  assert.equal(second.broker.queuedMessages, 5)
  assert.deepEqual(await waitingIn(context, second, 'shed'), numbers(3, 8))
})

test('as many bytes as allowed wait for a client; what does not fit costs the oldest, what never fits is not kept', async (context) => {
  setLimits({ sessionQueueBytesMax: 10_000 })
  const world = await brokerWorld(context)
  const { broker, counters } = world
  await leaveSession(context, world, 'shed')
  await leaveSession(context, world, 'attic')
  const publish = (index: string, bytes: number) =>
    broker.hub.publish({ topic: 't/a', payload: `${index} `.padEnd(bytes - 't/a'.length, 'x'), qos: 1 })
  for (const index of numbers(0, 10)) await publish(index, 1_000)
  assert.equal(counters.get('sessionQueueBytesMax'), 0)
  await publish('10', 1)
  assert.equal(counters.get('sessionQueueBytesMax'), 2) // one for each
  await publish('11', 10_001)
  assert.equal(counters.get('sessionQueueBytesMax'), 4)
  for (const name of ['shed', 'attic'])
    assert.deepEqual(await waitingIn(context, world, name), numbers(1, 11))
})

test('as many subscriptions as allowed are granted; one more is refused, a known one may change, and there is room again', async (context) => {
  setLimits({ subscriptionsMax: 3 })
  const world = await brokerWorld(context)
  const peer = await peerAt(context, world)
  for (const filter of ['a', 'b', 'c']) await peer.subscribe(filter, 1)
  assert.equal(world.counters.get('subscriptionsMax'), 0)
  peer.send(subscribeBytes(50, ['d', 1], ['a', 2]))
  assert.deepEqual([...(await peer.take(9)).body], [0, 50, 0x80, 2])
  assert.equal(world.counters.get('subscriptionsMax'), 1)
  await peer.unsubscribe('b')
  await peer.subscribe('d', 1)
})

test('subscriptions of all sessions of one owner take half of the memory that is allowed; one more is refused, and there is room again', async (context) => {
  setLimits({ subscriptionBytesMax: 6 * 1_001 })
  const world = await brokerWorld(context)
  const one = await peerAt(context, world)
  const other = await peerAt(context, world)
  await one.subscribe('a', 0)
  await one.subscribe('b', 0)
  await other.subscribe('a', 0)
  await other.subscribe('a', 1)
  assert.equal(world.counters.get('subscriptionBytesMax'), 0)
  other.send(subscribeBytes(50, ['c', 1]))
  assert.deepEqual([...(await other.take(9)).body], [0, 50, 0x80])
  assert.equal(world.counters.get('subscriptionBytesMax'), 1)
  await one.disconnect()
  await until('it has gone', () => world.broker.sessionCount === 1)
  await other.subscribe('c', 1)
  await other.subscribe('d', 1)
})

test('wills of one owner take half of the memory that is allowed; a client whose will does not fit is refused, and there is room again', async (context) => {
  setLimits({ willBytesMax: 4 * 1_301 })
  const world = await brokerWorld(context)
  const will = { topic: 'w', payload: Buffer.alloc(1_000) }
  const first = await peerAt(context, world, { will })
  await peerAt(context, world, { will })
  assert.equal(world.counters.get('willBytesMax'), 0)
  for (const [level, code] of [
    [4, 3],
    [5, 0x97],
  ] as const) {
    const refused = await WireClient.connect(context, world.port)
    refused.send(connectBytes({ level, clientId: 'late', will }))
    assert.equal((await refused.next()).body[1], code)
  }
  assert.equal(world.counters.get('willBytesMax'), 2)
  await first.disconnect()
  await until('it has gone', () => world.broker.clientCount === 1)
  await peerAt(context, world, { will })
})

test('as many sessions as allowed wait for their clients; one more costs the one that has waited longest', async (context) => {
  setLimits({ sessionsMax: 3 })
  const world = await brokerWorld(context)
  for (const name of ['one', 'two', 'three']) await leaveSession(context, world, name)
  const passing = await peerAt(context, world) // whose session goes with it
  const staying = await peerAt(context, world, { clientId: 'staying', clean: false })
  assert.equal(world.counters.get('sessionsMax'), 0)
  assert.equal(world.broker.sessionCount, 5)
  await passing.disconnect()
  await leaveSession(context, world, 'one') // it was here
  await leaveSession(context, world, 'four')
  assert.equal(world.counters.get('sessionsMax'), 1)
  await staying.disconnect()
  assert.equal(world.counters.get('sessionsMax'), 2)

  setLimits({ sessionsMax: 2 })
  await world.broker.close()
  const next = await brokerWorld(context, { dataDir: world.dataDir })
  assert.equal(next.counters.get('sessionsMax'), 1)
  for (const [clientId, isPresent] of [
    ['one', false],
    ['two', false],
    ['three', false],
    ['four', true],
    ['staying', true],
  ] as const)
    assert.equal(
      (await peerAt(context, next, { clientId, clean: false })).isSessionPresent,
      isPresent,
      clientId,
    )
})

test('a session whose client is away for longer than allowed ends, before MQTT 5 as well', async (context) => {
  setLimits({ sessionExpirySecondsMax: 1 })
  const world = await brokerWorld(context)
  await leaveSession(context, world, 'shed')
  const early = await peerAt(context, world, { clientId: 'shed', clean: false })
  assert.equal(early.isSessionPresent, true)
  await early.disconnect()
  await until('it has ended', () => world.broker.sessionCount === 0)
  assert.equal(world.counters.get('sessions.expired'), 1)
  const late = await peerAt(context, world, { clientId: 'shed', clean: false })
  assert.equal(late.isSessionPresent, false)
})

test('a lower bound for the time away holds for who connects from then on: what was agreed before stays', async (context) => {
  const world = await brokerWorld(context)
  await leaveSession(context, world, 'shed')
  await world.broker.hub.publish({ topic: 't/a', payload: 'kept', qos: 1 })
  setLimits({ sessionExpirySecondsMax: 1 })
  await leaveSession(context, world, 'attic')
  await world.broker.hub.publish({ topic: 't/a', payload: 'lost', qos: 1 })
  await until('the later one has ended', () => world.counters.get('sessions.expired') === 1)
  const [line, ...more] = world.log.having('session expired')
  assert.deepEqual(line?.fields, { client: 'attic', messages: 1 })
  assert.equal(line?.level, 'info')
  assert.equal(more.length, 0)
  assert.deepEqual(await waitingIn(context, world, 'shed'), ['kept', 'lost'])
})

test('a session in which nothing waits expires without a line', async (context) => {
  setLimits({ sessionExpirySecondsMax: 1 })
  const world = await brokerWorld(context)
  await leaveSession(context, world, 'shed')
  await until('it has ended', () => world.counters.get('sessions.expired') === 1)
  assert.equal(world.log.having('session expired').length, 0)
})

test('as many messages as allowed are on their way to a client; the next one follows an answer', async (context) => {
  setLimits({ inflightMessagesMax: 3 })
  const world = await brokerWorld(context)
  const peer = await peerAt(context, world)
  await peer.subscribe('t/#', 1)
  for (const payload of numbers(0, 10)) await world.broker.hub.publish({ topic: 't/a', payload, qos: 1 })
  const ids: number[] = []
  for (const payload of numbers(0, 3)) {
    const one = await peer.hear()
    assert.equal(one.payload, payload)
    ids.push(one.id)
  }
  peer.send([0xc0, 0])
  assert.equal((await peer.next()).type, 13, 'nothing more has come')
  peer.send(puback(ids[1] as number))
  assert.equal((await peer.hear()).payload, '3')
  peer.send([0xc0, 0])
  assert.equal((await peer.next()).type, 13, 'nothing more has come')
})

test('before MQTT 5 a keep alive as long as allowed is taken; a longer one, or none, is refused with one line', async (context) => {
  setLimits({ keepAliveSecondsMax: 60 })
  const world = await brokerWorld(context)
  await peerAt(context, world, { keepAlive: 60 })
  assert.equal(world.counters.get('keepAliveSecondsMax'), 0)
  for (const keepAlive of [61, 0]) {
    const socket = await world.raw()
    const answer = untilClosed(socket)
    socket.write(connectBytes({ keepAlive, clientId: 'slow' }))
    assert.deepEqual([...(await answer)], [0x20, 2, 0, 2])
  }
  assert.equal(world.counters.get('keepAliveSecondsMax'), 2)
  assert.match(String(world.log.having('client refused')[0]?.fields['reason']), /61, and at most 60 s/)
})

test('one that does not read is disconnected when too much waits for it, and named; all others hear everything', async (context) => {
  setLimits({ outputBytesMax: 256 * 1024 })
  const world = await brokerWorld(context)
  const { broker, counters, log } = world
  const frozen = await peerAt(context, world, { clientId: 'frozen' })
  await frozen.subscribe('t/#', 0)
  frozen.pause()
  const reader = await world.connect()
  let heard = 0
  reader.on('message', () => heard++)
  await reader.subscribeAsync('t/#')
  const payload = Buffer.alloc(32 * 1024)
  let sent = 0
  while (counters.get('outputBytesMax') === 0) {
    await broker.hub.publish({ topic: 't/a', payload })
    sent++
    await until('the others have it', () => heard === sent)
    assert.ok(sent < 2_000, 'it was let go')
  }
  const [line, ...more] = log.having('client disconnected')
  assert.deepEqual([line?.fields['client'], line?.fields['code']], ['frozen', 'quota exceeded'])
  assert.match(String(line?.fields['reason']), /it reads too slowly/)
  assert.equal(more.length, 0)
  assert.equal(broker.clientCount, 1)
})

test('each of those that do not read is named', async (context) => {
  setLimits({ outputBytesMax: 64 * 1024 })
  const world = await brokerWorld(context)
  for (const clientId of ['frozen', 'stiff']) {
    const peer = await peerAt(context, world, { clientId })
    await peer.subscribe('t/#', 0)
    peer.pause()
  }
  for (let sent = 0; world.counters.get('outputBytesMax') < 2; sent++) {
    await world.broker.hub.publish({ topic: 't/a', payload: Buffer.alloc(32 * 1024) })
    await sleep(0)
    assert.ok(sent < 2_000, 'they were let go')
  }
  const names = world.log.having('client disconnected').map(({ fields }) => fields['client'])
  assert.deepEqual(names.toSorted(), ['frozen', 'stiff'])
})

test('wills of many clients that go at once do not hold up the others, and all of them are published', async (context) => {
  const world = await brokerWorld(context)
  const heard: string[] = []
  world.broker.hub.subscribe('w', ({ payload }) => {
    const untilMs = performance.now() + 5 // it takes its time
    while (performance.now() < untilMs);
    heard.push(`${payload}`)
  })
  const names = numbers(0, 30)
  for (const clientId of names)
    await peerAt(context, world, { clientId, will: { topic: 'w', payload: clientId } })
  const inTurns: number[] = []
  await world.broker.listen([]) // all of them are disconnected
  while (heard.length < names.length) {
    inTurns.push(heard.length)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(heard.toSorted(), names.toSorted())
  assert.ok(new Set(inTurns).size >= 5, `${inTurns}`)
})

test('messages of QoS 1 wait for one that does not read: it stays, and hears them all when it reads again', async (context) => {
  setLimits({ outputBytesMax: 256 * 1024, inflightMessagesMax: 65_535 })
  const world = await brokerWorld(context)
  const { broker, counters } = world
  const frozen = await peerAt(context, world, { clientId: 'frozen' })
  await frozen.subscribe('t/#', 1)
  frozen.pause()
  const filling = 'x'.repeat(32 * 1024)
  const count = 400
  for (const index of numbers(0, count))
    await broker.hub.publish({ topic: 't/a', payload: `${index} ${filling}`, qos: 1 })
  await sleep(50)
  assert.equal(counters.get('outputBytesMax'), 0)
  assert.ok(broker.queuedMessages > 0)
  frozen.resume()
  const heard: string[] = []
  while (heard.length < count) heard.push((await frozen.receive()).payload.split(' ')[0] as string)
  assert.deepEqual(heard, numbers(0, count))
})

test('when memory is short publishers wait for their answers, the longest queues of clients that are away lose their oldest, and it passes', async (context) => {
  setLimits({ memoryBytesMax: 100_000 })
  const world = await brokerWorld(context)
  const { broker, counters, log } = world
  await leaveSession(context, world, 'shed')
  const attic = await peerAt(context, world, { clientId: 'attic', clean: false })
  await attic.subscribe('s/#', 1)
  await attic.disconnect()
  const sender = await peerAt(context, world)
  const filling = 'x'.repeat(9_000)
  await sender.publish('s/a', 'short', { qos: 1 })
  for (const index of numbers(0, 10)) await sender.publish('t/a', `${index} ${filling}`, { qos: 1 })
  assert.equal(counters.get('memoryBytesMax'), 0)
  assert.equal(broker.queuedMessages, 11)
  for (const index of numbers(10, 14)) await sender.publish('t/a', `${index} ${filling}`, { qos: 1 })
  const lines = log.having(
    'memory is short: publishers wait, and the oldest messages for clients that are away are dropped',
  )
  assert.equal(lines.length, 1)
  await until('there is room again', () => broker.queuedMessages < 12)
  const [line] = log.having(dropped)
  assert.deepEqual([line?.fields['client'], line?.fields['bound']], ['shed', 'memoryBytesMax'])
  const waiting = await waitingIn(context, world, 'shed')
  assert.ok(waiting.length >= 5 && waiting.length < 14, `${waiting.length}`)
  assert.deepEqual(waiting, numbers(14 - waiting.length, 14), 'the newest')
  assert.deepEqual(await waitingIn(context, world, 'attic'), ['short'])
})

test('publishers wait, a second at most, while memory is short for clients that are there, and those away lose nothing for them', async (context) => {
  setLimits({ memoryBytesMax: 100_000, outputBytesMax: 50_000, inflightMessagesMax: 1 })
  const world = await brokerWorld(context)
  const { broker, counters } = world
  await leaveSession(context, world, 'away')
  const frozen = await peerAt(context, world, { clientId: 'frozen' })
  await frozen.subscribe('f/#', 1)
  for (const index of numbers(0, 14))
    await broker.hub.publish({ topic: 'f/a', payload: `${index} ${'x'.repeat(9_000)}`, qos: 1 })
  assert.equal(counters.get('memoryBytesMax'), 1)
  const sender = await peerAt(context, world)
  const beganMs = performance.now()
  await sender.publish('t/a', 'new', { qos: 1 }) // it is answered, late
  const tookMs = performance.now() - beganMs
  assert.ok(tookMs > 500, `${tookMs} ms`)
  assert.equal(counters.get('messages.dropped'), 0)
  assert.deepEqual(await waitingIn(context, world, 'away'), ['new'])
})

test('a payload is counted once, however many clients it waits for', async (context) => {
  setLimits({ memoryBytesMax: 40_000_000, outputBytesMax: 50_000_000 })
  const world = await brokerWorld(context)
  for (const clientId of numbers(0, 10)) {
    const frozen = await peerAt(context, world, { clientId })
    await frozen.subscribe('t/#', 0)
    frozen.pause()
  }
  await world.broker.hub.publish({ topic: 't/a', payload: Buffer.alloc(9_000_000) })
  await sleep(50)
  assert.equal(world.counters.get('memoryBytesMax'), 0)
})

test('as many bytes as allowed come before CONNECT; more cost the connection that has sent most, and nothing of the clients', async (context) => {
  setLimits({ unansweredBytesMax: 80_000, memoryBytesMax: 10_000 })
  const world = await brokerWorld(context)
  const part = (length: number) =>
    Buffer.concat([Buffer.from([0x10, 0xff, 0xff, 0x03]), Buffer.alloc(length)])
  const [small, large] = [
    await WireClient.connect(context, world.port),
    await WireClient.connect(context, world.port),
  ]
  small.send(part(10_000))
  large.send(part(16_000))
  const client = await peerAt(context, world)
  await client.publish('u', 'x', { qos: 1 })
  assert.equal(world.counters.get('unansweredBytesMax'), 0)
  assert.equal(world.counters.get('memoryBytesMax'), 0)
  const [next, last] = [
    await WireClient.connect(context, world.port),
    await WireClient.connect(context, world.port),
  ]
  next.send(part(12_000))
  last.send(part(15_000))
  await large.closed()
  assert.equal(world.counters.get('unansweredBytesMax'), 1)
  await client.publish('u', 'x', { qos: 1 })
  assert.deepEqual([small.isClosed, next.isClosed, last.isClosed], [false, false, false])
})

test('however little of one connection is read in a turn, nothing is lost', async (context) => {
  setLimits({ turnBytesMax: 1_024 })
  const world = await brokerWorld(context)
  const heard: string[] = []
  world.broker.hub.subscribe('t', ({ payload }) => heard.push(`${payload}`))
  const socket = await world.raw()
  const sent = numbers(0, 50_000)
  socket.write(Buffer.concat([connectPacket('eager'), ...sent.map((payload) => publishBytes('t', payload))]))
  await until('all were heard', () => heard.length === sent.length)
  assert.deepEqual(heard, sent)
})

test('a packet that grows while memory is short ends its connection; a small one does not', async (context) => {
  setLimits({ memoryBytesMax: 100_000 })
  const world = await brokerWorld(context)
  const large = await peerAt(context, world, { level: 5, clientId: 'large' })
  const whole = publishBytes('t', Buffer.alloc(300_000))
  const small = await peerAt(context, world)
  small.send(publishBytes('t', 'x').subarray(0, 4))
  large.send(whole.subarray(0, 200_000))
  const { type, body } = await large.next()
  assert.deepEqual([type, body[0]], [14, 0x89])
  assert.equal(world.counters.get('memoryBytesMax'), 2)
  small.send(publishBytes('t', 'x').subarray(4), [0xc0, 0])
  assert.equal((await small.next()).type, 13)
})
