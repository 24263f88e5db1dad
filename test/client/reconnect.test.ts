import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBrokerAddress } from '#src/client/broker-address.js'
import type { ConnectionState } from '#src/client/client.js'
import { Link } from '#src/client/link.js'
import { Outbox } from '#src/client/outbox.js'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import { brokerWorld } from '../support/broker.js'
import {
  answering,
  clientOf,
  codeOf,
  onlyAs,
  politeAnswers,
  rawServer,
  stoppableBroker,
} from '../support/client-kit.js'
import { until } from '../support/until.js'

test('a broker that goes and comes back: both say so, registrations stand again, nothing sent meanwhile is lost', async (context) => {
  const broker = await stoppableBroker(context)
  const states: ConnectionState[] = []
  const sender = await clientOf(context, broker.port)
  const receiver = await clientOf(context, broker.port, { onState: (state) => states.push(state) })
  for (const filter of ['numbers', 'num+/#', '#']) await receiver.register(filter === 'num+/#' ? '+' : filter)
  await sender.send('numbers', 'before')
  await until('it is there', () => receiver.pending('#') === 1)
  await broker.stop()
  await until('both notice', () => sender.state === 'reconnecting' && receiver.state === 'reconnecting')
  const late = receiver.register('$late')
  await broker.start()
  await until('the receiver is back', () => receiver.state === 'connected')
  await late

  await broker.stop()
  await until('both notice', () => sender.state === 'reconnecting' && receiver.state === 'reconnecting')
  const kept = [
    sender.send('numbers', [1, 2, 3], { each: true, retain: true }),
    sender.send('numbers', 4, { qos: 0 }),
    sender.send('numbers', 5, { qos: 2 }),
  ]
  assert.equal(sender.unacknowledged, 5)
  assert.deepEqual(
    receiver.read('numbers').map(({ payload }) => payload),
    ['before'],
  )
  await broker.start()
  await Promise.all(kept)
  assert.equal(sender.unacknowledged, 0)
  await until('the receiver is back', () => receiver.state === 'connected')
  await sender.send('numbers', 'after')
  for (const filter of ['numbers', '+', '#']) {
    await until(
      'the last one is there',
      async () => (await receiver.next(filter, { timeout: '9s' })).payload === 'after',
    )
    assert.equal(receiver.pending(filter), 0)
  }
  assert.deepEqual(states, ['reconnecting', 'connected', 'reconnecting', 'connected'])
})

test('what was on its way when the connection broke is sent again, in order, until it is acknowledged', async (context) => {
  const got: string[] = []
  let isMute = true
  const { port, connections } = await rawServer(
    context,
    answering({
      ...politeAnswers,
      3: (packet, socket) => {
        const topicEnd = 4 + packet.readUInt16BE(2)
        if (isMute) {
          isMute = false
          socket.destroy()
          return undefined
        }
        got.push(packet.subarray(topicEnd + 2).toString())
        return Buffer.from([0x40, 2, packet[topicEnd] as number, packet[topicEnd + 1] as number])
      },
    }),
  )
  const client = await clientOf(context, port)
  await client.send('a', [1, 2, 3, 4, 5], { each: true })
  assert.deepEqual(got, ['1', '2', '3', '4', '5'])
  assert.equal(connections(), 2)
})

