import assert from 'node:assert/strict'
import {
  bytes,
  type Case,
  chapter,
  type Properties,
  packet,
  pingreq,
  prefixed,
  publishBytes,
  type QoS,
  u16,
  withLength,
} from '../../support/conformance-v5.js'

/** PUBLISH packets that end the connection; mosquitto 2.0.11 takes DUP with QoS 0. */
const refused: Readonly<Record<string, readonly [publish: Buffer, ...codes: number[]]>> = {
  'QoS 3 [MQTT-3.3.1-4]': [packet(0x36, prefixed('a'), u16(1), withLength(), 'x'), 0x81],
  'QoS 3 with DUP and RETAIN [MQTT-3.3.1-4]': [packet(0x3f, prefixed('a'), u16(1), withLength(), 'x'), 0x81],
  'DUP with QoS 0 [MQTT-3.3.1-2]': [publishBytes('a', 'x', { dup: true }), 0x81, 0x82],
  'a topic with # [MQTT-3.3.2-2] [MQTT-4.7.0-1]': [publishBytes('a/#', 'x'), 0x81, 0x82, 0x90],
  'a topic with + [MQTT-3.3.2-2] [MQTT-4.7.0-1]': [publishBytes('+/a', 'x'), 0x81, 0x82, 0x90],
  'a topic with + within a level [MQTT-3.3.2-2] [MQTT-4.7.0-1]': [
    publishBytes('a+b', 'x', { qos: 1 }),
    0x81,
    0x82,
    0x90,
  ],
  'a topic that is not UTF-8 [MQTT-3.3.2-1]': [publishBytes(Buffer.from([0xc3, 0x28]), 'x'), 0x81],
  'a topic of no letters and no alias [MQTT-4.7.3-1]': [publishBytes('', 'x'), 0x82, 0x90],
  'packet id 0 with QoS 1 [MQTT-2.2.1-3]': [publishBytes('a', 'x', { qos: 1, id: 0 }), 0x81, 0x82],
  'packet id 0 with QoS 2 [MQTT-2.2.1-3]': [publishBytes('a', 'x', { qos: 2, id: 0 }), 0x81, 0x82],
}

/** Properties that belong to the message, and arrive as they were sent. */
const forwarded: Readonly<Record<string, Properties>> = {
  'Payload Format Indicator 1 [MQTT-3.3.2-4]': { payloadFormat: 1 },
  'Payload Format Indicator 0 [MQTT-3.3.2-4]': { payloadFormat: 0 },
  'a Response Topic [MQTT-3.3.2-15]': { responseTopic: 'antwort/ä/1' },
  'Correlation Data [MQTT-3.3.2-16]': { correlationData: Buffer.from([0, 255, 0xc3, 0x28, 0]) },
  'Correlation Data of no bytes [MQTT-3.3.2-16]': { correlationData: Buffer.alloc(0) },
  'a Content Type [MQTT-3.3.2-20]': { contentType: 'text/plain; charset=utf-8' },
  'user properties, in their order and as often as they were sent [MQTT-3.3.2-17] [MQTT-3.3.2-18]': {
    userProperties: [
      ['z', '1'],
      ['a', '2'],
      ['z', '1'],
      ['', ''],
      ['a', 'ü'],
    ],
  },
  'all of them [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20]': {
    payloadFormat: 1,
    contentType: 'json',
    responseTopic: 'there',
    correlationData: Buffer.from('42'),
    userProperties: [['k', 'v']],
  },
}

const levels: readonly QoS[] = [0, 1, 2]

const cases: Record<string, Case> = {}

for (const [what, [publish, ...codes]] of Object.entries(refused))
  cases[`refused: a PUBLISH with ${what} [MQTT-4.13.1-1]`] = async (place) => {
    const peer = await place.connect()
    peer.send(publish)
    await peer.expectDisconnect(...codes)
  }

for (const [what, properties] of Object.entries(forwarded))
  cases[`${what}: unaltered, live, from a session and retained`] = async (place) => {
    const { name } = place
    const session = { clientId: `${name}s`, clean: false, properties: { sessionExpiry: 60 } }
    const sleeper = await place.connect(session)
    await sleeper.subscribe(name, { qos: 2 })
    await sleeper.disconnect()
    const live = await Promise.all(levels.map(() => place.connect()))
    for (const qos of levels) await live[qos]?.subscribe(name, { qos })
    const publisher = await place.connect()
    await publisher.publish(name, 'x', { qos: 2, retain: true, properties })
    for (const qos of levels) await live[qos]?.expectMessage({ qos, properties, payload: 'x' })
    const late = await place.connect()
    await late.subscribe(name, { qos: 1 })
    await late.expectMessage({ properties, retain: true, payload: 'x' })
    const again = await place.connect(session)
    await again.expectMessage({ properties, payload: 'x' })
  }

