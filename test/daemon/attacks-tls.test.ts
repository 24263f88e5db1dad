import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ClientOptions, WebSocket } from 'ws'
import {
  type Attacker,
  as,
  attacker,
  ownAddress,
  RawAttacker,
  theLine,
  usersText,
} from '../support/attacks.js'
import {
  authorityIn,
  expiredPapersFor,
  type Papers,
  papersFor,
  papersIn,
  tlsFrom,
} from '../support/attacks-certificates.js'
import { freePort, startDaemon } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'
import { connectBytes } from '../support/wire-client.js'

interface Ports {
  readonly secure: number
  readonly mutual: number
  readonly web: number
}

const acl = `topic readwrite #
user kitchen
topic readwrite home/#
`

async function house(context: TestContext) {
  const folder = await tempFolder(context)
  const certs = join(folder, 'config/certs')
  const authority = await authorityIn(certs)
  const papers = {
    kitchen: await papersFor(certs, 'kitchen'),
    ghost: await papersFor(certs, 'ghost'),
    lost: await papersFor(certs, 'lost'),
    old: await expiredPapersFor(certs, 'old'),
  }
  await authority.revokeClient('lost')
  const ports: Ports = { secure: await freePort(), mutual: await freePort(), web: await freePort() }
  const own = 'cert: certs/server.crt, key: certs/server.key'
  const yaml = `listeners:
  secure: { port: ${ports.secure}, tls: { ${own} } }
  mutual: { port: ${ports.mutual}, tls: { ${own}, client_ca: certs/ca.crt, crl: certs/ca.crl, user_from: common-name } }
  web: { port: ${ports.web}, websocket: { origins: ['https://panel.example.org'] } }
`
  const files = { 'config/users': usersText(['ann']), 'config/acl': acl }
  const daemon = await startDaemon(context, { folder, yaml, files })
  return { daemon, ports, certs, papers }
}

test('who comes without the right certificate, or the wrong way, comes to nothing', async (context) => {
  const { daemon, ports, certs, papers } = await house(context)
  const mutual = (from: Papers, address = ownAddress()): Promise<Attacker> =>
    attacker(context, daemon.port, { address, open: tlsFrom(ports.mutual, from) })
  const watch = await attacker(context, daemon.port)
  await watch.mqtt.subscribeAsync('#', { qos: 1 })
  let marks = 0
  const rightfulHeard = async (): Promise<void> => {
    const kitchen = await mutual(papers.kitchen)
    await kitchen.mqtt.publishAsync('home/door', `mark${++marks}`, { qos: 1 })
    await until('what the kitchen says', () => watch.heard.includes(`home/door mark${marks}`))
    assert.deepEqual(
      watch.heard.filter((line) => line.endsWith('evil')),
      [],
    )
    await kitchen.mqtt.endAsync()
  }

  const foreign = await tempFolder(context)
  await authorityIn(foreign)
  const stranger = await papersFor(foreign, 'kitchen')
  const { ca } = papers.kitchen
  const wrong: [string, Papers, RegExp][] = [
    ['an expired certificate', papers.old, /has expired/],
    ['a revoked certificate', papers.lost, /is revoked/],
    ['a certificate of another authority', { ...stranger, ca }, /not one of the authority of this listener/],
    ['no certificate where one is required', await papersIn(certs), /has no certificate/],
  ]
  for (const [what, shown, reason] of wrong)
    await context.test(`a client with ${what} is not let in`, async () => {
      const address = ownAddress()
      await assert.rejects(mutual(shown, address), /ECONNRESET|closed before CONNACK|alert|ended/)
      const line = await theLine(daemon, 'client refused', address, reason)
      assert.deepEqual([line['listener'], typeof line['remedy']], ['mutual', 'string'])
      await rightfulHeard()
    })

  await context.test(
    'a certificate of a user whom the list does not know lets in, and may do nothing',
    async () => {
      const ghost = await mutual(papers.ghost)
      await ghost.mqtt.publishAsync('home/door', 'evil', { qos: 1 })
      await rightfulHeard()
      const line = await theLine(daemon, 'publish refused', ghost.address, /^config\/acl does not allow it$/)
      assert.equal(line['topic'], 'home/door')
    },
  )

  for (const version of ['-tls1', '-tls1_1'])
    await context.test(`a client that speaks no more than ${version.slice(1)} gets an alert`, async () => {
      const address = ownAddress()
      const before = await sClient(ports.secure, address, [version, '-cipher', 'DEFAULT@SECLEVEL=0'])
      assert.match(before, /alert protocol version|unsupported protocol/)
      assert.match(before, /no peer certificate available/)
      const line = await theLine(daemon, 'client refused', address, /no version of TLS that is allowed/)
      assert.equal(line['listener'], 'secure')
      assert.match(await sClient(ports.secure, ownAddress(), ['-tls1_2']), /Protocol\s*: TLSv1\.2/)
      await rightfulHeard()
    })

  await context.test('plain MQTT on the TLS port is ended without an answer in MQTT', async () => {
    const raw = new RawAttacker(context, ports.secure).send(connectBytes())
    assert.notEqual((await raw.closed())[0], 0x20)
    await theLine(daemon, 'client refused', raw.address, /does not speak TLS/)
    const open = tlsFrom(ports.secure, { ca })
    await attacker(context, daemon.port, { ...as('ann'), open })
  })

  const hello = Buffer.from([0x16, 3, 1, 0, 4, 1, 0, 0, 0])
  const strangers: [string, Uint8Array | string, RegExp][] = [
    ['TLS', hello, /speaks TLS/],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', /speaks HTTP/],
    ['something else', 'EHLO there\r\n', /does not speak MQTT/],
  ]
  for (const [what, bytes, reason] of strangers)
    await context.test(`${what} on the port of plain MQTT is ended without an answer`, async () => {
      const raw = new RawAttacker(context, daemon.port).send(bytes)
      assert.equal((await raw.closed()).length, 0)
      await theLine(daemon, 'client refused', raw.address, reason)
      await rightfulHeard()
    })
})

