import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TelemetryField } from '#src/core/telemetry.js'
import { HomeAssistant } from '#src/homeassistant/home-assistant.js'
import { settingsOf } from '../support/config-world.js'
import { MemoryHub } from '../support/gpio-hub.js'
import { MemoryLog } from '../support/memory-log.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'

const topic = 'homeassistant/device/damselfly_shed/config'
const lamp = 'pins: { lamp: { gpio: 17, out: true } }'
const both = 'pins: { lamp: { gpio: 17, out: true }, fan: { gpio: 18, out: true } }'

async function houseOf(yaml: string) {
  return (await settingsOf({ yaml, env: 'NAME=shed' })).settings
}

async function world(t: TestContext, yaml: string, hub = new MemoryHub(), modelFile = '/nonexistent') {
  const log = new MemoryLog()
  const it = new HomeAssistant({ hub, name: 'shed', version: '1.2.3', log, waitMs: 5, modelFile })
  t.after(() => it.close())
  await it.start(await houseOf(yaml))
  return {
    it,
    hub,
    log,
    reload: async (next: string) => await it.apply(await houseOf(next)),
    birth: () => hub.publish({ topic: 'homeassistant/status', payload: 'online', client: 'ha' }),
    /** Each message on the topic: its components, or `cleared`. */
    told: (at = topic) =>
      hub.published
        .filter((message) => message.topic === at && message.retain === true)
        .map(({ payload }) => (payload === '' ? 'cleared' : JSON.parse(String(payload)).cmps)),
    keys: () => Object.keys(JSON.parse(hub.states[topic] ?? '{"cmps":{}}').cmps),
  }
}

test('auto tells nothing until Home Assistant has shown itself, and goes on from then on', async (t) => {
  const first = await world(t, lamp)
  assert.deepEqual(first.told(), [])
  await first.reload(both)
  assert.deepEqual(first.told(), [])
  await first.birth()
  await until('it is told', () => first.told().length === 1)
  assert.deepEqual(first.keys(), ['switch_pin_lamp', 'switch_pin_fan'])
  first.it.close()
  const second = await world(t, lamp, first.hub) // the broker remembers
  assert.deepEqual(second.told().length, 2)
  assert.deepEqual(second.told()[1].switch_pin_fan, { p: 'switch' })
})

test('a birth message that is retained counts at the start; another word does not', async (t) => {
  const hub = new MemoryHub()
  await hub.publish({ topic: 'homeassistant/status', payload: 'offline', retain: true })
  assert.deepEqual((await world(t, lamp, hub)).told(), [])
  await hub.publish({ topic: 'homeassistant/status', payload: 'online', retain: true })
  assert.equal((await world(t, lamp, hub)).told().length, 1)
})

test('each birth is answered, and a flood of them once', async (t) => {
  const { birth, told, hub } = await world(t, `${lamp}\nhomeassistant: true`)
  assert.equal(told().length, 1)
  await birth()
  await until('told again', () => told().length === 2)
  for (let count = 0; count < 50; count++) await birth()
  await until('told once more', () => told().length > 2)
  await hub.publish({ topic: 'homeassistant/status', payload: 'offline', client: 'ha' })
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.equal(told().length, 3)
})

test('a pin that is removed is taken away, once; nothing is said when nothing is different', async (t) => {
  const { reload, told, log } = await world(t, `${both}\nhomeassistant: true`)
  await reload(`${both}\nhomeassistant: true # again`)
  assert.equal(told().length, 1)
  await reload(`${lamp}\nhomeassistant: true`)
  assert.deepEqual(told()[1].switch_pin_fan, { p: 'switch' })
  await reload(`${lamp}\nhomeassistant: { area: Garage }`)
  assert.equal('switch_pin_fan' in told()[2], false)
  assert.equal(log.having('Home Assistant is told what there is').length, 3)
})

test('a pin that becomes a light is another component', async (t) => {
  const { reload, told } = await world(t, `${lamp}\nhomeassistant: true`)
  await reload(`${lamp}\nhomeassistant: { pins: { lamp: { as: light } } }`)
  assert.deepEqual(told()[1].switch_pin_lamp, { p: 'switch' })
  assert.equal(told()[1].light_pin_lamp.unique_id, 'damselfly_shed_pin_lamp')
})

test('switched off, what was told is taken back, also what an earlier process has told', async (t) => {
  const first = await world(t, `${lamp}\nhomeassistant: true`)
  await first.reload(`${lamp}\nhomeassistant: false`)
  assert.equal(first.told().at(-1), 'cleared')
  await first.birth()
  await first.reload(`${lamp}\nhomeassistant: true`)
  first.it.close()
  const second = await world(t, `${lamp}\nhomeassistant: false`, first.hub)
  assert.equal(second.told().at(-1), 'cleared')
  assert.equal(topic in second.hub.states, false)
})

test('with no pin left there is no device', async (t) => {
  const { reload, told } = await world(t, `${lamp}\nhomeassistant: true`)
  await reload('homeassistant: true')
  assert.equal(told().at(-1), 'cleared')
})

test('another prefix moves the message', async (t) => {
  const { reload, told, hub } = await world(t, `${lamp}\nhomeassistant: true`)
  await reload(`${lamp}\nhomeassistant: { prefix: ha }`)
  assert.equal(told().at(-1), 'cleared')
  assert.equal(told('ha/device/damselfly_shed/config').length, 1)
  await hub.publish({ topic: 'ha/status', payload: 'online', client: 'ha' })
  await until('told there', () => told('ha/device/damselfly_shed/config').length === 2)
})

test('telemetry is told as far as the machine has it, and what was told before stays while it is wanted', async (t) => {
  const yaml = `${lamp}\nhomeassistant: true\ntelemetry: true`
  const first = await world(t, yaml)
  const fields: TelemetryField[] = ['load', 'wifi']
  first.it.setTelemetry(fields)
  await until('both are told', () => first.keys().length === 3)
  first.it.close()
  const second = await world(t, yaml, first.hub) // has not read anything yet
  assert.deepEqual(second.keys(), ['switch_pin_lamp', 'sensor_telemetry_load', 'sensor_telemetry_wifi'])
  await second.reload(`${lamp}\nhomeassistant: true\ntelemetry: { only: load }`)
  assert.deepEqual(second.told().at(-1).sensor_telemetry_wifi, { p: 'sensor' })
})

test('somebody else’s message on our topic is no memory of ours', async (t) => {
  const hub = new MemoryHub()
  await hub.publish({ topic, payload: '{"o":{"name":"x"},"cmps":{"a":{"p":"switch","b":1}}}', retain: true })
  const { told } = await world(t, lamp, hub)
  assert.equal(told().length, 1)
})

test('a broker that refuses is told once in the log, and tried again at the next occasion', async (t) => {
  const hub = new MemoryHub()
  hub.failure = new Error('full')
  const { log, birth, told, reload } = await world(t, `${lamp}\nhomeassistant: true`, hub)
  await reload(`${both}\nhomeassistant: true`)
  assert.equal(log.having('Home Assistant not told').length, 1)
  hub.failure = undefined
  await birth()
  await until('told', () => told().length === 3 && topic in hub.states)
})

test('the device is what the machine says that it is', async (t) => {
  const modelFile = join(await tempFolder(t), 'model')
  await writeFile(modelFile, 'Raspberry Pi 4 Model B Rev 1.4\0')
  const { hub } = await world(t, `${lamp}\nhomeassistant: true`, new MemoryHub(), modelFile)
  assert.equal(JSON.parse(hub.states[topic] ?? '').dev.mdl, 'Raspberry Pi 4 Model B Rev 1.4')
})
