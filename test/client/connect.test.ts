import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { createServer } from 'node:tls'
import { parseBrokerAddress } from '#src/client/broker-address.js'
import { connect } from '#src/client/connect.js'
import { DamselflyError } from '#src/core/errors.js'
import { untrusted } from '../support/actions-certificate.js'
import { answering, codeOf, onlyAs, rawServer, stoppableBroker } from '../support/client-kit.js'
import { freePort, root } from '../support/daemon.js'
import { until } from '../support/until.js'

const addresses: [
  url: string,
  host: string,
  port: number,
  isSecure: boolean,
  name?: string,
  word?: string,
][] = [
  ['pi.local', 'pi.local', 1_883, false],
  ['192.168.1.5:1884', '192.168.1.5', 1_884, false],
  ['mqtt://pi', 'pi', 1_883, false],
  ['mqtts://pi/', 'pi', 8_883, true],
  ['mqtt://u:p@pi:7', 'pi', 7, false, 'u', 'p'],
  ['u:p%40%2F%23@pi', 'pi', 1_883, false, 'u', 'p@/#'],
  ['mqtt://[fe80::1]:7', 'fe80::1', 7, false],
  ['::1', '::1', 1_883, false],
]
for (const [url, host, port, isSecure, username, password] of addresses) {
  test(`${url} is understood`, () => {
    const address = parseBrokerAddress(url)
    assert.deepEqual(
      [address.host, address.port, address.isSecure, address.username, address.password?.reveal()],
      [host, port, isSecure, username, password],
    )
  })
}

for (const url of [
  '',
  'http://pi',
  'ws://pi',
  'mqtt://pi/topic',
  'mqtt://pi:0',
  'pi:99999',
  'mqtt://u:p%zz@pi',
  ':p@pi',
]) {
  test(`"${url}" is refused as an address`, async () => {
    assert.equal(await codeOf(() => parseBrokerAddress(url)), 'OPTIONS_INVALID')
  })
}

test('a password that makes the URL unreadable is not shown', () => {
  for (const url of ['mqtt://u:se#cret@pi', 'mqtt://u:se/cret@pi', 'u:12#cret@pi', 'mqtt://u:cret%@pi'])
    assert.throws(
      () => parseBrokerAddress(url),
      (error: Error) => !/cret/.test(error.message) && !/cret/.test(String(error.cause)),
    )
})

test('nobody there is told at once, with address and what to do', async () => {
  const port = await freePort()
  await assert.rejects(connect(`127.0.0.1:${port}`), (error: DamselflyError) => {
    assert.equal(error.code, 'BROKER_UNREACHABLE')
    assert.match(error.message, new RegExp(`127.0.0.1:${port}: nothing listens there; is the broker running`))
    return error instanceof DamselflyError
  })
  await assert.rejects(connect('nobody.invalid'), {
    code: 'BROKER_UNREACHABLE',
    message: /nobody.invalid:1883/,
  })
})

test('one that accepts and never answers is given up within the time limit', async (context) => {
  const { port } = await rawServer(context, () => {})
  await assert.rejects(connect(`127.0.0.1:${port}`, { timeout: '200ms' }), {
    code: 'BROKER_UNREACHABLE',
    message: /does not answer within 200ms/,
  })
})

test('one that does not speak MQTT, or hangs up, is told apart from a broker', async (context) => {
  const web = await rawServer(context, (socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const mute = await rawServer(context, (socket) => void socket.end())
  await assert.rejects(connect(`127.0.0.1:${web.port}`, { timeout: '5s' }), {
    code: 'BROKER_UNREACHABLE',
    message: /does not speak MQTT|without an answer/,
  })
  await assert.rejects(connect(`127.0.0.1:${mute.port}`, { timeout: '5s' }), {
    code: 'BROKER_UNREACHABLE',
    message: /without an answer/,
  })
})

test('a wrong password is refused once and told; the right one gets in, by URL and by options', async (context) => {
  const broker = await stoppableBroker(context, onlyAs('house', 'right'))
  await assert.rejects(connect(`house:wrong@127.0.0.1:${broker.port}`), {
    code: 'CONNECTION_REFUSED',
    message: /wrong user name or password/,
  })
  await assert.rejects(connect(`127.0.0.1:${broker.port}`), {
    code: 'CONNECTION_REFUSED',
    message: /not authorised; give username and password/,
  })
  assert.equal(await codeOf(() => connect(`127.0.0.1:${broker.port}`, { password: 'x' })), 'OPTIONS_INVALID')
  for (const [url, options] of [
    [`house:right@127.0.0.1:${broker.port}`, {}],
    [`house:wrong@127.0.0.1:${broker.port}`, { password: 'right' }],
    [`127.0.0.1:${broker.port}`, { username: 'house', password: 'right' }],
  ] as const) {
    await using client = await connect(url, options)
    await client.send('a', 1)
  }
})

test('each CONNACK code says why', async (context) => {
  for (const [code, expected, message] of [
    [1, 'CONNECTION_REFUSED', /this version of MQTT/],
    [2, 'CONNECTION_REFUSED', /client id/],
    [3, 'BROKER_UNREACHABLE', /not ready yet/],
    [4, 'CONNECTION_REFUSED', /password/],
    [5, 'CONNECTION_REFUSED', /authorised/],
  ] as const) {
    const { port } = await rawServer(context, answering({ 1: () => Buffer.from([0x20, 2, 0, code]) }))
    await assert.rejects(connect(`127.0.0.1:${port}`), { code: expected, message })
  }
})

test('a certificate that nobody vouches for is refused', async (context) => {
  const server = createServer(untrusted, () => {}).listen(0, '127.0.0.1')
  context.after(() => void server.close())
  await until('it listens', () => server.listening)
  const { port } = server.address() as { port: number }
  await assert.rejects(connect(`mqtts://127.0.0.1:${port}`), {
    code: 'BROKER_UNREACHABLE',
    message: /self.signed/,
  })
})

test('options that do not exist are told, with the one that was meant', async () => {
  await assert.rejects(connect('pi', { usrname: 'x' } as never), {
    code: 'OPTIONS_INVALID',
    message: /did you mean username/,
  })
  assert.equal(await codeOf(() => connect({ username: 'x' } as never)), 'OPTIONS_INVALID')
  assert.equal(await codeOf(() => connect('pi', { timeout: 'soon' })), 'DURATION_INVALID')
  assert.equal(await codeOf(() => connect('pi', { clientId: '' })), 'OPTIONS_INVALID')
})

test('the entry of the package loads no MQTT library before connect is called', () => {
  const program = `
    const { createRequire } = await import('node:module')
    const { connect } = await import(${JSON.stringify(join(root, 'dist/index.js'))})
    const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => /node_modules.mqtt.build/.test(file))
    const before = loaded()
    await connect('127.0.0.1:1').catch(() => {})
    console.log(before, loaded())`
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  assert.equal(told, 'false true\n')
})
