import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { attacker, ownAddress, RawAttacker, theLine } from '../support/attacks.js'
import { authorityIn, papersIn, tlsFrom } from '../support/attacks-certificates.js'
import { freePort, runCommand, startDaemon } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'
import { connectBytes, packet, prefixed, properties } from '../support/wire-client.js'

const kib = 1024

async function house(context: TestContext, env: string) {
  const folder = await tempFolder(context)
  await authorityIn(join(folder, 'config/certs'))
  const [secure, web, http] = [await freePort(), await freePort(), await freePort()]
  const yaml = `listeners:
  secure: { port: ${secure}, tls: { cert: certs/server.crt, key: certs/server.key } }
  web: { port: ${web}, websocket: true }
`
  const daemon = await startDaemon(context, { folder, yaml, env: `HTTP_PORT=${http}\n${env}` })
  const watch = await attacker(context, daemon.port)
  await watch.mqtt.subscribeAsync('#', { qos: 1 })
  let marks = 0
  /** What somebody else says is heard, and nothing of what the attacker has sent. */
  const othersHeard = async (): Promise<void> => {
    const other = await attacker(context, daemon.port)
    await other.mqtt.publishAsync('door', `mark${++marks}`, { qos: 1 })
    await until('what others say', () => watch.heard.includes(`door mark${marks}`))
    assert.deepEqual(
      watch.heard.filter((line) => line.startsWith('evil')),
      [],
    )
    await other.mqtt.endAsync()
  }
  return { daemon, secure, web, http, folder, othersHeard, watch }
}

test('who sends too much at once is told so where there are words for it, and ended', async (context) => {
  const { daemon, secure, web, http, folder, othersHeard, watch } = await house(
    context,
    'MAX_PACKET_SIZE=64KiB',
  )
  const openWebSocket = async (address = ownAddress()): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${web}/mqtt`, ['mqtt'], { localAddress: address })
    socket.on('error', () => {})
    context.after(() => socket.terminate())
    await once(socket, 'open')
    return socket
  }

  await context.test('a CONNECT of more than 256 KiB is not read', async () => {
    const raw = new RawAttacker(context, daemon.port).send(Buffer.from([0x10, 0x81, 0x80, 0x10]))
    assert.equal((await raw.closed()).length, 0)
    await theLine(daemon, 'client refused', raw.address, /packet is too large: 262149 bytes/)
    const long = { username: 'u'.repeat(200), clientId: 'x'.repeat(60_000) }
    const other = new RawAttacker(context, daemon.port).send(connectBytes(long))
    await until('a long one that is allowed', () => other.received.length > 0)
    assert.equal(other.received[3], 0)
    await othersHeard()
  })

  for (const [version, level] of [
    ['3.1.1', 4],
    ['5', 5],
  ] as const)
    await context.test(`a PUBLISH above MAX_PACKET_SIZE ends its client (MQTT ${version})`, async () => {
      const publish = (length: number) =>
        packet(0x30, prefixed('evil'), level === 5 ? properties() : '', Buffer.alloc(length))
      const raw = new RawAttacker(context, daemon.port)
      raw.send(connectBytes({ level, clientId: `big${level}` })).send(publish(65 * kib))
      const answer = await raw.closed()
      const last = answer.subarray((answer[1] as number) + 2) // after CONNACK
      assert.deepEqual([last[0], last[2]], level === 5 ? [0xe0, 0x95] : [undefined, undefined])
      const line = await theLine(
        daemon,
        'client disconnected',
        raw.address,
        /packet is too large: \d+ bytes, of at most 65536/,
      )
      assert.equal(line['client'], `big${level}`)
      await othersHeard()
      const rightful = await attacker(context, daemon.port, { protocolVersion: level })
      await rightful.mqtt.publishAsync('large', Buffer.alloc(63 * kib), { qos: 1 })
      await until('what is not too large', () => watch.heard.some((heard) => heard.startsWith('large ')))
      watch.heard.splice(0)
    })

  await context.test(
    'a WebSocket message that is longer than a packet may be ends it with 1009',
    async () => {
      const address = ownAddress()
      const socket = await openWebSocket(address)
      socket.send(connectBytes({ clientId: 'w' }))
      await once(socket, 'message')
      socket.send(Buffer.alloc(300 * kib))
      const [code] = await once(socket, 'close')
      assert.equal(code, 1009)
      await theLine(daemon, 'client refused', address, /WebSocket message that is longer/)
      const rightful = await openWebSocket()
      rightful.send(
        Buffer.concat([
          connectBytes({ clientId: 'v' }),
          packet(0x30, prefixed('fits'), Buffer.alloc(60 * kib)),
        ]),
      )
      await until('what is not too long', () => watch.heard.some((heard) => heard.startsWith('fits ')))
      await othersHeard()
    },
  )

  await context.test('a request for a WebSocket with a head of more than 8 KiB is answered 431', async () => {
    const raw = new RawAttacker(context, web).send(
      `GET /mqtt HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(9 * kib)}\r\n\r\n`,
    )
    assert.match(`${await raw.closed()}`, /^HTTP\/1\.1 431 /)
    const line = await theLine(
      daemon,
      'client refused',
      raw.address,
      /head of its request is longer than 8192/,
    )
    assert.equal(line['listener'], 'web')
    await openWebSocket()
    await othersHeard()
  })

  await context.test('garbage in place of a TLS handshake, however much, is ended', async () => {
    for (const bytes of [
      randomBytes(256 * kib).fill(0x80, 0, 1),
      Buffer.concat([Buffer.from([0x16, 3, 1, 0x40, 0]), randomBytes(256 * kib)]),
    ]) {
      const raw = new RawAttacker(context, secure).send(bytes)
      await raw.closed()
      const line = await theLine(daemon, 'client refused', raw.address, /TLS/)
      assert.equal(line['listener'], 'secure')
    }
    const papers = await papersIn(join(folder, 'config/certs'))
    await attacker(context, daemon.port, { open: tlsFrom(secure, papers) })
    await othersHeard()
  })

  await context.test(
    'a line of more than 32 KiB on the control socket is answered, and the next one is heard',
    async () => {
      const socket = createConnection(join(folder, 'data/control.sock'))
      context.after(() => socket.destroy())
      let answers = ''
      socket.on('data', (chunk) => (answers += chunk))
      socket.write(`{"get":"${'x'.repeat(33 * kib)}"}\n{"get":"status"}\n`)
      await until('two answers', () => answers.split('\n').length > 2)
      const [first, second] = answers.split('\n').map((line) => (line === '' ? undefined : JSON.parse(line)))
      assert.equal(first.error.code, 'REQUEST_TOO_LONG')
      assert.equal(second.status.counters.controlLineBytesMax, 1)
      const { code } = await runCommand(folder, ['status'])
      assert.equal(code, 0)
    },
  )

  await context.test(
    'a request for metrics with a head of more than 8 KiB is answered 431, one that calls us by another name 421',
    async () => {
      const raw = new RawAttacker(context, http).send(
        `GET /metrics HTTP/1.1\r\nHost: localhost\r\nCookie: ${'x'.repeat(9 * kib)}\r\n\r\n`,
      )
      assert.match(`${await raw.closed()}`, /^HTTP\/1\.1 431 /)
      await theLine(daemon, 'HTTP request refused', raw.address, /longer than 8192 bytes/)
      const rebound = new RawAttacker(context, http).send(
        'GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n',
      )
      assert.match(`${await rebound.closed()}`, /^HTTP\/1\.1 421 /)
      await theLine(daemon, 'HTTP request refused', rebound.address, /a name of somebody else/)
      assert.equal((await fetch(`http://127.0.0.1:${http}/metrics`)).status, 200)
    },
  )
})

