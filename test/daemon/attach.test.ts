import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { heardBy, plainClient } from '../support/attached.js'
import { cableTo } from '../support/cable.js'
import {
  freePort,
  runCommand,
  startDaemon,
  startUntil,
  type TestDaemon,
  writeFiles,
} from '../support/daemon.js'
import { startMosquitto } from '../support/mosquitto.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const connected = 'connected to the broker'
const lost = 'connection to the broker lost, trying again'
const yaml = `
pins:
  lamp: { gpio: 17, out: true }
  button: { gpio: 27, in: true, publish: shed/button }
rules:
  - { name: pressed, on: house/button, do: { gpio: lamp, set: toggle } }
`

const attach = (context: TestContext, port: number, text: string, more: object = {}): Promise<TestDaemon> =>
  startDaemon(context, { name: 'shed', attachedTo: `mqtt://127.0.0.1:${port}`, yaml: text, ...more })

test('without its broker it starts, runs by the clock and says so once; with it, all is told there', async (t) => {
  const port = await freePort()
  const daemon = await attach(
    t,
    port,
    `${yaml}  - { name: tick, every: 100ms, do: [{ gpio: lamp, set: on }, { publish: tick, text: x }] }`,
  )
  const ready = daemon.having('ready')[0]
  assert.equal(ready?.['broker'], `mqtt://127.0.0.1:${port} (not connected: nothing listens there)`)
  assert.equal(ready?.['addresses'], undefined)
  await daemon.logged('pin switched')
  const far = await startDaemon(t, { port, name: 'far' })
  await daemon.logged(connected)
  assert.equal(daemon.having('broker not reached yet, trying again').length, 1)
  const heard = await heardBy(await far.connect(), '#')
  await until('all is told', () => heard.includes('tick x') && heard.length > 5)
  for (const state of ['status online', 'pins/lamp on', 'pins/button off'])
    assert.ok(heard.includes(`damselfly/shed/${state} *`), `${state} is not among ${heard}`)
})

test('a broker that is killed: said once, what was pressed meanwhile arrives, and it is subscribed again', async (t) => {
  const first = await startDaemon(t, { name: 'far' })
  const daemon = await attach(t, first.port, yaml)
  const cable = await startDaemon(t, {
    name: 'house',
    attachedTo: `mqtt://127.0.0.1:${first.port}`,
    yaml: `
pins: { out: { gpio: 18, out: true } }
rules:
  - { name: press, every: 200ms, do: { publish: house/pulse, text: x } }
  - { name: heard, on: shed/button, do: [{ log: "button \${payload}" }] }
`,
  })
  const button = async (state: string, port: number) => {
    const client = await plainClient(t, port)
    await client.publishAsync('damselfly/shed/pins/button/set', state, { qos: 1 })
    await client.endAsync()
  }
  await button('on', first.port)
  await cable.logged('button on')
  first.kill('SIGKILL')
  await Promise.all([daemon.logged(lost), cable.logged(lost)])
  const second = await startDaemon(t, { name: 'far', folder: first.folder, port: first.port })
  await Promise.all([daemon.logged(connected, 2), cable.logged(connected, 2)])
  await button('off', second.port)
  await cable.logged('button off')
  for (const one of [daemon, cable]) {
    assert.equal(one.having(lost).length, 1)
    assert.equal(one.having(connected).length, 2)
  }
  const client = await plainClient(t, second.port)
  await client.publishAsync('house/button', 'x', { qos: 1 })
  await daemon.logged('pin switched')
})

test('commands that came while the process was not there, retained or not, move nothing when it is back', async (t) => {
  const far = await startDaemon(t, { name: 'far' })
  const first = await attach(t, far.port, yaml)
  first.kill('SIGKILL')
  const client = await far.connect()
  const heard = await heardBy(client, 'damselfly/shed/#')
  await until('it is offline', () => heard.some((text) => text.startsWith('damselfly/shed/status offline')))
  await client.publishAsync('damselfly/shed/pins/lamp/set', 'on', { qos: 1 })
  await client.publishAsync('damselfly/shed/pins/lamp/set', 'on', { qos: 1, retain: true })
  await client.publishAsync('house/button', '{broken', { qos: 1, retain: true })
  const second = await attach(t, far.port, yaml, { folder: first.folder })
  await second.logged(connected)
  await until('it is online', () => heard.includes('damselfly/shed/status online'))
  await sleep(300)
  assert.deepEqual(second.having('pin switched'), [])
  await client.publishAsync('damselfly/shed/pins/lamp/set', 'on', { qos: 1 })
  assert.equal((await second.logged('pin switched'))['by'], 'a message')
})

