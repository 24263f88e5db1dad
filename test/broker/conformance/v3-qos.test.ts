import assert from 'node:assert/strict'
import {
  alone,
  bytes,
  type Case,
  chapter,
  type Heard,
  heard,
  isOurs,
  type Peer,
  type Place,
  puback,
  pubcomp,
  publishBytes,
  pubrec,
  pubrel,
  type QoS,
  subscribeBytes,
} from '../../support/conformance.js'

chapter('QoS 1 and 2 from a client, MQTT 3.1.1', {
  'a PUBLISH with the id of one that has its PUBACK is a new message, DUP or not [MQTT-4.3.2-2]': async (
    place,
  ) => {
    const [watcher, peer] = await watched(place)
    for (const [payload, dup] of [
      ['first', false],
      ['second', false],
      ['third', true],
    ] as const) {
      peer.send(publishBytes(place.name, payload, { qos: 1, id: 1, dup }))
      await peer.expect(puback(1))
      await watcher.expectMessage({ payload })
    }
  },

  // mosquitto closes the connection at the third
  'a PUBLISH of QoS 2 that is sent again before PUBREL is answered, and delivered once [MQTT-4.3.3-2]':
    async (place) => {
      const [watcher, peer] = await watched(place)
      for (const dup of [false, true, true]) {
        peer.send(publishBytes(place.name, 'once', { qos: 2, id: 5, dup }))
        await peer.expect(pubrec(5))
      }
      peer.send(pubrel(5))
      await peer.expect(pubcomp(5))
      await watcher.expectMessage({ payload: 'once' })
      await watcher.expectNothingFrom(peer, 2)
    },

  // mosquitto closes the connection: a client that sends again must set DUP, but the id decides
  'the id says that a PUBLISH of QoS 2 is one sent again, whatever DUP says [MQTT-4.3.3-2]': async (
    place,
  ) => {
    const [watcher, peer] = await watched(place)
    for (let count = 0; count < 2; count++) {
      peer.send(publishBytes(place.name, 'once', { qos: 2, id: 5 }))
      await peer.expect(pubrec(5))
    }
    peer.send(pubrel(5))
    await peer.expect(pubcomp(5))
    await watcher.expectMessage({ payload: 'once' })
    await watcher.expectNothingFrom(peer, 2)
  },

  'a PUBREL that is sent again is answered again, also one for an id that is not known [MQTT-4.3.3-2]':
    async (place) => {
      const [watcher, peer] = await watched(place)
      await peer.publish(place.name, 'x', { qos: 2, id: 5 })
      for (const id of [5, 5, 99]) {
        peer.send(pubrel(id))
        await peer.expect(pubcomp(id))
      }
      await watcher.expectMessage({ payload: 'x' })
      await watcher.expectNothingFrom(peer, 2)
    },

  'after PUBCOMP the id stands for a new message [MQTT-4.3.3-2]': async (place) => {
    const [watcher, peer] = await watched(place)
    for (const payload of ['first', 'second']) {
      await peer.publish(place.name, payload, { qos: 2, id: 5, dup: payload === 'second' })
      await watcher.expectMessage({ payload })
    }
  },

  'the id of a QoS 2 message is known after a reconnect: it is delivered once [MQTT-4.3.3-2] [MQTT-4.1.0-1]':
    async (place) => {
      const [watcher, peer] = await watched(place)
      peer.send(publishBytes(place.name, 'once', { qos: 2, id: 5 }))
      await peer.expect(pubrec(5))
      peer.drop()
      const again = await place.connect({ clientId: place.name, clean: false })
      again.send(publishBytes(place.name, 'once', { qos: 2, id: 5, dup: true }))
      await again.expect(pubrec(5))
      again.drop()
      const third = await place.connect({ clientId: place.name, clean: false })
      third.send(pubrel(5))
      await third.expect(pubcomp(5))
      await watcher.expectMessage({ payload: 'once' })
      await watcher.expectNothingFrom(third, 2)
    },

  'the id of a QoS 2 message is forgotten with its clean session [MQTT-3.1.2-6]': async (place) => {
    const [watcher, peer] = await watched(place)
    peer.send(publishBytes(place.name, 'first', { qos: 2, id: 5 }))
    await peer.expect(pubrec(5))
    peer.send(pubrel(5))
    await peer.expect(pubcomp(5))
    peer.send(publishBytes(place.name, 'second', { qos: 2, id: 6 }))
    await peer.expect(pubrec(6))
    peer.drop()
    const again = await place.connect({ clientId: place.name, clean: true })
    await again.publish(place.name, 'third', { qos: 2, id: 6 })
    const messages = await watcher.everythingFrom(again, 2)
    // whether "second" is delivered before its PUBREL is the broker's choice (figure 4.3)
    assert.deepEqual(
      messages.map(({ payload }) => payload).filter((payload) => payload !== 'second'),
      ['first', 'third'],
    )
  },

  'one id may be on its way in both directions': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(place.name, 2)
    await peer.publish(place.name, 'x', { qos: 2 })
    const { id } = await peer.hear()
    peer.send(publishBytes(`${place.name}/other`, 'y', { qos: 2, id }))
    await peer.expect(pubrec(id))
    peer.send(pubrec(id))
    await peer.expect(pubrel(id))
    peer.send(pubrel(id))
    await peer.expect(pubcomp(id))
    peer.send(pubcomp(id))
    await peer.expectNothingFrom(peer)
  },

  'PUBACK, PUBREC and PUBCOMP leave in the order of what they answer [MQTT-4.6.0-2] [MQTT-4.6.0-3]': async (
    place,
  ) => {
    // in a session that is stored, so that what needs no storing could overtake
    const peer = await place.connect({ clientId: place.name, clean: false })
    const ids = Array.from({ length: 50 }, (_, index) => index + 1)
    peer.send(...ids.map((id) => publishBytes(place.name, 'x', { qos: id % 2 === 0 ? 1 : 2, id })))
    // the order of the two kinds among each other is free
    for (const [type, rest] of [
      [4, 0],
      [5, 1],
    ] as const)
      for (const id of ids.filter((one) => one % 2 === rest))
        assert.equal((await peer.take(type)).body.readUInt16BE(0), id)
    const odd = ids.filter((id) => id % 2 !== 0).reverse()
    peer.send(...odd.map(pubrel))
    for (const id of odd) await peer.expect(pubcomp(id))
  },

  'an ack for an id that is not on its way is no reason to close': async (place) => {
    const peer = await place.connect()
    peer.send(puback(7), pubcomp(8))
    await peer.expectAlive()
  },
})

