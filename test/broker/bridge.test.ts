import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bridgedBroker, bridgeTo, heardAll, hearer, shared } from '../support/bridge.js'
import { startMosquitto } from '../support/mosquitto.js'

for (const version of [4, 5] as const) {
  test(`messages go both ways over a bridge to mosquitto, MQTT ${version}, each once`, async (t) => {
    const mosquitto = await startMosquitto(t)
    const here = await bridgedBroker(t, [
      bridgeTo(mosquitto.port, { version, topics: [shared('a/#', { qos: 2 })] }),
    ])
    await here.linked()
    const near = await hearer(t, here.port)
    const far = await hearer(t, mosquitto.port)
    for (const qos of [0, 1, 2] as const) {
      await near.client.publishAsync('a/near', `n${qos}`, { qos })
      await far.client.publishAsync('a/far', `f${qos}`, { qos })
      await near.client.publishAsync('b/near', `n${qos}`, { qos })
    }
    await heardAll(near.heard, 9)
    await heardAll(far.heard, 6)
    const sort = (heard: string[]) => heard.filter((text) => text.startsWith('a')).sort()
    const all = ['a/far f0', 'a/far f1', 'a/far f2', 'a/near n0', 'a/near n1', 'a/near n2']
    assert.deepEqual(sort(near.heard), all)
    assert.deepEqual(far.heard.sort(), all)
  })
}
