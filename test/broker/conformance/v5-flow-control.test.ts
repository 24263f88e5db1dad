import assert from 'node:assert/strict'
import { ackBytes, chapter, isOurs, type Peer, publishBytes } from '../../support/conformance-v5.js'

/** The packet ids of all messages of QoS 1 and 2 that come now, without acknowledging them. */
async function window(peer: Peer, count: number): Promise<number[]> {
  const ids: number[] = []
  for (let heard = 0; heard < count; heard++) ids.push((await peer.next('PUBLISH')).id)
  await peer.expectAlive()
  return ids
}

chapter('Receive Maximum of MQTT 5.0, the client’s', {
  // mosquitto 2.0.11 takes PUBREC for the end of it
  'no more messages of QoS 1 and 2 are on the way than the client takes [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]':
    async (place) => {
      const watcher = await place.connect({ properties: { receiveMaximum: 2 } })
      await watcher.subscribe(place.name, { qos: 2 })
      const publisher = await place.connect()
      for (const qos of [1, 2, 1, 2, 1] as const) await publisher.publish(place.name, `${qos}`, { qos })
      const [first, second] = await window(watcher, 2)
      watcher.send(ackBytes(0x40, first as number))
      const [third] = await window(watcher, 1)
      // PUBREC is not the end of it: its place is free after PUBCOMP
      watcher.send(ackBytes(0x50, second as number))
      assert.equal((await watcher.next('PUBREL')).id, second)
      await watcher.expectAlive()
      watcher.send(ackBytes(0x70, second as number), ackBytes(0x40, third as number))
      await window(watcher, 2)
    },

  'Receive Maximum 1 makes one at a time, in their order [MQTT-3.3.4-9] [MQTT-4.6.0-5]': async (place) => {
    const watcher = await place.connect({ properties: { receiveMaximum: 1 } })
    await watcher.subscribe(place.name, { qos: 2 })
    const publisher = await place.connect()
    for (let count = 0; count < 6; count++)
      await publisher.publish(place.name, `${count}`, { qos: count % 2 === 0 ? 2 : 1 })
    for (let count = 0; count < 6; count++) {
      const { payload, qos, id } = await watcher.next('PUBLISH')
      assert.equal(payload, `${count}`)
      await watcher.expectAlive()
      if (qos === 2) {
        watcher.send(ackBytes(0x50, id))
        await watcher.next('PUBREL')
      }
      watcher.send(ackBytes(qos === 2 ? 0x70 : 0x40, id))
    }
  },

  'a message that the client refuses makes room [MQTT-4.9.0-2] [MQTT-4.4.0-2]': async (place) => {
    const watcher = await place.connect({ properties: { receiveMaximum: 1 } })
    await watcher.subscribe(place.name, { qos: 2 })
    const publisher = await place.connect()
    for (const qos of [2, 1, 1] as const) await publisher.publish(place.name, `${qos}`, { qos })
    const [first] = await window(watcher, 1)
    watcher.send(ackBytes(0x50, first as number, 0x80))
    const [second] = await window(watcher, 1)
    watcher.send(ackBytes(0x40, second as number, 0x80))
    await window(watcher, 1)
  },

  'with nothing left to send the client is answered as ever [MQTT-3.3.4-10] [MQTT-4.9.0-3]': async (
    place,
  ) => {
    const peer = await place.connect({ properties: { receiveMaximum: 1 } })
    await peer.subscribe(place.name, { qos: 2 })
    const publisher = await place.connect()
    for (let count = 0; count < 3; count++) await publisher.publish(place.name, 'x', { qos: 1 })
    await peer.next('PUBLISH')
    await peer.expectAlive()
    await peer.subscribe(`${place.name}/other`)
    await peer.unsubscribe(`${place.name}/other`)
    for (const qos of [1, 2] as const) await peer.publish(`${place.name}/nobody`, 'x', { qos })
    await peer.expectAlive()
  },

  'messages of QoS 0 are not counted [MQTT-3.3.4-9]': async (place) => {
    const watcher = await place.connect({ properties: { receiveMaximum: 1 } })
    await watcher.subscribe(`${place.name}/0`)
    await watcher.subscribe(`${place.name}/1`, { qos: 1 })
    const publisher = await place.connect()
    await publisher.publish(`${place.name}/1`, 'x', { qos: 1 })
    await watcher.next('PUBLISH')
    for (let count = 0; count < 5; count++) {
      await publisher.publish(`${place.name}/0`, 'x')
      assert.equal((await watcher.next('PUBLISH')).qos, 0)
    }
  },

  // mosquitto 2.0.11 sends all again at once
  'each connection says anew how much it takes, and what comes again counts [MQTT-4.9.0-1] [MQTT-4.4.0-1]':
    async (place) => {
      const fields = (receiveMaximum: number) => ({
        clientId: place.name,
        clean: false,
        properties: { sessionExpiry: 60, receiveMaximum },
      })
      const first = await place.connect(fields(3))
      await first.subscribe(place.name, { qos: 1 })
      const publisher = await place.connect()
      for (let count = 0; count < 5; count++) await publisher.publish(place.name, `${count}`, { qos: 1 })
      await window(first, 3)
      first.drop()
      const second = await place.connect(fields(1))
      const [id] = await window(second, 1)
      second.send(ackBytes(0x40, id as number))
      await window(second, 1)
      second.drop()
      const third = await place.connect(fields(10))
      for (const payload of ['1', '2', '3', '4']) await third.expectMessage({ payload })
      await third.expectNothingFrom(publisher)
    },
})