chapter('QoS 1 and 2 to a client, MQTT 3.1.1', {
  'a message of QoS 1 without PUBACK comes again after a reconnect, with DUP and its id [MQTT-4.3.2-1] [MQTT-4.4.0-1] [MQTT-3.3.1-1]':
    async (place) => {
      const peer = await subscribed(place)
      await peer.publish(topicOf(place), 'x', { qos: 1 })
      const first = await peer.hear()
      assert.deepEqual([first.dup, first.qos], [false, 1])
      await peer.expectAlive()
      const again = await reconnect(place, peer)
      assert.deepEqual(await again.hear(), { ...first, dup: true })
      again.send(puback(first.id))
      await again.expectAlive()
      await (await reconnect(place, again)).expectAlive()
    },

  'a message of QoS 2 without PUBREC comes again after a reconnect, with DUP and its id [MQTT-4.3.3-1] [MQTT-4.4.0-1]':
    async (place) => {
      const peer = await subscribed(place)
      await peer.publish(topicOf(place), 'x', { qos: 2 })
      const first = await peer.hear()
      const again = await reconnect(place, peer)
      assert.deepEqual(await again.hear(), { ...first, dup: true })
      const third = await reconnect(place, again)
      assert.deepEqual(await third.hear(), { ...first, dup: true })
      await finish(third, first.id)
      await (await reconnect(place, third)).expectAlive()
    },

  'after PUBREC not the PUBLISH but the PUBREL comes again [MQTT-4.3.3-1] [MQTT-4.4.0-1]': async (place) => {
    const peer = await subscribed(place)
    await peer.publish(topicOf(place), 'x', { qos: 2 })
    const { id } = await peer.hear()
    peer.send(pubrec(id))
    await peer.expect(pubrel(id))
    const again = await reconnect(place, peer)
    await again.expect(pubrel(id))
    const third = await reconnect(place, again)
    await third.expect(pubrel(id))
    third.send(pubcomp(id))
    await third.expectAlive()
    await (await reconnect(place, third)).expectAlive()
  },

  'each PUBREC is answered with PUBREL, also one that is sent again [MQTT-4.3.3-1]': async (place) => {
    const peer = await subscribed(place)
    await peer.publish(topicOf(place), 'x', { qos: 2 })
    const { id } = await peer.hear()
    for (let count = 0; count < 3; count++) {
      peer.send(pubrec(id))
      await peer.expect(pubrel(id))
    }
    peer.send(pubcomp(id))
    await peer.expectNothingFrom(peer)
  },

  'a message whose delivery is complete does not come again [MQTT-4.3.3-1] [MQTT-4.3.2-1]': async (place) => {
    const peer = await subscribed(place)
    for (const qos of [1, 2] as const) {
      await peer.publish(topicOf(place), 'x', { qos })
      await peer.receive()
    }
    await peer.expectAlive()
    await (await reconnect(place, peer)).expectAlive()
  },

  'what is sent again comes in its original order, before what waits [MQTT-4.6.0-1]': async (place) => {
    const peer = await subscribed(place)
    const sent: Heard[] = []
    for (const [payload, qos] of messages(6)) {
      await peer.publish(topicOf(place), payload, { qos })
      sent.push(await peer.hear())
    }
    // one of the middle is done, one is half done
    const [, second, , fourth] = sent as [Heard, Heard, Heard, Heard]
    peer.send(pubrec(fourth.id))
    await peer.expect(pubrel(fourth.id))
    await finish(peer, second.id)
    await peer.expectAlive()
    peer.drop()
    const publisher = await place.connect()
    await publisher.publish(topicOf(place), 'later', { qos: 1 })
    const again = await place.connect({ clientId: place.name, clean: false })
    const left = sent.filter((one) => one !== second && one !== fourth)
    for (const one of left) assert.deepEqual(heard(await again.take(3)), { ...one, dup: true })
    const { payload, dup } = heard(await again.take(3))
    assert.deepEqual([payload, dup], ['later', false])
    assert.equal((await again.take(6)).body.readUInt16BE(0), fourth.id)
  },

  'what waited for a session comes in the order in which it was published, with DUP 0 [MQTT-4.5.0-1] [MQTT-3.3.1-1]':
    async (place) => {
      const peer = await subscribed(place)
      await peer.disconnect()
      const publisher = await place.connect()
      for (const [payload, qos] of messages(20)) await publisher.publish(topicOf(place), payload, { qos })
      const again = await place.connect({ clientId: place.name, clean: false })
      for (const [payload, qos] of messages(20)) await again.expectMessage({ payload, qos, dup: false })
      await again.expectNothingFrom(publisher)
    },

  'PUBREL leaves in the order of the PUBREC [MQTT-4.6.0-4]': async (place) => {
    const peer = await subscribed(place)
    const ids: number[] = []
    for (let count = 0; count < 5; count++) {
      await peer.publish(topicOf(place), 'x', { qos: 2 })
      ids.push((await peer.hear()).id)
    }
    const order = [3, 0, 4, 1, 2].map((index) => ids[index] as number)
    peer.send(...order.map(pubrec))
    for (const id of order) await peer.expect(pubrel(id))
  },

  'messages may be acknowledged in any order': async (place) => {
    const peer = await subscribed(place)
    const ids: number[] = []
    for (let count = 0; count < 5; count++) {
      await peer.publish(topicOf(place), `${count}`, { qos: 1 })
      ids.push((await peer.hear()).id)
    }
    for (const index of [4, 0, 3, 1]) peer.send(puback(ids[index] as number))
    await peer.expectAlive()
    const again = await reconnect(place, peer)
    await again.expectMessage({ payload: '2', dup: true, id: ids[2] as number })
    await again.expectAlive()
  },

  'a message goes to each client with a subscription that matches, connected or away, and to no other [MQTT-4.5.0-1]':
    async (place) => {
      const { name } = place
      const away = await subscribed(place)
      await away.disconnect()
      const [one, two, other] = await Promise.all([place.connect(), place.connect(), place.connect()])
      await one.subscribe(`${name}/#`, 2)
      await two.subscribe(`${name}/+`, 1)
      await other.subscribe(`${name}/other`, 1)
      await other.publish(topicOf(place), 'x', { qos: 2 })
      await one.expectMessage({ payload: 'x', qos: 2 })
      await two.expectMessage({ payload: 'x', qos: 1 })
      await (await place.connect({ clientId: name, clean: false })).expectMessage({ payload: 'x', qos: 2 })
      await other.expectNothingFrom(other)
    },

  ...orders(),

  'a message of QoS 0 comes at most once: not again after a reconnect [MQTT-4.3.1-1]': async (place) => {
    const peer = await subscribed(place)
    await peer.publish(topicOf(place), 'x', { qos: 0 })
    await peer.expectMessage({ payload: 'x', qos: 0, dup: false })
    await (await reconnect(place, peer)).expectAlive()
  },

  'a new client is not sent again what its predecessor with a clean session did not acknowledge [MQTT-3.1.2-6]':
    async (place) => {
      const peer = await place.connect({ clientId: place.name })
      await peer.subscribe(topicOf(place), 1)
      await peer.publish(topicOf(place), 'x', { qos: 1 })
      await peer.hear()
      peer.drop()
      await (await place.connect({ clientId: place.name, clean: false })).expectAlive()
    },
})

