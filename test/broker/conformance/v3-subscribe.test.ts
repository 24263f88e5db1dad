import assert from 'node:assert/strict'
import {
  alone,
  bytes,
  type Case,
  chapter,
  packet,
  prefixed,
  suback,
  subscribeBytes,
  u16,
  unsuback,
  unsubscribeBytes,
} from '../../support/conformance.js'

/** Packets that close the connection, by their titles. */
const violations: Readonly<Record<string, Buffer>> = {
  'a SUBSCRIBE without a filter closes the connection [MQTT-3.8.3-3]': packet(0x82, u16(1)),
  'an UNSUBSCRIBE without a filter closes the connection [MQTT-3.10.3-2]': packet(0xa2, u16(1)),
  ...Object.fromEntries(
    [3, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xfc, 0xff].map((options) => [
      `a SUBSCRIBE with ${options} in place of a QoS closes the connection [MQTT-3.8.3-4]`,
      subscribeBytes(1, ['fine', 1], ['a', options]),
    ]),
  ),
}

const badFilters = ['a#', '#a', '#/a', 'a/#/b', '##', 'a/##', '+a', 'a+', 'a/+b', 'a/b+/c', '++', 'a/+#']

chapter('SUBSCRIBE and UNSUBSCRIBE of MQTT 3.1.1', {
  ...Object.fromEntries(
    Object.entries(violations).map(([title, sent]): [string, Case] => [
      title,
      async (place) => {
        const peer = await place.connect()
        peer.send(sent)
        await peer.expectClosed()
      },
    ]),
  ),

  // mosquitto closes the connection, which the standard allows; we refuse the one filter and serve the others
  ...Object.fromEntries(
    badFilters.map((filter): [string, Case] => [
      `the filter ${filter} is refused with 0x80, and its neighbours are granted [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-3.8.4-5]`,
      async (place) => {
        const { name } = place
        const peer = await place.connect()
        peer.send(subscribeBytes(1, [`${name}/1`, 1], [filter, 1], [`${name}/2`, 2]))
        await peer.expect(suback(1, 1, 0x80, 2))
        await peer.publish(`${name}/2`, 'x')
        await peer.expectMessage({ topic: `${name}/2` })
      },
    ]),
  ),

  'an empty filter is refused with 0x80, or closes the connection [MQTT-4.7.3-1]': async (place) => {
    const peer = await place.connect()
    peer.send(subscribeBytes(1, ['', 1]))
    const answer = await peer.next().catch(() => undefined)
    if (answer === undefined) await peer.expectClosed()
    else assert.deepEqual([answer.type, ...answer.body], [9, 0, 1, 0x80])
  },

  'a SUBSCRIBE is answered with SUBACK, its id and the QoS granted [MQTT-3.8.4-1] [MQTT-3.8.4-2]': async (
    place,
  ) => {
    const peer = await place.connect()
    for (const qos of [0, 1, 2]) {
      peer.send(subscribeBytes(300 + qos, [`${place.name}/${qos}`, qos]))
      await peer.expect(suback(300 + qos, qos))
    }
  },

  'the codes of a SUBACK stand in the order of the filters, and are 0, 1, 2 or 0x80 [MQTT-3.9.3-1] [MQTT-3.9.3-2] [MQTT-3.8.4-5]':
    async (place) => {
      const peer = await place.connect()
      const wanted = Array.from({ length: 200 }, (_, index) => (index * 7) % 3)
      peer.send(subscribeBytes(9, ...wanted.map((qos, index) => [`${place.name}/${index}`, qos] as const)))
      await peer.expect(suback(9, ...wanted))
    },

  'a SUBSCRIBE of many filters is as good as many of one [MQTT-3.8.4-4]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    // the same filter twice: the later replaces the earlier
    peer.send(subscribeBytes(9, [`${name}/a`, 0], [`${name}/b`, 2], [`${name}/a`, 1]))
    await peer.expect(suback(9, 0, 2, 1))
    await peer.publish(`${name}/a`, 'x', { qos: 2 })
    await peer.expectMessage({ topic: `${name}/a`, qos: 1 })
    await peer.publish(`${name}/b`, 'x', { qos: 2 })
    await peer.expectMessage({ topic: `${name}/b`, qos: 2 })
    await peer.expectNothingFrom(peer)
  },

  'filters with wildcards are supported [MQTT-3.8.3-2]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    peer.send(subscribeBytes(1, [`${name}/+`, 0], [`${name}/a/#`, 0]))
    await peer.expect(suback(1, 0, 0))
    for (const topic of [`${name}/x`, `${name}/a/b/c`]) {
      await peer.publish(topic, 'x')
      await peer.expectMessage({ topic })
    }
  },

  'a subscription with the same filter replaces the one before, up and down [MQTT-3.8.4-3]': async (
    place,
  ) => {
    const peer = await place.connect()
    for (const qos of [0, 2, 1, 1, 0] as const) {
      await peer.subscribe(place.name, qos)
      await peer.publish(place.name, 'x', { qos: 2 })
      await peer.expectMessage({ payload: 'x', qos })
      await peer.expectNothingFrom(peer)
    }
  },

  'no message is lost while a subscription is replaced [MQTT-3.8.4-3]': async (place) => {
    const [publisher, peer] = await Promise.all([place.connect(), place.connect()])
    await peer.subscribe(place.name, 1)
    const count = 60
    const publishing = (async () => {
      for (let number = 0; number < count; number++)
        await publisher.publish(place.name, `${number}`, { qos: 1 })
    })()
    for (let number = 0; number < count; number++) {
      if (number % 3 === 0) await peer.subscribe(place.name, 1)
      await peer.expectMessage({ payload: `${number}` })
    }
    await publishing
  },

  'an UNSUBSCRIBE is answered with UNSUBACK and its id [MQTT-3.10.4-4]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(place.name)
    peer.send(unsubscribeBytes(777, place.name))
    await peer.expect(unsuback(777))
  },

  'an UNSUBSCRIBE of what nobody subscribed is answered, too [MQTT-3.10.4-5]': async (place) => {
    const peer = await place.connect()
    peer.send(unsubscribeBytes(5, `${place.name}/never`, '#'))
    await peer.expect(unsuback(5))
    peer.send(unsubscribeBytes(6, `${place.name}/never`))
    await peer.expect(unsuback(6))
  },

  'only the very same filter is unsubscribed, none that it matches [MQTT-3.10.4-1]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    await peer.subscribe(`${name}/+`, 1)
    peer.send(unsubscribeBytes(1, `${name}/#`, `${name}/a`, `${name}/`, name.toUpperCase(), `${name}/+/`))
    await peer.expect(unsuback(1))
    await peer.publish(`${name}/a`, 'still')
    await peer.expectMessage({ payload: 'still' })
    await peer.unsubscribe(`${name}/+`)
    await peer.publish(`${name}/a`, 'gone')
    await peer.expectNothingFrom(peer)
  },

  'after UNSUBACK nothing new comes, by this subscription [MQTT-3.10.4-2]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    await peer.subscribe(`${name}/a`, 2)
    await peer.subscribe(`${name}/#`, 1)
    await peer.unsubscribe(`${name}/a`)
    await peer.publish(`${name}/a`, 'x', { qos: 2 })
    await peer.expectMessage({ payload: 'x', qos: 1 })
    await peer.unsubscribe(`${name}/#`)
    await peer.publish(`${name}/a`, 'y', { qos: 2 })
    await peer.expectNothingFrom(peer)
  },

  'a delivery that has begun is completed after UNSUBSCRIBE [MQTT-3.10.4-3]': async (place) => {
    const { name } = place
    const peer = await place.connect({ clientId: name, clean: false })
    await peer.subscribe(`${name}/a`, 2)
    await peer.publish(`${name}/a`, 'one', { qos: 1 })
    await peer.publish(`${name}/a`, 'two', { qos: 2 })
    const one = await peer.hear()
    const two = await peer.hear()
    await peer.unsubscribe(`${name}/a`)
    peer.send([0x50, 2], u16(two.id))
    await peer.expect(bytes([0x62, 2], u16(two.id)))
    peer.send([0x70, 2], u16(two.id))
    peer.drop()
    const again = await place.connect({ clientId: name, clean: false })
    assert.deepEqual(await again.hear(), { ...one, dup: true })
    await again.expectAlive()
  },

  'an UNSUBSCRIBE of many filters ends them all, with one UNSUBACK [MQTT-3.10.4-6]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    for (const filter of ['a', 'b', 'c']) await peer.subscribe(`${name}/${filter}`)
    peer.send(unsubscribeBytes(8, `${name}/a`, `${name}/none`, `${name}/c`))
    await peer.expect(unsuback(8))
    for (const topic of ['a', 'b', 'c']) await peer.publish(`${name}/${topic}`, 'x')
    await peer.expectMessage({ topic: `${name}/b` })
    await peer.expectNothingFrom(peer)
  },

  'filters stand one after the other, each with its length [MQTT-3.10.3-1] [MQTT-3.8.3-1]': async (place) => {
    const peer = await place.connect()
    peer.send(packet(0x82, u16(1), prefixed('é/ü'), 1, prefixed('x'.repeat(300)), 2))
    await peer.expect(suback(1, 1, 2))
    peer.send(packet(0xa2, u16(2), prefixed('é/ü'), prefixed('x'.repeat(300))))
    await peer.expect(unsuback(2))
  },
})

alone(
  'a subscription belongs to its client: another may end its own of that name [MQTT-3.10.4-1]',
  async (place) => {
    const [one, other] = await Promise.all([place.connect(), place.connect()])
    await one.subscribe('a')
    await other.subscribe('a')
    await one.unsubscribe('a')
    await one.publish('a', 'x')
    await other.expectMessage({ payload: 'x' })
    await one.expectNothingFrom(other)
  },
)