test('who begins and does not go on, at whatever layer, is ended in time and told in one line', {
  concurrency: 16,
}, async (context) => {
  const { daemon, secure, web, http, folder, othersHeard } = await house(context, 'CONNECT_TIMEOUT=1s')
  const upgrade = `GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
  const halfFrame = Buffer.from([0x82, 0xfe, 0x10, 0, 1, 2, 3, 4, 5]) // masked, 4096 bytes are to come
  const early = /no CONNECT came in time/
  const layered = /neither TLS nor a request for a WebSocket came in time/
  const slow: [what: string, port: number, bytes: Uint8Array | string, reason: RegExp, listener: string][] = [
    ['says nothing', daemon.port, '', early, 'main'],
    ['sends half a CONNECT', daemon.port, connectBytes({ clientId: 'slow' }).subarray(0, 9), early, 'main'],
    ['says nothing on the TLS port', secure, '', layered, 'secure'],
    [
      'sends half a TLS handshake',
      secure,
      Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
      layered,
      'secure',
    ],
    ['says nothing on the WebSocket port', web, '', layered, 'web'],
    ['sends half a request for a WebSocket', web, upgrade.slice(0, 60), layered, 'web'],
    ['sends half a WebSocket frame', web, Buffer.concat([Buffer.from(upgrade), halfFrame]), early, 'web'],
  ]
  const keepAlive = Buffer.concat([
    connectBytes({ level: 5, clientId: 'half', keepAlive: 1 }),
    Buffer.from([0x30, 0xff, 0x7f, 0, 4]),
  ])
  const tests = slow.map(([what, port, bytes, reason, listener]) =>
    context.test(`who ${what}`, async () => {
      const raw = new RawAttacker(context, port).send(bytes)
      await raw.closed()
      const line = await theLine(daemon, 'client refused', raw.address, reason)
      assert.deepEqual(
        [line['listener'], line['bound'], line['setting']],
        [listener, 'connectTimeoutMs', 'CONNECT_TIMEOUT'],
      )
    }),
  )
  tests.push(
    context.test('who sends half a PUBLISH, and nothing within its keep alive', async () => {
      const raw = new RawAttacker(context, daemon.port).send(keepAlive)
      const answer = await raw.closed()
      const last = answer.subarray((answer[1] as number) + 2)
      assert.deepEqual([last[0], last[2]], [0xe0, 0x8d])
      await theLine(daemon, 'client disconnected', raw.address, /nothing came within its keep alive/)
    }),
    context.test('who sends half a request for metrics', async () => {
      const raw = new RawAttacker(context, http).send('GET /metrics HTTP/1.1\r\nHo')
      assert.match(`${await raw.closed()}`, /^HTTP\/1\.1 408 /)
      await theLine(daemon, 'HTTP request refused', raw.address, /no whole request came within/)
    }),
    context.test('fifty silent connections of one address are one line, and fifty in the count', async () => {
      const address = ownAddress()
      const all = Array.from({ length: 50 }, () => new RawAttacker(context, daemon.port, { address }))
      await Promise.all(all.map((one) => one.closed()))
      await theLine(daemon, 'client refused', address, early)
      const { stdout } = await runCommand(folder, ['status', '--json'])
      assert.ok(JSON.parse(stdout).counters.connectTimeoutMs >= 50, stdout)
    }),
    context.test('while others go on', async () => await othersHeard()),
  )
  await Promise.all(tests)
  await othersHeard()
})