test('a password that is changed meanwhile ends it: told once, no attempt after, what has come can be read', async (context) => {
  const broker = await stoppableBroker(context, onlyAs('house', 'old'))
  const told: [ConnectionState, string | undefined][] = []
  const client = await clientOf(context, broker.port, {
    username: 'house',
    password: 'old',
    onState: (state, reason) => told.push([state, reason?.code]),
  })
  await client.register('a')
  await client.register('b')
  await client.send('a', 1)
  await until('it is there', () => client.pending('a') === 1)
  await broker.stop()
  await until('it notices', () => client.state === 'reconnecting')
  const [sending, waiting] = [codeOf(() => client.send('a', 2)), codeOf(() => client.next('b'))]
  const registering = codeOf(() => client.register('c'))
  await broker.start(onlyAs('house', 'new'))
  await until('it has given up', () => client.state === 'closed')
  assert.equal(await sending, 'CONNECTION_REFUSED')
  assert.equal(await waiting, 'CONNECTION_REFUSED')
  assert.equal(await registering, 'CONNECTION_REFUSED')
  assert.deepEqual(told, [
    ['reconnecting', 'BROKER_UNREACHABLE'],
    ['closed', 'CONNECTION_REFUSED'],
  ])
  assert.equal((await client.next('a')).payload, 1)
  assert.equal(await codeOf(() => client.read('a')), 'CONNECTION_REFUSED')
  assert.equal(await codeOf(() => client.send('a', 3)), 'CONNECTION_REFUSED')
  const refusals = broker.log.having('client refused').length
  assert.equal(refusals, 1)
  await client.close()
  assert.equal(await codeOf(() => client.next('a')), 'CONNECTION_CLOSED')
})

test('a filter that the broker refuses is an error, at first and after a reconnection', async (context) => {
  let isRefusing = true
  const subscribed: number[] = []
  const { port } = await rawServer(
    context,
    answering({
      ...politeAnswers,
      8: (packet, socket) => {
        subscribed.push(packet[0] as number)
        if (!isRefusing) setTimeout(() => socket.destroy(), 20)
        const granted = isRefusing ? 0x80 : 1
        isRefusing = !isRefusing
        return Buffer.from([0x90, 3, packet[2] as number, packet[3] as number, granted])
      },
    }),
  )
  const client = await clientOf(context, port)
  assert.equal(await codeOf(() => client.register('a')), 'SUBSCRIPTION_REFUSED')
  assert.equal(await codeOf(() => client.read('a')), 'NOT_REGISTERED')
  await client.register('a')
  assert.equal(await codeOf(() => client.next('a')), 'SUBSCRIPTION_REFUSED') // it was lost, and refused when it came back
  await client.register('a')
  assert.deepEqual(client.read('a'), [])
  assert.equal(subscribed.length, 4)
})

test('a message that makes the broker hang up is given up in the end, and those beside it arrive', async (context) => {
  const got: string[] = []
  const { port, connections } = await rawServer(
    context,
    answering({
      ...politeAnswers,
      3: (packet, socket) => {
        const topicEnd = 4 + packet.readUInt16BE(2)
        const payload = packet.subarray(topicEnd + 2).toString()
        if (payload === 'poison') {
          socket.destroy()
          return undefined
        }
        got.push(payload)
        return Buffer.from([0x40, 2, packet[topicEnd] as number, packet[topicEnd + 1] as number])
      },
    }),
  )
  const counters = new Counters()
  const outbox = new Outbox(counters)
  const link = new Link({
    broker: parseBrokerAddress(`127.0.0.1:${port}`),
    clientId: 'sender',
    retryMs: 10,
    onUp: (connection) => outbox.up(connection),
    onDown: () => outbox.down(),
    onMessage: () => {},
    onRefused: () => {},
    onFilterRefused: () => {},
  })
  await link.open(5_000)
  context.after(() => link.end(0))
  const send = (payload: string) =>
    outbox.add([{ topic: 'a', payload: Buffer.from(payload), qos: 1, retain: false }])
  const good = [send('1'), send('2')]
  const bad = codeOf(() => send('poison'))
  const more = [send('3'), send('4')]
  await Promise.all(good)
  assert.equal(await bad, 'LIMIT_REACHED')
  await Promise.all(more)
  assert.deepEqual(got, ['1', '2', '3', '4'])
  assert.equal(counters.get('clientAttemptsMax'), 1)
  assert.equal(connections(), limits.clientAttemptsMax + 1)
})

test('two programs with one client id throw each other out, but not without a pause', async (context) => {
  const world = await brokerWorld(context)
  for (let count = 0; count < 2; count++) await clientOf(context, world.port, { clientId: 'same' })
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  assert.ok(world.log.having('client connected').length <= 6)
})
