import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { connect as connectTcp, type Socket } from 'node:net'
import { afterEach, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import type { IClientOptions } from 'mqtt'
import { limits, setLimits } from '#src/core/limits.js'
import type { Listener, ListenerTls } from '#src/core/listener.js'
import {
  type BrokerWorld,
  brokerWorld,
  connectPacket,
  listenerAt,
  plainWay,
  portOf,
  untilClosed,
} from '../support/broker.js'
import { Authority, type Identity, tlsOf } from '../support/certificates.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'
import { connectBytes, packet, prefixed, u16 } from '../support/wire-client.js'

const run = promisify(execFile)

afterEach(() => setLimits({}))

const skip = missing('openssl')

interface TlsWorld extends BrokerWorld {
  readonly ca: Authority
  readonly server: Identity
  readonly securePort: number
  /** A client over TLS, which trusts the authority. */
  secure(options?: IClientOptions): ReturnType<BrokerWorld['connect']>
  /** The same listeners, with other terms of TLS. */
  reload(tls: ListenerTls): Promise<void>
}

async function tlsWorld(
  context: TestContext,
  terms: (ca: Authority) => Promise<Partial<ListenerTls>> = async () => ({}),
  more: Partial<Listener> = {},
): Promise<TlsWorld> {
  const ca = await Authority.make(context)
  const server = await ca.server()
  const way = (tls: ListenerTls, port = 0) => ({
    listener: listenerAt(port, { name: 'secure', tls, ...more }),
    addresses: ['127.0.0.1'],
  })
  const first = way(tlsOf(server, await terms(ca)))
  const listeners = new Map([['secure', first.listener]])
  const access = { allowAnonymous: 'local', credentials: undefined, listeners } as const
  const world = await brokerWorld(context, { access, ways: [first] })
  const securePort = portOf(world.broker, 'secure')
  const caText = await ca.cert
  return {
    ...world,
    ca,
    server,
    securePort,
    secure: (options = {}) =>
      world.connect({ protocol: 'mqtts', host: '127.0.0.1', port: securePort, ca: caText, ...options }),
    async reload(tls) {
      const failures = await world.broker.listen([plainWay(['127.0.0.1'], world.port), way(tls, securePort)])
      assert.deepEqual(failures, [])
    },
  }
}

function reasons({ log }: BrokerWorld): string[] {
  return log.having('client refused').map(({ fields }) => String(fields['reason']))
}

/** A bare TLS connection. */
async function tlsSocket(
  context: TestContext,
  port: number,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  context.after(() => socket.destroy())
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.once('secureConnect', resolve))
  return socket
}

test('MQTT.js talks over TLS, both ways with messages of 2 MB', { skip }, async (context) => {
  const world = await tlsWorld(context)
  const client = await world.secure()
  const big = Buffer.alloc(2 * 1024 * 1024 - 100, 'x')
  const heard = new Promise<Buffer>((resolve) => client.once('message', (_, payload) => resolve(payload)))
  await client.subscribeAsync('big', { qos: 1 })
  await client.publishAsync('big', big, { qos: 1 })
  assert.ok((await heard).equals(big))
  assert.equal(world.counters.get('outputBytesMax'), 0)
})

test('mosquitto_pub talks over TLS, and with a certificate of its own', {
  skip: missing('openssl', 'mosquitto_pub'),
}, async (context) => {
  const world = await tlsWorld(context, async (ca) => ({
    clientAuthorities: await ca.cert,
    userFrom: 'common-name',
  }))
  const heard: string[] = []
  world.broker.hub.subscribe('#', ({ payload }) => heard.push(`${payload}`))
  const { certPath, keyPath } = await world.ca.issue('lamp')
  const base = ['-h', 'localhost', '-p', String(world.securePort), '--cafile', world.ca.certPath, '-t', 't']
  await run('mosquitto_pub', [...base, '-q', '1', '--cert', certPath, '--key', keyPath, '-m', 'with'])
  assert.deepEqual(heard, ['with'])
  await assert.rejects(run('mosquitto_pub', [...base, '-q', '1', '-m', 'without']))
  assert.deepEqual(heard, ['with'])
  assert.deepEqual(reasons(world), ['it has no certificate, and this listener wants one'])
})