test('a WebSocket from a page of somebody else, on another path, without MQTT or with text comes to nothing', async (context) => {
  const { daemon, ports } = await house(context)
  const url = `ws://127.0.0.1:${ports.web}`
  const rightful = async (origin?: string): Promise<void> => {
    const socket = openSocket(context, `${url}/mqtt`, ownAddress(), origin === undefined ? {} : { origin })
    await once(socket, 'open')
    socket.send(connectBytes())
    const [answer] = (await once(socket, 'message')) as [Buffer]
    assert.deepEqual([...answer], [0x20, 2, 0, 0])
  }

  for (const [who, path, protocols, origin, status, reason] of [
    ['a page of another origin', '/mqtt', ['mqtt'], 'https://evil.example', 403, /https:\/\/evil\.example/],
    [
      'a page of a name that looks alike',
      '/mqtt',
      ['mqtt'],
      'https://panel.example.org.evil.example',
      403,
      /origin/,
    ],
    ['a client that asks for another path', '/', ['mqtt'], undefined, 404, /asks for the path/],
    ['a client without a subprotocol', '/mqtt', [], undefined, 400, /subprotocol/],
    ['a client with another subprotocol', '/mqtt', ['chat'], undefined, 400, /subprotocol/],
  ] as const)
    await context.test(`${who} is answered ${status}`, async () => {
      const address = ownAddress()
      const options = origin === undefined ? {} : { origin }
      const socket = openSocket(context, url + path, address, options, protocols)
      const [request, response] = await once(socket, 'unexpected-response')
      assert.equal(response.statusCode, status)
      request.destroy()
      const line = await theLine(daemon, 'client refused', address, reason)
      assert.equal(line['listener'], 'web')
      await rightful()
      await rightful('https://panel.example.org')
    })

  await context.test('a WebSocket with text frames is closed', async () => {
    const address = ownAddress()
    const socket = openSocket(context, `${url}/mqtt`, address)
    await once(socket, 'open')
    socket.send(connectBytes().toString('latin1'))
    const [code] = await once(socket, 'close')
    assert.equal(code, 1003)
    await theLine(daemon, 'client refused', address, /text frames/)
    await rightful()
  })
})

function openSocket(
  context: TestContext,
  url: string,
  localAddress: string,
  options: ClientOptions = {},
  protocols: readonly string[] = ['mqtt'],
): WebSocket {
  const socket = new WebSocket(url, [...protocols], { ...options, localAddress })
  socket.on('error', () => {})
  context.after(() => socket.terminate())
  return socket
}

/** What `openssl s_client` says of a handshake. */
async function sClient(port: number, address: string, argv: readonly string[]): Promise<string> {
  return await new Promise((resolve) => {
    const whole = ['s_client', '-connect', `127.0.0.1:${port}`, '-bind', `${address}:0`, ...argv]
    const child = execFile('openssl', whole, { timeout: 10_000 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    )
    child.stdin?.end()
  })
}
