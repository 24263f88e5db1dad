import assert from 'node:assert/strict'
import {
  bytes,
  type Case,
  chapter,
  isOurs,
  packet,
  pingreq,
  prefixed,
  puback,
  publishBytes,
  pubrec,
  type QoS,
  subscribeBytes,
} from '../../support/conformance.js'

const every: readonly QoS[] = [0, 1, 2]

/** PUBLISH packets that close the connection, by their titles. */
const violations: Readonly<Record<string, Buffer>> = {
  'a PUBLISH of QoS 3 closes the connection [MQTT-3.3.1-4]': packet(0x36, prefixed('a'), [0, 1], 'x'),
  'a PUBLISH of QoS 3 with RETAIN and DUP closes the connection [MQTT-3.3.1-4]': packet(
    0x3f,
    prefixed('a'),
    [0, 1],
    'x',
  ),
  // mosquitto takes it
  'a PUBLISH of QoS 0 with DUP closes the connection [MQTT-3.3.1-2]': publishBytes('a', 'x', { dup: true }),
  'an empty topic closes the connection [MQTT-4.7.3-1]': publishBytes('', 'x'),
}

const wildcards = ['#', '+', 'a/#', 'a/+/b', '+/a', 'a#', 'a+', '/+']

chapter('PUBLISH of MQTT 3.1.1', {
  ...Object.fromEntries([
    ...Object.entries(violations).map(([title, sent]): [string, Case] => [title, closes(sent)]),
    ...wildcards.map((topic): [string, Case] => [
      `the topic ${topic} in a PUBLISH closes the connection [MQTT-3.3.2-2] [MQTT-4.7.1-1]`,
      closes(publishBytes(topic, 'x', { qos: 1 })),
    ]),
  ]),

  'QoS 0 is not answered, QoS 1 with PUBACK, QoS 2 with PUBREC [MQTT-3.3.4-1]': async (place) => {
    const peer = await place.connect()
    peer.send(publishBytes(place.name, 'x'), pingreq)
    await peer.expect(bytes([0xd0, 0]))
    peer.send(publishBytes(place.name, 'x', { qos: 1, id: 5 }))
    await peer.expect(puback(5))
    peer.send(publishBytes(place.name, 'x', { qos: 2, id: 5 }))
    await peer.expect(pubrec(5))
  },

  'a subscriber gets topic and payload as they were sent, whatever their bytes [MQTT-3.3.2-1]': async (
    place,
  ) => {
    const peer = await place.connect()
    await peer.subscribe(`${place.name}/#`)
    const all = Uint8Array.from({ length: 256 }, (_, value) => value)
    for (const payload of [all, '', 'x', Buffer.alloc(100_000, 0xff)]) {
      const sent = publishBytes(`${place.name}/ü b`, payload)
      peer.send(sent)
      await peer.expect(sent)
    }
  },

  'the topic that comes is the one that was published, not the filter [MQTT-3.3.2-3]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    await peer.subscribe(`${name}/+/#`)
    for (const topic of [`${name}/a`, `${name}/a/b/c`, `${name}//`]) {
      await peer.publish(topic, 'x')
      await peer.expectMessage({ topic })
    }
  },

  'a publisher that has subscribed gets its own message': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(place.name, 1)
    await peer.publish(place.name, 'mine', { qos: 1 })
    await peer.expectMessage({ payload: 'mine' })
  },

  'DUP of a PUBLISH that came does not go on to subscribers [MQTT-3.3.1-3]': async (place) => {
    const [publisher, subscriber] = await Promise.all([place.connect(), place.connect()])
    await subscriber.subscribe(place.name, 2)
    for (const qos of [1, 2] as const) {
      await publisher.publish(place.name, 'x', { qos, dup: true })
      await subscriber.expectMessage({ qos, dup: false })
    }
  },

  'DUP is 0 when a message goes out first, at each QoS [MQTT-3.3.1-1] [MQTT-3.3.1-2] [MQTT-4.3.1-1]': async (
    place,
  ) => {
    const peer = await place.connect()
    await peer.subscribe(place.name, 2)
    for (const qos of every) {
      await peer.publish(place.name, 'x', { qos })
      await peer.expectMessage({ qos, dup: false })
    }
  },

  'the QoS that arrives is the lower of what was published and granted [MQTT-3.8.4-6]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    for (const granted of every) {
      await peer.subscribe(`${name}/${granted}`, granted)
      for (const qos of every) {
        await peer.publish(`${name}/${granted}`, 'x', { qos })
        await peer.expectMessage({ topic: `${name}/${granted}`, qos: Math.min(qos, granted) as QoS })
      }
    }
  },

  ...overlaps(),

  'a message to $SYS is acknowledged or closes the connection, and nobody gets it [MQTT-3.3.5-2]': async (
    place,
  ) => {
    const topic = `$SYS/${place.name}`
    const watcher = await place.connect()
    await watcher.subscribe(topic, 1)
    for (const qos of [1, 2] as const) {
      const peer = await place.connect()
      const published = peer.publish(topic, 'forged', { qos, retain: true })
      if (isOurs) await published
      else await published.catch(() => {}) // mosquitto closes the connection at PUBREL
    }
    await watcher.expectNothingFrom(watcher)
    await watcher.subscribe(topic, 1)
    await watcher.expectNothingFrom(watcher)
  },
})

function closes(sent: Buffer): Case {
  return async (place) => {
    const peer = await place.connect()
    peer.send(sent)
    await peer.expectClosed()
  }
}

/** Subscriptions of one client that match one topic, and the QoS in which a message of QoS 2 comes: the highest. */
function overlaps(): Record<string, Case> {
  const rows: readonly (readonly [readonly (readonly [string, QoS])[], QoS])[] = [
    [
      [
        ['a/b', 0],
        ['a/+', 1],
      ],
      1,
    ],
    [
      [
        ['a/#', 2],
        ['a/b', 0],
      ],
      2,
    ],
    [
      [
        ['+/b', 0],
        ['a/+', 2],
        ['#', 1],
      ],
      2,
    ],
    [
      [
        ['#', 0],
        ['a/b/#', 0],
      ],
      0,
    ],
  ]
  return Object.fromEntries(
    rows.map(([filters, highest]): [string, Case] => [
      `a message that matches ${filters.map(([filter, qos]) => `${filter} at ${qos}`).join(', ')} comes at QoS ${highest} [MQTT-3.3.5-1]`,
      async (place) => {
        const { name } = place
        const peer = await place.connect()
        const own = filters.map(([filter, qos]) => [`${name}/${filter}`, qos] as const)
        peer.send(subscribeBytes(1, ...own))
        await peer.take(9)
        await peer.publish(`${name}/a/b`, 'x', { qos: 2 })
        const copies = await peer.everythingFrom(peer)
        assert.equal(Math.max(...copies.map((copy) => copy.qos)), highest)
        // mosquitto sends a copy for each subscription, which the standard allows; we send one
        if (isOurs) assert.equal(copies.length, 1)
      },
    ]),
  )
}
