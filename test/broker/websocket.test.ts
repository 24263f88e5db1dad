import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { afterEach, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import type { IClientOptions } from 'mqtt'
import { setLimits } from '#src/core/limits.js'
import type { Listener, WebSocketTerms } from '#src/core/listener.js'
import {
  type BrokerWorld,
  brokerWorld,
  connectPacket,
  listenerAt,
  portOf,
  untilClosed,
} from '../support/broker.js'
import { Authority, tlsOf } from '../support/certificates.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'
import { refusedStatus, WebSocketClient } from '../support/web-socket.js'
import { connectBytes, packet, prefixed, u16 } from '../support/wire-client.js'

const run = promisify(execFile)

afterEach(() => setLimits({}))

interface WebWorld extends BrokerWorld {
  readonly webPort: number
  readonly url: string
  web(options?: IClientOptions): ReturnType<BrokerWorld['connect']>
}

async function webWorld(
  context: TestContext,
  terms: Partial<WebSocketTerms> = {},
  more: Partial<Listener> = {},
): Promise<WebWorld> {
  const webSocket = { path: '/mqtt', origins: [], ...terms }
  const way = { listener: listenerAt(0, { name: 'web', webSocket, ...more }), addresses: ['127.0.0.1'] }
  const world = await brokerWorld(context, { ways: [way] })
  const webPort = portOf(world.broker, 'web')
  const scheme = more.tls === undefined ? 'ws' : 'wss'
  return {
    ...world,
    webPort,
    url: `${scheme}://127.0.0.1:${webPort}/mqtt`,
    web: (options = {}) => world.connect({ protocol: scheme, path: '/mqtt', port: webPort, ...options }),
  }
}

function reasons({ log }: BrokerWorld): string[] {
  return log.having('client refused').map(({ fields }) => String(fields['reason']))
}

async function rawTo(context: TestContext, port: number, said: string | Buffer = ''): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1')
  context.after(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(said)
  return socket
}

const big = Buffer.alloc(2 * 1024 * 1024 - 100, 'x')

test('MQTT.js talks over WebSocket, both ways with messages of 2 MB', async (context) => {
  const world = await webWorld(context)
  for (const protocolVersion of [4, 5] as const) {
    const client = await world.web({ protocolVersion, clientId: `v${protocolVersion}` })
    const heard = new Promise<Buffer>((resolve) => client.once('message', (_, payload) => resolve(payload)))
    await client.subscribeAsync('big', { qos: 1 })
    await client.publishAsync('big', big, { qos: 1 })
    assert.ok((await heard).equals(big))
    await client.endAsync()
  }
  assert.equal(world.counters.get('outputBytesMax'), 0)
})

test('MQTT.js talks over secure WebSocket, both ways with messages of 2 MB', {
  skip: missing('openssl'),
}, async (context) => {
  const ca = await Authority.make(context)
  const world = await webWorld(context, {}, { tls: tlsOf(await ca.server()) })
  const client = await world.web({ ca: await ca.cert })
  const heard = new Promise<Buffer>((resolve) => client.once('message', (_, payload) => resolve(payload)))
  await client.subscribeAsync('big', { qos: 1 })
  await client.publishAsync('big', big, { qos: 1 })
  assert.ok((await heard).equals(big))
})

test('paho talks over WebSocket', { skip: missing('paho') }, async (context) => {
  const world = await webWorld(context)
  const program = `
import paho.mqtt.client as mqtt, sys
try: client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, transport='websockets')
except AttributeError: client = mqtt.Client(transport='websockets')
client.ws_set_options(path='/mqtt')
client.on_connect = lambda c, u, f, rc: c.subscribe('t', 1)
client.on_subscribe = lambda c, u, mid, qos: c.publish('t', b'x' * 300000, 1)
client.on_message = lambda c, u, m: (print(len(m.payload)), c.disconnect())
client.connect('127.0.0.1', ${world.webPort})
client.loop_forever()
`
  const { stdout } = await run('/usr/bin/python3', ['-c', program], { timeout: 10_000 })
  assert.equal(stdout.trim(), '300000')
})

test('packets may come several in one message, and one in many messages of many fragments', async (context) => {
  const world = await webWorld(context)
  const heard: string[] = []
  world.broker.hub.subscribe('#', ({ payload }) => heard.push(`${payload}`))
  const client = await WebSocketClient.open(context, world.url)
  const publish = (text: string) => packet(0x30, prefixed('t'), text)
  client.socket.send(Buffer.concat([connectBytes({ clientId: 'c' }), publish('a'), publish('b')]))
  assert.equal((await client.next()).type, 2)
  for (const byte of publish('one byte a message')) client.socket.send(Buffer.from([byte]))
  const long = publish('fragments'.repeat(10_000))
  for (let at = 0; at < long.length; at += 7_000)
    client.socket.send(long.subarray(at, at + 7_000), { fin: at + 7_000 >= long.length })
  client.socket.send(packet(0xc0))
  assert.equal((await client.next()).type, 13)
  assert.deepEqual(heard, ['a', 'b', 'one byte a message', 'fragments'.repeat(10_000)])
})

test('a message with very many packets holds up nobody else for long, and all of them are heard', async (context) => {
  const world = await webWorld(context)
  const client = await WebSocketClient.open(context, world.url)
  client.socket.send(connectBytes({ clientId: 'c' }))
  await client.next()
  const one = packet(0x30, prefixed('t'), 'x')
  const count = 200_000
  let heard = 0
  let turns = 0
  let last = -1
  let turn = 0
  const spin = setInterval(() => turn++, 0)
  context.after(() => clearInterval(spin))
  world.broker.hub.subscribe('t', () => {
    heard++
    if (turn !== last) turns++
    last = turn
  })
  client.socket.send(Buffer.concat(Array.from({ length: count }, () => one)))
  await until('all were heard', () => heard === count)
  assert.ok(turns >= 4, `${turns} turns`)
})

test('another path, another origin, another protocol and a page are refused with their status, and told of', async (context) => {
  const world = await webWorld(context, { origins: ['https://panel.example.org'] })
  const { url } = world
  for (const [at, options, status, reason] of [
    [url.replace('/mqtt', '/other'), {}, 404, /it asks for the path \/other, and MQTT is at \/mqtt/],
    [url, { origin: 'https://evil.example.org' }, 403, /a page of https:\/\/evil\.example\.org opened it/],
    [url, { origin: 'null' }, 403, /a page of/], // one line for all of them
    [url, { origin: 'http://evil.example.org', headers: { host: 'evil.example.org' } }, 403, /a page of/],
    [url, { protocols: ['chat'] }, 400, /subprotocol mqtt/],
    [url, { protocols: [] }, 400, /subprotocol mqtt/],
  ] as const) {
    assert.equal(await refusedStatus(at, options), status)
    assert.match(reasons(world).at(-1) ?? '', reason)
  }
  const page = await fetch(url.replace('ws:', 'http:'))
  assert.equal(page.status, 426)
  assert.match(await page.text(), /only MQTT over WebSocket here/)
  for (const origin of ['https://panel.example.org', 'http://127.0.0.1', 'http://127.0.0.1:8080'])
    await WebSocketClient.open(context, url, { origin })
  await WebSocketClient.open(context, url, { protocols: ['mqttv3.1'] })
  await WebSocketClient.open(context, `${url}?token=1`)
  const any = await webWorld(context, { path: '*' })
  for (const path of ['', '/mqtt', '/any/other'])
    await WebSocketClient.open(context, `ws://127.0.0.1:${any.webPort}${path}`)
})

test('a page of the LAN’s own name is allowed, and every one where that is said', async (context) => {
  const own = await webWorld(context)
  for (const name of ['pi', 'pi.local', '[::1]', '10.0.0.5'])
    await WebSocketClient.open(context, own.url, {
      origin: `http://${name}:8080`,
      headers: { host: `${name}:9001` },
    })
  assert.equal(
    await refusedStatus(own.url, { origin: 'http://pi.local', headers: { host: 'other.local' } }),
    403,
  )
  const all = await webWorld(context, { origins: ['*'] })
  await WebSocketClient.open(context, all.url, { origin: 'https://evil.example.org' })
})

test('who speaks plain MQTT or TLS to a WebSocket port is told of', async (context) => {
  const world = await webWorld(context)
  for (const said of [connectPacket('plain'), Buffer.from([0x16, 3, 1, 0, 10, 1])])
    await untilClosed(await rawTo(context, world.webPort, said))
  assert.deepEqual(reasons(world), [
    'it speaks plain MQTT, and there is only WebSocket here',
    'it speaks TLS, and there is no TLS here yet',
  ])
})

test('text frames, compression, frames that are not masked and messages that are too long end a connection, and are told of', async (context) => {
  setLimits({ packetBytesMax: 1_000 })
  const world = await webWorld(context)
  const connected = async () => {
    const client = await WebSocketClient.open(context, world.url)
    client.socket.send(connectBytes({ clientId: 'c' }))
    await client.next()
    return client
  }
  const text = await connected()
  text.socket.send('hello')
  assert.equal(await text.closed(), 1003)
  const large = await connected()
  large.socket.send(Buffer.alloc(256 * 1024 + 1))
  assert.equal(await large.closed(), 1009)
  assert.equal(world.counters.get('packetBytesMax'), 1)
  const bare = await connected()
  const { _socket: carrier } = bare.socket as unknown as { _socket: Socket }
  carrier.write(Buffer.from([0x82, 1, 0xc0]))
  assert.equal(await bare.closed(), 1002)
  assert.deepEqual(
    reasons(world).map((reason) => reason.split(':')[0]),
    [
      'it sends text frames, and MQTT is binary',
      'it sends a WebSocket message that is longer than a packet may be',
      'it breaks the WebSocket protocol',
    ],
  )
  const squeezed = await WebSocketClient.open(context, world.url, { perMessageDeflate: true })
  assert.equal(squeezed.socket.extensions, '')
})

test('who stops before the upgrade, in it, in a frame or in CONNECT is left in time', async (context) => {
  setLimits({ connectTimeoutMs: 700 })
  const world = await webWorld(context)
  const raws = [
    await rawTo(context, world.webPort),
    await rawTo(context, world.webPort, 'GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgr'),
  ]
  const half = await WebSocketClient.open(context, world.url)
  const { _socket: carrier } = half.socket as unknown as { _socket: Socket }
  carrier.write(Buffer.from([0x82, 0x8e, 1, 2, 3, 4, 0x11]))
  const part = await WebSocketClient.open(context, world.url)
  part.socket.send(connectPacket('part').subarray(0, 9))
  await Promise.all(raws.map((raw) => untilClosed(raw)))
  await Promise.all([half.closed(), part.closed()])
  assert.equal(world.counters.get('connectTimeoutMs'), 4)
})

test('the head of a request is bounded, and what comes in part before CONNECT too', async (context) => {
  const world = await webWorld(context)
  const fits = await WebSocketClient.open(context, world.url, { headers: { x: 'x'.repeat(7_500) } })
  assert.equal(fits.socket.readyState, fits.socket.OPEN)
  assert.equal(world.counters.get('upgradeHeaderBytesMax'), 0)
  const head = `GET /mqtt HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(9_000)}\r\n\r\n`
  assert.match((await untilClosed(await rawTo(context, world.webPort, head))).toString(), /^HTTP\/1\.1 431 /)
  assert.match(reasons(world)[0] ?? '', /longer than 8192 bytes/)
  assert.equal(world.counters.get('upgradeHeaderBytesMax'), 1)
  const client = await WebSocketClient.open(context, world.url)
  client.socket.send(Buffer.alloc(400 * 1024), { fin: false })
  await client.closed()
  assert.equal(world.counters.get('connectPacketBytesMax'), 1)
})

test('what a client has sent of a message counts as memory, until it is whole', async (context) => {
  const world = await webWorld(context)
  const client = await WebSocketClient.open(context, world.url)
  client.socket.send(connectBytes({ clientId: 'c' }))
  await client.next()
  setLimits({ memoryBytesMax: 1024 * 1024 })
  client.socket.send(Buffer.alloc(3 * 1024 * 1024), { fin: false })
  await client.closed()
  assert.equal(
    world.log.having('client disconnected')[0]?.fields['reason'],
    'no memory is left for a packet of this size',
  )
})

test('the farewell of MQTT 5 arrives over WebSocket: at a takeover, a mistake, and the end of the broker', async (context) => {
  const world = await webWorld(context)
  const connected = async (clientId: string) => {
    const client = await WebSocketClient.open(context, world.url)
    client.socket.send(connectBytes({ level: 5, clientId }))
    await client.next()
    return client
  }
  const first = await connected('same')
  const second = await connected('same')
  assert.equal((await first.next()).body[0], 0x8e)
  second.socket.send(Buffer.from([0x30, 0]))
  assert.equal((await second.next()).body[0], 0x81)
  const third = await connected('third')
  await world.broker.close()
  const { type, body } = await third.next()
  assert.deepEqual([type, body[0]], [14, 0x8b])
  assert.equal(await third.closed(), 1000)
})

test('over WebSocket a client that does not read is let go at the bound', async (context) => {
  setLimits({ outputBytesMax: 512 * 1024 })
  const world = await webWorld(context)
  const { broker, counters } = world
  const slow = await WebSocketClient.open(context, world.url)
  slow.socket.send(
    Buffer.concat([connectBytes({ clientId: 'slow' }), packet(0x82, u16(1), prefixed('burst'), 0)]),
  )
  await slow.next()
  slow.socket.pause()
  const fast = await world.web({ clientId: 'fast' })
  await fast.subscribeAsync('burst')
  let heard = 0
  fast.on('message', () => heard++)
  let sent = 0
  const payload = Buffer.alloc(7_000)
  for (let burst = 0; burst < 100 && counters.get('outputBytesMax') === 0; burst++) {
    for (let index = 0; index < 100; index++, sent++) void broker.hub.publish({ topic: 'burst', payload })
    await until('the reader has heard it', () => heard === sent)
  }
  assert.equal(counters.get('outputBytesMax'), 1)
  assert.equal(world.log.having('client disconnected')[0]?.fields['client'], 'slow')
  assert.equal(fast.connected, true)
})

test('a ping of the WebSocket is answered, and many of one who does not read take no memory', async (context) => {
  const world = await webWorld(context)
  const client = await WebSocketClient.open(context, world.url)
  client.socket.send(connectBytes({ clientId: 'c' }))
  await client.next()
  client.socket.ping('x')
  await once(client.socket, 'pong')
  client.socket.pause()
  for (let index = 0; index < 200_000; index++) client.socket.ping(Buffer.alloc(125))
  await until('it is left', () => world.log.having('client disconnected').length === 1)
  assert.deepEqual(reasons(world), ['it sends pings, and does not read what answers them'])
})

test('who asks for other paths and origins each time, or breaks them in other ways, has one line for each kind', async (context) => {
  const world = await webWorld(context)
  const count = 300
  const each = async (refuse: (index: number) => Promise<unknown>): Promise<void> => {
    for (let index = 0; index < count; index++) await refuse(index)
    assert.equal(world.log.having('client refused').length, ++kinds)
  }
  let kinds = 0
  const { url } = world
  await each((index) => refusedStatus(`${url}${index}`, {}))
  await each((index) => refusedStatus(url, { origin: `https://p${index}.example.org` }))
  await each(async (index) => {
    const { socket } = await WebSocketClient.open(context, url)
    const { _socket: carrier } = socket as unknown as { _socket: Socket }
    const code = index + 5
    carrier.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, code >> 8, code & 255])) // a close with a code that is none
    await once(socket, 'close')
  })
  assert.equal(world.counters.get('clients.refused') + world.counters.get('clients.failed'), kinds * count)
})

test('who comes through a proxy is not from this machine', async (context) => {
  const world = await webWorld(context)
  const near = await WebSocketClient.open(context, world.url)
  near.socket.send(connectBytes({ clientId: 'near' }))
  assert.deepEqual([...(await near.next()).body], [0, 0])
  const far = await WebSocketClient.open(context, world.url, {
    headers: { 'x-forwarded-for': '203.0.113.7' },
  })
  far.socket.send(connectBytes({ clientId: 'far' }))
  assert.deepEqual([...(await far.next()).body], [0, 5])
})
