import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { MqttClient } from 'mqtt'
import { startDaemon } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'

/** What a client sees under a filter: each message as `TOPIC PAYLOAD`, and the last payload of each topic. */
async function watch(client: MqttClient, filter: string) {
  const all: string[] = []
  const last = new Map<string, string>()
  client.on('message', (topic, payload) => {
    all.push(`${topic} ${payload}`)
    last.set(topic, `${payload}`)
  })
  await client.subscribeAsync(filter)
  return { all, last }
}

test('a button tells short, long and double presses to rules and clients', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: `
pins:
  lamp: { gpio: 17, out: true }
  bell: { gpio: 27, in: true, press: { short: home/bell, long: home/bell/long, double: home/bell/double, long_after: 1s, double_within: 500ms } }
rules:
  - { on: damselfly/test/pins/bell/press, when: payload == "double", do: { gpio: lamp, set: on } }
`,
  })
  const client = await daemon.connect()
  const { all, last } = await watch(client, '#')
  const wire = (state: string) => client.publishAsync('damselfly/test/pins/bell/set', state, { qos: 1 })
  await wire('on')
  await wire('off')
  await until('short', () => all.includes('home/bell short'))
  await wire('on')
  await until('long', () => all.includes('home/bell/long long'))
  await wire('off')
  for (const state of ['on', 'off', 'on', 'off']) await wire(state)
  await until('the lamp', () => last.get('damselfly/test/pins/lamp') === 'on')
  const presses = () =>
    all.filter((line) => line.startsWith('damselfly/test/pins/bell/press')).map((line) => line.split(' ')[1])
  await until('all three', () => presses().length === 3)
  assert.deepEqual(presses(), ['short', 'long', 'double'])
})

const meter = `
pins:
  water: { gpio: 22, in: true, pull: up, active: low, count: { per_pulse: 0.5, rate_per: m, every: 100ms, publish: home/water } }
`

test('a meter is counted, aligned, and goes on after a stop; after kill -9 it begins where it was kept', async (context) => {
  const folder = await tempFolder(context)
  const first = await startDaemon(context, { yaml: meter, folder })
  const client = await first.connect()
  const { all, last } = await watch(client, '#')
  const state = () => last.get('damselfly/test/pins/water')
  const command = (payload: string, to = client) =>
    to.publishAsync('damselfly/test/pins/water/set', payload, { qos: 1 })
  await until('the first state', () => state() === '0')
  for (let pulse = 0; pulse < 5; pulse++) {
    await command('on')
    await command('off')
  }
  await until('five pulses', () => state() === '2.5')
  await until('as JSON', () =>
    all.some((line) => /^home\/water \{"total":2\.5,"rate":[\d.]+,"pulses":5\}$/.test(line)),
  )
  await command('1234.5')
  await until('aligned', () => state() === '1234.5')
  await client.publishAsync('damselfly/test/pins/water', 'on', { retain: true })
  await until('the truth again', () => state() === '1234.5')
  await command('on')
  assert.equal(await first.stop(), 0)

  const second = await startDaemon(context, { yaml: meter, folder })
  const later = await second.connect()
  const seen = await watch(later, 'damselfly/#')
  await until('it goes on', () => seen.last.get('damselfly/test/pins/water') === '1235')
  await command('2000', later)
  await until('aligned, and kept at once', () => seen.last.get('damselfly/test/pins/water') === '2000')
  await until('kept', async () =>
    (await readFile(join(folder, 'data/counters.json'), 'utf8')).includes('2000'),
  )
  await command('on', later) // within the minute that a crash may cost
  await second.stop('SIGKILL')

  const third = await startDaemon(context, { yaml: meter, folder })
  const last3 = (await watch(await third.connect(), 'damselfly/#')).last
  await until('what was kept', () => last3.get('damselfly/test/pins/water') === '2000')
})

test('sensors are read, tell failures, follow a reload, and leave no stale value', async (context) => {
  const folder = await tempFolder(context)
  const file = join(folder, 'sys/humidity')
  await mkdir(join(folder, 'sys'))
  await writeFile(file, '40123\n')
  const yaml = (more = '') => `
sensors:
  hum: { read: ${file}, scale: 0.001, decimals: 1, every: 1s, publish: home/humidity }
${more}
rules:
  - { on: home/humidity, when: payload > 60, do: { publish: home/fan, text: on } }
`
  const daemon = await startDaemon(context, { folder, yaml: yaml(`  gone: { read: ${file}x, every: 1s }`) })
  const client = await daemon.connect()
  const { all, last } = await watch(client, '#')
  await until('the first value', () => last.get('damselfly/test/sensors/hum') === '40.1')
  const line = await daemon.logged('sensor not read')
  assert.match(`${line['sensor']} ${line['reason']}`, /^gone cannot read .*humidityx: it is not there$/)
  await client.publishAsync('damselfly/test/sensors/hum', '99', { retain: true })
  await until('the truth again', () => last.get('damselfly/test/sensors/hum') === '40.1')
  await writeFile(file, '61000\n')
  await until('a rule', () => last.get('home/fan') === 'on')

  await daemon.write('damselfly.yaml', yaml(`  gone: { read: ${file}, every: 1s }`))
  await daemon.reload()
  await until('a sensor that was mended', () => last.get('damselfly/test/sensors/gone') === '61000')
  await writeFile(file, 'nothing to see\n')
  await until(
    'cleared',
    () => last.get('damselfly/test/sensors/hum') === '' && last.get('damselfly/test/sensors/gone') === '',
  )
  assert.ok(!all.includes('home/humidity '))
  await writeFile(file, '50000\n')
  await daemon.logged('sensor is read again', 2)
  await daemon.stop()
  await writeFile(file, '1\n')

  const again = await startDaemon(context, { folder, yaml: '' })
  const states = await watch(await again.connect(), 'damselfly/#')
  await until('online', () => states.last.get('damselfly/test/status') === 'online')
  assert.ok(!states.last.has('damselfly/test/sensors/hum'))
})
