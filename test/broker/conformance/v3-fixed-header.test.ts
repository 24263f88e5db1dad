import assert from 'node:assert/strict'
import { limits } from '#src/core/limits.js'
import {
  bytes,
  type Case,
  chapter,
  connack,
  connectBytes,
  packet,
  pingreq,
  prefixed,
  puback,
  pubcomp,
  publishBytes,
  pubrec,
  pubrel,
  rawConnect,
  suback,
  subscribeBytes,
  u16,
  unsuback,
  unsubscribeBytes,
  varint,
} from '../../support/conformance.js'

/**
 * Packets a client may send, right but for the flags: [title, packet, its right flags].
 * mosquitto does not look at those of PUBACK, PUBREC, PUBCOMP and PINGREQ.
 */
const flagged: readonly (readonly [string, Buffer, number])[] = [
  ['CONNECT [MQTT-2.2.2-1] [MQTT-2.2.2-2]', connectBytes(), 0],
  ['PUBACK [MQTT-2.2.2-1] [MQTT-2.2.2-2]', puback(1), 0],
  ['PUBREC [MQTT-2.2.2-1] [MQTT-2.2.2-2]', pubrec(1), 0],
  ['PUBREL [MQTT-3.6.1-1]', pubrel(1), 2],
  ['PUBCOMP [MQTT-2.2.2-1] [MQTT-2.2.2-2]', pubcomp(1), 0],
  ['SUBSCRIBE [MQTT-3.8.1-1]', subscribeBytes(1, ['a', 0]), 2],
  ['UNSUBSCRIBE [MQTT-3.10.1-1]', unsubscribeBytes(1, 'a'), 2],
  ['PINGREQ [MQTT-2.2.2-1] [MQTT-2.2.2-2]', pingreq, 0],
  ['DISCONNECT [MQTT-3.14.1-1]', bytes([0xe0, 0]), 0],
]

/**
 * Packets that close the connection after CONNECT, by their titles. mosquitto ignores SUBACK, UNSUBACK and PINGRESP
 * and bytes that are too many, and waits for the fifth byte of a remaining length.
 */
const violations: Readonly<Record<string, Buffer>> = {
  'a packet of type 0 closes the connection [MQTT-4.8.0-1]': bytes([0x00, 0]),
  'a packet of type 15 closes the connection [MQTT-4.8.0-1]': bytes([0xf0, 0]),
  'a CONNACK from a client closes the connection [MQTT-4.8.0-1]': connack(false, 0),
  'a SUBACK from a client closes the connection [MQTT-4.8.0-1]': suback(1, 0),
  'an UNSUBACK from a client closes the connection [MQTT-4.8.0-1]': unsuback(1),
  'a PINGRESP from a client closes the connection [MQTT-4.8.0-1]': bytes([0xd0, 0]),
  'a remaining length of five bytes closes the connection [MQTT-4.8.0-1]': bytes([
    0x30, 0x80, 0x80, 0x80, 0x80, 0x01,
  ]),
  'four bytes of remaining length that all announce one more close the connection [MQTT-4.8.0-1]': bytes([
    0x30, 0xff, 0xff, 0xff, 0xff,
  ]),
  'a SUBSCRIBE with packet id 0 closes the connection [MQTT-2.3.1-1]': subscribeBytes(0, ['a', 0]),
  'an UNSUBSCRIBE with packet id 0 closes the connection [MQTT-2.3.1-1]': unsubscribeBytes(0, 'a'),
  'a PUBLISH of QoS 1 with packet id 0 closes the connection [MQTT-2.3.1-1]': publishBytes('a', 'x', {
    qos: 1,
    id: 0,
  }),
  'a PUBLISH of QoS 2 with packet id 0 closes the connection [MQTT-2.3.1-1]': publishBytes('a', 'x', {
    qos: 2,
    id: 0,
  }),
  'a PUBLISH of QoS 1 that ends before its packet id closes the connection [MQTT-2.3.1-1]': packet(
    0x32,
    prefixed('a'),
  ),
  'a PUBLISH that ends before its topic does closes the connection [MQTT-4.8.0-1]': packet(0x30, u16(5), 'a'),
  'a PUBLISH of no bytes closes the connection [MQTT-4.8.0-1]': bytes([0x30, 0]),
  'a PUBACK of one byte closes the connection [MQTT-4.8.0-1]': bytes([0x40, 1, 1]),
  'a PUBACK of three bytes closes the connection [MQTT-4.8.0-1]': packet(0x40, u16(1), 0),
  'a PUBREL of no bytes closes the connection [MQTT-4.8.0-1]': bytes([0x62, 0]),
  'a SUBSCRIBE of one byte closes the connection [MQTT-4.8.0-1]': bytes([0x82, 1, 1]),
  'a SUBSCRIBE that ends inside a filter closes the connection [MQTT-4.8.0-1]': packet(
    0x82,
    u16(1),
    u16(9),
    'a',
  ),
  'a SUBSCRIBE without the QoS of its last filter closes the connection [MQTT-4.8.0-1]': packet(
    0x82,
    u16(1),
    prefixed('a'),
    0,
    prefixed('b'),
  ),
  'an UNSUBSCRIBE that ends inside a filter closes the connection [MQTT-4.8.0-1]': packet(
    0xa2,
    u16(1),
    prefixed('a'),
    u16(9),
    'b',
  ),
  'a PINGREQ with a body closes the connection [MQTT-4.8.0-1]': bytes([0xc0, 1, 0]),
  'a DISCONNECT with a body closes the connection [MQTT-4.8.0-1]': bytes([0xe0, 1, 0]),
}

