import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { Broker } from '#src/broker/broker.js'
import { limits, setLimits } from '#src/core/limits.js'
import type { Message } from '#src/core/message.js'
import { Secret } from '#src/core/secret.js'
import { brokerWorld, connectPacket, plainWay, untilClosed } from '../support/broker.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'
import { connectBytes, packet, prefixed } from '../support/wire-client.js'

test('what a client publishes reaches a subscriber in the process with topic, bytes, QoS and client id', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  const seen: Message[] = []
  broker.hub.subscribe('home/+', (message) => seen.push(message))
  const client = await connect({ clientId: 'sender' })
  await client.publishAsync('home/lamp', Buffer.from([1, 255]), { qos: 1 })
  await client.publishAsync('garden/lamp', 'no')
  await until('it arrived', () => seen.length > 0)
  const [message] = seen
  assert.equal(message?.topic, 'home/lamp')
  assert.deepEqual([...(message?.payload ?? [])], [1, 255])
  assert.deepEqual([message?.qos, message?.retain, message?.client, message?.chain], [1, false, 'sender', []])
})

test('what the process publishes reaches a client, and its chain reaches the process alone', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  const chains: (readonly string[])[] = []
  broker.hub.subscribe('a', ({ chain }) => chains.push(chain))
  const client = await connect()
  await client.subscribeAsync('a')
  const received = new Promise<string>((resolve) =>
    client.once('message', (_, payload) => resolve(`${payload}`)),
  )
  await broker.hub.publish({ topic: 'a', payload: 'hello', chain: ['rule'] })
  assert.equal(await received, 'hello')
  assert.deepEqual(chains, [['rule']])
})

test('a subscription that has ended hears nothing more, and ending it twice does nothing', async (context) => {
  const { broker } = await brokerWorld(context)
  const seen: string[] = []
  const end = broker.hub.subscribe('a', ({ payload }) => seen.push(`${payload}`))
  await broker.hub.publish({ topic: 'a', payload: '1' })
  end()
  end()
  await broker.hub.publish({ topic: 'a', payload: '2' })
  assert.deepEqual(seen, ['1'])
})

test('leading wildcards do not see $SYS topics [MQTT-4.7.2-1]', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  const seen: string[] = []
  for (const filter of ['#', '+/x', '$SYS/x'])
    broker.hub.subscribe(filter, ({ topic }) => seen.push(`${filter} ${topic}`))
  const client = await connect()
  await client.subscribeAsync('#')
  client.on('message', (topic) => seen.push(`client ${topic}`))
  broker.publishSystem('$SYS/x', '')
  await broker.hub.publish({ topic: 'b/x', payload: '' })
  await until('the client heard of b/x', () => seen.includes('client b/x'))
  assert.deepEqual(seen.sort(), ['# b/x', '$SYS/x $SYS/x', '+/x b/x', 'client b/x'])
})

test('a topic that cannot be is refused with its reason', async (context) => {
  const { broker } = await brokerWorld(context)
  await assert.rejects(broker.hub.publish({ topic: 'a/#', payload: '' }), { code: 'TOPIC_INVALID' })
  await assert.rejects(broker.hub.publish({ topic: 'a/'.repeat(limits.topicLevelsMax), payload: '' }), {
    code: 'TOPIC_INVALID',
  })
})

test('retained messages survive a restart, and an empty one clears', async (context) => {
  const dataDir = await tempFolder(context)
  const first = await brokerWorld(context, { dataDir })
  const client = await first.connect()
  await client.publishAsync('keep', 'me', { retain: true, qos: 1 })
  await client.publishAsync('clear', 'me', { retain: true, qos: 1 })
  await client.publishAsync('clear', '', { retain: true, qos: 1 })
  await first.broker.hub.publish({ topic: 'own', payload: 'too', retain: true })
  await first.broker.close()
  const second = await brokerWorld(context, { dataDir })
  const retained: string[] = []
  for await (const { topic, payload, retain } of second.broker.hub.retained('#'))
    retained.push(`${topic} ${payload} ${retain}`)
  assert.deepEqual(retained.sort(), ['keep me true', 'own too true'])
  const late = await second.connect()
  const received = new Promise<string>((resolve) =>
    late.once('message', (topic, payload, { retain }) => resolve(`${topic} ${payload} ${retain}`)),
  )
  await late.subscribeAsync('keep')
  assert.equal(await received, 'keep me true')
})

