import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { switchOver } from '#src/cli/import-switch.js'
import { Secret } from '#src/core/secret.js'
import { readMosquittoConf } from '#src/moving/mosquitto-conf.js'
import { translate } from '#src/moving/translate.js'
import { freePort } from '../support/daemon.js'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.js'
import { noServiceWorld, type ServiceWorld, startServiceWorld } from '../support/service-world.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const skip = noServiceWorld || missing('mosquitto', 'mosquitto_passwd', 'mosquitto_sub', 'openssl', 'paho')
const retainedCount = 1_000

/** A house as mosquitto serves it: names, rights, TLS, WebSocket, a bridge, retained messages. */
interface House {
  readonly world: ServiceWorld
  readonly ports: { readonly plain: number; readonly tls: number; readonly web: number }
  readonly ca: string
  readonly remote: Mosquitto
}

const acl = `# what everybody may read
topic read open/#
user house
topic readwrite #
topic read $SYS/#
user esp1
topic read config/#
pattern write sensors/%u/#
pattern read sensors/%u/set
`

async function makeHouse(context: TestContext): Promise<House> {
  const folder = await tempFolder(context)
  const file = (name: string): string => readFileSync(join(folder, name), 'utf8')
  execFileSync('mosquitto_passwd', ['-b', '-c', join(folder, 'pw'), 'house', 'secret of the house'])
  execFileSync('mosquitto_passwd', ['-b', join(folder, 'pw'), 'esp1', 'secret of esp1'])
  makeCertificates(folder)
  const remote = await startMosquitto(context)
  const ports = { plain: await freePort(), tls: await freePort(), web: await freePort() }
  const world = await startServiceWorld(
    context,
    `user root
set_tcp_nodelay true
sys_interval 1
password_file pw
acl_file acl
listener ${ports.plain}
listener ${ports.tls} 127.0.0.1
certfile server.crt
keyfile server.key
listener ${ports.web} 127.0.0.1
protocol websockets
include_dir conf.d
`,
    {
      pw: file('pw'),
      acl,
      'server.crt': file('server.crt'),
      'server.key': file('server.key'),
      'conf.d/bridge.conf': `connection other
address 127.0.0.1:${remote.port}
topic up/# out 1
topic down/# in 1
local_username house
local_password secret of the house
restart_timeout 1
`,
    },
  )
  return { world, ports, ca: join(folder, 'ca.crt'), remote }
}

function makeCertificates(folder: string): void {
  const openssl = (...argv: readonly string[]): unknown =>
    execFileSync('openssl', argv, { cwd: folder, stdio: 'ignore' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=house', '-days', '30')
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost')
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'server.crt',
    '-days',
    '30',
  )
}

const asHouse = { username: 'house', password: 'secret of the house' }
const asEsp = { username: 'esp1', password: 'secret of esp1' }

async function client(context: TestContext, url: string, options: IClientOptions): Promise<MqttClient> {
  const it = await mqtt.connectAsync(url, { reconnectPeriod: 0, ...options })
  context.after(() => it.end(true))
  return it
}

/** What the clients of the house do, whoever serves them. */
async function clientsGoOn(context: TestContext, house: House): Promise<void> {
  await mosquittoSub(house)
  await paho(house)
  await mqttJs(context, house)
  await espressif(house)
  await overTheBridge(context, house)
}

async function mosquittoSub({ ports, ca }: House): Promise<void> {
  const sub = async (...argv: readonly string[]): Promise<string> =>
    (await promisify(execFile)('mosquitto_sub', ['-h', '127.0.0.1', '-W', '5', ...argv])).stdout
  const user = ['-u', 'house', '-P', 'secret of the house']
  assert.equal(await sub('-p', `${ports.plain}`, ...user, '-t', 'home/7', '-C', '1'), 'value 7\n')
  const tls = ['-p', `${ports.tls}`, '--cafile', ca, '--insecure']
  assert.equal(await sub(...tls, ...user, '-t', 'home/8', '-C', '1'), 'value 8\n')
  await assert.rejects(
    sub('-p', `${ports.plain}`, '-u', 'house', '-P', 'wrong', '-t', 'home/7', '-C', '1'),
    /not authori[sz]ed|bad user/i,
  )
  await assert.rejects(sub('-p', `${ports.plain}`, '-t', 'open/1', '-C', '1'), /not authori[sz]ed/i)
}

async function paho({ ports }: House): Promise<void> {
  const program = `
import paho.mqtt.client as mqtt, sys
try: c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, 'paho')
except AttributeError: c = mqtt.Client('paho')
c.username_pw_set('house', 'secret of the house')
def on_connect(c, u, f, rc): print('rc', rc); c.subscribe('home/9', 1)
def on_message(c, u, m): print(m.topic, m.payload.decode(), m.retain); c.disconnect()
c.on_connect = on_connect; c.on_message = on_message
c.connect('127.0.0.1', ${ports.plain}); c.loop_forever()
`
  const { stdout } = await promisify(execFile)('/usr/bin/python3', ['-c', program], { timeout: 10_000 })
  assert.equal(stdout, 'rc 0\nhome/9 value 9 1\n')
}

/** Rights: what a pattern gives to a name is its alone. */
async function mqttJs(context: TestContext, { ports }: House): Promise<void> {
  const house = await client(context, `ws://127.0.0.1:${ports.web}`, asHouse)
  const got: string[] = []
  house.on('message', (topic) => got.push(topic))
  await house.subscribeAsync('sensors/#', { qos: 1 })
  const esp = await client(context, `mqtts://127.0.0.1:${ports.tls}`, { ...asEsp, rejectUnauthorized: false })
  await esp.publishAsync('sensors/other/t', '1', { qos: 1 })
  await esp.publishAsync('sensors/esp1/t', '2', { qos: 1 })
  await until('the message of esp1', () => got.includes('sensors/esp1/t'))
  assert.deepEqual(got, ['sensors/esp1/t'])
  await Promise.all([house.endAsync(), esp.endAsync()])
}

/** The very bytes of a microcontroller's library, MQTT 3.1.1 and nothing more. */
async function espressif({ ports }: House): Promise<void> {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)])
  const packet = (type: number, ...parts: readonly Buffer[]): Buffer => {
    const body = Buffer.concat(parts)
    return Buffer.concat([Buffer.from([type, body.length]), body])
  }
  const socket = connect(ports.plain, '127.0.0.1')
  let bytes = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk])
  })
  await once(socket, 'connect')
  const flags = Buffer.from([4, 0xc2, 0, 15])
  socket.write(
    packet(0x10, text('MQTT'), flags, text('ESP8266Client-1a2b'), text('esp1'), text('secret of esp1')),
  )
  await until('CONNACK', () => bytes.length >= 4)
  assert.deepEqual([...bytes.subarray(0, 4)], [0x20, 2, 0, 0])
  bytes = Buffer.alloc(0)
  socket.write(packet(0x82, Buffer.from([0, 1]), text('config/esp1'), Buffer.from([0])))
  const expected = Buffer.concat([
    Buffer.from([0x90, 3, 0, 1, 0]),
    packet(0x31, text('config/esp1'), Buffer.from('interval=30')),
  ])
  await until('SUBACK and the retained message', () => bytes.length >= expected.length)
  assert.deepEqual(bytes, expected)
  socket.write(Buffer.from([0xe0, 0]))
  socket.end()
  await once(socket, 'close')
}

