import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { MqttClient } from 'mqtt'
import { freePort, startDaemon } from '../support/daemon.js'
import { until } from '../support/until.js'

const topic = 'homeassistant/device/damselfly_shed/config'
const lamp = 'pins: { lamp: { gpio: 17, out: true } }\n'
const both = 'pins: { lamp: { gpio: 17, out: true }, door: { gpio: 27, in: true } }\n'

/** A client that does what Home Assistant does: it collects the components, and what their topics say. */
async function homeAssistant(client: MqttClient) {
  const states: Record<string, string> = {}
  let components: Record<string, Record<string, string>> | undefined
  let messages = 0
  client.on('message', (at, payload) => {
    states[at] = payload.toString()
    if (at !== topic) return
    messages++
    components = payload.length === 0 ? undefined : JSON.parse(payload.toString()).cmps
    for (const { state_topic: state } of Object.values(components ?? {}))
      if (state !== undefined) client.subscribe(state, { qos: 1 })
  })
  await client.subscribeAsync('homeassistant/+/+/config', { qos: 0 })
  return {
    states,
    get components() {
      return components
    },
    get messages() {
      return messages
    },
    birth: () => client.publishAsync('homeassistant/status', 'online'),
  }
}

const sees = async (t: TestContext, client: MqttClient) => {
  const ha = await homeAssistant(client)
  t.after(() => client.end(true))
  return ha
}

test('Home Assistant says that it is there, finds the lamp, and switches it', async (t) => {
  const daemon = await startDaemon(t, { name: 'shed', yaml: lamp })
  const client = await daemon.connect()
  const ha = await sees(t, client)
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(ha.components, undefined)
  await ha.birth()
  await until('the lamp is there', () => ha.components?.['switch_pin_lamp'] !== undefined)
  const found = ha.components?.['switch_pin_lamp']
  const state = found?.['state_topic'] ?? ''
  await until('its state is known', () => ha.states[state] === found?.['payload_off'])
  await client.publishAsync(found?.['command_topic'] ?? '', found?.['payload_on'] ?? '')
  await until('it is on', () => ha.states[state] === found?.['payload_on'])
})

test('a reload brings what is new and takes what is gone; a restart goes on; false takes all back', async (t) => {
  const daemon = await startDaemon(t, { name: 'shed', yaml: `${lamp}homeassistant: true` })
  const ha = await sees(t, await daemon.connect())
  await until('the lamp is there', () => ha.components?.['switch_pin_lamp'] !== undefined)
  await daemon.write('damselfly.yaml', both)
  await daemon.reload()
  await until('the door is there', () => ha.components?.['binary_sensor_pin_door'] !== undefined)
  const { folder, port } = daemon
  await daemon.stop()
  const next = await startDaemon(t, { name: 'shed', folder, port, yaml: lamp }) // auto, and it was told before
  const again = await sees(t, await next.connect())
  await until('the door is taken away', () => again.components !== undefined)
  assert.deepEqual(again.components?.['binary_sensor_pin_door'], { p: 'binary_sensor' })
  await next.write('damselfly.yaml', `${lamp}homeassistant: false`)
  await next.reload()
  await until('nothing is left', () => again.components === undefined)
})

test('at a broker elsewhere it is told there, also when that one comes later', async (t) => {
  const port = await freePort()
  await startDaemon(t, {
    name: 'shed',
    attachedTo: `mqtt://127.0.0.1:${port}`,
    yaml: `${lamp}telemetry: { only: [load, memory] }`,
  })
  const far = await startDaemon(t, { port, name: 'far', yaml: 'homeassistant: false' })
  const client = await far.connect()
  const ha = await sees(t, client)
  await until('the shed is connected', async () => {
    await ha.birth()
    return ha.components?.['switch_pin_lamp'] !== undefined
  })
  await until('the machine is told of', () => ha.components?.['sensor_telemetry_load'] !== undefined)
  await until('and what it says', () => /"load":/.test(ha.states['damselfly/shed/telemetry'] ?? ''))
  await client.publishAsync(ha.components?.['switch_pin_lamp']?.['command_topic'] ?? '', 'on')
  await until('the lamp is on', () => ha.states['damselfly/shed/pins/lamp'] === 'on')
})

test('telemetry is cleared when the daemon stops', async (t) => {
  const daemon = await startDaemon(t, { name: 'shed', yaml: 'telemetry: { every: 1s }' })
  const client = await daemon.connect()
  const heard: string[] = []
  client.on('message', (_topic, payload) => heard.push(payload.toString()))
  await client.subscribeAsync('damselfly/shed/telemetry', { qos: 1 })
  await until('a reading', () => heard.length > 0)
  const reading = JSON.parse(heard[0] ?? '')
  for (const field of ['load', 'memory', 'disk', 'uptime']) assert.equal(typeof reading[field], 'number')
  daemon.kill('SIGTERM')
  await until('an empty one', () => heard.at(-1) === '')
})