test('certificates that have expired, are revoked, of another authority or not for clients are refused and told of', {
  skip,
}, async (context) => {
  let revoked: Identity | undefined
  const world = await tlsWorld(context, async (ca) => {
    revoked = await ca.issue('thief')
    return { clientAuthorities: await ca.cert, revocations: await ca.revoke([revoked]) }
  })
  const other = await Authority.make(context, 'Another authority')
  const fine = await world.ca.issue('fine')
  const attempts: [Identity, RegExp][] = [
    [await world.ca.issue('old', { days: -1 }), /^its certificate has expired$/],
    [revoked as Identity, /^its certificate is revoked$/],
    [await other.issue('stranger'), /not one of the authority of this listener/],
    [await world.ca.issue('server', { isServer: true }), /^its certificate is not one for clients$/],
  ]
  for (const [{ cert, key }, reason] of attempts) {
    await assert.rejects(world.secure({ cert, key }))
    await until(`${reason}`, () => reason.test(reasons(world).at(-1) ?? ''))
  }
  assert.equal(world.counters.get('clients.refused'), attempts.length)
  assert.equal((await world.secure({ cert: fine.cert, key: fine.key })).connected, true)
})

test('where a certificate is optional one may come without, but not with a bad one', {
  skip,
}, async (context) => {
  const world = await tlsWorld(context, async (ca) => ({
    clientAuthorities: await ca.cert,
    clientCertificates: 'optional',
  }))
  assert.equal((await world.secure()).connected, true)
  const old = await world.ca.issue('old', { days: -1 })
  await assert.rejects(world.secure({ cert: old.cert, key: old.key }))
  await until('it is told', () => reasons(world)[0] === 'its certificate has expired')
})

test('TLS 1.1 is refused, and 1.2 where 1.3 is asked for', { skip }, async (context) => {
  const world = await tlsWorld(context)
  const old = (version: string) =>
    run('openssl', [
      's_client',
      '-connect',
      `127.0.0.1:${world.securePort}`,
      version,
      '-cipher',
      'DEFAULT:@SECLEVEL=0',
      '-brief',
    ]).catch((error) => error)
  assert.notEqual((await old('-tls1_1')).code, undefined)
  await until('it is told', () => reasons(world).length === 1)
  assert.equal(reasons(world)[0], 'it knows no version of TLS that is allowed here')
  await tlsSocket(context, world.securePort, { maxVersion: 'TLSv1.2' })

  await world.reload(tlsOf(world.server, { minVersion: 'TLSv1.3' }))
  const refused = connectTls({
    host: '127.0.0.1',
    port: world.securePort,
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.2',
  })
  refused.on('error', () => {})
  await untilClosed(refused)
  assert.equal((await world.secure()).connected, true)
})

