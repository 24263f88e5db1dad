import assert from 'node:assert/strict'
import {
  ackBytes,
  type Case,
  chapter,
  isOurs,
  type Properties,
  publishBytes,
  type QoS,
  subscribeBytes,
  unsubscribeBytes,
} from '../../support/conformance-v5.js'

const packetBytesMax = 2_000

chapter(
  'Maximum Packet Size of MQTT 5.0, the broker’s',
  {
    'CONNACK says it, and a packet of that size is taken [MQTT-3.2.2-15]': async (place) => {
      const peer = await place.connect()
      assert.equal(peer.connack.properties.maximumPacketSize, packetBytesMax)
      await peer.subscribe(place.name)
      const overhead = publishBytes(place.name, 'x'.repeat(1_000)).length - 1_000
      const payload = 'x'.repeat(packetBytesMax - overhead)
      assert.equal(publishBytes(place.name, payload).length, packetBytesMax)
      await peer.publish(place.name, payload)
      await peer.expectMessage({ payload })
    },

    // mosquitto does not count the fixed header
    'one byte more is told 0x95 [MQTT-3.2.2-15] [MQTT-4.13.1-1]': async (place) => {
      const peer = await place.connect()
      const overhead = publishBytes(place.name, 'x'.repeat(1_000)).length - 1_000
      peer.send(publishBytes(place.name, 'x'.repeat(packetBytesMax - overhead + 1)))
      await peer.expectDisconnect(0x95)
    },

    'the declared length is enough: what it announces is not waited for [MQTT-3.2.2-15]': async (place) => {
      const peer = await place.connect()
      peer.send([0x30, 0xff, 0xff, 0xff, 0x7f])
      await peer.expectDisconnect(0x95)
    },
  },
  { limits: { packetBytesMax } },
)

const cases: Record<string, Case> = {}

// mosquitto 2.0.11 takes what it left out for unacknowledged, and its window stays full
for (const qos of [0, 1, 2] as const satisfies readonly QoS[])
  cases[
    `a message of QoS ${qos} that is too large for a client is not sent to it, others get it, and it counts as delivered [MQTT-3.1.2-24] [MQTT-3.1.2-25]`
  ] = async (place) => {
    const { name } = place
    const fields = (maximumPacketSize: number) => ({
      clientId: name,
      clean: false,
      properties: { sessionExpiry: 60, maximumPacketSize, receiveMaximum: 1 },
    })
    const small = await place.connect(fields(100))
    await small.subscribe(name, { qos })
    const large = await place.connect()
    await large.subscribe(name, { qos })
    const publisher = await place.connect()
    for (const payload of ['before', 'x'.repeat(200), 'y'.repeat(20_000), 'after'])
      await publisher.publish(name, payload, { qos })
    await small.expectMessage({ payload: 'before' })
    await small.expectMessage({ payload: 'after' })
    await small.expectNothingFrom(publisher, qos)
    assert.ok(small.largestBytes <= 100, `${small.largestBytes}`)
    assert.equal((await large.everythingFrom(publisher, qos)).length, 4)
    await small.disconnect()
    const again = await place.connect(fields(100_000))
    await again.expectNothingFrom(publisher, qos)
  }

chapter('Maximum Packet Size of MQTT 5.0, the client’s', {
  ...cases,

  // mosquitto does not send one at the limit
  'it is the whole packet that counts: at the limit sent, one byte past it not [MQTT-3.1.2-24]': async (
    place,
  ) => {
    const peer = await place.connect({ properties: { maximumPacketSize: 100 } })
    await peer.subscribe(place.name)
    const overhead = publishBytes(place.name, '').length
    for (const bytes of [101, 100, 99]) await peer.publish(place.name, 'x'.repeat(bytes - overhead))
    for (const bytes of [100, 99]) await peer.expectMessage({ payload: 'x'.repeat(bytes - overhead) })
    await peer.expectNothingFrom(peer, 0)
  },

  'properties and Subscription Identifiers count, too [MQTT-3.1.2-24]': async (place) => {
    const peer = await place.connect({ properties: { maximumPacketSize: 60 } })
    await peer.subscribe(place.name, {}, { subscriptionIdentifiers: [1] })
    const properties: Properties = { userProperties: [['name', 'x'.repeat(40)]] }
    await peer.publish(place.name, 'large', { properties })
    await peer.publish(place.name, 'small')
    await peer.expectMessage({ payload: 'small' })
    await peer.expectNothingFrom(peer, 0)
    assert.ok(peer.largestBytes <= 60)
  },

  'a retained message that is too large is not sent, the others are [MQTT-3.1.2-24] [MQTT-3.1.2-25]': async (
    place,
  ) => {
    const publisher = await place.connect()
    await publisher.publish(`${place.name}/large`, 'x'.repeat(200), { qos: 1, retain: true })
    await publisher.publish(`${place.name}/small`, 'x', { qos: 1, retain: true })
    const peer = await place.connect({ properties: { maximumPacketSize: 60, receiveMaximum: 1 } })
    await peer.subscribe(`${place.name}/#`, { qos: 1 })
    await peer.expectMessage({ topic: `${place.name}/small` })
    await peer.expectNothingFrom(publisher)
  },

  'what is too large after a reconnect is not sent again, and does not hold up what follows [MQTT-3.1.2-25]':
    async (place) => {
      if (!isOurs) return // mosquitto 2.0.11 closes the connection
      const fields = (maximumPacketSize: number) => ({
        clientId: place.name,
        clean: false,
        properties: { sessionExpiry: 60, maximumPacketSize, receiveMaximum: 1 },
      })
      const first = await place.connect(fields(10_000))
      await first.subscribe(place.name, { qos: 1 })
      const publisher = await place.connect()
      await publisher.publish(place.name, 'x'.repeat(500), { qos: 1 })
      await publisher.publish(place.name, 'small', { qos: 1 })
      await first.next('PUBLISH')
      first.drop()
      const second = await place.connect(fields(100))
      await second.expectMessage({ payload: 'small' })
    },

  'reason strings and user properties of answers keep to it [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2]':
    async (place) => {
      const maximumPacketSize = 30
      const peer = await place.connect({ properties: { maximumPacketSize } })
      peer.send(publishBytes('a', 'x', { qos: 1, id: 1 }), publishBytes('a', 'x', { qos: 2, id: 2 }))
      peer.send(ackBytes(0x62, 99), ackBytes(0x50, 98), unsubscribeBytes(3, 'never'))
      peer.send(subscribeBytes(4, [['$share/a/b', 1]]))
      for (const name of ['PUBACK', 'PUBREC', 'PUBCOMP', 'PUBREL', 'UNSUBACK', 'SUBACK'] as const)
        await peer.take(name)
      assert.ok(peer.largestBytes <= maximumPacketSize, `${peer.largestBytes}`)
    },

  'a reason string of DISCONNECT keeps to it [MQTT-3.14.2-3] [MQTT-3.14.2-4]': async (place) => {
    const maximumPacketSize = 30
    const peer = await place.connect({ properties: { maximumPacketSize } })
    peer.send(publishBytes('a/+/b', 'x'))
    await peer.expectDisconnect(0x81, 0x82, 0x90)
    assert.ok(peer.largestBytes <= maximumPacketSize, `${peer.largestBytes}`)
  },
})