for (const name of ['__proto__', 'constructor', 'toString']) {
  test(`${name} is a client id, a topic and a filter like any other`, async (context) => {
    const { broker, connect } = await brokerWorld(context)
    const clients: string[] = []
    broker.hub.subscribe(name, (message) => clients.push(message.client))
    const client = await connect({ clientId: name, clean: false })
    await client.subscribeAsync(name, { qos: 1 })
    const received = new Promise<string>((resolve) => client.once('message', (topic) => resolve(topic)))
    await client.publishAsync(name, 'x', { qos: 1, retain: true })
    assert.equal(await received, name)
    assert.deepEqual(clients, [name])
  })
}

test('a stranger from the LAN is refused, and one log line says who, why and what to do', async (context) => {
  const { log, connect, counters } = await brokerWorld(context, { isLocal: false })
  for (let attempt = 0; attempt < 3; attempt++)
    await assert.rejects(connect({ clientId: 'esp' }), /Not authorized/)
  const lines = log.having('client refused')
  assert.equal(lines.length, 1) // the same one again within ten seconds is only counted
  assert.equal(counters.get('clients.refused'), 3)
  assert.deepEqual([lines[0]?.fields['client'], lines[0]?.fields['address']], ['esp', '127.0.0.1'])
  assert.match(String(lines[0]?.fields['remedy']), /MQTT_USERNAME/)
})

test('new credentials hold from the next connection on', async (context) => {
  const { broker, connect } = await brokerWorld(context, { isLocal: false })
  const credentials = { username: 'house', password: new Secret('key') }
  await assert.rejects(connect({ username: 'house', password: 'key' }))
  broker.setAccess({ allowAnonymous: 'local', credentials })
  await connect({ username: 'house', password: 'key' })
  await assert.rejects(
    connect({ username: 'house', password: 'other' }),
    /Bad username or password|Connection refused/,
  )
})

test('clients of MQTT 3.1, 3.1.1 and 5 hear each other, and the process hears them all', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  const inside: string[] = []
  broker.hub.subscribe('talk', ({ payload, client }) => inside.push(`${client}: ${payload}`))
  const seen: string[] = []
  const versions: readonly IClientOptions[] = [
    { protocolId: 'MQIsdp', protocolVersion: 3, clientId: 'v3' },
    { protocolVersion: 4, clientId: 'v4' },
    { protocolVersion: 5, clientId: 'v5' },
  ]
  const clients: MqttClient[] = []
  for (const options of versions) {
    const client = await connect(options)
    client.on('message', (_, payload) => seen.push(`${options.clientId} hears ${payload}`))
    await client.subscribeAsync('talk', { qos: 2 })
    clients.push(client)
  }
  for (const [index, client] of clients.entries())
    await client.publishAsync('talk', `from ${versions[index]?.clientId}`, { qos: 2 })
  const names = ['v3', 'v4', 'v5']
  const all = names.flatMap((one) => names.map((other) => `${one} hears from ${other}`))
  await until('all were heard', () => seen.length >= all.length)
  assert.deepEqual(seen.sort(), all)
  assert.deepEqual(
    inside,
    names.map((name) => `${name}: from ${name}`),
  )
})

