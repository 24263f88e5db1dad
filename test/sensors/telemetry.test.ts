import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type TelemetryReading, type TelemetrySettings, telemetryKinds } from '#src/core/telemetry.js'
import { Telemetry, type TelemetryOptions } from '#src/sensors/telemetry.js'
import { MemoryHub } from '../support/gpio-hub.js'
import { MemoryLog } from '../support/memory-log.js'
import { addFiles } from '../support/sensors-sysfs.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'

const topic = 'damselfly/shed/telemetry'
const everything: TelemetrySettings = { everyMs: 20, kinds: telemetryKinds }

async function world(
  t: TestContext,
  settings: TelemetrySettings | undefined,
  options: Partial<TelemetryOptions> = {},
  hub = new MemoryHub(),
) {
  const top = await tempFolder(t)
  await addFiles(top, { 'proc/loadavg': '0.5 0.5 0.5\n', 'proc/uptime': '60.5 1\n' })
  const log = new MemoryLog()
  const fields: string[] = []
  const it = new Telemetry({
    hub,
    name: 'shed',
    log,
    places: {
      sysDir: join(top, 'sys'),
      procDir: join(top, 'proc'),
      disk: '/nonexistent',
      vcgencmd: '/nonexistent',
    },
    ask: async () => ({}),
    onFields: (all) => fields.push(all.join(' ')),
    ...options,
  })
  t.after(() => it.close())
  await it.start(settings)
  return {
    it,
    top,
    hub,
    log,
    fields,
    told: (at = topic) =>
      hub.published.filter((message) => message.topic === at).map(({ payload }) => payload),
  }
}

test('what the machine tells goes out again and again as one object, retained', async (t) => {
  const { hub, told, fields } = await world(t, everything)
  await until('three readings', () => told().length >= 3)
  assert.equal(hub.states[topic], '{"load":0.5,"uptime":60}')
  assert.deepEqual(fields, ['load uptime'])
})

test('what is not wanted is not told; `publish` gets each reading, which is not retained', async (t) => {
  const { hub, told } = await world(t, { everyMs: 20, kinds: ['load'], publish: 'home/pi' })
  await until('two readings', () => told('home/pi').length >= 2)
  assert.equal(told('home/pi')[0], '{"load":0.5}')
  assert.equal('home/pi' in hub.states, false)
})

test('systeminformation is asked only for what no file tells, once a minute, and no more when it never knows', async (t) => {
  const asked: string[] = []
  const ask = async (what: readonly string[]): Promise<TelemetryReading> => {
    asked.push(what.join(' '))
    return { temperature: 51 }
  }
  const { hub, told } = await world(t, everything, { ask })
  await until('three readings', () => told().length >= 3)
  assert.deepEqual(asked, ['temperature'])
  assert.equal(hub.states[topic], '{"temperature":51,"load":0.5,"uptime":60}')
  const without = await world(t, { everyMs: 20, kinds: ['load'] }, { ask })
  await until('a reading', () => without.told().length >= 1)
  assert.equal(asked.length, 1)
})

test('a value that comes later is told of when it comes', async (t) => {
  const { top, fields, told } = await world(t, { everyMs: 20, kinds: ['load', 'memory'] })
  await until('a reading', () => told().length >= 1)
  await addFiles(top, { 'proc/meminfo': 'MemTotal: 100 kB\nMemAvailable: 50 kB\n' })
  await until('memory as well', () => fields.at(-1) === 'load memory')
  await rm(join(top, 'proc/meminfo'))
  await until('without again', () => told().at(-1) === '{"load":0.5}')
  assert.equal(fields.length, 2)
})

test('a reading is not begun while one goes on', async (t) => {
  let running = 0
  let most = 0
  const ask = async (): Promise<TelemetryReading> => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 100))
    running--
    return {}
  }
  const { told } = await world(t, { everyMs: 1, kinds: ['temperature'] }, { ask })
  await until('two readings', () => told().length >= 2)
  assert.equal(most, 1)
})

test('the topic is cleared at the end, when it is no more wanted, and when an earlier process left something', async (t) => {
  const { it, hub, told, fields } = await world(t, everything)
  await until('a reading', () => told().length >= 1)
  await it.apply(undefined)
  assert.equal(topic in hub.states, false)
  assert.equal(fields.at(-1), '')
  await it.apply(everything)
  await until('again', () => topic in hub.states)
  await it.close()
  assert.equal(topic in hub.states, false)
  await hub.publish({ topic, payload: '{"load":9}', retain: true })
  await world(t, undefined, {}, hub)
  assert.equal(topic in hub.states, false)
})

test('the same settings go on, others begin anew', async (t) => {
  const { it, told, fields } = await world(t, { everyMs: 60_000, kinds: ['load', 'uptime'] })
  await until('a reading', () => told().length === 1)
  await it.apply({ everyMs: 60_000, kinds: ['load', 'uptime'] })
  await it.apply({ everyMs: 60_000, kinds: ['load'] })
  await until('another one', () => told().length === 2)
  assert.equal(told()[1], '{"load":0.5}')
  assert.equal(fields.at(-1), 'load')
})

test('a broker that refuses is one line in the log', async (t) => {
  const hub = new MemoryHub()
  hub.failure = new Error('full')
  const { log, told } = await world(t, everything, {}, hub)
  await until('three tries', () => told().length >= 3)
  assert.equal(log.having('telemetry not published').length, 1)
})

test('this machine tells at least its load, its memory, its disk and how long it runs', async (t) => {
  const { hub } = await world(t, { everyMs: 60_000, kinds: telemetryKinds }, { places: {} })
  await until('a reading', () => topic in hub.states)
  const reading = JSON.parse(hub.states[topic] ?? '') as Record<string, number>
  for (const [field, most] of Object.entries({ load: 10_000, memory: 100, disk: 100, uptime: 1e10 })) {
    const value = reading[field] ?? Number.NaN
    assert.ok(value >= 0 && value <= most, `${field} is ${value}`)
  }
})
