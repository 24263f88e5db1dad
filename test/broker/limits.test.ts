import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { limits, setLimits } from '#src/core/limits.js'
import { brokerWorld, connectPacket, untilClosed } from '../support/broker.js'
import { until } from '../support/until.js'
import { bytes, connectBytes, packet, prefixed, properties, u16, WireClient } from '../support/wire-client.js'

afterEach(() => setLimits({}))

test('as many clients as allowed are served; the next one is turned away with one line, and there is room again when one goes', async (context) => {
  setLimits({ connectionsMax: 50 })
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
  assert.match(String(log.having('client refused')[0]?.fields['reason']), /50 clients/)

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
  setLimits({ retainedMessagesMax: 1_000 })
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
  setLimits({ retainedBytesMax: 4 * 1024 * 1024 })
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

test('a first packet as large as allowed is taken; a larger one ends its connection before it has come, with one line', async (context) => {
  const { raw, counters, log } = await brokerWorld(context)
  const username = 'u'.repeat(65_535)
  const will = { topic: 'w', payload: Buffer.alloc(60_000) }
  const size = (clientId: string) => connectBytes({ clientId, username, password: username, will }).length
  // the rest of it is client id
  const large = 'c'.repeat(65_000)
  setLimits({ connectPacketBytesMax: size(large) })
  const fits = await raw()
  const answer = new Promise<Buffer>((resolve) => fits.once('data', resolve))
  fits.write(connectBytes({ clientId: large, username, password: username, will }))
  assert.deepEqual([...(await answer)], [0x20, 2, 0, 0])
  assert.equal(counters.get('connectPacketBytesMax'), 0)

  for (let attempt = 0; attempt < 2; attempt++) {
    const tooLarge = await raw()
    const closed = untilClosed(tooLarge)
    tooLarge.write(
      connectBytes({ clientId: `${large}c`, username, password: username, will }).subarray(0, 10),
    )
    await closed
  }
  assert.equal(counters.get('connectPacketBytesMax'), 2)
  const [line, ...more] = log.having('client refused')
  assert.match(String(line?.fields['reason']), /too large: \d+ bytes, of at most \d+/)
  assert.equal(line?.fields['address'], '127.0.0.1')
  assert.equal(more.length, 0)
})

test('a packet as large as allowed is taken; one byte more ends its connection, with a reason for a client of MQTT 5', async (context) => {
  setLimits({ packetBytesMax: 1_000 })
  const { broker, raw, connect, counters } = await brokerWorld(context)
  const heard: number[] = []
  broker.hub.subscribe('#', ({ payload }) => heard.push(payload.length))
  const client = await connect({ protocolVersion: 5, properties: {} })
  const rest = (isLarger: number) => Buffer.alloc(1_000 - 3 - 2 - 1 - 2 - 1 + isLarger) // header, topic, id, properties
  await client.publishAsync('t', rest(0), { qos: 1 })
  assert.equal(heard.length, 1)
  assert.equal(counters.get('packetBytesMax'), 0)
  const wire = await raw()
  const answer = untilClosed(wire)
  wire.write(Buffer.concat([connectBytes({ level: 5 }), packet(0x32, prefixed('t'), u16(1), 0, rest(1))]))
  assert.deepEqual(
    heard.map((length) => length === rest(0).length),
    [true],
  )
  const last = (await answer).subarray(-100).toString('latin1')
  assert.match(last, /packet is too large: 1001 bytes, of at most 1000/)
  assert.equal(counters.get('packetBytesMax'), 1)
})

test('only PUBLISH may be long: another packet as large as allowed is taken, and a larger one ends its connection before it has come', async (context) => {
  setLimits({ controlPacketBytesMax: 1_000 })
  const { raw, port, counters } = await brokerWorld(context)
  const subscribe = (more: number) =>
    packet(0x82, u16(1), 0, prefixed('f'.repeat(1_000 - 3 - 2 - 1 - 2 - 1 + more)), 0)
  assert.equal(subscribe(0).length, 1_000)
  const fits = await WireClient.connect(context, port)
  fits.send(connectBytes({ level: 5 }), packet(0x30, prefixed('t'), 0, Buffer.alloc(5_000)), subscribe(0))
  assert.deepEqual([(await fits.next()).type, (await fits.next()).type], [2, 9])
  assert.equal(counters.get('controlPacketBytesMax'), 0)
  for (const level of [5, 4] as const) {
    const wire = await raw()
    const answer = untilClosed(wire)
    wire.write(Buffer.concat([connectBytes({ level }), subscribe(1).subarray(0, 5)]))
    const told = (await answer).toString('latin1')
    assert.equal(told.includes('\x95'), level === 5)
    assert.equal(told.includes('packet is too large: 1001 bytes, of at most 1000'), level === 5)
  }
  assert.equal(counters.get('controlPacketBytesMax'), 2)
  assert.equal(counters.get('packetBytesMax'), 0)
})

test('as many filters as allowed may come in one packet; one more ends the connection, and nothing is subscribed to', async (context) => {
  setLimits({ filtersPerPacketMax: 3 })
  const { port, counters, log } = await brokerWorld(context)
  for (const level of [5, 4] as const) {
    const before = counters.get('filtersPerPacketMax')
    const head = level === 5 ? bytes(u16(1), 0) : u16(1)
    const filters = (count: number, options: readonly number[]) =>
      bytes(head, ...Array.from({ length: count }, (_, index) => bytes(prefixed(`f/${index}`), options)))
    const wire = await WireClient.connect(context, port)
    wire.send(connectBytes({ level }), packet(0x82, filters(3, [0])), packet(0xa2, filters(3, [])))
    for (const type of [2, 9, 11]) assert.equal((await wire.next()).type, type)
    assert.equal(counters.get('filtersPerPacketMax'), before)
    wire.send(packet(0x82, filters(4, [0])))
    if (level === 5) {
      const { type, body } = await wire.next()
      assert.deepEqual([type, body[0]], [14, 0x97])
    }
    await wire.closed()
    const other = await WireClient.connect(context, port)
    other.send(connectBytes({ level }), packet(0xa2, filters(4, [])))
    await other.closed()
    assert.equal(counters.get('filtersPerPacketMax'), before + 2)
  }
  const [line] = log.having('client disconnected').filter(({ level }) => level === 'warn')
  assert.equal(line?.fields['reason'], 'a packet has 4 filters, of at most 3')
})

test('a connection that never says CONNECT ends by itself, one that says it in time stays', async (context) => {
  setLimits({ connectTimeoutMs: 1_000 })
  const { raw, counters } = await brokerWorld(context)
  const [silent, slow] = [await raw(), await raw()]
  slow.write(connectPacket('slow').subarray(0, 9))
  await sleep(500)
  slow.write(connectPacket('slow').subarray(9))
  await untilClosed(silent)
  await sleep(600)
  assert.equal(slow.destroyed, false)
  assert.equal(counters.get('connectTimeoutMs'), 1)
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

test('a topic as long and as deep as allowed is published; past that it is taken and dropped, with one line that is cut', async (context) => {
  const { broker, connect, log, counters } = await brokerWorld(context)
  const heard: number[] = []
  broker.hub.subscribe('#', ({ topic }) => heard.push(topic.length))
  const client = await connect()
  const longest = 't'.repeat(limits.topicBytesMax)
  const deepest = `${'t/'.repeat(limits.topicLevelsMax - 1)}t`
  for (const topic of [longest, deepest, `${longest}t`, `${deepest}/t`, 'the end'])
    await client.publishAsync(topic, '', { qos: 1 }) // MQTT 3.1.1 has no way to say no
  assert.deepEqual(heard, [longest.length, deepest.length, 'the end'.length])
  const lines = log.having('publish refused')
  assert.equal(lines.length, 2)
  for (const { fields } of lines) assert.ok(String(fields['topic']).length < 300)
  assert.equal(counters.get('publishes.refused'), 2)
})

test('a client of MQTT 5 is told when its topic or filter is longer than allowed', async (context) => {
  const { connect, counters } = await brokerWorld(context)
  const client = await connect({ protocolVersion: 5 })
  const tooLong = 't'.repeat(limits.topicBytesMax + 1)
  await assert.rejects(client.publishAsync(tooLong, '', { qos: 1 }), { code: 0x90 })
  const granted = await new Promise<number>((resolve) =>
    client.subscribe(tooLong, { qos: 1 }, (_, __, suback) => resolve(Number(suback?.granted[0]))),
  )
  assert.equal(granted, 0x8f)
  assert.equal(counters.get('subscriptions.refused'), 1)
})

test('a topic alias may stand for a topic that is refused: it is refused each time, and the client stays', async (context) => {
  const { raw } = await brokerWorld(context)
  const socket = await raw()
  const answers: Buffer[] = []
  socket.on('data', (chunk: Buffer) => answers.push(chunk))
  const alias = properties([0x23, 0, 1])
  socket.write(
    Buffer.concat([
      connectBytes({ level: 5 }),
      packet(0x32, prefixed('$SYS/x'), u16(1), alias),
      packet(0x32, prefixed(''), u16(2), alias),
      packet(0xc0),
    ]),
  )
  const expected = Buffer.from([0x40, 3, 0, 1, 0x87, 0x40, 3, 0, 2, 0x87, 0xd0, 0])
  await until('all was answered', () => Buffer.concat(answers).subarray(-12).equals(expected))
})

test('who sends faster than allowed is read later: nothing is lost, and nobody else waits', async (context) => {
  setLimits({ messageRateMax: 200 })
  const { broker, raw, connect, counters } = await brokerWorld(context)
  let heard = 0
  broker.hub.subscribe('n', () => heard++)
  const steady = await connect()
  await steady.publishAsync('n', '', { qos: 1 })
  assert.deepEqual([heard, counters.get('messageRateMax')], [1, 0])
  const eager = await raw()
  const publishes = Array.from({ length: 20 }, () => packet(0x30, prefixed('n')))
  eager.write(connectBytes())
  const beganMs = performance.now()
  for (let index = 0; index < 20; index++) {
    eager.write(Buffer.concat(publishes))
    await sleep(5)
  }
  await steady.publishAsync('n', '', { qos: 1 })
  assert.ok(heard < 1 + 400 + 1)
  await until('all of it has come', () => heard === 1 + 400 + 1)
  const tookMs = performance.now() - beganMs
  // a second's worth may come at once
  assert.ok(tookMs > 900, `${tookMs} ms`)
  assert.ok(counters.get('messageRateMax') > 0)
})

test('filters that look at every topic and match nothing hold nobody up, though many messages are retained', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  for (let index = 0; index < 20_000; index++)
    void broker.hub.publish({ topic: `t/${index}/x`, payload: 'x', retain: true })
  await broker.hub.publish({ topic: 'the/end', payload: 'x', retain: true })
  const [greedy, other] = [await connect(), await connect()]
  let isThrough = false
  greedy.once('message', () => (isThrough = true))
  await other.subscribeAsync('ping')
  const none = Array.from({ length: 200 }, (_, index) => [`+/+/none${index}`, { qos: 0 as const }] as const)
  greedy.subscribe(Object.fromEntries([...none, ['the/end', { qos: 0 }]]))
  let rounds = 0
  while (!isThrough) {
    const pong = new Promise<void>((resolve) => other.once('message', () => resolve()))
    await other.publishAsync('ping', '')
    await pong
    rounds++
  }
  assert.ok(rounds >= 10, `${rounds} rounds`) // all of it in one turn of the event loop would be one or two
})