test('who speaks plain MQTT or HTTP to a TLS port is told of; and TLS to a plain port with the port that has it', {
  skip,
}, async (context) => {
  const world = await tlsWorld(context)
  for (const said of [connectPacket('plain'), Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
    const socket = connectTcp(world.securePort, '127.0.0.1')
    const closed = untilClosed(socket)
    socket.write(said)
    await closed
  }
  assert.deepEqual(reasons(world), [
    'it does not speak TLS, and there is only TLS here',
    'it speaks HTTP without TLS, and there is only TLS here',
  ])
  const socket = connectTls({ host: '127.0.0.1', port: world.port, rejectUnauthorized: false })
  socket.on('error', () => {})
  await untilClosed(socket)
  const { fields } = world.log.having('client refused').at(-1) ?? {}
  assert.equal(fields?.['reason'], 'it speaks TLS, and there is no TLS here')
  assert.equal(fields?.['remedy'], `let the client use port ${world.securePort}, which has TLS`)
})

test('a client that does not trust the listener is told of', {
  skip: missing('openssl', 'mosquitto_pub'),
}, async (context) => {
  const world = await tlsWorld(context)
  const other = await Authority.make(context, 'Another authority')
  const from = ['-h', 'localhost', '-p', String(world.securePort), '--cafile', other.certPath]
  // its alert is lost when it closes while something waits to be read by it
  await until('it is told', async () => {
    await assert.rejects(run('mosquitto_pub', [...from, '-t', 't', '-m', 'x']))
    return /does not trust the certificate of this listener/.test(reasons(world)[0] ?? '')
  })
})

test('another certificate is for those who come from then on, and nobody is dropped', {
  skip,
}, async (context) => {
  const world = await tlsWorld(context)
  const client = await world.secure()
  let drops = 0
  client.on('close', () => drops++)
  const shown = async () => {
    const socket = await tlsSocket(context, world.securePort)
    const { serialNumber } = socket.getPeerCertificate()
    socket.destroy()
    return serialNumber
  }
  const before = await shown()
  for (let round = 0; round < 5; round++) await world.reload(tlsOf(await world.ca.server()))
  assert.notEqual(await shown(), before)
  await client.publishAsync('still', 'here', { qos: 1 })
  assert.equal(drops, 0)
})

test('a client whose certificate is revoked, or whose authority is not trusted any more, is dropped at the reload, and no other', {
  skip,
}, async (context) => {
  const world = await tlsWorld(context, async (ca) => ({
    clientAuthorities: await ca.cert,
    revocations: await ca.revoke(),
  }))
  const other = await Authority.make(context, 'Another authority')
  const both = { clientAuthorities: (await world.ca.cert) + (await other.cert) }
  const lists = async (revoked: readonly Identity[] = []) => ({
    revocations: (await world.ca.revoke(revoked)) + (await other.revoke()),
  })
  await world.reload(tlsOf(world.server, { ...both, ...(await lists()) }))
  const identities = [
    await world.ca.issue('stays'),
    await world.ca.issue('goes'),
    await other.issue('foreign'),
  ]
  const gone: string[] = []
  for (const [index, { cert, key }] of identities.entries()) {
    const client = await world.secure({ cert, key, clientId: `c${index}`, protocolVersion: 5 })
    client.on('close', () => gone.push(`c${index}`))
  }
  await world.reload(tlsOf(world.server, { ...both, ...(await lists([identities[1] as Identity])) }))
  await until('the revoked one is gone', () => gone.length > 0)
  assert.deepEqual(gone, ['c1'])
  const [line] = world.log.having('client disconnected')
  assert.equal(line?.fields['reason'], 'its certificate is revoked')

  const only = { clientAuthorities: await world.ca.cert, revocations: await world.ca.revoke() }
  await world.reload(tlsOf(world.server, only))
  await until('the foreign one is gone', () => gone.length > 1)
  assert.deepEqual(gone, ['c1', 'c2'])
  await assert.rejects(
    world.secure({ cert: identities[2]?.cert as string, key: identities[2]?.key as string }),
  )
})

test('the farewell of MQTT 5 arrives over TLS: at a takeover, a mistake, and the end of the broker', {
  skip,
}, async (context) => {
  const world = await tlsWorld(context)
  const hear = async (clientId: string) => {
    const socket = await tlsSocket(context, world.securePort)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    const closed = new Promise<Buffer>((resolve) =>
      socket.once('close', () => resolve(Buffer.concat(chunks))),
    )
    socket.write(connectBytes({ level: 5, clientId }))
    await until('it is let in', () => chunks.length > 0)
    return { socket, closed }
  }
  const reasonOf = (bytes: Buffer) => {
    const at = bytes.lastIndexOf(0xe0)
    return bytes[at + 2]
  }
  const first = await hear('same')
  // something is on its way when it is taken over
  const second = await hear('same')
  assert.equal(reasonOf(await first.closed), 0x8e)
  second.socket.write(Buffer.from([0x30, 0]))
  assert.equal(reasonOf(await second.closed), 0x81)
  const third = await hear('third')
  await world.broker.close()
  assert.equal(reasonOf(await third.closed), 0x8b)
})

test('over TLS a client that does not read is let go at the bound, and one that reads hears all of a burst', {
  skip,
}, async (context) => {
  setLimits({ outputBytesMax: 512 * 1024 })
  const world = await tlsWorld(context)
  const { broker, counters } = world
  const subscribe = packet(0x82, u16(1), prefixed('burst'), 0)
  const slow = await tlsSocket(context, world.securePort)
  slow.write(Buffer.concat([connectBytes({ clientId: 'slow' }), subscribe]))
  await new Promise((resolve) => slow.once('data', resolve))
  slow.pause()
  const fast = await world.secure({ clientId: 'fast' })
  await fast.subscribeAsync('burst')
  let heard = 0
  fast.on('message', () => heard++)
  // each burst alone is more than may wait for long
  let sent = 0
  const payload = Buffer.alloc(7_000)
  for (let burst = 0; burst < 100 && counters.get('outputBytesMax') === 0; burst++) {
    for (let index = 0; index < 100; index++, sent++) void broker.hub.publish({ topic: 'burst', payload })
    await until('the reader has heard it', () => heard === sent)
  }
  assert.equal(counters.get('outputBytesMax'), 1)
  assert.match(String(world.log.having('client disconnected')[0]?.fields['reason']), /reads too slowly/)
  assert.equal(world.log.having('client disconnected')[0]?.fields['client'], 'slow')
  assert.equal(fast.connected, true)
})

test('who stops in the middle of the handshake, or after it, is left in time, and counts among those who have not been answered', {
  skip,
}, async (context) => {
  setLimits({ connectTimeoutMs: 700, unansweredConnectionsMax: 3 })
  const world = await tlsWorld(context)
  const half = async (): Promise<Socket> => {
    const socket = connectTcp(world.securePort, '127.0.0.1')
    context.after(() => socket.destroy())
    socket.on('error', () => {})
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
    socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0])) // the beginning of a ClientHello
    return socket
  }
  const stopped = [await half(), await half()]
  const mute = await tlsSocket(context, world.securePort)
  await Promise.all([...stopped, mute].map((socket) => untilClosed(socket)))
  assert.equal(world.counters.get('connectTimeoutMs'), 3)
  assert.equal(world.counters.get('unansweredConnectionsMax'), 0)

  setLimits({ connectTimeoutMs: 10_000, unansweredConnectionsMax: 3 })
  const oldest = await half()
  for (let index = 0; index < limits.unansweredConnectionsMax; index++) await half()
  await untilClosed(oldest)
  assert.equal(world.counters.get('unansweredConnectionsMax'), 1)
  assert.equal((await world.secure()).connected, true)
})

