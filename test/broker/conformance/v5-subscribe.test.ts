import assert from 'node:assert/strict'
import {
  type Asked,
  ackBytes,
  type Case,
  chapter,
  isOurs,
  optionsByte,
  type Peer,
  packet,
  prefixed,
  type QoS,
  subscribeBytes,
  u16,
  unsubscribeBytes,
  withLength,
} from '../../support/conformance-v5.js'

const illFormed = Buffer.from([0xc3, 0x28])

/** SUBSCRIBE and UNSUBSCRIBE packets that end the connection; mosquitto 2.0.11 takes No Local with a share. */
const refused: Readonly<Record<string, readonly [bytes: Buffer, ...codes: number[]]>> = {
  'a SUBSCRIBE without a filter [MQTT-3.8.3-2]': [packet(0x82, u16(1), withLength()), 0x82],
  'a SUBSCRIBE with the packet id 0 [MQTT-2.2.1-3]': [subscribeBytes(0, [['a', 0]]), 0x81, 0x82],
  'a SUBSCRIBE with a filter that is not UTF-8 [MQTT-3.8.3-1]': [subscribeBytes(1, [[illFormed, 0]]), 0x81],
  'a SUBSCRIBE of QoS 3': [subscribeBytes(1, [['a', 3]]), 0x81, 0x82],
  'a SUBSCRIBE of Retain Handling 3': [subscribeBytes(1, [['a', 0x30]]), 0x81, 0x82],
  'a SUBSCRIBE with the reserved bit 6 [MQTT-3.8.3-5]': [subscribeBytes(1, [['a', 0x40]]), 0x81],
  'a SUBSCRIBE with the reserved bit 7 [MQTT-3.8.3-5]': [subscribeBytes(1, [['a', 0x80]]), 0x81],
  'a SUBSCRIBE whose second filter has a reserved bit [MQTT-3.8.3-5]': [
    subscribeBytes(1, [
      ['a', 0],
      ['b', 0x41],
    ]),
    0x81,
  ],
  'a SUBSCRIBE with No Local on a shared subscription [MQTT-3.8.3-4]': [
    subscribeBytes(1, [['$share/g/a', { noLocal: true }]]),
    0x82,
  ],
  'an UNSUBSCRIBE without a filter [MQTT-3.10.3-2]': [packet(0xa2, u16(1), withLength()), 0x82],
  'an UNSUBSCRIBE with the packet id 0 [MQTT-2.2.1-3]': [unsubscribeBytes(0, 'a'), 0x81, 0x82],
  'an UNSUBSCRIBE with a filter that is not UTF-8 [MQTT-3.10.3-1]': [unsubscribeBytes(1, illFormed), 0x81],
  'an UNSUBSCRIBE that is cut off [MQTT-3.10.3-1]': [
    packet(0xa2, u16(1), withLength(), prefixed('a'), 0),
    0x81,
  ],
}

const levels: readonly QoS[] = [0, 1, 2]

/** Sends SUBSCRIBE and returns what SUBACK says. */
async function ask(peer: Peer, id: number, ...asked: readonly Asked[]): Promise<readonly number[]> {
  peer.send(subscribeBytes(id, asked))
  const suback = await peer.take('SUBACK')
  assert.equal(suback.id, id)
  return suback.codes
}

