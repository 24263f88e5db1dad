import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  ackBytes,
  type Case,
  type ConnectFields,
  chapter,
  isOurs,
  type Peer,
  type Place,
  packet,
  publishBytes,
  type QoS,
} from '../../support/conformance-v5.js'

/** Packet Identifier not found; mosquitto says 0x00, and does not say that it knows no such id. */
const unknown: readonly number[] = isOurs ? [0x92] : [0, 0x92]

const puback = (id: number, code?: number) => ackBytes(0x40, id, code)
const pubrec = (id: number, code?: number) => ackBytes(0x50, id, code)
const pubrel = (id: number, code?: number) => ackBytes(0x62, id, code)
const pubcomp = (id: number, code?: number) => ackBytes(0x70, id, code)

const kept = (place: Place): ConnectFields => ({
  clientId: `${place.name}kept`,
  clean: false,
  properties: { sessionExpiry: 60 },
})

/** A client that subscribed and goes on in a session. */
async function keptWatcher(place: Place, qos: QoS): Promise<Peer> {
  const peer = await place.connect(kept(place))
  await peer.subscribe(place.name, { qos })
  return peer
}

chapter('QoS 1 and 2 of MQTT 5.0, from a client', {
  'after PUBACK the same packet id is a new message, DUP or not [MQTT-4.3.2-5]': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name, { qos: 1 })
    const peer = await place.connect()
    for (const dup of [false, false, true]) await peer.publish(place.name, 'x', { qos: 1, id: 4, dup })
    assert.equal((await watcher.everythingFrom(peer)).length, 3)
  },

  // mosquitto 2.0.11 closes at the third
  'until PUBREL the same packet id is the same message: PUBREC again, and one delivery [MQTT-4.3.3-10]':
    async (place) => {
      const watcher = await place.connect()
      await watcher.subscribe(place.name, { qos: 2 })
      const peer = await place.connect()
      for (const dup of [false, true, true]) {
        peer.send(publishBytes(place.name, 'x', { qos: 2, id: 4, dup }))
        const { id, code } = await peer.next('PUBREC')
        assert.ok(id === 4 && code < 0x80)
      }
      peer.send(pubrel(4))
      assert.deepEqual(await peer.next('PUBCOMP'), { id: 4, code: 0, properties: {} })
      assert.equal((await watcher.everythingFrom(peer, 2)).length, 1)
    },

  // mosquitto takes what is published below $SYS
  'after a PUBREC that refuses the same packet id is a new message, without PUBREL [MQTT-4.3.3-9] [MQTT-3.5.2-1]':
    async (place) => {
      const peer = await place.connect()
      await peer.subscribe(place.name, { qos: 2 })
      peer.send(publishBytes('$SYS/broker/uptime', 'x', { qos: 2, id: 4 }))
      const refused = await peer.next('PUBREC')
      assert.ok(refused.id === 4 && (!isOurs || refused.code >= 0x80))
      if (!isOurs) return
      await peer.publish(place.name, 'new', { qos: 2, id: 4 })
      await peer.expectMessage({ payload: 'new', qos: 2 })
      await peer.expectNothingFrom(peer, 2)
    },

  'PUBREL is answered with PUBCOMP and its packet id [MQTT-4.3.3-11] [MQTT-3.7.2-1] [MQTT-2.2.1-5]': async (
    place,
  ) => {
    const peer = await place.connect()
    const ids = [1, 40_000, 65_535]
    peer.send(...ids.map((id) => publishBytes(place.name, 'x', { qos: 2, id })))
    for (const id of ids) assert.equal((await peer.next('PUBREC')).id, id)
    peer.send(pubrel(1), pubrel(40_000, 0), pubrel(65_535, 0x92))
    for (const id of ids) assert.deepEqual(await peer.next('PUBCOMP'), { id, code: 0, properties: {} })
  },

  'after PUBCOMP the same packet id is a new message [MQTT-4.3.3-12]': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name, { qos: 2 })
    const peer = await place.connect()
    for (const dup of [false, false, true]) await peer.publish(place.name, 'x', { qos: 2, id: 4, dup })
    assert.equal((await watcher.everythingFrom(peer, 2)).length, 3)
  },

  'PUBREL for an id that nobody sent is answered with PUBCOMP, which says 0x92 [MQTT-4.3.3-11] [MQTT-3.7.2-1]':
    async (place) => {
      const peer = await place.connect()
      peer.send(pubrel(77))
      const { id, code } = await peer.next('PUBCOMP')
      assert.ok(id === 77 && unknown.includes(code))
    },

  'the ids of clients are their own, and those of the broker are others [MQTT-2.2.1-4]': async (place) => {
    const a = await place.connect()
    const b = await place.connect()
    await a.subscribe(place.name, { qos: 2 })
    for (const peer of [a, b]) await peer.publish(place.name, 'x', { qos: 2, id: 1 })
    const [first, second] = [await a.take('PUBLISH'), await a.take('PUBLISH')]
    assert.notEqual(first.id, second.id)
    // in the middle of the broker's two deliveries, one of the client's with the same id
    a.send(publishBytes(`${place.name}/other`, 'x', { qos: 2, id: first.id }), pubrec(first.id))
    assert.equal((await a.take('PUBREC')).id, first.id)
    assert.equal((await a.take('PUBREL')).id, first.id)
    a.send(pubrel(first.id), pubcomp(first.id), pubrec(second.id))
    assert.deepEqual(await a.take('PUBCOMP'), { id: first.id, code: 0, properties: {} })
    assert.equal((await a.take('PUBREL')).id, second.id)
  },

  'an id that is in use with QoS 2 is taken, or refused with 0x91, for QoS 1: the connection stays': async (
    place,
  ) => {
    const peer = await place.connect()
    peer.send(publishBytes(place.name, 'x', { qos: 2, id: 4 }))
    await peer.next('PUBREC')
    peer.send(publishBytes(place.name, 'y', { qos: 1, id: 4 }))
    const { id, code } = await peer.next('PUBACK')
    assert.ok(id === 4 && [0, 0x10, 0x91].includes(code))
    await peer.expectAlive()
  },
})