test('states that are ours are left alone, those that others claim are corrected, once each', async (t) => {
  const far = await startDaemon(t, { name: 'far' })
  const daemon = await attach(t, far.port, yaml)
  const client = await far.connect()
  const heard = await heardBy(client, 'damselfly/shed/#')
  await until('the states are there', () => heard.length >= 3)
  heard.length = 0
  const say = (topic: string, payload: string) =>
    client.publishAsync(`damselfly/shed/${topic}`, payload, { qos: 1, retain: true })
  await say('status', 'offline')
  await say('pins/lamp', 'on')
  await say('pins/ghost', 'on')
  await client.publishAsync('damselfly/shed/pins/lamp/set', 'on', { qos: 1 })
  await daemon.logged('pin switched')
  await until('all is corrected', () => heard.length >= 8)
  await sleep(200)
  assert.deepEqual(heard.sort(), [
    'damselfly/shed/pins/ghost ',
    'damselfly/shed/pins/ghost on',
    'damselfly/shed/pins/lamp off',
    'damselfly/shed/pins/lamp on',
    'damselfly/shed/pins/lamp on',
    'damselfly/shed/pins/lamp/set on',
    'damselfly/shed/status offline',
    'damselfly/shed/status online',
  ])
})

test('rules that set each other off through the broker are cut as they are at home', async (t) => {
  const far = await startDaemon(t, { name: 'far' })
  const daemon = await attach(
    t,
    far.port,
    `
rules:
  - { name: ping, on: ping, do: { publish: pong, text: "\${payload}" } }
  - { name: pong, on: pong, do: { publish: ping, text: "\${payload}", qos: 1 } }
`,
  )
  const client = await far.connect()
  const heard = await heardBy(client, '+')
  await client.publishAsync('ping', 'x')
  const cut = await daemon.logged('rule loop cut')
  assert.deepEqual(cut['rules'], ['ping', 'pong'])
  await sleep(300)
  assert.equal(heard.length, 9)
})

test('a rule with retained: true gets what is retained at the start, and later only what has changed', async (t) => {
  const far = await startDaemon(t, { name: 'far' })
  const cable = await cableTo(t, far.port)
  const client = await far.connect()
  await client.publishAsync('want/heat', '20', { qos: 1, retain: true })
  await client.publishAsync('want/light', '1', { qos: 1, retain: true })
  const daemon = await attach(
    t,
    cable.port,
    'rules: [{ on: want/+, retained: true, do: { log: "${topic} ${payload}" } }]',
  )
  await daemon.logged('want/heat 20')
  await daemon.logged('want/light 1')
  cable.cut()
  await daemon.logged(lost)
  const thief = await far.connect({ clientId: 'damselfly-shed', clean: true }) // the broker forgets the session
  await thief.endAsync()
  await client.publishAsync('want/heat', '21', { qos: 1, retain: true })
  cable.mend()
  await daemon.logged('want/heat 21')
  await sleep(300)
  assert.equal(daemon.having('want/heat 20').length, 1)
  assert.equal(daemon.having('want/light 1').length, 1)
  assert.equal(daemon.having('want/heat 21').length, 1)
})

test('a broker that has lost everything is told the states of the pins anew', {
  skip: missing('mosquitto'),
}, async (t) => {
  const mosquitto = await startMosquitto(t)
  const daemon = await attach(t, mosquitto.port, yaml)
  const client = await plainClient(t, mosquitto.port)
  await client.publishAsync('damselfly/shed/pins/lamp/set', 'on', { qos: 1 })
  await daemon.logged('pin switched')
  await mosquitto.stop()
  await daemon.logged(lost)
  await mosquitto.start()
  await daemon.logged(connected, 2)
  const heard = await heardBy(await plainClient(t, mosquitto.port), 'damselfly/#')
  for (const state of ['pins/button off', 'pins/lamp on', 'status online'])
    await until(state, () => heard.some((text) => text.startsWith(`damselfly/shed/${state}`)))
})

