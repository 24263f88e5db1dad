import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import { brokerWorld, connectPacket, untilClosed } from '../support/broker.js'
import { until } from '../support/until.js'

test('as many clients as allowed are served; the next one is turned away with one line, and there is room again when one goes', async (context) => {
  const { raw, counters, log, connect } = await brokerWorld(context)
  const sockets: Socket[] = []
  for (let index = 0; index < limits.connectionsMax; index++) {
    const socket = await raw()
    const answer = new Promise<Buffer>((resolve) => socket.once('data', resolve))
    socket.write(connectPacket(`client ${index}`))
    assert.deepEqual([...(await answer)], [0x20, 2, 0, 0])
    sockets.push(socket)
  }
  const last = sockets.at(-1) as Socket
  assert.equal(counters.get('connectionsMax'), 0)

  assert.deepEqual([...(await untilClosed(await raw()))], [])
  assert.equal(counters.get('connectionsMax'), 1)
  assert.match(String(log.having('client refused')[0]?.fields['reason']), /1024 clients/)

  last.destroy()
  await until('there is room', async () => {
    try {
      await connect()
      return true
    } catch {
      return false
    }
  })
})

test('as many messages as allowed are retained; the next topic is delivered and not retained, and a known one may change', async (context) => {
  const { broker, counters, log } = await brokerWorld(context)
  const { hub } = broker
  const retained = async (filter: string) => {
    const payloads: string[] = []
    for await (const { payload } of hub.retained(filter)) payloads.push(`${payload}`)
    return payloads
  }
  for (let index = 0; index < limits.retainedMessagesMax; index++)
    void hub.publish({ topic: `t/${index}`, payload: 'x', retain: true })
  assert.equal(counters.get('retainedMessagesMax'), 0)
  assert.equal((await retained('t/#')).length, limits.retainedMessagesMax)

  const heard: string[] = []
  hub.subscribe('#', ({ topic, payload }) => heard.push(`${topic} ${payload}`))
  await hub.publish({ topic: 'one/more', payload: 'y', retain: true })
  await hub.publish({ topic: 't/0', payload: 'changed', retain: true })
  assert.deepEqual(heard, ['one/more y', 't/0 changed'])
  assert.deepEqual([await retained('one/more'), await retained('t/0')], [[], ['changed']])
  assert.equal(counters.get('retainedMessagesMax'), 1)
  assert.equal(log.having('message not retained: there are too many already').length, 1)

  await hub.publish({ topic: 't/1', payload: '', retain: true })
  await hub.publish({ topic: 'one/more', payload: 'z', retain: true })
  assert.deepEqual(await retained('one/more'), ['z'])
})

test('as many bytes as allowed are retained, and not one more', async (context) => {
  const { broker, counters } = await brokerWorld(context)
  const megabyte = 1024 * 1024
  for (let index = 0; index < limits.retainedBytesMax / megabyte; index++) {
    const topic = `t/${index}`
    await broker.hub.publish({ topic, payload: Buffer.alloc(megabyte - topic.length, 'x'), retain: true })
  }
  assert.equal(counters.get('retainedBytesMax'), 0)
  await broker.hub.publish({ topic: 'one/more', payload: 'y', retain: true })
  assert.equal(counters.get('retainedBytesMax'), 1)
})

test('a client that sends too much before its CONNECT is answered is disconnected', async (context) => {
  const { raw, connect } = await brokerWorld(context)
  const socket = await raw()
  const closed = untilClosed(socket)
  const publishes = Array.from({ length: 1_000 + 1 }, () => Buffer.from([0x30, 3, 0, 1, 0x6e]))
  socket.write(Buffer.concat([connectPacket('eager'), ...publishes]))
  await closed
  assert.equal((await connect()).connected, true)
})

test('a connection that never says CONNECT ends by itself', {
  timeout: limits.connectTimeoutMs * 2,
}, async (context) => {
  const { raw } = await brokerWorld(context)
  await untilClosed(await raw())
})

test('as many connections as allowed may be silent; one more costs the oldest of them, and a client gets in all the same', async (context) => {
  const { raw, counters, connect } = await brokerWorld(context)
  const silent: Socket[] = []
  for (let index = 0; index < limits.unansweredConnectionsMax; index++) silent.push(await raw())
  assert.equal(counters.get('unansweredConnectionsMax'), 0)
  const oldest = untilClosed(silent[0] as Socket)
  assert.equal((await connect()).connected, true)
  await oldest
  assert.equal(counters.get('unansweredConnectionsMax'), 1)
  assert.equal(silent[1]?.destroyed, false)
})

test('a topic as long as allowed is published; a longer one ends its connection, with one line that is cut', async (context) => {
  const { broker, connect, log } = await brokerWorld(context)
  const heard: number[] = []
  broker.hub.subscribe('#', ({ topic }) => heard.push(topic.length))
  const client = await connect()
  await client.publishAsync('t'.repeat(limits.topicBytesMax), '', { qos: 1 })
  assert.deepEqual(heard, [limits.topicBytesMax])
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  client.publish('t'.repeat(limits.topicBytesMax + 1), '', { qos: 1 })
  await closed
  const [line, ...more] = log.having('client refused')
  assert.equal(more.length, 0)
  assert.ok(String(line?.fields['topic']).length < 300)
})

test('a thousand filters that match nothing hold nobody up, though many messages are retained', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  for (let index = 0; index < 20_000; index++)
    void broker.hub.publish({ topic: `t/${index}/x`, payload: 'x', retain: true })
  const [greedy, other] = [await connect(), await connect()]
  await other.subscribeAsync('ping')
  const filters = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, index) => [`+/none${index}/#`, { qos: 0 as const }]),
  )
  await greedy.subscribeAsync(filters)
  let slowestMs = 0
  for (let round = 0; round < 20; round++) {
    const beganMs = performance.now()
    const pong = new Promise<void>((resolve) => other.once('message', () => resolve()))
    await other.publishAsync('ping', '')
    await pong
    slowestMs = Math.max(slowestMs, performance.now() - beganMs)
  }
  assert.ok(slowestMs < 1_000, `${slowestMs} ms`) // it was half a minute once
})
