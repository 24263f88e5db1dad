import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { brokerWorld } from '../support/broker.js'
import { clientOf, codeOf } from '../support/client-kit.js'
import { until } from '../support/until.js'

test('any JSON value, text and bytes arrive as what they are, each as one message with topic, QoS, retain and time', async (context) => {
  const world = await brokerWorld(context)
  const [sender, receiver] = [await clientOf(context, world.port), await clientOf(context, world.port)]
  await receiver.register('values')
  const values = [
    { a: [1, { b: null }] },
    [1, 2.5, 'x'],
    1.9,
    -0.1,
    true,
    null,
    'on',
    'ä€😀',
    '',
    Buffer.from([0, 255, 254]),
  ]
  for (const value of values) await sender.send('values', value)
  const before = Date.now()
  for (const value of values) {
    const message = await receiver.next('values', { timeout: '5s' })
    assert.deepEqual(message.payload, value)
    assert.equal(message.topic, 'values')
    assert.equal(message.qos, 1)
    assert.equal(message.retain, false)
    assert.ok(Math.abs(message.time.getTime() - before) < 60_000)
  }
  assert.equal(receiver.pending('values'), 0)
})

test('a list goes as one message, or with each as one message an element: in decimal, in order, nothing cut off', async (context) => {
  const world = await brokerWorld(context)
  const [sender, receiver] = [await clientOf(context, world.port), await clientOf(context, world.port)]
  await receiver.register('numbers')
  const numbers = Array.from({ length: 300 }, (_, index) => index / 4)
  for (const qos of [0, 1, 2] as const) {
    await sender.send('numbers', numbers, { each: true, qos })
    await until('all are there', () => receiver.pending('numbers') === numbers.length)
    const messages = receiver.read('numbers')
    assert.deepEqual(
      messages.map(({ bytes }) => Buffer.from(bytes).toString()),
      numbers.map(String),
    )
  }
  await sender.send('numbers', [], { each: true })
  await sender.send('numbers', [])
  assert.deepEqual((await receiver.next('numbers', { timeout: '5s' })).payload, [])
  assert.equal(await codeOf(() => sender.send('numbers', 5, { each: true })), 'VALUE_INVALID')
})

test('what cannot be sent is refused, and nothing of it goes out', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port)
  await client.register('#')
  const cyclic: unknown[] = []
  cyclic.push(cyclic)
  for (const value of [undefined, () => 1, 10n, Number.NaN, cyclic, new Map(), [1, undefined]])
    assert.equal(await codeOf(() => client.send('a', value)), 'VALUE_INVALID')
  assert.equal(await codeOf(() => client.send('a', [1, 2, undefined], { each: true })), 'VALUE_INVALID')
  for (const topic of ['', 'a/#', 'a/+/b', 'a\0', 'x'.repeat(5_000)])
    assert.equal(await codeOf(() => client.send(topic, 1)), 'TOPIC_INVALID')
  assert.equal(await codeOf(() => client.send('a', 1, { qos: 3 as never })), 'OPTIONS_INVALID')
  assert.equal(await codeOf(() => client.send('a', 1, { retained: true } as never)), 'OPTIONS_INVALID')
  await client.send('a', 'the end')
  assert.deepEqual((await client.next('#', { timeout: '5s' })).payload, 'the end')
})

test('wildcards match; what does not match does not come; a filter that is none is refused', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port)
  await client.register('home/+/set')
  for (const topic of ['home/lamp/set', 'home/lamp/state', 'home/set', 'home/fan/set', 'end'])
    await client.send(topic, topic)
  await until('both are there', () => client.pending('home/+/set') === 2)
  assert.deepEqual(
    client.read('home/+/set').map(({ topic }) => topic),
    ['home/lamp/set', 'home/fan/set'],
  )
  for (const filter of ['', 'a#', 'a/#/b', '$share/group/a'])
    assert.equal(await codeOf(() => client.register(filter)), 'TOPIC_INVALID')
  assert.equal(await codeOf(() => client.register('a', { qos: 7 as never })), 'OPTIONS_INVALID')
})