alone(
  'all 65,535 ids may be on their way from a client, each message is delivered once [MQTT-4.3.3-2]',
  async (place) => {
    const all = isOurs ? 65_535 : 2_000 // mosquitto has all of them too, in half a minute
    const [peer, watcher] = await Promise.all([
      place.connect({ clientId: 'all' }),
      place.connect({ clientId: 'watcher' }),
    ])
    await watcher.subscribe('all')
    const ids = Array.from({ length: all }, (_, index) => index + 1)
    peer.send(Buffer.concat(ids.map((id) => publishBytes('all', `${id}`, { qos: 2, id }))))
    for (const id of ids) assert.equal((await peer.take(5)).body.readUInt16BE(0), id)
    // sent again, the first and the last are known
    for (const id of [1, all]) {
      peer.send(publishBytes('all', `${id}`, { qos: 2, id, dup: true }))
      await peer.expect(pubrec(id))
    }
    peer.send(Buffer.concat(ids.map(pubrel)))
    for (const id of ids) assert.equal((await peer.take(7)).body.readUInt16BE(0), id)
    for (const id of ids) assert.equal((await watcher.hear()).payload, `${id}`)
    await watcher.expectNothingFrom(peer, 0)
  },
)

// mosquitto gives the id of a message that is still on its way
alone(
  'ids of messages to a client come round, and none is used that is still on its way [MQTT-2.3.1-4] [MQTT-4.3.2-1]',
  async (place) => {
    const [publisher, peer] = await Promise.all([place.connect(), place.connect()])
    await peer.subscribe('a', 1)
    await publisher.publish('a', 'held', { qos: 1 })
    const held = await peer.hear()
    const ids = Array.from({ length: 1_000 }, (_, index) => index + 1)
    const batch = Buffer.concat(ids.map((id) => publishBytes('a', '', { qos: 1, id })))
    for (let round = 0; round < 66; round++) {
      publisher.send(batch)
      let acks: Buffer[] = []
      for (const number of ids) {
        const { id } = await peer.hear()
        assert.notEqual(id, held.id)
        assert.notEqual(id, 0)
        acks.push(puback(id))
        if (number % 10 !== 0) continue
        peer.send(Buffer.concat(acks))
        acks = []
      }
      for (const id of ids) assert.equal((await publisher.take(4)).body.readUInt16BE(0), id)
    }
    await peer.expectAlive()
  },
)

