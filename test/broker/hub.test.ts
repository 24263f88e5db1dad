import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import type { Message } from '#src/core/message.js'
import { hubWorld, TestReceiver } from '../support/hub-world.js'

test('what a session publishes reaches the house with topic, bytes, QoS and client id', async (context) => {
  const { hub, publish } = await hubWorld(context)
  const seen: Message[] = []
  hub.subscribe('home/+', (message) => seen.push(message))
  publish('home/lamp', 'on', { qos: 1, client: 'esp', retain: true })
  publish('garden/lamp', 'no')
  const [message, ...more] = seen
  assert.equal(more.length, 0)
  assert.ok(message !== undefined)
  const { topic, payload, qos, retain, client, chain } = message
  assert.deepEqual([topic, `${payload}`, qos, client, chain], ['home/lamp', 'on', 1, 'esp', []])
  assert.equal(retain, false) // to whom was subscribed already it is like any other
  assert.ok(payload.buffer.byteLength <= 16, 'it does not hold the chunk in which it came')
})

test('a payload is told as text where it is UTF-8, U+FFFD and a byte order mark included, and not elsewhere', async (context) => {
  const { hub } = await hubWorld(context)
  const seen: (string | undefined)[] = []
  hub.subscribe('a', ({ text }) => void seen.push(text))
  for (const payload of [
    '',
    '{"v":1}',
    'ä€😀',
    '\ufffd',
    '\ufeffx',
    Buffer.from([0x61, 0xff]),
    Buffer.from([0xc3]),
  ])
    await hub.publish({ topic: 'a', payload })
  assert.deepEqual(seen, ['', '{"v":1}', 'ä€😀', '\ufffd', '\ufeffx', undefined, undefined])
})

test('what the house publishes reaches sessions, and its chain the house alone', async (context) => {
  const { hub, subscribe } = await hubWorld(context)
  const receiver = new TestReceiver()
  const seen: Message[] = []
  subscribe(receiver, 'a', { retainAsPublished: true })
  hub.subscribe('a', (message) => seen.push(message))
  await hub.publish({ topic: 'a', payload: 'ä', qos: 2, retain: true, chain: ['one', 'two'] })
  await hub.publish({ topic: 'a', payload: new Uint8Array([0x78]) })
  assert.deepEqual(receiver.heard, ['a ä q2 retain', 'a x q0'])
  assert.deepEqual(
    seen.map(({ chain, client }) => [chain, client]),
    [
      [['one', 'two'], 'damselfly'],
      [[], 'damselfly'],
    ],
  )
  assert.equal(receiver.publications[0]?.source, undefined)
})

test('who publishes may use its bytes again at once', async (context) => {
  const { hub } = await hubWorld(context)
  const seen: Message[] = []
  hub.subscribe('a', (message) => seen.push(message))
  const bytes = Buffer.from('one')
  await hub.publish({ topic: 'a', payload: bytes, retain: true })
  bytes.fill('!')
  assert.equal(`${seen[0]?.payload}`, 'one')
  const kept: string[] = []
  for await (const { payload } of hub.retained('a')) kept.push(`${payload}`)
  assert.deepEqual(kept, ['one'])
})

test('a publish resolves when everybody has the message', async (context) => {
  const { hub, subscribe } = await hubWorld(context)
  const receiver = new TestReceiver()
  subscribe(receiver, '#')
  const inside: string[] = []
  hub.subscribe('a', () => {
    void hub.publish({ topic: 'b', payload: '' }).then(() => inside.push(`${receiver.heard.length}`))
    inside.push(`${receiver.heard.length}`)
  })
  await hub.publish({ topic: 'a', payload: '' })
  assert.deepEqual(inside, ['1', '2'])
})

