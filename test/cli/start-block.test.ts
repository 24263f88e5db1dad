import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { freePort, runCommand, startDaemon, writeFiles } from '../support/daemon.js'
import { LiveCommand } from '../support/live-command.js'
import { tempFolder } from '../support/temp-folder.js'

const env = async () => `BIND=loopback\nPORT=${await freePort()}\nLOG_FORMAT=pretty\nGPIO_CHIP=simulated\n`

test('the start block says its name where it is not the host’s, what sensors read, and why pins are simulated', async (context) => {
  const folder = await tempFolder(context)
  const yaml = 'pins: { lamp: { gpio: 17, out: true } }\nsensors: { cpu: { read: cpu, every: 5m } }\n'
  await writeFiles(folder, { '.env': `${await env()}NAME=some-shed\n`, 'damselfly.yaml': yaml })
  const live = new LiveCommand(context, folder, ['start'])
  await live.says(/^ {2}settings/m)
  assert.ok(live.stdout.includes(` on ${hostname()}, as some-shed, is ready\n`), live.stdout)
  assert.match(live.stdout, /^ {2}sensors {4}cpu \(cpu, every 5m\)$/m)
  assert.match(live.stdout, /\(simulated: GPIO_CHIP=simulated, no real line moves\)/)
  assert.equal(await live.end('SIGTERM'), 0)
})

test('without NAME and sensors the start block is as short, and a reload without mistakes prints no empty lines', async (context) => {
  const folder = await tempFolder(context)
  await writeFiles(folder, { '.env': await env(), 'damselfly.yaml': '' })
  const live = new LiveCommand(context, folder, ['start'])
  await live.says(/^ {2}settings/m)
  assert.ok(live.stdout.includes(` on ${hostname()} is ready\n`), live.stdout)
  assert.doesNotMatch(live.stdout, /sensors/)
  await writeFiles(folder, { 'damselfly.yaml': 'rules: []\n' })
  await live.says(/configuration reloaded/)
  assert.equal(live.stderr, '')
  assert.equal(await live.end('SIGTERM'), 0)
})

test('status counts the sensors, and pins calls a servo a servo', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: 'pins: { arm: { gpio: 18, servo: true }, fan: { gpio: 19, pwm: true } }\nsensors: { cpu: { read: cpu } }',
  })
  assert.match((await runCommand(daemon.folder, ['status'])).stdout, /sensors +1\n/)
  const { stdout } = await runCommand(daemon.folder, ['pins'])
  assert.match(stdout, /^arm +GPIO18 +servo /m)
  assert.match(stdout, /^fan +GPIO19 +pwm /m)
})