const inflightMessagesMax = 3

chapter(
  'Receive Maximum of MQTT 5.0, the broker’s',
  {
    'CONNACK says it, and so many may be on the way; PUBREL makes room [MQTT-3.3.4-7]': async (place) => {
      const peer = await place.connect()
      assert.equal(peer.connack.properties.receiveMaximum, inflightMessagesMax)
      for (let round = 0; round < 3; round++) {
        const ids = [1, 2, 3].map((id) => round * 10 + id)
        peer.send(...ids.map((id) => publishBytes(place.name, 'x', { qos: 2, id })))
        for (const id of ids) assert.equal((await peer.next('PUBREC')).id, id)
        peer.send(...ids.map((id) => ackBytes(0x62, id)))
        for (const id of ids) assert.equal((await peer.next('PUBCOMP')).id, id)
      }
      for (let id = 1; id < 20; id++) await peer.publish(place.name, 'x', { qos: 1, id })
    },

    // mosquitto 2.0.11 does not count what it got
    'one more is told 0x93 [MQTT-3.3.4-7]': async (place) => {
      const peer = await place.connect()
      for (const id of [1, 2, 3]) {
        peer.send(publishBytes(place.name, 'x', { qos: 2, id }))
        await peer.next('PUBREC')
      }
      if (!isOurs) return
      peer.send(publishBytes(place.name, 'x', { qos: 2, id: 4 }))
      await peer.expectDisconnect(0x93)
    },

    'a message that is sent again, and one of QoS 0, is not one more [MQTT-3.3.4-7] [MQTT-4.3.3-10]': async (
      place,
    ) => {
      const peer = await place.connect()
      for (const id of [1, 2, 3, 3, 2, 1]) {
        peer.send(publishBytes(place.name, 'x', { qos: 2, id }), publishBytes(place.name, 'x'))
        assert.equal((await peer.next('PUBREC')).id, id)
      }
      await peer.expectAlive()
    },

    'a connection that is told 0x93 keeps its session [MQTT-4.1.0-1]': async (place) => {
      if (!isOurs) return
      const fields = { clientId: place.name, clean: false, properties: { sessionExpiry: 60 } }
      const peer = await place.connect(fields)
      for (const id of [1, 2, 3, 4]) peer.send(publishBytes(place.name, 'x', { qos: 2, id }))
      await peer.closed()
      const again = await place.connect(fields)
      assert.equal(again.connack.isSessionPresent, true)
      again.send(ackBytes(0x62, 2))
      assert.deepEqual(await again.next('PUBCOMP'), { id: 2, code: 0, properties: {} })
    },
  },
  { limits: { inflightMessagesMax } },
)
