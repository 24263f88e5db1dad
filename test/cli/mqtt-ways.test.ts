import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { readArguments } from '#src/cli/mqtt-arguments.js'
import { pub } from '#src/cli/pub.js'
import { freePort } from '../support/daemon.js'
import { startMosquitto } from '../support/mosquitto.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'

const skip = missing('mosquitto', 'mosquitto_sub', 'openssl')

/** `pub` without a process of its own. */
async function send(...argv: string[]): Promise<void> {
  await pub(await readArguments('pub', argv))
}

/** A broker that can be reached in many ways, each by its own certificate or key. */
interface World {
  readonly port: { readonly [way in 'plain' | 'tls' | 'mutual' | 'psk' | 'web' | 'webTls']: number }
  readonly folder: string
  file(name: string): string
  readonly ca: readonly string[]
}

async function worldOf(context: TestContext): Promise<World> {
  const folder = await tempFolder(context)
  const file = (name: string): string => join(folder, name)
  const [tls, mutual, psk, web, webTls] = (await Promise.all(Array.from({ length: 5 }, freePort))) as [
    number,
    number,
    number,
    number,
    number,
  ]
  certificates(folder)
  await writeFile(file('psk'), 'pi:0badc0de\n')
  const server = `certfile ${file('server.crt')}\nkeyfile ${file('server.key')}`
  const config = `allow_anonymous true
listener ${tls} 127.0.0.1
${server}
listener ${mutual} 127.0.0.1
${server}
cafile ${file('ca.crt')}
require_certificate true
listener ${psk} 127.0.0.1
psk_file ${file('psk')}
psk_hint x
listener ${web} 127.0.0.1
protocol websockets
listener ${webTls} 127.0.0.1
protocol websockets
${server}
listener 0 ${file('mosquitto.sock')}`
  const { port: plain } = await startMosquitto(context, { config })
  return { port: { plain, tls, mutual, psk, web, webTls }, folder, file, ca: ['--cafile', file('ca.crt')] }
}

const ways: readonly [name: string, argv: (world: World) => string[]][] = [
  ['TLS with a named authority', ({ port, ca }) => ['-h', 'localhost', '-p', `${port.tls}`, ...ca]],
  [
    'TLS with a folder of authorities',
    ({ port, folder }) => ['-h', 'localhost', '-p', `${port.tls}`, '--capath', folder],
  ],
  [
    'TLS by an address that the certificate is not for',
    ({ port, ca }) => ['-h', '127.0.0.1', '-p', `${port.tls}`, ...ca, '--insecure'],
  ],
  [
    'one version of TLS, one cipher',
    ({ port, ca }) => [
      '-h',
      'localhost',
      '-p',
      `${port.tls}`,
      ...ca,
      '--tls-version',
      'tlsv1.2',
      '--ciphers',
      'ECDHE-RSA-AES128-GCM-SHA256',
    ],
  ],
  [
    'a client certificate',
    ({ port, file, ca }) => [
      '-h',
      'localhost',
      '-p',
      `${port.mutual}`,
      ...ca,
      '--cert',
      file('client.crt'),
      '--key',
      file('client.key'),
      '--keyform',
      'pem',
    ],
  ],
  [
    'a shared key',
    ({ port }) => ['-h', 'localhost', '-p', `${port.psk}`, '--psk', '0badc0de', '--psk-identity', 'pi'],
  ],
  ['a websocket', ({ port }) => ['-h', `ws://127.0.0.1:${port.web}/mqtt`]],
  ['a secure websocket', ({ port, ca }) => ['-h', `wss://localhost:${port.webTls}`, ...ca]],
  ['a Unix socket', ({ file }) => ['--unix', file('mosquitto.sock')]],
  [
    'an address of this machine',
    ({ port, ca }) => [
      '-h',
      'localhost',
      '-p',
      `${port.tls}`,
      ...ca,
      '-A',
      '127.0.0.1',
      '--nodelay',
      '--tls-alpn',
      'mqtt',
    ],
  ],
]
const refusals: readonly [name: string, argv: (world: World) => string[], told: RegExp][] = [
  [
    'an authority that nobody named',
    ({ port }) => ['-h', 'localhost', '-p', `${port.tls}`, '--tls-use-os-certs'],
    /certificate|self.signed|issuer/i,
  ],
  [
    'a certificate for another host',
    ({ port, ca }) => ['-h', '127.0.0.1', '-p', `${port.tls}`, ...ca],
    /altnames|certificate/i,
  ],
  ['no client certificate', ({ port, ca }) => ['-h', 'localhost', '-p', `${port.mutual}`, ...ca], /./],
  [
    'another shared key',
    ({ port }) => ['-h', 'localhost', '-p', `${port.psk}`, '--psk', '0badc0d0', '--psk-identity', 'pi'],
    /./,
  ],
  [
    'a version that the broker does not speak',
    ({ port, ca }) => ['-h', 'localhost', '-p', `${port.tls}`, ...ca, '--tls-version', 'tlsv1.1'],
    /./,
  ],
  ['a socket that there is not', ({ file }) => ['--unix', file('none.sock')], /./],
]

test('each way to a broker', { concurrency: true, skip }, async (context) => {
  const world = await worldOf(context)
  const allowed = ways.map(([name, argv]) =>
    context.test(`${name}: a message gets there`, async () => {
      const topic = name.replaceAll(' ', '-')
      await send(...argv(world), '-t', topic, '-m', 'there', '-r', '-q', '1')
      const read = ['-h', '127.0.0.1', '-p', `${world.port.plain}`, '-t', topic, '-C', '1', '-W', '5']
      const { stdout } = await promisify(execFile)('mosquitto_sub', read)
      assert.equal(stdout, 'there\n')
    }),
  )
  const refused = refusals.map(([name, argv, told]) =>
    context.test(`${name}: no message goes, and it is told`, async () => {
      const sent = send(...argv(world), '-t', 'a', '-m', 'x', '-q', '1')
      await assert.rejects(sent, { code: 'BROKER_UNREACHABLE', message: told })
    }),
  )
  await Promise.all([...allowed, ...refused])
})

test('no password is sent to a machine that answers, but is not what TLS asks for', {
  skip,
}, async (context) => {
  const seen: Buffer[] = []
  const server = createServer((socket) => {
    socket.on('data', (chunk) => seen.push(chunk)).on('error', () => {})
    setTimeout(() => socket.destroy(), 200)
  }).listen(0, '127.0.0.1')
  context.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const login = ['-u', 'house', '-P', 'se-cret']
  for (const more of [['--tls-use-os-certs'], ['--psk', '00', '--psk-identity', 'x']])
    await assert.rejects(send('-h', '127.0.0.1', '-p', `${port}`, ...login, '-t', 'a', '-n', ...more))
  assert.ok(seen.length > 0)
  assert.doesNotMatch(Buffer.concat(seen).toString('latin1'), /se-cret|house/)
})

function certificates(folder: string): void {
  const openssl = (...argv: string[]) => execFileSync('openssl', argv, { cwd: folder, stdio: 'ignore' })
  const key = ['-newkey', 'rsa:2048', '-nodes']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=house')
  execFileSync('sh', ['-c', 'printf subjectAltName=DNS:localhost > server.ext'], { cwd: folder })
  for (const name of ['server', 'client']) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const more = name === 'server' ? ['-extfile', 'server.ext'] : []
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-out',
      `${name}.crt`,
      ...more,
    )
  }
}