/** Begins a ClientHello of 130,816 bytes: `length` bytes of records. */
async function longHello(context: TestContext, port: number, length: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1')
  context.after(() => socket.destroy())
  socket.on('error', () => {})
  const hello = Buffer.concat([Buffer.from([1, 1, 0xff, 0, 3, 3]), Buffer.alloc(7 * 16_384 - 6)])
  const records = [0, 1, 2, 3, 4, 5, 6].map((index) =>
    Buffer.concat([Buffer.from([0x16, 3, 1, 0x40, 0]), hello.subarray(index * 16_384, (index + 1) * 16_384)]),
  )
  socket.write(Buffer.concat(records).subarray(0, length))
  return socket
}

test('a handshake may have as many bytes as handshakeBytesMax, and one with more is ended', {
  skip,
}, async (context) => {
  const world = await tlsWorld(context)
  const within = await longHello(context, world.securePort, limits.handshakeBytesMax)
  await untilClosed(await longHello(context, world.securePort, limits.handshakeBytesMax + 1))
  assert.equal(world.counters.get('handshakeBytesMax'), 1)
  const [line] = world.log.having('client refused')
  assert.equal(line?.fields['bound'], 'handshakeBytesMax')
  await sleep(150)
  assert.equal(within.closed, false)
  assert.equal(world.counters.get('handshakeBytesMax'), 1)
  assert.equal((await world.secure()).connected, true)
})

test('what comes in handshakes counts among what has not been answered: beyond it, the longest is ended', {
  skip,
}, async (context) => {
  setLimits({ unansweredBytesMax: 60_000 })
  const world = await tlsWorld(context)
  const long = await longHello(context, world.securePort, 31_000)
  const short = await longHello(context, world.securePort, 20_000)
  await sleep(150)
  assert.equal(world.counters.get('unansweredBytesMax'), 0)
  const next = await longHello(context, world.securePort, 20_000)
  await untilClosed(long)
  assert.equal(world.counters.get('unansweredBytesMax'), 1)
  assert.deepEqual([short.closed, next.closed], [false, false])
  next.resetAndDestroy()
  short.resetAndDestroy()
  await sleep(150)
  await longHello(context, world.securePort, 31_000) // what they held is free again
  await longHello(context, world.securePort, 20_000)
  await sleep(150)
  assert.equal(world.counters.get('unansweredBytesMax'), 1)
})

test('a client of TLS 1.2 cannot begin another handshake when one is done', { skip }, async (context) => {
  const world = await tlsWorld(context)
  const socket = await tlsSocket(context, world.securePort, { maxVersion: 'TLSv1.2' })
  const error = new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve))
  socket.renegotiate({}, () => {})
  assert.equal((await error).code, 'ERR_SSL_NO_RENEGOTIATION')
})

test('as many clients as a listener takes come in by it, and the next is turned away while others may come elsewhere', {
  skip,
}, async (context) => {
  const world = await tlsWorld(context, async () => ({}), { connectionsMax: 2 })
  await world.secure()
  const second = await world.secure()
  await assert.rejects(world.secure())
  assert.equal(world.counters.get('listeners.full'), 1)
  assert.match(reasons(world)[0] ?? '', /^2 clients are connected to this listener already$/)
  assert.equal((await world.connect()).connected, true)
  await second.endAsync()
  await until('there is room', async () => (await world.secure().catch(() => undefined))?.connected === true)
})

test('the name in a certificate is the user, where there is exactly one', { skip }, async (context) => {
  for (const [userFrom, subject, names, user] of [
    ['common-name', '/O=house/CN=lamp', undefined, 'lamp'],
    ['common-name', '/O=house', undefined, undefined],
    ['common-name', '/CN=one/CN=two', undefined, undefined],
    ['subject-alternative-name', '/CN=x', 'IP:10.0.0.1,DNS:lamp.house', 'lamp.house'],
    ['subject-alternative-name', '/CN=x', 'email:lamp@house.example', 'lamp@house.example'],
    ['subject-alternative-name', '/CN=x', undefined, undefined],
    ['nothing', '/CN=x', undefined, undefined],
  ] as const) {
    const world = await tlsWorld(context, async (ca) => ({ clientAuthorities: await ca.cert, userFrom }))
    const identity = await world.ca.issue(subject, names === undefined ? {} : { names })
    await world.secure({ cert: identity.cert, key: identity.key, clientId: 'c' })
    assert.equal(world.broker.view.client('c')?.user, user, `${userFrom} ${subject} ${names}`)
  }
})