test('a client whose CONNECT cannot be taken is told why, and the log says who and why, once', async (context) => {
  const { log, raw, counters } = await brokerWorld(context)
  for (let attempt = 0; attempt < 3; attempt++) {
    const socket = await raw()
    const answer = untilClosed(socket)
    socket.write(connectPacket('v6', 6))
    assert.deepEqual([...(await answer)].slice(0, 4), [0x20, 2, 0, 1]) // [MQTT-3.1.2-2]
  }
  const [line, ...more] = log.having('client refused')
  assert.equal(line?.fields['address'], '127.0.0.1')
  assert.match(String(line?.fields['reason']), /6/)
  assert.equal(more.length, 0)
  assert.equal(counters.get('clients.refused'), 3)
})

test('an impossible filter gets SUBACK 0x80, and the client stays [MQTT-4.7.1-2]', async (context) => {
  const { raw } = await brokerWorld(context)
  const socket = await raw()
  const answers: Buffer[] = []
  socket.on('data', (chunk) => answers.push(chunk))
  socket.write(connectPacket('c'))
  await until('connected', () => Buffer.concat(answers).length === 4)
  socket.write(Buffer.from([0x82, 7, 0, 1, 0, 2, 0x61, 0x23, 0])) // a#
  await until('answered', () => Buffer.concat(answers).length >= 9)
  assert.deepEqual([...Buffer.concat(answers).subarray(4)], [0x90, 3, 0, 1, 0x80])
  assert.equal(socket.destroyed, false)
})

const garbage: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a TLS hello', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
  ['random bytes', Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 197) & 0xff))],
  ['a PUBLISH before CONNECT', Buffer.from([0x30, 5, 0, 1, 0x61, 0x78, 0x79])],
  ['a reserved packet type', Buffer.concat([connectPacket('x'), Buffer.from([0xf0, 0])])],
  ['a length without end', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff])],
  ['a CONNECT that promises 200 MB', Buffer.from([0x10, 0x80, 0x84, 0xaf, 0x5f])],
  ['half a CONNECT', connectPacket('half').subarray(0, 9)],
]

for (const [what, bytes] of garbage) {
  test(`${what} harms nobody else`, async (context) => {
    const { connect, raw } = await brokerWorld(context)
    const good = await connect()
    await good.subscribeAsync('ping')
    const socket = await raw()
    socket.write(bytes)
    await sleep(20)
    const received = new Promise<void>((resolve) => good.once('message', () => resolve()))
    await good.publishAsync('ping', '')
    await received
  })
}

test('a packet that declares more than the limit ends its connection before it is buffered', async (context) => {
  const { counters, raw, log } = await brokerWorld(context)
  const socket = await raw()
  const closed = untilClosed(socket)
  socket.write(connectPacket('big'))
  await sleep(20)
  socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]))
  await closed
  assert.equal(counters.get('packetBytesMax'), 1)
  const [line] = log.having('client disconnected')
  assert.equal(line?.level, 'warn')
  assert.deepEqual([line?.fields['client'], line?.fields['code']], ['big', 'packet too large'])
  assert.match(String(line?.fields['reason']), /268435460 bytes, of at most 10485760/)
})

test('addresses come and go without touching the clients of those that stay', async (context) => {
  const { broker, port, connect } = await brokerWorld(context)
  const stays = await connect()
  let hasClosed = false
  stays.on('close', () => (hasClosed = true))
  assert.deepEqual(await broker.listen([plainWay(['127.0.0.1', '127.0.0.2'], port)]), [])
  const goes = await connect({ host: '127.0.0.2' })
  const closed = new Promise<void>((resolve) => goes.once('close', () => resolve()))
  await broker.listen([plainWay(['127.0.0.1'], port)])
  await closed
  assert.deepEqual(broker.open[0]?.addresses, ['127.0.0.1'])
  await stays.publishAsync('still', 'here', { qos: 1 })
  assert.equal(hasClosed, false)
})

