import assert from 'node:assert/strict'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { Authority, type Identity } from '../support/certificates.js'
import { freePort, runCommand, startDaemon, type TestDaemon } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const skip = missing('openssl')

interface Place {
  readonly daemon: TestDaemon
  readonly ca: Authority
  readonly port: number
  readonly webPort: number
  /** Puts a certificate and its key into the folder of the daemon. */
  put(identity: Identity): Promise<void>
}

async function place(context: TestContext, more = ''): Promise<Place> {
  const ca = await Authority.make(context)
  const folder = await tempFolder(context)
  const certs = join(folder, 'config/certs')
  await mkdir(certs, { recursive: true })
  const put = async ({ certPath, keyPath }: Identity): Promise<void> => {
    await copyFile(certPath, join(certs, 'server.crt'))
    await copyFile(keyPath, join(certs, 'server.key'))
  }
  await put(await ca.server())
  await copyFile(ca.certPath, join(certs, 'ca.crt'))
  const [port, webPort] = [await freePort(), await freePort()]
  const yaml = `
listeners:
  secure: { port: ${port}, tls: { cert: certs/server.crt, key: certs/server.key${more} } }
  web: { port: ${webPort}, websocket: true, tls: { cert: certs/server.crt, key: certs/server.key } }
  near: { unix: ${join(folder, 'mqtt.sock')} }
`
  const daemon = await startDaemon(context, { folder, yaml })
  return { daemon, ca, port, webPort, put }
}

test('the start and the status show every way in', { skip }, async (context) => {
  const { daemon, port, webPort } = await place(context)
  const others = [
    `127.0.0.1:${port} (TLS)`,
    `wss://127.0.0.1:${webPort}/mqtt`,
    `unix:${join(daemon.folder, 'mqtt.sock')}`,
  ]
  const shown = daemon.having('ready')[0]?.['others'] as string[]
  for (const one of others) assert.ok(shown.includes(one), `${shown}`)
  const { stdout } = await runCommand(daemon.folder, ['status'])
  const { listeners, addresses } = JSON.parse((await runCommand(daemon.folder, ['status', '--json'])).stdout)
  for (const one of [`127.0.0.1:${daemon.port}`, ...others]) assert.ok(stdout.includes(one), stdout)
  assert.deepEqual(
    listeners.map(({ name, transport }: { name: string; transport: string }) => `${name} ${transport}`),
    ['main mqtt', 'secure mqtts', 'web wss', 'near unix'],
  )
  assert.ok(addresses.includes('127.0.0.1'))
})

test('a certificate that is replaced on the disk is shown to those who come next; a bad one keeps the one before, and nobody is dropped', {
  skip,
}, async (context) => {
  const { daemon, ca, port, webPort, put } = await place(context)
  const authority = await ca.cert
  const client = await daemon.connect({ protocol: 'mqtts', port, ca: authority })
  const web = await daemon.connect({ protocol: 'wss', port: webPort, path: '/mqtt', ca: authority })
  let drops = 0
  for (const one of [client, web]) one.on('close', () => drops++)
  const serial = () =>
    new Promise<string>((resolve) => {
      const socket = connectTls({ host: '127.0.0.1', port, ca: authority }, () => {
        resolve(socket.getPeerCertificate().serialNumber)
        socket.destroy()
      })
    })
  const before = await serial()
  await put(await ca.server())
  await until('the new one is shown', async () => (await serial()) !== before)
  const after = await serial()

  await daemon.write('config/certs/server.crt', 'nothing')
  await daemon.logged('not reloaded: the last good configuration stays')
  assert.equal(await serial(), after)
  for (const one of [client, web]) await one.publishAsync('still', 'here', { qos: 1 })
  assert.equal(drops, 0)
})

test('a listener that is added by a reload is opened, its files are watched from then on, and one that is taken away is closed', {
  skip,
}, async (context) => {
  const ca = await Authority.make(context)
  const daemon = await startDaemon(context)
  await mkdir(join(daemon.folder, 'config/certs'), { recursive: true })
  const { cert, key } = await ca.server()
  await daemon.write('config/certs/server.crt', cert)
  await daemon.write('config/certs/server.key', key)
  const port = await freePort()
  await daemon.write(
    'damselfly.yaml',
    `listeners: { secure: { port: ${port}, tls: { cert: certs/server.crt, key: certs/server.key } } }`,
  )
  await daemon.logged('configuration reloaded')
  const client = await daemon.connect({ protocol: 'mqtts', port, ca: await ca.cert })
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  await daemon.write('config/certs/server.key', 'nothing')
  await daemon.logged('not reloaded: the last good configuration stays')
  await daemon.write('damselfly.yaml', '')
  await daemon.logged('configuration reloaded', 2)
  await closed
  await assert.rejects(daemon.connect({ protocol: 'mqtts', port, ca: await ca.cert }))
})