test('a stop says offline when the broker is there, and takes no time when it is not', async (t) => {
  const far = await startDaemon(t, { name: 'far' })
  const daemon = await attach(t, far.port, yaml)
  const heard = await heardBy(await far.connect(), 'damselfly/shed/status')
  assert.equal(await daemon.stop(), 0)
  await until('offline', () => heard.includes('damselfly/shed/status offline'))
  assert.deepEqual(
    heard.filter((text) => !text.endsWith('*')),
    ['damselfly/shed/status offline'],
  )
  const lonely = await attach(t, await freePort(), yaml)
  const beganMs = performance.now()
  assert.equal(await lonely.stop(), 0)
  assert.ok(performance.now() - beganMs < 5_000)
})

test('one data folder, one process; and a turn to another mode waits for a restart', async (t) => {
  const port = await freePort()
  const daemon = await attach(t, port, '')
  const second = await runCommand(daemon.folder, ['start'])
  assert.equal(second.code, 1)
  assert.match(second.stderr, /another Damselfly uses it/)
  await daemon.write('.env', 'NAME=shed\nGPIO_CHIP=simulated\n')
  await daemon.reload()
  assert.deepEqual(daemon.having('some changes need a restart').at(-1)?.['settings'], ['BROKER_URL'])
})

test('a password that is put right is taken at once, and stands in no log', async (t) => {
  const far = await startDaemon(t, {
    name: 'far',
    env: 'ALLOW_ANONYMOUS=false\nMQTT_USERNAME=house\nMQTT_PASSWORD=key-that-is-right',
  })
  const daemon = await attach(t, far.port, '', { env: 'MQTT_USERNAME=house\nMQTT_PASSWORD=hunter2' })
  const refused = await daemon.logged('broker refuses us: trying again now and then')
  assert.match(String(refused['remedy']), /MQTT_PASSWORD/)
  const env = `BROKER_URL=mqtt://house:key-that-is-right@127.0.0.1:${far.port}\nNAME=shed\nGPIO_CHIP=simulated\n`
  await daemon.write('.env', env)
  await daemon.reload()
  await daemon.logged(connected)
  assert.equal(/hunter2|key-that/.test(JSON.stringify(daemon.log)), false)
})

test('people see where the broker is', async (t) => {
  const folder = await tempFolder(t)
  const env = 'BROKER_URL=mqtt://house:key@127.0.0.1:1\nGPIO_CHIP=simulated\nLOG_FORMAT=pretty\n'
  await writeFiles(folder, { '.env': env, 'damselfly.yaml': '' })
  const stdout = await startUntil(folder, /settings/)
  assert.match(stdout, /^ {2}broker {5}mqtt:\/\/127\.0\.0\.1:1 \(not connected: nothing listens there\)$/m)
  assert.equal(/listening|clients|key/.test(stdout), false)
})

test('systemd hears how it is with the broker, and does not restart a Pi because the broker is away', {
  skip: missing('python3'),
}, async (t) => {
  const socket = join(await tempFolder(t), 'notify')
  const receiver = spawn('python3', ['-uc', receiverProgram, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => receiver.kill())
  let heard = ''
  receiver.stdout.on('data', (chunk) => {
    heard += chunk
  })
  await until('it listens', () => heard.includes('bound'))
  const port = await freePort()
  await attach(t, port, '', { environment: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' } })
  await until('it is well', () => (heard.match(/WATCHDOG=1/g) ?? []).length > 3)
  const url = `broker mqtt://127.0.0.1:${port}`
  assert.ok(heard.includes(`STATUS=0 rules, 0 pins, ${url} (not connected: nothing listens there)`), heard)
  await startDaemon(t, { port, name: 'far' })
  await until('it is connected', () => heard.includes(`${url} (connected)`))
})

const receiverProgram = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound')
while True: print(s.recv(65536).decode())
`