test('an address that is taken or absent is told with its remedy, and the others are served', async (context) => {
  const taken = createServer().listen(0, '127.0.0.3')
  await new Promise((resolve) => taken.once('listening', resolve))
  context.after(() => taken.close())
  const { port: takenPort } = taken.address() as { port: number }
  const { broker } = await brokerWorld(context)
  await broker.listen([])
  const failures = await broker.listen([plainWay(['127.0.0.3', '192.0.2.1', '127.0.0.4'], takenPort)])
  assert.deepEqual(
    failures.map(({ address, error }) => [address, error.code]),
    [
      ['127.0.0.3', 'ADDRESS_IN_USE'],
      ['192.0.2.1', 'ADDRESS_UNAVAILABLE'],
    ],
  )
  assert.match(failures[0]?.error.message ?? '', /mosquitto.*another Damselfly.*PORT/)
  assert.deepEqual(broker.open[0]?.addresses, ['127.0.0.4'])
})

test('of a port that is taken on several addresses the remedy is told once', async (context) => {
  const taken = createServer().listen(0, '0.0.0.0')
  await new Promise((resolve) => taken.once('listening', resolve))
  context.after(() => taken.close())
  const { port } = taken.address() as { port: number }
  const { broker } = await brokerWorld(context)
  await broker.listen([])
  const [first, second] = await broker.listen([plainWay(['127.0.0.1', '127.0.0.2'], port)])
  assert.match(first?.error.message ?? '', /127\.0\.0\.1 is taken, often by mosquitto/)
  assert.equal(second?.error.message, `port ${port} on 127.0.0.2 is taken, too`)
})

test('a client without a client id gets a short one that says so', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  const senders: string[] = []
  broker.hub.subscribe('who', ({ client }) => senders.push(client))
  for (const _ of [1, 2]) {
    const client = await connect({ clientId: '', clean: true })
    await client.publishAsync('who', '', { qos: 1 })
  }
  const named = await connect({ clientId: 'auto' })
  await named.publishAsync('who', '', { qos: 1 })
  assert.match(senders.join(' '), /^auto-[0-9a-f]{16} auto-[0-9a-f]{16} auto$/)
  assert.equal(new Set(senders).size, 3)
})

test('a second Damselfly on the same data is refused with the reason', async (context) => {
  const { dataDir, log, counters } = await brokerWorld(context)
  const second = Broker.open({
    dataDir,
    access: { allowAnonymous: 'local', credentials: undefined },
    isOwnAddress: () => true,
    log,
    counters,
  })
  await assert.rejects(second, { code: 'STORE_FAILED', message: /another Damselfly/ })
})

const damages: readonly (readonly [
  what: string,
  isAllSaved: boolean,
  spoil: (folder: string, files: readonly string[]) => Promise<unknown>,
])[] = [
  [
    'rubbish in its index',
    true,
    (folder, files) =>
      Promise.all(
        files
          .filter((file) => /^(CURRENT|MANIFEST)/.test(file))
          .map((file) => writeFile(join(folder, file), 'rubbish')),
      ),
  ],
  ['no CURRENT', true, (folder) => rm(join(folder, 'CURRENT'))],
  [
    'no MANIFEST',
    true,
    (folder, files) => rm(join(folder, files.find((file) => file.startsWith('MANIFEST')) as string)),
  ],
  [
    'a damaged block',
    false,
    async (folder, files) => {
      for (const file of files.filter((name) => name.endsWith('.ldb'))) {
        const bytes = await readFile(join(folder, file))
        await writeFile(join(folder, file), bytes.fill(0x5a, 0, Math.floor(bytes.length * 0.8)))
      }
    },
  ],
  [
    'a cut table',
    false,
    (folder, files) =>
      Promise.all(
        files.filter((name) => name.endsWith('.ldb')).map((file) => truncate(join(folder, file), 100)),
      ),
  ],
]