test('a message that matches several filters of one subscription comes once', async (context) => {
  const { hub, publish } = await hubWorld(context)
  const seen: string[] = []
  const filters = ['home/+/set', 'home/lamp/#', 'other', 'other', '#']
  const end = hub.subscribe(filters, ({ topic }) => seen.push(topic))
  const some = hub.subscribe(['home/+/set', 'home/lamp/#'], ({ topic }) => seen.push(`some ${topic}`))
  for (const topic of ['home/lamp/set', 'home/x/get', 'other']) publish(topic)
  assert.deepEqual(seen.toSorted(), ['home/lamp/set', 'home/x/get', 'other', 'some home/lamp/set'])
  end()
  end()
  publish('other')
  publish('home/lamp')
  assert.deepEqual(seen.slice(4), ['some home/lamp'])
  some()
  publish('home/lamp')
  assert.equal(seen.length, 5)
})

test('a subscription that ends while a message is delivered hears nothing more', async (context) => {
  const { hub, publish } = await hubWorld(context)
  const seen: string[] = []
  const ends: (() => void)[] = []
  for (const name of ['one', 'two'])
    ends.push(
      hub.subscribe('a', () => {
        seen.push(name)
        for (const end of ends) end()
      }),
    )
  publish('a')
  publish('a')
  assert.deepEqual(seen, ['one'])
})

test('a handler that throws is logged, and the others hear the message', async (context) => {
  const { hub, log } = await hubWorld(context)
  const seen: string[] = []
  hub.subscribe('a', () => {
    throw new Error('out of order')
  })
  hub.subscribe('a', ({ topic }) => seen.push(topic))
  await hub.publish({ topic: 'a', payload: '' })
  assert.deepEqual(seen, ['a'])
  assert.equal(log.having('delivery failed')[0]?.fields['reason'], 'out of order')
})

for (const topic of [
  '',
  'a/#',
  '+',
  'a\0',
  'a\ud800',
  'a/'.repeat(limits.topicLevelsMax),
  'a'.repeat(5_000),
]) {
  test(`nothing is published to ${JSON.stringify(topic.slice(0, 8))} of ${topic.length} characters`, async (context) => {
    const { hub } = await hubWorld(context)
    const seen: string[] = []
    hub.subscribe('#', (message) => seen.push(message.topic))
    await assert.rejects(hub.publish({ topic, payload: '' }), { code: 'TOPIC_INVALID' })
    assert.deepEqual(seen, [])
  })
}

test('after the end of the broker a publish is refused', async (context) => {
  const { hub, aedes } = await hubWorld(context)
  await new Promise<void>((resolve) => aedes.close(resolve))
  await assert.rejects(hub.publish({ topic: 'a', payload: '' }), { code: 'BROKER_CLOSED' })
})

test('the retained messages that match are read, each with its publisher', async (context) => {
  const { hub, publish } = await hubWorld(context)
  publish('a/b', 'one', { retain: true, qos: 1, client: 'esp' })
  await hub.publish({ topic: 'a/c', payload: 'two', retain: true, chain: ['rule'] })
  hub.publishSystem('$SYS/x', 'three')
  const read = async (filter: string): Promise<string[]> => {
    const found: string[] = []
    for await (const { topic, payload, qos, retain, client, chain } of hub.retained(filter))
      found.push(`${topic} ${payload} q${qos} ${retain} ${client} ${chain.length}`)
    return found
  }
  assert.deepEqual(await read('#'), ['a/b one q1 true esp 0', 'a/c two q0 true damselfly 0'])
  assert.deepEqual(await read('a/c'), ['a/c two q0 true damselfly 0'])
  assert.deepEqual(await read('$SYS/#'), ['$SYS/x three q0 true damselfly 0'])
  assert.deepEqual(await read('b/#'), [])
})

for (const name of ['__proto__', 'constructor', 'toString']) {
  test(`${name} is a topic, a filter and a share like any other`, async (context) => {
    const { hub, publish, subscribe, retained } = await hubWorld(context)
    const receiver = new TestReceiver()
    const seen: string[] = []
    subscribe(receiver, `$share/${name}/${name}/${name}`)
    hub.subscribe(`${name}/+`, ({ topic }) => seen.push(topic))
    publish(`${name}/${name}`, 'x', { retain: true })
    assert.deepEqual([receiver.heard.length, seen, retained.count], [1, [`${name}/${name}`], 1])
  })
}