chapter('QoS 1 and 2 of MQTT 5.0, to a client', {
  'each message gets a packet id that is in no use, and not 0 [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]':
    async (place) => {
      const watcher = await place.connect()
      await watcher.subscribe(place.name, { qos: 2 })
      const publisher = await place.connect()
      const ids = new Set<number>()
      for (let count = 0; count < 40; count++) {
        await publisher.publish(place.name, 'x', { qos: count % 2 === 0 ? 1 : 2 })
        ids.add((await watcher.next('PUBLISH')).id)
      }
      assert.equal(ids.size, 40)
    },

  'PUBREC is answered with PUBREL and its packet id [MQTT-4.3.3-4] [MQTT-3.6.2-1]': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name, { qos: 2 })
    const publisher = await place.connect()
    for (const code of [undefined, 0, 0x10]) {
      await publisher.publish(place.name, 'x', { qos: 2 })
      const { id } = await watcher.next('PUBLISH')
      watcher.send(pubrec(id, code))
      assert.deepEqual(await watcher.next('PUBREL'), { id, code: 0, properties: {} })
      watcher.send(pubcomp(id))
    }
    await watcher.expectAlive()
  },

  'PUBREC that nobody waits for is answered with PUBREL 0x92; PUBACK and PUBCOMP are let pass [MQTT-3.6.2-1]':
    async (place) => {
      const peer = await place.connect()
      peer.send(puback(700), pubcomp(700))
      await peer.expectAlive()
      peer.send(pubrec(701))
      const { id, code } = await peer.next('PUBREL')
      assert.ok(id === 701 && unknown.includes(code))
    },

  'nothing is sent twice while a client is connected [MQTT-4.4.0-1]': async (place) => {
    const watcher = await place.connect(kept(place))
    await watcher.subscribe(place.name, { qos: 2 })
    const publisher = await place.connect()
    for (const qos of [1, 2] as const) await publisher.publish(place.name, 'x', { qos })
    const [, second] = [await watcher.next('PUBLISH'), await watcher.next('PUBLISH')]
    watcher.send(pubrec(second.id))
    await watcher.next('PUBREL')
    await sleep(2_000)
    await watcher.expectAlive()
  },

  'what was not acknowledged comes again after a reconnect: same ids, same order, DUP [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.6.0-1] [MQTT-2.2.1-4]':
    async (place) => {
      const first = await keptWatcher(place, 2)
      const publisher = await place.connect()
      for (const qos of [1, 2, 1, 2, 1] as const) await publisher.publish(place.name, `${qos}`, { qos })
      const heard = []
      for (let count = 0; count < 5; count++) heard.push(await first.next('PUBLISH'))
      first.drop()
      const second = await place.connect(kept(place))
      for (const one of heard) assert.deepEqual(await second.next('PUBLISH'), { ...one, dup: true })
      for (const { id, qos } of heard) second.send(qos === 1 ? puback(id) : pubrec(id))
      for (const { id, qos } of heard) {
        if (qos === 1) continue
        assert.equal((await second.next('PUBREL')).id, id)
        second.send(pubcomp(id))
      }
      await second.expectAlive()
      second.drop()
      const third = await place.connect(kept(place))
      await third.expectNothingFrom(publisher)
    },

  'an acknowledged message does not come again, its neighbours do [MQTT-4.4.0-1] [MQTT-4.3.2-3]': async (
    place,
  ) => {
    const first = await keptWatcher(place, 1)
    const publisher = await place.connect()
    for (const payload of ['1', '2', '3']) await publisher.publish(place.name, payload, { qos: 1 })
    const heard = []
    for (let count = 0; count < 3; count++) heard.push(await first.next('PUBLISH'))
    first.send(puback(heard[1]?.id as number))
    await first.expectAlive()
    first.drop()
    const second = await place.connect(kept(place))
    await second.expectMessage({ payload: '1', dup: true })
    await second.expectMessage({ payload: '3', dup: true })
    await second.expectNothingFrom(publisher)
  },

  'after PUBREC it is PUBREL that comes again, not the message [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1]':
    async (place) => {
      const first = await keptWatcher(place, 2)
      const publisher = await place.connect()
      await publisher.publish(place.name, 'x', { qos: 2 })
      const { id } = await first.next('PUBLISH')
      first.send(pubrec(id))
      await first.next('PUBREL')
      first.drop()
      for (let count = 0; count < 2; count++) {
        const again = await place.connect(kept(place))
        assert.deepEqual(await again.next('PUBREL'), { id, code: 0, properties: {} })
        await again.expectAlive()
        again.drop()
      }
      const last = await place.connect(kept(place))
      await last.next('PUBREL')
      last.send(pubcomp(id))
      await last.expectAlive()
      last.drop()
      await (await place.connect(kept(place))).expectNothingFrom(publisher, 2)
    },

  ...Object.fromEntries(
    ([1, 2] as const).map((qos): [string, Case] => [
      `a message of QoS ${qos} that a client refuses counts as acknowledged: neither PUBREL nor the message again [MQTT-4.4.0-2]`,
      async (place) => {
        const first = await keptWatcher(place, qos)
        const publisher = await place.connect()
        await publisher.publish(place.name, 'x', { qos })
        const { id } = await first.next('PUBLISH')
        first.send(qos === 1 ? puback(id, 0x83) : pubrec(id, 0x80))
        await first.expectAlive()
        first.drop()
        const second = await place.connect(kept(place))
        await second.expectNothingFrom(publisher, qos)
      },
    ]),
  ),

  'a message for whoever is away waits for him, once for each session [MQTT-4.5.0-1]': async (place) => {
    const ids = [1, 2, 3].map((number) => ({ ...kept(place), clientId: `${place.name}-${number}` }))
    for (const fields of ids) {
      const peer = await place.connect(fields)
      await peer.subscribe(place.name, { qos: 1 })
      await peer.disconnect()
    }
    const publisher = await place.connect()
    await publisher.publish(place.name, 'x', { qos: 1 })
    for (const fields of ids) {
      const peer = await place.connect(fields)
      await peer.expectMessage({ payload: 'x', dup: false })
      await peer.expectNothingFrom(publisher)
    }
  },

  'acknowledgements with a reason code and properties are read like short ones': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name, { qos: 2 })
    const publisher = await place.connect()
    await publisher.publish(place.name, 'x', { qos: 2 })
    const { id } = await watcher.next('PUBLISH')
    const reason = [5, 0x1f, 0, 2, 0x6f, 0x6b]
    watcher.send(packet(0x50, id >> 8, id & 255, 0x10, reason))
    await watcher.next('PUBREL')
    watcher.send(packet(0x70, id >> 8, id & 255, 0, reason))
    await watcher.expectAlive()
  },
})