for (const [what, isAllSaved, spoil] of damages) {
  test(`of a store with ${what} a copy is set aside with a clear line, what can be saved is saved, and the broker starts and retains`, async (context) => {
    const dataDir = await tempFolder(context)
    const folder = join(dataDir, 'broker')
    const filling = 'x'.repeat(500)
    for (let start = 0; start < 2; start++) {
      const { broker } = await brokerWorld(context, { dataDir })
      for (let index = 0; index < 200; index++)
        await broker.hub.publish({
          topic: `t/${index}`,
          payload: `${start} ${index} ${filling}`,
          retain: true,
        })
      await broker.close()
    }
    await spoil(folder, await readdir(folder))
    const { broker, log } = await brokerWorld(context, { dataDir })
    const [line] = log.having('store is damaged: a copy is set aside, saving what can be saved')
    assert.equal(line?.fields['store'], folder, JSON.stringify(log.lines))
    assert.ok((await readdir(dataDir)).some((name) => name.startsWith('broker.damaged-')))
    let saved = 0
    for await (const { topic, payload } of broker.hub.retained('#')) {
      const index = topic.slice('t/'.length)
      // of an older state nothing may come back
      assert.ok(
        !isAllSaved || `${payload}` === `1 ${index} ${filling}`,
        `${topic} ${payload.subarray(0, 10)}`,
      )
      saved++
    }
    if (isAllSaved) assert.equal(saved, 200)
    await broker.hub.publish({ topic: 'a', payload: 'y', retain: true })
    await broker.close()
    const next = await brokerWorld(context, { dataDir })
    assert.deepEqual(next.log.lines, [])
    assert.equal(next.broker.retainedMessages, saved + 1)
  })
}

test('a disk that is full is said once; what is retained meanwhile is written when there is room, and is there after a restart', {
  skip: missing('root', 'mount'),
}, async (context) => {
  const disk = await mkdtemp(join(tmpdir(), 'damselfly-disk-'))
  context.after(async () => {
    execFileSync('umount', ['-l', disk])
    await rm(disk, { recursive: true })
  })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', disk])
  const dataDir = join(disk, 'data')
  const first = await brokerWorld(context, { dataDir })
  await first.broker.hub.publish({ topic: 'before', payload: 'x', retain: true })
  await sleep(100)
  try {
    await writeFile(join(disk, 'ballast'), Buffer.alloc(4 * 1024 * 1024))
  } catch {} // it is full now
  for (let index = 0; index < 200; index++)
    await first.broker.hub.publish({ topic: `while/${index}`, payload: 'x'.repeat(1_000), retain: true })
  await until('it was said', () => !first.broker.store.isWritten)
  await rm(join(disk, 'ballast'))
  await until('it is well again', () => first.log.having('the store is written again').length > 0)
  await first.broker.hub.publish({ topic: 'after', payload: 'x', retain: true })
  await first.broker.close()
  const second = await brokerWorld(context, { dataDir })
  const topics: string[] = []
  for await (const { topic } of second.broker.hub.retained('#')) topics.push(topic)
  assert.equal(topics.length, 202)
  await second.broker.close()
})

test('a payload that was a part of a large chunk is kept by itself', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  const client = await connect()
  await client.publishAsync('small', 'x', { retain: true, qos: 1 })
  for await (const { payload } of broker.hub.retained('small')) assert.ok(payload.buffer.byteLength <= 8_192)
})

test('a data folder that cannot be made is told with the key to set', async (context) => {
  const folder = await tempFolder(context)
  await writeFile(join(folder, 'file'), '')
  await assert.rejects(brokerWorld(context, { dataDir: join(folder, 'file', 'data') }), {
    code: 'STORE_FAILED',
    message: /DATA_DIR/,
  })
})

for (const [session, clean] of [
  ['connects', true],
  ['connects with a session that is kept', false],
] as const)
  for (const count of [1, 20, 10_000]) {
    test(`a program that ${session}, publishes ${count} times and leaves without waiting is heard in full and in order`, async (context) => {
      const { broker, raw } = await brokerWorld(context)
      const heard: string[] = []
      broker.hub.subscribe('n', ({ payload }) => heard.push(`${payload}`))
      const socket = await raw()
      const publishes = numbered(0, count)
      socket.end(Buffer.concat([connectBytes({ clientId: 'hasty', clean }), ...publishes]))
      await until('all were heard', () => heard.length === count)
      assert.deepEqual(
        heard,
        publishes.map((_, index) => `${index}`),
      )
    })
  }

