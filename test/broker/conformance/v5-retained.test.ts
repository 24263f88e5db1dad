import assert from 'node:assert/strict'
import { type Case, chapter, type QoS } from '../../support/conformance-v5.js'

chapter('retained messages of MQTT 5.0', {
  'a retained message is kept with its QoS, and a new one takes its place [MQTT-3.3.1-5]': async (place) => {
    const publisher = await place.connect()
    for (const qos of [0, 1, 2] as const satisfies readonly QoS[]) {
      await publisher.publish(place.name, `${qos}`, { qos, retain: true })
      await publisher.expectAlive()
      const watcher = await place.connect()
      await watcher.subscribe(place.name, { qos: 2 })
      await watcher.expectMessage({ payload: `${qos}`, qos, retain: true })
      await watcher.expectNothingFrom(publisher)
    }
  },

  'a new retained message has its own properties only [MQTT-3.3.1-5]': async (place) => {
    const publisher = await place.connect()
    await publisher.publish(place.name, '1', { qos: 1, retain: true, properties: { contentType: 'a' } })
    await publisher.publish(place.name, '2', { qos: 1, retain: true })
    await publisher.subscribe(place.name)
    await publisher.expectMessage({ payload: '2', properties: {} })
  },

  'one of no bytes removes it, is passed on to who is there, and is not kept [MQTT-3.3.1-6] [MQTT-3.3.1-7]':
    async (place) => {
      const publisher = await place.connect()
      await publisher.publish(place.name, 'x', { qos: 1, retain: true })
      const there = await place.connect()
      await there.subscribe(place.name, { retainHandling: 2 })
      await publisher.publish(place.name, '', { qos: 1, retain: true })
      await there.expectMessage({ payload: '', retain: false })
      const late = await place.connect()
      await late.subscribe(place.name)
      await late.expectNothingFrom(publisher)
      await publisher.publish(place.name, '', { qos: 1, retain: true })
      await late.expectMessage({ payload: '' })
    },

  'a message without RETAIN is not kept, and leaves the one that is [MQTT-3.3.1-8]': async (place) => {
    const { name } = place
    const publisher = await place.connect()
    await publisher.publish(`${name}/a`, 'kept', { qos: 1, retain: true })
    await publisher.publish(`${name}/a`, 'passing', { qos: 1 })
    await publisher.publish(`${name}/a`, '', { qos: 1 })
    await publisher.publish(`${name}/b`, 'passing', { qos: 1 })
    const watcher = await place.connect()
    await watcher.subscribe(`${name}/#`)
    await watcher.expectMessage({ topic: `${name}/a`, payload: 'kept' })
    await watcher.expectNothingFrom(publisher)
  },

  'Retain Handling 0 sends all that match, at each SUBSCRIBE [MQTT-3.3.1-9] [MQTT-3.8.4-4]': async (
    place,
  ) => {
    const { name } = place
    const publisher = await place.connect()
    const topics = Array.from({ length: 20 }, (_, index) => `${name}/${index}`)
    for (const topic of topics) await publisher.publish(topic, topic, { qos: 1, retain: true })
    await publisher.publish(`other/${name}`, 'x', { qos: 1, retain: true })
    const watcher = await place.connect()
    for (let round = 0; round < 3; round++) {
      await watcher.subscribe(`${name}/+`, { retainHandling: 0 })
      const heard = await watcher.everythingFrom(publisher)
      assert.deepEqual(heard.map(({ topic }) => topic).sort(), [...topics].sort())
      assert.ok(heard.every(({ retain }) => retain))
    }
  },

  'Retain Handling 1 sends them to a new subscription only [MQTT-3.3.1-10]': async (place) => {
    const publisher = await place.connect()
    await publisher.publish(place.name, 'x', { qos: 1, retain: true })
    const watcher = await place.connect()
    await watcher.subscribe(place.name, { retainHandling: 1 })
    await watcher.expectMessage({ retain: true })
    await watcher.subscribe(place.name, { retainHandling: 1, qos: 1 })
    await watcher.expectNothingFrom(publisher)
    await watcher.unsubscribe(place.name)
    await watcher.subscribe(place.name, { retainHandling: 1 })
    await watcher.expectMessage({ retain: true })
  },

  'Retain Handling 1 knows the subscriptions of a session [MQTT-3.3.1-10]': async (place) => {
    const fields = { clientId: place.name, clean: false, properties: { sessionExpiry: 60 } }
    const publisher = await place.connect()
    await publisher.publish(place.name, 'x', { qos: 1, retain: true })
    const first = await place.connect(fields)
    await first.subscribe(place.name, { retainHandling: 1 })
    await first.expectMessage({ retain: true })
    await first.disconnect()
    const second = await place.connect(fields)
    await second.subscribe(place.name, { retainHandling: 1 })
    await second.expectNothingFrom(publisher)
  },

  'Retain Handling 2 sends none [MQTT-3.3.1-11]': async (place) => {
    const publisher = await place.connect()
    await publisher.publish(place.name, 'x', { qos: 1, retain: true })
    const watcher = await place.connect()
    await watcher.subscribe(place.name, { retainHandling: 2 })
    await watcher.expectNothingFrom(publisher)
    await publisher.publish(place.name, 'y', { qos: 1, retain: true })
    await watcher.expectMessage({ payload: 'y' })
  },

  ...Object.fromEntries(
    [false, true].flatMap((retainAsPublished) =>
      [false, true].map((retain): [string, Case] => [
        retainAsPublished
          ? `Retain As Published passes RETAIN ${retain ? 1 : 0} on [MQTT-3.3.1-13]`
          : `without Retain As Published a message sent with RETAIN ${retain ? 1 : 0} arrives with 0 [MQTT-3.3.1-12]`,
        async (place) => {
          const watcher = await place.connect()
          await watcher.subscribe(place.name, { qos: 2, retainAsPublished })
          for (const qos of [0, 1, 2] as const) {
            await watcher.publish(place.name, 'x', { qos, retain })
            await watcher.expectMessage({ qos, retain: retainAsPublished && retain })
          }
        },
      ]),
    ),
  ),

  'Retain As Published holds for messages that waited for a session [MQTT-3.3.1-12] [MQTT-3.3.1-13]': async (
    place,
  ) => {
    for (const retainAsPublished of [false, true]) {
      const clientId = `${place.name}${retainAsPublished}`
      const fields = { clientId, clean: false, properties: { sessionExpiry: 60 } }
      const first = await place.connect(fields)
      await first.subscribe(clientId, { qos: 1, retainAsPublished })
      await first.disconnect()
      const publisher = await place.connect()
      await publisher.publish(clientId, 'x', { qos: 1, retain: true })
      const second = await place.connect(fields)
      await second.expectMessage({ payload: 'x', retain: retainAsPublished })
    }
  },

  'a retained message for a new subscription has RETAIN 1 whatever Retain As Published says [MQTT-3.3.1-9]':
    async (place) => {
      const publisher = await place.connect()
      await publisher.publish(place.name, 'x', { qos: 1, retain: true })
      for (const retainAsPublished of [false, true]) {
        const watcher = await place.connect()
        await watcher.subscribe(place.name, { retainAsPublished })
        await watcher.expectMessage({ retain: true })
      }
    },

  'a retained message outlives the client that sent it [MQTT-3.3.1-5]': async (place) => {
    const publisher = await place.connect()
    await publisher.publish(place.name, 'x', { qos: 1, retain: true })
    await publisher.disconnect()
    const watcher = await place.connect()
    await watcher.subscribe(place.name)
    await watcher.expectMessage({ payload: 'x', retain: true })
  },
})