chapter('SUBSCRIBE of MQTT 5.0', {
  ...Object.fromEntries(
    Object.entries(refused).map(([what, [bytes, ...codes]]): [string, Case] => [
      `refused: ${what} [MQTT-4.13.1-1]`,
      async (place) => {
        const peer = await place.connect()
        peer.send(bytes)
        await peer.expectDisconnect(...codes)
      },
    ]),
  ),

  'SUBSCRIBE is answered with SUBACK and its packet id [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.2.1-6]': async (
    place,
  ) => {
    const peer = await place.connect()
    for (const id of [1, 300, 65_535]) assert.deepEqual(await ask(peer, id, [`${place.name}/${id}`, 0]), [0])
  },

  'SUBACK has a code for each filter, in their order: what was granted, or why not [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2]':
    async (place) => {
      const { name } = place
      const peer = await place.connect()
      const asked: Asked[] = [
        [`${name}/a`, 2],
        [`${name}/b`, 0],
        [`${name}/c`, 1],
        [`${name}/a`, 1],
      ]
      assert.deepEqual(await ask(peer, 5, ...asked), [2, 0, 1, 1])
      if (!isOurs) return // mosquitto closes the connection at a filter that is no filter
      const withWrong: Asked[] = [
        [`${name}/d`, 1],
        [`${name}/#/e`, 1],
        [`${name}/f`, 2],
      ]
      assert.deepEqual(await ask(peer, 6, ...withWrong), [1, 0x8f, 2])
      for (const level of ['a', 'd', 'f']) {
        await peer.publish(`${name}/${level}`, level)
        await peer.expectMessage({ payload: level })
      }
    },

  'the filters of one SUBSCRIBE take effect one after the other [MQTT-3.8.4-5]': async (place) => {
    const publisher = await place.connect()
    const topics = ['a', 'b'].map((level) => `${place.name}/${level}`)
    for (const topic of topics) await publisher.publish(topic, topic, { qos: 1, retain: true })
    const peer = await place.connect()
    await ask(peer, 1, [topics[1] as string, 1], [topics[0] as string, 1])
    for (const topic of topics.reverse()) await peer.expectMessage({ topic, retain: true })
  },

  ...Object.fromEntries(
    levels.flatMap((published) =>
      levels.map((granted): [string, Case] => [
        `published with QoS ${published}, granted ${granted}: sent with QoS ${Math.min(published, granted)} [MQTT-3.8.4-8]`,
        async (place) => {
          const watcher = await place.connect()
          await watcher.subscribe(place.name, { qos: granted })
          const publisher = await place.connect()
          await publisher.publish(place.name, 'x', { qos: published, retain: true })
          const qos = Math.min(published, granted) as QoS
          await watcher.expectMessage({ payload: 'x', qos, retain: false })
          await watcher.unsubscribe(place.name)
          await watcher.subscribe(place.name, { qos: granted })
          await watcher.expectMessage({ payload: 'x', qos, retain: true })
        },
      ]),
    ),
  ),

  // mosquitto 2.0.11 keeps No Local of the first
  'the same filter again replaces the subscription: its QoS, its options, and there is one [MQTT-3.8.4-3]':
    async (place) => {
      const peer = await place.connect()
      await peer.subscribe(place.name, { qos: 2, noLocal: true })
      await peer.subscribe(place.name, { qos: 0, retainAsPublished: true })
      await peer.publish(place.name, 'x', { qos: 2, retain: true })
      await peer.expectMessage({ qos: 0, retain: true })
      await peer.expectNothingFrom(peer)
      await peer.unsubscribe(place.name)
      await peer.publish(place.name, 'y')
      await peer.expectNothingFrom(peer)
    },

  'while a subscription is replaced no message is lost [MQTT-3.8.4-4]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(place.name, { qos: 1 })
    const publisher = await place.connect()
    const payloads = Array.from({ length: 40 }, (_, index) => `${index}`)
    const publishing = (async () => {
      for (const payload of payloads) await publisher.publish(place.name, payload, { qos: 1 })
    })()
    for (let count = 0; count < 15; count++) await peer.subscribe(place.name, { qos: 1 })
    await publishing
    for (const payload of payloads) await peer.expectMessage({ payload })
    await peer.expectNothingFrom(publisher)
  },

  'No Local keeps a client’s own messages from it, and nobody else’s [MQTT-3.8.3-3]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    await peer.subscribe(`${name}/+`, { noLocal: true, qos: 2 })
    const other = await place.connect()
    await other.subscribe(`${name}/+`)
    for (const qos of levels) await peer.publish(`${name}/a`, 'own', { qos })
    await other.publish(`${name}/a`, 'other')
    await peer.expectMessage({ payload: 'other' })
    await peer.expectNothingFrom(other)
    assert.equal((await other.everythingFrom(peer)).length, 4)
  },

  'No Local goes by the client id: a message of before the reconnect is one’s own [MQTT-3.8.3-3]': async (
    place,
  ) => {
    const fields = { clientId: place.name, clean: false, properties: { sessionExpiry: 60 } }
    const first = await place.connect(fields)
    await first.subscribe(place.name, { noLocal: true, qos: 1 })
    await first.disconnect()
    const second = await place.connect(fields)
    await second.publish(place.name, 'own', { qos: 1 })
    await second.expectNothingFrom(second)
  },

  'of overlapping subscriptions one message comes, with the highest QoS of them [MQTT-3.3.4-2]': async (
    place,
  ) => {
    const { name } = place
    const peer = await place.connect()
    await ask(peer, 1, [`${name}/#`, 0], [`${name}/+`, 2], [`${name}/a`, 1])
    await peer.publish(`${name}/a`, 'x', { qos: 2 })
    const heard = await peer.everythingFrom(peer)
    // who sends a copy for each subscription keeps the standard, too: mosquitto does
    if (isOurs) assert.equal(heard.length, 1)
    assert.equal(Math.max(...heard.map(({ qos }) => qos)), 2)
    await peer.unsubscribe(`${name}/+`)
    await peer.publish(`${name}/a`, 'x', { qos: 2 })
    assert.equal(Math.max(...(await peer.everythingFrom(peer)).map(({ qos }) => qos)), 1)
  },

  'overlapping subscriptions of which one is No Local: the other counts [MQTT-3.3.4-2] [MQTT-3.8.3-3]':
    async (place) => {
      const { name } = place
      const peer = await place.connect()
      await ask(peer, 1, [`${name}/a`, optionsByte({ noLocal: true, qos: 2 })], [`${name}/#`, 0])
      await peer.publish(`${name}/a`, 'x', { qos: 2 })
      await peer.expectMessage({ qos: 0, payload: 'x' })
      await peer.expectNothingFrom(peer)
    },
})