async function overTheBridge(context: TestContext, { ports, remote }: House): Promise<void> {
  const here = await client(context, `mqtt://127.0.0.1:${ports.plain}`, asHouse)
  const there = await client(context, `mqtt://127.0.0.1:${remote.port}`, {})
  const got: string[] = []
  for (const side of [here, there]) side.on('message', (topic) => got.push(topic))
  await here.subscribeAsync('down/#')
  await there.subscribeAsync('up/#')
  const mark = `${performance.now()}`
  for (let round = 0; round < 100 && got.length < 2; round++) {
    if (!got.includes(`up/${mark}`)) await here.publishAsync(`up/${mark}`, '1', { qos: 1 })
    if (!got.includes(`down/${mark}`)) await there.publishAsync(`down/${mark}`, '1', { qos: 1 })
    await sleep(100)
  }
  assert.deepEqual(new Set(got), new Set([`up/${mark}`, `down/${mark}`]))
  await Promise.all([here.endAsync(), there.endAsync()])
}

test('a house moves in: the same clients go on, with the same names, rights, certificates, bridge and retained messages', {
  skip,
}, async (context) => {
  const house = await makeHouse(context)
  const { world, ports } = house
  const owner = await client(context, `mqtt://127.0.0.1:${ports.plain}`, asHouse)
  for (let index = 0; index < retainedCount; index++) {
    const done = owner.publishAsync(`home/${index}`, `value ${index}`, {
      retain: true,
      qos: (index % 3) as 0 | 1 | 2,
    })
    if (index % 10 === 9) await done
  }
  await owner.publishAsync('config/esp1', 'interval=30', { retain: true, qos: 1 })
  await clientsGoOn(context, house)

  // somebody goes on publishing, until the very moment when mosquitto stops
  let last = 0
  const end = new Promise<boolean>((resolve) => owner.once('close', () => resolve(false)))
  const publishing = (async () => {
    while (owner.connected) {
      const isDone = await Promise.race([
        owner.publishAsync('home/clock', String(last + 1), { retain: true, qos: 1 }).then(() => true),
        end,
      ])
      if (isDone) last++
    }
  })()
  const file = join(world.root, 'etc/mosquitto/mosquitto.conf')
  await switchOver({
    root: world.root,
    uid: world.uid,
    print: world.print,
    run: world.run,
    node: world.node,
    packageDir: world.packageDir,
    workingDir: await tempFolder(context),
    file,
    move: translate(await readMosquittoConf(file), 'pi'),
    credentials: { username: 'house', password: new Secret('secret of the house') },
  })
  await publishing

  assert.deepEqual(await world.unit('mosquitto'), { runs: false, enablement: 'disable' })
  assert.deepEqual(await world.unit('damselfly'), { runs: true, enablement: 'enable' })
  await clientsGoOn(context, house)
  const reader = await client(context, `mqtt://127.0.0.1:${ports.plain}`, asHouse)
  const kept = new Map<string, string>()
  reader.on('message', (topic, payload, { retain }) => {
    if (retain) kept.set(topic, String(payload))
  })
  await reader.subscribeAsync(['home/#', 'config/#'])
  await until('the retained messages', () => kept.size >= retainedCount + 2)
  for (let index = 0; index < retainedCount; index++)
    assert.equal(kept.get(`home/${index}`), `value ${index}`)
  assert.ok(last > 0)
  assert.ok(
    Number(kept.get('home/clock')) >= last,
    `${kept.get('home/clock')} is kept, ${last} was acknowledged`,
  )
})
