import assert from 'node:assert/strict'
import { chapter, type Heard, isOurs, type Properties } from '../../support/conformance-v5.js'

const identified = (id: number): Properties => ({ subscriptionIdentifiers: [id] })

/** All identifiers of these messages, in order. */
const identifiers = (heard: readonly Heard[]): number[] =>
  heard.flatMap(({ properties }) => properties.subscriptionIdentifiers ?? []).sort((a, b) => a - b)

chapter('Subscription Identifiers of MQTT 5.0', {
  'a message has the identifier of its subscription, and none when that has none [MQTT-3.3.4-3]': async (
    place,
  ) => {
    const { name } = place
    const peer = await place.connect()
    await peer.subscribe(`${name}/a`, { qos: 2 }, identified(7))
    await peer.subscribe(`${name}/b`, { qos: 2 })
    for (const qos of [0, 1, 2] as const) {
      await peer.publish(`${name}/a`, 'x', { qos })
      await peer.expectMessage({ qos, properties: identified(7) })
      await peer.publish(`${name}/b`, 'x', { qos })
      await peer.expectMessage({ qos, properties: {} })
    }
  },

  'of overlapping subscriptions a message has all identifiers, each of several copies its own [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5]':
    async (place) => {
      const { name } = place
      const peer = await place.connect()
      await peer.subscribe(`${name}/#`, { qos: 1 }, identified(300))
      await peer.subscribe(`${name}/+`, { qos: 2 }, identified(2))
      await peer.subscribe(`${name}/a`, { qos: 0 })
      await peer.subscribe(`${name}/a/#`, { qos: 0 }, identified(70_000))
      await peer.publish(`${name}/a`, 'x', { qos: 2 })
      const heard = await peer.everythingFrom(peer)
      assert.deepEqual(identifiers(heard), [2, 300, 70_000])
      if (isOurs) assert.equal(heard.length, 1) // mosquitto sends copies
    },

  'two subscriptions may have the same identifier [MQTT-3.3.4-4]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    await peer.subscribe(`${name}/#`, {}, identified(5))
    await peer.subscribe(`${name}/+`, {}, identified(5))
    await peer.publish(`${name}/a`, 'x')
    const found = new Set(identifiers(await peer.everythingFrom(peer)))
    assert.deepEqual([...found], [5])
  },

  'all filters of one SUBSCRIBE have its identifier [MQTT-3.3.4-3]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    await peer.subscribe(`${name}/a`, {}, identified(5))
    await peer.subscribe(`${name}/b`, {}, identified(6))
    for (const [level, id] of [
      ['a', 5],
      ['b', 6],
    ] as const) {
      await peer.publish(`${name}/${level}`, 'x')
      await peer.expectMessage({ properties: identified(id) })
    }
  },

  'the identifiers of one client are not those of another [MQTT-3.3.4-4]': async (place) => {
    const [a, b, c] = [await place.connect(), await place.connect(), await place.connect()]
    await a.subscribe(place.name, { qos: 1 }, identified(1))
    await b.subscribe(place.name, { qos: 1 }, identified(2))
    await c.subscribe(place.name, { qos: 1 })
    await c.publish(place.name, 'x', { qos: 1, properties: { contentType: 'text' } })
    await a.expectMessage({ properties: { contentType: 'text', ...identified(1) } })
    await b.expectMessage({ properties: { contentType: 'text', ...identified(2) } })
    await c.expectMessage({ properties: { contentType: 'text' } })
  },

  'a replaced subscription has the new identifier, or none [MQTT-3.8.4-3] [MQTT-3.3.4-3]': async (place) => {
    const peer = await place.connect()
    for (const id of [1, 2, undefined, 3]) {
      const fields = id === undefined ? {} : identified(id)
      await peer.subscribe(place.name, {}, fields)
      await peer.publish(place.name, 'x')
      await peer.expectMessage({ properties: fields })
    }
  },

  'retained messages have the identifier of the subscription that asked for them [MQTT-3.3.4-3]': async (
    place,
  ) => {
    const topic = `${place.name}/a`
    const peer = await place.connect()
    await peer.subscribe(`${place.name}/+`, {}, identified(1))
    const other = await place.connect()
    await other.publish(topic, 'x', { qos: 1, retain: true })
    await peer.expectMessage({ topic, retain: false, properties: identified(1) })
    await peer.unsubscribe(`${place.name}/+`)
    await peer.subscribe(topic, {}, identified(2))
    await peer.expectMessage({ retain: true, properties: identified(2) })
    await other.subscribe(topic)
    await other.expectMessage({ retain: true, properties: {} })
  },

  'identifiers are part of the session, also of messages that waited [MQTT-3.3.4-3] [MQTT-3.1.2-5]': async (
    place,
  ) => {
    const fields = { clientId: place.name, clean: false, properties: { sessionExpiry: 60 } }
    const first = await place.connect(fields)
    await first.subscribe(place.name, { qos: 1 }, identified(9))
    await first.disconnect()
    const publisher = await place.connect()
    await publisher.publish(place.name, 'waited', { qos: 1 })
    const second = await place.connect(fields)
    await second.expectMessage({ payload: 'waited', properties: identified(9) })
    await publisher.publish(place.name, 'live', { qos: 1 })
    await second.expectMessage({ payload: 'live', properties: identified(9) })
  },

  'a message that is sent again has its identifiers again [MQTT-3.3.4-3] [MQTT-4.4.0-1]': async (place) => {
    const fields = { clientId: place.name, clean: false, properties: { sessionExpiry: 60 } }
    const first = await place.connect(fields)
    await first.subscribe(place.name, { qos: 1 }, identified(9))
    await first.publish(place.name, 'x', { qos: 1 })
    const heard = await first.take('PUBLISH')
    first.drop()
    const second = await place.connect(fields)
    assert.deepEqual(await second.next('PUBLISH'), { ...heard, dup: true })
  },

  'a shared subscription has its identifier [MQTT-3.3.4-3]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(`$share/g/${place.name}`, {}, identified(4))
    await peer.publish(place.name, 'x')
    await peer.expectMessage({ properties: identified(4) })
  },
})
