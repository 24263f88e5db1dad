import assert from 'node:assert/strict'
import {
  type Case,
  chapter,
  type Place,
  publishBytes,
  type QoS,
  suback,
  subscribeBytes,
} from '../../support/conformance.js'

const every: readonly QoS[] = [0, 1, 2]

chapter('retained messages of MQTT 3.1.1', {
  ...qosTable(),

  'only the last message of each topic that matches is sent to a new subscriber [MQTT-3.3.1-6]': async (
    place,
  ) => {
    const { name } = place
    const peer = await place.connect()
    for (const topic of ['a', 'b', 'a/c', 'other'])
      for (const payload of ['old', 'new'])
        await peer.publish(`${name}/${topic}`, payload, { retain: true, qos: 1 })
    const subscriber = await place.connect()
    await subscriber.subscribe(`${name}/+`, 1)
    const heard = await subscriber.everythingFrom(peer)
    assert.deepEqual(heard.map(({ topic, payload }) => `${topic} ${payload}`).sort(), [
      `${name}/a new`,
      `${name}/b new`,
      `${name}/other new`,
    ])
  },

  'a message of QoS 0 takes the place of one that was retained with QoS 2 [MQTT-3.3.1-7]': async (place) => {
    const peer = await place.connect()
    await peer.publish(place.name, 'two', { retain: true, qos: 2 })
    await peer.publish(place.name, 'zero', { retain: true, qos: 0 })
    await heardBySubscriber(place, place.name, 'zero')
  },

  'RETAIN is 1 in what a subscription starts with, and 0 in what comes later [MQTT-3.3.1-8] [MQTT-3.3.1-9]':
    async (place) => {
      const peer = await place.connect()
      await peer.publish(place.name, 'before', { retain: true })
      await peer.subscribe(place.name)
      await peer.expectMessage({ payload: 'before', retain: true })
      await peer.publish(place.name, 'after', { retain: true })
      await peer.expectMessage({ payload: 'after', retain: false })
      await peer.publish(place.name, 'plain')
      await peer.expectMessage({ payload: 'plain', retain: false })
    },

  'RETAIN is 0 in what waited for a session that was away [MQTT-3.3.1-9]': async (place) => {
    const clientId = place.name
    const first = await place.connect({ clientId, clean: false })
    await first.subscribe(`${place.name}/a`, 1)
    await first.disconnect()
    const publisher = await place.connect()
    await publisher.publish(`${place.name}/a`, 'x', { retain: true, qos: 1 })
    const again = await place.connect({ clientId, clean: false })
    await again.expectMessage({ payload: 'x', retain: false })
    await again.expectNothingFrom(publisher)
  },

  'zero bytes are delivered as any message, and end what was retained [MQTT-3.3.1-10]': async (place) => {
    const peer = await place.connect()
    await peer.publish(place.name, 'state', { retain: true })
    await peer.subscribe(place.name)
    await peer.expectMessage({ payload: 'state', retain: true })
    await peer.publish(place.name, '', { retain: true })
    await peer.expectMessage({ payload: '', retain: false })
    await heardBySubscriber(place, place.name)
  },

  'zero bytes are not retained themselves [MQTT-3.3.1-11]': async (place) => {
    const peer = await place.connect()
    for (const qos of every) await peer.publish(place.name, '', { retain: true, qos })
    await heardBySubscriber(place, place.name)
  },

  'a message without RETAIN is not stored, and leaves alone what is [MQTT-3.3.1-12]': async (place) => {
    const peer = await place.connect()
    await peer.publish(`${place.name}/a`, 'plain', { qos: 1 })
    await heardBySubscriber(place, `${place.name}/a`)
    await peer.publish(`${place.name}/b`, 'state', { retain: true, qos: 1 })
    await peer.publish(`${place.name}/b`, 'plain', { qos: 1 })
    await peer.publish(`${place.name}/b`, '', { qos: 1 })
    await heardBySubscriber(place, `${place.name}/b`, 'state')
  },

  'a retained message outlives the session that published it, clean or not [MQTT-3.1.2-7]': async (place) => {
    const { name } = place
    for (const clean of [true, false]) {
      const peer = await place.connect({ clientId: name, clean })
      await peer.publish(`${name}/${clean}`, 'state', { retain: true, qos: 1 })
      await peer.disconnect()
    }
    await (await place.connect({ clientId: name, clean: true })).disconnect()
    await heardBySubscriber(place, `${name}/true`, 'state')
    await heardBySubscriber(place, `${name}/false`, 'state')
  },

  'a subscription that is made again is sent what is retained again [MQTT-3.8.4-3]': async (place) => {
    const peer = await place.connect()
    await peer.publish(place.name, 'state', { retain: true, qos: 2 })
    for (const qos of [0, 1, 2, 2] as const) {
      await peer.subscribe(place.name, qos)
      await peer.expectMessage({ payload: 'state', retain: true, qos })
    }
    await peer.expectNothingFrom(peer)
  },

  'each filter of one SUBSCRIBE is sent what is retained, as if it had come alone [MQTT-3.8.4-4]': async (
    place,
  ) => {
    const { name } = place
    const peer = await place.connect()
    await peer.publish(`${name}/a`, 'state', { retain: true, qos: 1 })
    peer.send(subscribeBytes(1, [`${name}/a`, 0], [`${name}/+`, 1]))
    assert.deepEqual((await peer.take(9)).body, suback(1, 0, 1).subarray(2))
    await peer.expectMessage({ payload: 'state', retain: true, qos: 0 })
    await peer.expectMessage({ payload: 'state', retain: true, qos: 1 })
    await peer.expectNothingFrom(peer)
  },

  'a filter that is refused or does not match is sent nothing [MQTT-3.3.1-6]': async (place) => {
    const peer = await place.connect()
    await peer.publish(`${place.name}/a`, 'state', { retain: true })
    await peer.subscribe(`${place.name}/b`)
    await peer.subscribe(`${place.name}`)
    await peer.subscribe(`${place.name}/a/+`)
    await peer.expectNothingFrom(peer)
  },

  'what is retained reaches a subscriber byte for byte': async (place) => {
    const peer = await place.connect()
    const payload = Uint8Array.from({ length: 256 }, (_, value) => value)
    await peer.publish(place.name, payload, { retain: true })
    const subscriber = await place.connect()
    subscriber.send(subscribeBytes(1, [place.name, 0]))
    await subscriber.take(9)
    const { type, flags, body } = await subscriber.next()
    assert.deepEqual([type, flags], [3, 1])
    assert.ok(publishBytes(place.name, payload).subarray(-body.length).equals(body))
  },
})

/** A new subscriber of the topic gets exactly these retained payloads. */
async function heardBySubscriber(place: Place, topic: string, ...payloads: readonly string[]): Promise<void> {
  const subscriber = await place.connect()
  await subscriber.subscribe(topic, 2)
  const heard = await subscriber.everythingFrom(subscriber)
  assert.deepEqual(
    heard.map(({ payload }) => payload),
    payloads,
  )
}

function qosTable(): Record<string, Case> {
  return Object.fromEntries(
    every.flatMap((published) =>
      every.map((granted): [string, Case] => [
        `a message retained at QoS ${published} reaches a subscription of QoS ${granted} at the lower of both [MQTT-3.3.1-5]`,
        async (place) => {
          const peer = await place.connect()
          await peer.publish(place.name, 'state', { retain: true, qos: published })
          await peer.disconnect()
          const subscriber = await place.connect()
          await subscriber.subscribe(place.name, granted)
          const qos = Math.min(published, granted) as QoS
          await subscriber.expectMessage({ payload: 'state', retain: true, dup: false, qos })
        },
      ]),
    ),
  )
}