test('a message that two filters match comes to both, once each; a retained one only to the new registration', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port, { clientId: 'reader' })
  await client.send('home/lamp', 'kept', { retain: true })
  const filters = ['home/#', 'home/lamp', '+/lamp']
  for (const filter of filters) await client.register(filter)
  for (const filter of filters) {
    const { payload, retain } = await client.next(filter, { timeout: '5s' })
    assert.deepEqual([payload, retain], ['kept', true])
  }
  for (let count = 0; count < 20; count++) await client.send('home/lamp', count)
  for (const filter of filters) {
    await until('all are there', () => client.pending(filter) >= 20)
    assert.deepEqual(
      client.read(filter).map(({ payload, retain }) => [payload, retain]),
      Array.from({ length: 20 }, (_, count) => [count, false]),
    )
  }
  assert.deepEqual(
    world.log.having('client connected').map(({ fields }) => fields['client']),
    ['reader', 'reader-2', 'reader-3'],
  )
  await client.unregister('+/lamp')
  await until('its connection is gone', () => world.log.having('client disconnected').length === 1)
  await client.send('home/lamp', 'last')
  assert.equal((await client.next('home/#', { timeout: '5s' })).payload, 'last')
})

test('to register again keeps what was not read; to unregister forgets it', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port)
  await Promise.all([client.register('a'), client.register('a')])
  await client.send('a', 1)
  await until('it is there', () => client.pending('a') === 1)
  await client.register('a')
  assert.deepEqual(
    client.read('a').map(({ payload }) => payload),
    [1],
  )
  await client.send('a', 2)
  await until('it is there', () => client.pending('a') === 1)
  const waits = codeOf(async () => {
    await client.next('a')
    await client.next('a')
  })
  await client.unregister('a')
  assert.equal(await waits, 'NOT_REGISTERED')
  await client.register('a')
  assert.equal(client.pending('a'), 0)
})

test('there is no gap between registering and receiving', async (context) => {
  const world = await brokerWorld(context)
  const [sender, receiver] = [await clientOf(context, world.port), await clientOf(context, world.port)]
  for (let round = 0; round < 30; round++) {
    await receiver.register(`t/${round}`)
    await sender.send(`t/${round}`, round)
    assert.equal((await receiver.next(`t/${round}`, { timeout: '5s' })).payload, round)
  }
})

test('what is not registered is an error for every call that reads', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port)
  await client.register('a')
  const calls = [
    () => client.read('b'),
    () => client.pending('b'),
    () => client.dropped('b'),
    () => client.next('b'),
    () => client.messages('b'),
    () => client.unregister('b'),
  ]
  for (const call of calls) assert.equal(await codeOf(call), 'NOT_REGISTERED')
})

test('several that wait are served in order, and one whose time is over does not take a message away', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port)
  await client.register('a')
  const impatient = codeOf(() => client.next('a', { timeout: 20 }))
  const waiting = [client.next('a'), client.next('a', { timeout: '20s' }), client.next('a')]
  assert.equal(await impatient, 'TIMED_OUT')
  await client.send('a', [1, 2, 3, 4], { each: true })
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ payload }) => payload),
    [1, 2, 3],
  )
  assert.equal((await client.next('a')).payload, 4)
  assert.equal(await codeOf(() => client.next('a', { timeout: 0 })), 'TIMED_OUT')
  assert.equal(await codeOf(() => client.next('a', { timeout: '5' })), 'DURATION_INVALID')
  assert.equal(await codeOf(() => client.next('a', { timeout: -1 })), 'DURATION_INVALID')
})

test('for await gives one after the other; break leaves the registration, close ends the loop', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port)
  await client.register('a')
  await client.send('a', [1, 2, 3], { each: true })
  for await (const { payload } of client.messages('a')) if (payload === 2) break
  assert.equal((await client.next('a', { timeout: '5s' })).payload, 3)
  const seen: unknown[] = []
  const loop = (async () => {
    for await (const { payload } of client.messages('a')) seen.push(payload)
  })()
  await client.send('a', 'last')
  await until('it was seen', () => seen.length === 1)
  await client.close()
  await loop
  assert.deepEqual(seen, ['last'])
})