chapter('UNSUBSCRIBE of MQTT 5.0', {
  'UNSUBSCRIBE is answered with UNSUBACK, its packet id and a code for each filter, in their order [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2] [MQTT-2.2.1-6]':
    async (place) => {
      const { name } = place
      const peer = await place.connect()
      await ask(peer, 1, [`${name}/a`, 0], [`${name}/b`, 0])
      peer.send(unsubscribeBytes(65_535, `${name}/x`, `${name}/a`, `${name}/y`, `${name}/b`, `${name}/a`))
      const { id, codes } = await peer.next('UNSUBACK')
      assert.deepEqual([id, codes], [65_535, [0x11, 0, 0x11, 0, 0x11]])
    },

  'filters are compared letter by letter: what matches the same topics stays [MQTT-3.10.4-1]': async (
    place,
  ) => {
    const { name } = place
    const peer = await place.connect()
    await peer.subscribe(`${name}/+`)
    for (const filter of [`${name}/#`, `${name}/a`, `${name}/+/`, `${name.toUpperCase()}/+`])
      assert.equal(await peer.unsubscribe(filter), 0x11)
    await peer.publish(`${name}/a`, 'x')
    await peer.expectMessage({ payload: 'x' })
    assert.equal(await peer.unsubscribe(`${name}/+`), 0)
  },

  'after UNSUBACK nothing new comes [MQTT-3.10.4-2]': async (place) => {
    const peer = await place.connect()
    const publisher = await place.connect()
    await peer.subscribe(place.name, { qos: 1 })
    await peer.unsubscribe(place.name)
    await publisher.publish(place.name, 'x', { qos: 1 })
    await peer.expectNothingFrom(publisher)
  },

  'what was on its way is delivered to the end [MQTT-3.10.4-3]': async (place) => {
    const fields = { clientId: place.name, clean: false, properties: { sessionExpiry: 60 } }
    const peer = await place.connect(fields)
    await peer.subscribe(place.name, { qos: 2 })
    const publisher = await place.connect()
    for (const qos of [1, 2] as const) await publisher.publish(place.name, `${qos}`, { qos })
    const [first, second] = [await peer.next('PUBLISH'), await peer.next('PUBLISH')]
    await peer.unsubscribe(place.name)
    peer.send(ackBytes(0x50, second.id))
    assert.equal((await peer.next('PUBREL')).id, second.id)
    peer.send(ackBytes(0x70, second.id))
    await peer.expectAlive()
    peer.drop()
    const again = await place.connect(fields)
    await again.expectMessage({ ...first, dup: true })
    await again.expectNothingFrom(publisher)
  },

  'an UNSUBSCRIBE that nobody needs says 0x11, and is no error [MQTT-3.10.4-5]': async (place) => {
    const peer = await place.connect()
    assert.equal(await peer.unsubscribe(place.name), 0x11)
    assert.equal(await peer.unsubscribe('#'), 0x11)
  },
})
