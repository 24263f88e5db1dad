import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { chapter, isOurs, pingreq, publishBytes } from '../../support/conformance-v5.js'

chapter('keep alive of MQTT 5.0', {
  'a PINGREQ is answered with PINGRESP, and each of many [MQTT-3.12.4-1]': async (place) => {
    const peer = await place.connect()
    peer.send(pingreq, pingreq, pingreq)
    for (let count = 0; count < 3; count++) await peer.next('PINGRESP')
  },

  'a client that says nothing for one and a half times its keep alive is told 0x8D and closed [MQTT-3.1.2-22] [MQTT-3.2.2-22]':
    async (place) => {
      const peer = await place.connect({ keepAlive: 1 })
      assert.equal(peer.connack.properties.serverKeepAlive, undefined)
      await sleep(900)
      assert.equal(peer.isClosed, false)
      await peer.expectDisconnect(0x8d)
    },

  'a client that vanishes so has its will published [MQTT-3.1.2-22] [MQTT-3.1.2-8]': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name)
    await place.connect({ keepAlive: 1, will: { topic: place.name, payload: 'silent' } })
    await watcher.expectMessage({ payload: 'silent' })
  },

  'any packet keeps a client alive [MQTT-3.1.2-22]': async (place) => {
    const pinging = await place.connect({ keepAlive: 1 })
    const publishing = await place.connect({ keepAlive: 1 })
    for (let count = 0; count < 5; count++) {
      await sleep(500)
      pinging.send(pingreq)
      publishing.send(publishBytes('a', 'x'))
    }
    assert.deepEqual([pinging.isClosed, publishing.isClosed], [false, false])
  },

  'what the broker sends keeps nobody alive [MQTT-3.1.2-22]': async (place) => {
    const peer = await place.connect({ keepAlive: 1 })
    await peer.subscribe(place.name)
    const publisher = await place.connect()
    while (!peer.isClosed) {
      await publisher.publish(place.name, 'x')
      await sleep(100)
    }
    await publisher.expectAlive()
  },

  'keep alive 0 asks for nothing [MQTT-3.1.2-22]': async (place) => {
    const peer = await place.connect({ keepAlive: 0 })
    await sleep(2_000)
    await peer.expectAlive()
  },
})

// mosquitto accepts no bound below ten seconds
const keepAliveSecondsMax = isOurs ? 1 : 10

chapter(
  'keep alive of MQTT 5.0 when the broker has a bound',
  {
    'a longer keep alive is answered with Server Keep Alive, which is then kept to [MQTT-3.1.2-21] [MQTT-3.2.2-21] [MQTT-3.1.2-22]':
      async (place) => {
        const peer = await place.connect({ keepAlive: 60 })
        assert.equal(peer.connack.properties.serverKeepAlive, keepAliveSecondsMax)
        if (!isOurs) return
        await sleep(900)
        assert.equal(peer.isClosed, false)
        await peer.expectDisconnect(0x8d)
      },

    // mosquitto refuses it
    'no keep alive is answered with Server Keep Alive [MQTT-3.2.2-21]': async (place) => {
      if (!isOurs) return
      const peer = await place.connect({ keepAlive: 0 })
      assert.equal(peer.connack.properties.serverKeepAlive, keepAliveSecondsMax)
      await peer.expectDisconnect(0x8d)
    },

    'one at the bound is not answered [MQTT-3.2.2-22]': async (place) => {
      const peer = await place.connect({ keepAlive: keepAliveSecondsMax })
      assert.equal(peer.connack.properties.serverKeepAlive, undefined)
    },
  },
  { limits: { keepAliveSecondsMax } },
)