test('poison payloads of another client are messages like others', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port)
  await client.register('poison/#')
  const other = await world.connect()
  const payloads = ['{"a":', '['.repeat(50_000), '\xff', '', 'NaN', '{"__proto__":{"x":1}}', '1e999', '\0']
  for (const payload of payloads) await other.publishAsync('poison/x', payload, { qos: 1, retain: true })
  await other.publishAsync('poison/x', Buffer.from([0xc3, 0x28]), { qos: 1 })
  await until('all are there', () => client.pending('poison/#') === payloads.length + 1)
  const received = client.read('poison/#')
  assert.deepEqual(
    received.slice(0, -1).map(({ bytes }) => Buffer.from(bytes).toString()),
    payloads,
  )
  assert.deepEqual(received.at(-1)?.payload, Buffer.from([0xc3, 0x28]))
  assert.equal(({} as { x?: number }).x, undefined)
})

test('MQTT.js on the other side understands what is sent, retained or not', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port)
  const other = await world.connect()
  const got: [string, string, number][] = []
  other.on('message', (topic, payload, { qos }) => got.push([topic, payload.toString(), qos]))
  await other.subscribeAsync('#', { qos: 2 })
  await client.send('a', { msg: 'ON' }, { qos: 0 })
  await client.send('b', 'on', { retain: true })
  await client.send('c', [7, 8], { each: true, qos: 2 })
  await until('all are there', () => got.length === 4)
  assert.deepEqual(got, [
    ['a', '{"msg":"ON"}', 0],
    ['b', 'on', 1],
    ['c', '7', 2],
    ['c', '8', 2],
  ])
  await client.register('b')
  assert.equal((await client.next('b', { timeout: '5s' })).retain, true)
})

test('after close every call is refused, a second close is the first one, and the process has nothing left to do', async (context) => {
  const world = await brokerWorld(context)
  const states: string[] = []
  const client = await clientOf(context, world.port, { onState: (state) => states.push(state) })
  await client.register('a')
  await client.send('a', 1)
  const waiting = codeOf(() => client.next('a').then(() => client.next('a')))
  await until('the reader waits', () => client.pending('a') === 0)
  await sleep(20)
  const closing = client.close()
  assert.equal(client.close(), closing)
  for (const call of [
    () => client.send('a', 1),
    () => client.register('b'),
    () => client.unregister('a'),
    () => client.read('a'),
    () => client.pending('a'),
    () => client.next('a'),
    () => client.messages('a'),
  ])
    assert.equal(await codeOf(call), 'CONNECTION_CLOSED')
  assert.equal(await waiting, 'CONNECTION_CLOSED')
  await closing
  assert.equal(client.state, 'closed')
  assert.deepEqual(states, ['closed'])
  {
    await using scoped = await clientOf(context, world.port)
    await scoped.send('a', 'flushed')
  }
})

test('what is no text, no options or no time is refused with a code, also in a program without types', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port)
  for (const bad of [undefined, null, 7, {}, ['a'], Symbol('a')] as never[]) {
    assert.equal(await codeOf(() => client.send(bad, 1)), 'TOPIC_INVALID')
    assert.equal(await codeOf(() => client.register(bad)), 'TOPIC_INVALID')
  }
  for (const bad of [null, 'retain', 1] as never[]) {
    assert.equal(await codeOf(() => client.send('a', 1, bad)), 'OPTIONS_INVALID')
    assert.equal(await codeOf(() => client.register('a', bad)), 'OPTIONS_INVALID')
    assert.equal(await codeOf(() => client.close(bad)), 'OPTIONS_INVALID')
  }
  await client.register('a')
  for (const timeout of [null, [], Symbol('a'), Number.NaN] as never[])
    assert.equal(await codeOf(() => client.next('a', { timeout })), 'DURATION_INVALID')
  assert.equal(await codeOf(() => client.send('a', 1, { qos: Symbol('a') as never })), 'OPTIONS_INVALID')
})