chapter('fixed header and packet ids of MQTT 3.1.1', {
  ...wrongFlags(),
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

  'packets are understood however TCP cuts them [MQTT-7.1.1-1]': async (place) => {
    const peer = await place.open()
    const all = bytes(connectBytes(), subscribeBytes(7, [place.name, 0]), publishBytes(place.name, 'hello'))
    for (const byte of all) {
      peer.send(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await peer.expect(connack(false, 0))
    await peer.expect(suback(7, 0))
    await peer.expect(publishBytes(place.name, 'hello'))
  },

  'packets that come in one piece with CONNECT are answered one by one [MQTT-7.1.1-1]': async (place) => {
    const peer = await place.open()
    peer.send(connectBytes(), subscribeBytes(7, [place.name, 0]), publishBytes(place.name, 'hello'), pingreq)
    await peer.expect(connack(false, 0))
    await peer.expect(suback(7, 0))
    assert.deepEqual([(await peer.next()).type, (await peer.next()).type].sort(), [13, 3])
  },

  'a packet is carried at each border of its length, up to four bytes of it [MQTT-7.1.1-1]': async (
    place,
  ) => {
    const peer = await place.connect()
    await peer.subscribe(place.name)
    for (const length of [127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
      const sent = publishBytes(place.name, Buffer.alloc(length - 2 - place.name.length, 'x'))
      peer.send(sent)
      const { body } = await peer.next()
      assert.equal(body.length, length)
      assert.ok(sent.subarray(sent.length - length).equals(body))
    }
  },

  'a packet that is larger than the broker takes closes the connection [MQTT-4.8.0-2]': async (place) => {
    const peer = await place.connect()
    peer.send(0x30, varint(limits.packetBytesMax + 1), prefixed('a'))
    await peer.expectClosed()
  },

  'PUBACK, PUBREC and PUBCOMP have the id of their PUBLISH, whichever it is [MQTT-2.3.1-6]': async (
    place,
  ) => {
    const peer = await place.connect()
    for (const id of [1, 255, 256, 65_535]) {
      peer.send(publishBytes(place.name, 'x', { qos: 1, id }))
      await peer.expect(puback(id))
      peer.send(publishBytes(place.name, 'x', { qos: 2, id }))
      await peer.expect(pubrec(id))
      peer.send(pubrel(id))
      await peer.expect(pubcomp(id))
    }
  },

  'PUBREL has the id of its PUBLISH [MQTT-2.3.1-6]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(place.name, 2)
    for (let count = 0; count < 3; count++) {
      await peer.publish(place.name, 'x', { qos: 2 })
      const { id } = await peer.hear()
      peer.send(pubrec(id))
      await peer.expect(pubrel(id))
    }
  },

  'SUBACK and UNSUBACK have the id of what they answer [MQTT-2.3.1-7]': async (place) => {
    const peer = await place.connect()
    for (const id of [1, 255, 256, 65_535]) {
      peer.send(subscribeBytes(id, [place.name, 1]))
      await peer.expect(suback(id, 1))
      peer.send(unsubscribeBytes(id, place.name))
      await peer.expect(unsuback(id))
    }
  },

  'messages on their way to a client have ids of their own, and none is 0 [MQTT-2.3.1-4]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(place.name, 2)
    const ids = new Set<number>()
    for (let count = 0; count < 20; count++) {
      const qos = count % 2 === 0 ? 1 : 2
      await peer.publish(place.name, 'x', { qos })
      ids.add((await peer.hear()).id)
    }
    assert.equal(ids.size, 20)
    assert.ok(!ids.has(0))
  },

  'a message of QoS 0 comes without an id [MQTT-2.3.1-5]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(place.name, 2)
    peer.send(publishBytes(place.name, 'payload'))
    await peer.expect(publishBytes(place.name, 'payload'))
  },

  'nothing beyond the standard is needed to be served [MQTT-7.0.0-2]': async (place) => {
    const peer = await place.open()
    peer.send(rawConnect())
    await peer.expect(connack(false, 0))
    await peer.expectAlive()
  },
})

function wrongFlags(): Record<string, Case> {
  return Object.fromEntries(
    flagged.map(([title, right, flags]): [string, Case] => [
      `every other value of the reserved flags closes the connection: ${title}`,
      async (place) => {
        const wrong = Array.from({ length: 16 }, (_, value) => value).filter((value) => value !== flags)
        await Promise.all(
          wrong.map(async (value) => {
            const peer = title.startsWith('CONNECT') ? await place.open() : await place.connect()
            peer.send(((right[0] as number) & 0xf0) | value, right.subarray(1))
            await peer.expectClosed()
          }),
        )
      },
    ]),
  )
}