test('a program that takes leave before it was let in has taken leave: its will is not published', async (context) => {
  const { broker, raw, log } = await brokerWorld(context)
  const heard: string[] = []
  broker.hub.subscribe('#', ({ topic }) => heard.push(topic))
  const socket = await raw()
  const connect = connectBytes({ clientId: 'hasty', clean: false, will: { topic: 'will' } })
  socket.end(Buffer.concat([connect, ...numbered(0, 1), Buffer.from([0xe0, 0])]))
  await until('it has gone', () => log.having('client disconnected').length === 1)
  assert.deepEqual(heard, ['n'])
})

test('what has been read of a client is heard, even if it resets its connection while it has to wait', async (context) => {
  context.after(() => setLimits({}))
  setLimits({ messageRateMax: 10 })
  const { broker, raw, log } = await brokerWorld(context)
  const heard: string[] = []
  broker.hub.subscribe('n', ({ payload }) => heard.push(`${payload}`))
  const socket = await raw()
  socket.write(Buffer.concat([connectBytes(), ...numbered(0, 50)]))
  await until('it has to wait', () => heard.length === 50)
  socket.write(Buffer.concat(numbered(50, 50)))
  await sleep(50)
  assert.equal(heard.length, 50)
  socket.resetAndDestroy()
  await until('it has gone', () => log.having('client disconnected').length === 1)
  assert.deepEqual(
    heard,
    Array.from({ length: 100 }, (_, index) => `${index}`),
  )
})

test('of a client that is refused nothing is heard, whatever it has sent already [MQTT-3.1.4-5]', async (context) => {
  const { broker, raw } = await brokerWorld(context, { isLocal: false })
  const heard: string[] = []
  broker.hub.subscribe('n', ({ payload }) => heard.push(`${payload}`))
  const socket = await raw()
  const answer = untilClosed(socket)
  socket.write(Buffer.concat([connectBytes(), ...numbered(0, 20)]))
  assert.deepEqual([...(await answer)], [0x20, 2, 0, 5])
  assert.deepEqual(heard, [])
})

test('a message that matches several filters of one subscription comes once, and only what matches one', async (t) => {
  const { broker, connect } = await brokerWorld(t)
  const seen: string[] = []
  const end = broker.hub.subscribe(['home/+/set', 'home/lamp/#', 'other'], ({ topic }) => seen.push(topic))
  const client = await connect()
  const topics = ['home/lamp/set', 'home/x/get', 'home/lamp', 'other', 'home/x/set']
  for (const topic of topics) await client.publishAsync(topic, '', { qos: 1 })
  await until('all have arrived', () => seen.includes('home/x/set'))
  assert.deepEqual(seen, ['home/lamp/set', 'home/lamp', 'other', 'home/x/set'])
  end()
  end()
  await client.publishAsync('other', '', { qos: 1 })
  await sleep(50)
  assert.equal(seen.length, 4)
})

test('a clean session ends the old one at once, also for who only connects and goes', async (t) => {
  const { connect, port } = await brokerWorld(t)
  const session = { clientId: 'shed', clean: false }
  const before = await connect(session)
  await before.subscribeAsync('door/set', { qos: 1 })
  await before.endAsync()
  const other = await connect()
  for (let n = 0; n < 50; n++) await other.publishAsync('door/set', 'open', { qos: 1 })
  const clean = await connect({ clientId: 'shed', clean: true })
  await clean.endAsync()
  const after = mqtt.connect({ host: '127.0.0.1', port, protocolVersion: 4, ...session })
  const late: string[] = []
  after.on('message', (topic) => late.push(topic))
  t.after(() => after.end(true))
  await after.subscribeAsync('other', { qos: 1 })
  await sleep(100)
  assert.deepEqual(late, [])
})

/** PUBLISH packets of QoS 0 to `n` whose payloads are numbers that count up. */
function numbered(from: number, count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => packet(0x30, prefixed('n'), `${from + index}`))
}