chapter('PUBLISH of MQTT 5.0', {
  ...cases,

  'QoS 0 is not answered, QoS 1 with PUBACK, QoS 2 with PUBREC, each with its packet id [MQTT-3.3.4-1] [MQTT-2.2.1-5] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8]':
    async (place) => {
      const peer = await place.connect()
      const { name } = place
      peer.send(publishBytes(name, 'x'), publishBytes(name, 'x', { qos: 1, id: 65_535 }))
      peer.send(publishBytes(name, 'x', { qos: 2, id: 1 }), pingreq)
      const puback = await peer.take('PUBACK')
      assert.ok(puback.id === 65_535 && [0, 0x10].includes(puback.code)) // 0x10: nobody subscribed
      const pubrec = await peer.take('PUBREC')
      assert.ok(pubrec.id === 1 && [0, 0x10].includes(pubrec.code))
      await peer.next('PINGRESP')
      await peer.expectAlive()
    },

  'with subscribers PUBACK and PUBREC say 0x00 [MQTT-3.4.2-1] [MQTT-3.5.2-1]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(place.name)
    peer.send(
      publishBytes(place.name, 'x', { qos: 1, id: 1 }),
      publishBytes(place.name, 'x', { qos: 2, id: 2 }),
    )
    assert.equal((await peer.take('PUBACK')).code, 0)
    assert.equal((await peer.take('PUBREC')).code, 0)
  },

  'acknowledgements come in the order of what they acknowledge [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4]':
    async (place) => {
      const peer = await place.connect()
      const { name } = place
      const ids = [9, 3, 7, 1, 5]
      peer.send(...ids.map((id) => publishBytes(name, 'x', { qos: 1, id })))
      for (const id of ids) assert.equal((await peer.next('PUBACK')).id, id)
      peer.send(...ids.map((id) => publishBytes(name, 'x', { qos: 2, id })))
      for (const id of ids) assert.equal((await peer.next('PUBREC')).id, id)
    },

  ...Object.fromEntries(
    levels.map((qos): [string, Case] => [
      `messages of QoS ${qos} arrive in their order [MQTT-4.6.0-5] [MQTT-4.6.0-6]`,
      async (place) => {
        const watcher = await place.connect()
        await watcher.subscribe(`${place.name}/#`, { qos })
        const publisher = await place.connect()
        const payloads = Array.from({ length: 60 }, (_, index) => `${index}`)
        for (const payload of payloads) await publisher.publish(`${place.name}/a`, payload, { qos })
        for (const payload of payloads) await watcher.expectMessage({ payload, qos })
      },
    ]),
  ),

  'the DUP flag of the publisher is not passed on [MQTT-3.3.1-3] [MQTT-4.3.2-2] [MQTT-4.3.3-2]': async (
    place,
  ) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name, { qos: 2 })
    const publisher = await place.connect()
    for (const qos of [1, 2] as const) {
      await publisher.publish(place.name, 'x', { qos, dup: true })
      await watcher.expectMessage({ qos, dup: false })
    }
  },

  'a message of QoS 0 has neither DUP nor a packet id [MQTT-4.3.1-1] [MQTT-3.3.1-2] [MQTT-2.2.1-2]': async (
    place,
  ) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name)
    const publisher = await place.connect()
    await publisher.publish(place.name, 'payload')
    // a packet id would be read as properties and payload
    await watcher.expectMessage({ qos: 0, dup: false, payload: 'payload', properties: {} })
  },

  'a message goes only to filters that match, under its own topic [MQTT-3.3.2-3]': async (place) => {
    const { name } = place
    const watcher = await place.connect()
    await watcher.subscribe(`${name}/+/c`)
    for (const level of ['a', 'b']) {
      await watcher.publish(`${name}/${level}/c`, level)
      await watcher.publish(`${name}/${level}/d`, level)
    }
    const topics = (await watcher.everythingFrom(watcher)).map(({ topic }) => topic)
    assert.deepEqual(topics, [`${name}/a/c`, `${name}/b/c`])
  },

  'payloads of no bytes, of all bytes and of 100 kB arrive as they are': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name, { qos: 1 })
    for (const payload of ['', '\0\u0001\u007f', 'x'.repeat(100_000)]) {
      await watcher.publish(place.name, bytes(payload), { qos: 1 })
      await watcher.expectMessage({ payload })
    }
  },

  'a request and its answer find each other by Response Topic and Correlation Data [MQTT-3.3.2-15] [MQTT-3.3.2-16]':
    async (place) => {
      const { name } = place
      const responder = await place.connect()
      await responder.subscribe(`${name}/request`, { qos: 1 })
      const asker = await place.connect()
      await asker.subscribe(`${name}/answer`, { qos: 1 })
      const correlationData = Buffer.from([1, 2, 3])
      const properties = { responseTopic: `${name}/answer`, correlationData }
      await asker.publish(`${name}/request`, '6 × 7', { qos: 1, properties })
      const request = await responder.receive()
      const answer = { correlationData: request.properties.correlationData as Uint8Array }
      await responder.publish(request.properties.responseTopic as string, '42', {
        qos: 1,
        properties: answer,
      })
      await asker.expectMessage({ payload: '42', properties: { correlationData } })
    },
})