/** Somebody who hears all at QoS 2, and a client with a session that is kept. */
async function watched(place: Place): Promise<readonly [Peer, Peer]> {
  const watcher = await place.connect()
  await watcher.subscribe(place.name, 2)
  return [watcher, await place.connect({ clientId: place.name, clean: false })]
}

const topicOf = (place: Place): string => `${place.name}/a`

/** A client with a session that is kept, and a subscription of QoS 2. */
async function subscribed(place: Place): Promise<Peer> {
  const peer = await place.connect({ clientId: place.name, clean: false })
  await peer.subscribe(topicOf(place), 2)
  return peer
}

/** The connection is lost and made again; the session is there. */
async function reconnect(place: Place, peer: Peer): Promise<Peer> {
  peer.drop()
  const again = await place.connect({ clientId: place.name, clean: false })
  assert.equal(again.isSessionPresent, true)
  return again
}

async function finish(peer: Peer, id: number): Promise<void> {
  peer.send(pubrec(id))
  await peer.expect(pubrel(id))
  peer.send(pubcomp(id))
}

/** Payloads and QoS, 1 and 2 in turn. */
function messages(count: number): readonly (readonly [string, QoS])[] {
  return Array.from({ length: count }, (_, index) => [`${index}`, index % 2 === 0 ? 1 : 2])
}

/** Messages of one topic and QoS reach every subscriber in their order. */
function orders(): Record<string, Case> {
  const rows: readonly (readonly [QoS, QoS])[] = [
    [0, 0],
    [1, 1],
    [2, 2],
    [2, 0],
    [1, 2],
  ]
  return Object.fromEntries(
    rows.map(([published, granted]): [string, Case] => [
      `500 messages of QoS ${published} come to subscriptions of QoS ${granted} in their order [MQTT-4.6.0-5] [MQTT-4.6.0-6]`,
      async (place) => {
        const [publisher, one, two] = await Promise.all([place.connect(), place.connect(), place.connect()])
        for (const subscriber of [one, two]) {
          subscriber.send(subscribeBytes(1, [place.name, granted]))
          await subscriber.take(9)
        }
        const numbers = Array.from({ length: 500 }, (_, index) => index)
        publisher.send(
          ...numbers.map((id) => publishBytes(place.name, `${id}`, { qos: published, id: id + 1 })),
        )
        const released = published < 2 ? undefined : release(publisher, numbers.length)
        for (const subscriber of [one, two])
          for (const number of numbers) await subscriber.expectMessage({ payload: `${number}` })
        await released
      },
    ]),
  )
}

async function release(publisher: Peer, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const { body } = await publisher.take(5)
    publisher.send(bytes([0x62, 2], body))
  }
}
