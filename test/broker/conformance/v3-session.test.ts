import assert from 'node:assert/strict'
import { bytes, chapter, pingreq, publishBytes } from '../../support/conformance.js'

chapter('sessions of MQTT 3.1.1', {
  'a session that is kept is there at the next connection, and the first has none [MQTT-3.1.2-4] [MQTT-3.2.2-2] [MQTT-3.2.2-3]':
    async (place) => {
      const fields = { clientId: place.name, clean: false }
      const first = await place.connect(fields)
      assert.equal(first.isSessionPresent, false)
      await first.disconnect()
      const second = await place.connect(fields)
      assert.equal(second.isSessionPresent, true)
      second.drop()
      assert.equal((await place.connect(fields)).isSessionPresent, true)
    },

  'a session that is kept has its subscriptions, with their QoS [MQTT-3.1.2-4] [MQTT-4.1.0-1]': async (
    place,
  ) => {
    const { name } = place
    const fields = { clientId: name, clean: false }
    const first = await place.connect(fields)
    for (const qos of [0, 1, 2] as const) await first.subscribe(`${name}/${qos}/+`, qos)
    await first.subscribe(`${name}/gone`, 2)
    await first.unsubscribe(`${name}/gone`)
    await first.disconnect()
    const again = await place.connect(fields)
    for (const qos of [0, 1, 2] as const) {
      await again.publish(`${name}/${qos}/a`, 'x', { qos: 2 })
      await again.expectMessage({ topic: `${name}/${qos}/a`, qos })
    }
    await again.publish(`${name}/gone`, 'x', { qos: 2 })
    await again.expectNothingFrom(again)
  },

  'messages of QoS 1 and 2 wait for a session that is away [MQTT-3.1.2-5]': async (place) => {
    const { name } = place
    const fields = { clientId: name, clean: false }
    const first = await place.connect(fields)
    await first.subscribe(`${name}/1`, 1)
    await first.subscribe(`${name}/2`, 2)
    await first.disconnect()
    const publisher = await place.connect()
    await publisher.publish(`${name}/1`, 'one', { qos: 1 })
    await publisher.publish(`${name}/2`, 'two', { qos: 2 })
    await publisher.publish(`${name}/1`, 'three', { qos: 2 })
    await publisher.publish(`${name}/other`, 'no', { qos: 2 })
    const again = await place.connect(fields)
    await again.expectMessage({ payload: 'one', qos: 1 })
    await again.expectMessage({ payload: 'two', qos: 2 })
    await again.expectMessage({ payload: 'three', qos: 1 })
    await again.expectNothingFrom(publisher)
  },

  'a clean session ends the one before, and ends with its connection [MQTT-3.1.2-6] [MQTT-3.2.2-1] [MQTT-3.2.2-3]':
    async (place) => {
      const { name } = place
      const kept = await place.connect({ clientId: name, clean: false })
      await kept.subscribe(`${name}/a`, 1)
      await kept.disconnect()
      const publisher = await place.connect()
      await publisher.publish(`${name}/a`, 'for the first', { qos: 1 })
      const clean = await place.connect({ clientId: name, clean: true })
      assert.equal(clean.isSessionPresent, false)
      await clean.expectNothingFrom(publisher)
      await clean.subscribe(`${name}/a`, 1)
      await clean.disconnect()
      const last = await place.connect({ clientId: name, clean: false })
      assert.equal(last.isSessionPresent, false)
      await publisher.publish(`${name}/a`, 'nobody subscribed', { qos: 1 })
      await last.expectNothingFrom(publisher)
    },

  'a clean session that takes over a connection ends the session it had [MQTT-3.1.2-6] [MQTT-3.1.4-2]':
    async (place) => {
      const { name } = place
      const kept = await place.connect({ clientId: name, clean: false })
      await kept.subscribe(`${name}/a`, 1)
      const clean = await place.connect({ clientId: name, clean: true })
      await kept.closed()
      await clean.publish(`${name}/a`, 'x')
      await clean.expectNothingFrom(clean)
    },

  'a connection that is taken over leaves its session, and what was not acknowledged, to the next [MQTT-3.1.4-2] [MQTT-4.4.0-1]':
    async (place) => {
      const { name } = place
      const first = await place.connect({ clientId: name, clean: false })
      await first.subscribe(`${name}/a`, 1)
      const publisher = await place.connect()
      await publisher.publish(`${name}/a`, 'x', { qos: 1 })
      const heard = await first.hear()
      const second = await place.connect({ clientId: name, clean: false })
      assert.equal(second.isSessionPresent, true)
      assert.deepEqual(await second.receive(), { ...heard, dup: true })
      await first.expectClosed()
      await second.expectNothingFrom(publisher)
    },

  'a connection that is not clean may follow a clean one that is still there: its session is new [MQTT-3.1.2-6] [MQTT-3.2.2-3]':
    async (place) => {
      const { name } = place
      const clean = await place.connect({ clientId: name, clean: true })
      await clean.subscribe(`${name}/a`, 1)
      const kept = await place.connect({ clientId: name, clean: false })
      assert.equal(kept.isSessionPresent, false)
      await clean.closed()
      await kept.publish(`${name}/a`, 'x')
      await kept.expectNothingFrom(kept)
    },

  'a session lasts as long as its connection, clean or not [MQTT-4.1.0-2]': async (place) => {
    const { name } = place
    for (const clean of [true, false]) {
      const peer = await place.connect({ clientId: `${name}${clean}`, clean })
      await peer.subscribe(`${name}/${clean}`, 2)
      for (let count = 0; count < 20; count++) {
        await peer.publish(`${name}/${clean}`, `${count}`, { qos: 2 })
        await peer.expectMessage({ payload: `${count}` })
      }
    }
  },

  'sessions do not mix: each client gets what it subscribed [MQTT-3.1.3-2]': async (place) => {
    const { name } = place
    const ids = Array.from({ length: 10 }, (_, index) => `${name}-${index}`)
    for (const clientId of ids) {
      const peer = await place.connect({ clientId, clean: false })
      await peer.subscribe(clientId, 1)
      await peer.disconnect()
    }
    const publisher = await place.connect()
    for (const clientId of ids) await publisher.publish(clientId, clientId, { qos: 1 })
    for (const clientId of ids) {
      const peer = await place.connect({ clientId, clean: false })
      await peer.expectMessage({ topic: clientId, payload: clientId })
      await peer.expectNothingFrom(publisher)
    }
  },
})

chapter('PINGREQ and DISCONNECT of MQTT 3.1.1', {
  'a PINGREQ is answered with PINGRESP, and each of many [MQTT-3.12.4-1]': async (place) => {
    const peer = await place.connect()
    peer.send(pingreq, pingreq, pingreq)
    for (let count = 0; count < 3; count++) await peer.expect(bytes([0xd0, 0]))
  },

  'after DISCONNECT the broker closes the connection, without a word': async (place) => {
    const peer = await place.connect()
    peer.send([0xe0, 0])
    await peer.expectClosed()
  },

  'what a client sends after DISCONNECT is not obeyed': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name)
    const peer = await place.connect()
    peer.send(publishBytes(place.name, 'before'), [0xe0, 0], publishBytes(place.name, 'after'), pingreq)
    await peer.expectClosed()
    await watcher.expectMessage({ payload: 'before' })
    await watcher.expectNothingFrom(watcher, 0)
  },
})
