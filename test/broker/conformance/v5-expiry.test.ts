import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { ackBytes, chapter, type Place, type Properties, publishBytes } from '../../support/conformance-v5.js'

const kept = (place: Place, receiveMaximum = 100) => ({
  clientId: `${place.name}kept`,
  clean: false,
  properties: { sessionExpiry: 60, receiveMaximum },
})

/** What is left of 100 seconds when at least `waitedS` of them, and no more than since `beganMs`, are over. */
function expectLeft(properties: Properties, waitedS: number, beganMs: number): void {
  const left = properties.messageExpiry as number
  const least = 100 - Math.ceil((performance.now() - beganMs) / 1_000)
  assert.ok(left >= least && left <= 100 - waitedS, `${left} seconds`)
}

const expiring = (messageExpiry: number) => ({ messageExpiry })

chapter('Message Expiry Interval of MQTT 5.0', {
  'a message that goes on at once has the interval that it came with [MQTT-3.3.2-6]': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name, { qos: 2 })
    for (const qos of [0, 1, 2] as const) {
      const beganMs = performance.now()
      await watcher.publish(place.name, 'x', { qos, properties: expiring(100) })
      const { properties } = await watcher.receive()
      expectLeft(properties, 0, beganMs)
    }
    await watcher.publish(place.name, 'x')
    await watcher.expectMessage({ properties: {} })
  },

  'a message that waited for a session has that much less; what expired is not sent [MQTT-3.3.2-5] [MQTT-3.3.2-6]':
    async (place) => {
      const peer = await place.connect(kept(place))
      await peer.subscribe(place.name, { qos: 2 })
      await peer.disconnect()
      const publisher = await place.connect()
      const beganMs = performance.now()
      await publisher.publish(place.name, 'short', { qos: 1, properties: expiring(1) })
      await publisher.publish(place.name, 'long', { qos: 1, properties: expiring(100) })
      await publisher.publish(place.name, 'short, too', { qos: 2, properties: expiring(1) })
      await publisher.publish(place.name, 'for ever', { qos: 1 })
      await sleep(2_300)
      const again = await place.connect(kept(place))
      const { properties } = await again.expectMessage({ payload: 'long' })
      expectLeft(properties, 2, beganMs)
      await again.expectMessage({ payload: 'for ever', properties: {} })
      await again.expectNothingFrom(publisher)
    },

  'a retained message grows older, and goes when its time is over [MQTT-3.3.2-5] [MQTT-3.3.2-6]': async (
    place,
  ) => {
    const { name } = place
    const publisher = await place.connect()
    const beganMs = performance.now()
    await publisher.publish(`${name}/long`, 'x', { retain: true, properties: expiring(100) })
    await publisher.publish(`${name}/short`, 'x', { retain: true, properties: expiring(1) })
    await publisher.expectAlive()
    await sleep(2_300)
    const watcher = await place.connect()
    await watcher.subscribe(`${name}/#`)
    const { properties } = await watcher.expectMessage({ topic: `${name}/long`, retain: true })
    expectLeft(properties, 2, beganMs)
    await watcher.expectNothingFrom(publisher)
  },

  // mosquitto 2.0.11 sends nothing more
  'what expires while it waits for the client to acknowledge others is not sent [MQTT-3.3.2-5]': async (
    place,
  ) => {
    const watcher = await place.connect(kept(place, 1))
    await watcher.subscribe(place.name, { qos: 1 })
    const publisher = await place.connect()
    await publisher.publish(place.name, 'first', { qos: 1 })
    await publisher.publish(place.name, 'expires', { qos: 1, properties: expiring(1) })
    await publisher.publish(place.name, 'last', { qos: 1 })
    const { id } = await watcher.next('PUBLISH')
    await sleep(2_300)
    watcher.send(ackBytes(0x40, id))
    await watcher.expectMessage({ payload: 'last' })
  },

  // mosquitto drops it
  'a message of QoS 2 that was sent before it expired is sent again after it [MQTT-4.3.3-7] [MQTT-4.4.0-1]':
    async (place) => {
      const first = await place.connect(kept(place))
      await first.subscribe(place.name, { qos: 2 })
      const publisher = await place.connect()
      await publisher.publish(place.name, 'x', { qos: 2, properties: expiring(1) })
      const { id } = await first.next('PUBLISH')
      first.drop()
      await sleep(2_300)
      const second = await place.connect(kept(place))
      await second.expectMessage({ payload: 'x', id, dup: true })
    },

  'a client that answers only after the message expired is answered to the end [MQTT-4.3.3-13] [MQTT-4.3.3-7]':
    async (place) => {
      const watcher = await place.connect()
      await watcher.subscribe(place.name, { qos: 2 })
      await watcher.publish(place.name, 'x', { qos: 2, id: 1, properties: expiring(1) })
      const { id } = await watcher.take('PUBLISH')
      watcher.send(publishBytes(`${place.name}/nobody`, 'x', { qos: 2, id: 9, properties: expiring(1) }))
      await watcher.take('PUBREC')
      await sleep(2_300)
      watcher.send(ackBytes(0x62, 9))
      assert.deepEqual(await watcher.take('PUBCOMP'), { id: 9, code: 0, properties: {} })
      watcher.send(ackBytes(0x50, id))
      assert.deepEqual(await watcher.take('PUBREL'), { id, code: 0, properties: {} })
    },

  // mosquitto takes it for no interval
  'interval 0 is delivered to who is there, and waits for nobody [MQTT-3.3.2-5]': async (place) => {
    const sleeper = await place.connect(kept(place))
    await sleeper.subscribe(place.name, { qos: 1 })
    await sleeper.disconnect()
    const publisher = await place.connect()
    await publisher.publish(place.name, 'x', { qos: 1, properties: expiring(0) })
    await sleep(1_300)
    const again = await place.connect(kept(place))
    await again.expectNothingFrom(publisher)
  },
})
