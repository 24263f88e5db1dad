import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Case,
  type ConnectFields,
  chapter,
  disconnectBytes,
  isOurs,
  type Peer,
  type Place,
  publishBytes,
} from '../../support/conformance-v5.js'

const never = 0xffff_ffff

/** CONNECT of a session that is to be found again. */
const kept = (place: Place, sessionExpiry: number, clean = false): ConnectFields => ({
  clientId: place.name,
  clean,
  properties: { sessionExpiry },
})

/** Whether the client's session is still there; it is not there afterwards. */
async function isThere(place: Place): Promise<boolean> {
  const peer = await place.connect({ clientId: place.name, clean: false, properties: { sessionExpiry: 0 } })
  await peer.disconnect()
  return peer.connack.isSessionPresent
}

type Leave = (peer: Peer) => Promise<void>
const leave: Leave = (peer) => peer.disconnect()
const vanish: Leave = async (peer) => peer.drop()

/** What becomes of a session: expiry at CONNECT, how it is left, how long to wait, whether it is there. */
const lives: Readonly<Record<string, readonly [expiry: number | undefined, Leave, waitMs: number, boolean]>> =
  {
    'without Session Expiry Interval ends with its connection [MQTT-3.1.2-23] [MQTT-4.1.0-2]': [
      undefined,
      leave,
      0,
      false,
    ],
    'of Session Expiry Interval 0 ends with its connection [MQTT-3.1.2-23] [MQTT-4.1.0-2]': [
      0,
      leave,
      0,
      false,
    ],
    'of Session Expiry Interval 0 ends when its connection breaks [MQTT-4.1.0-2]': [0, vanish, 200, false],
    'of 60 seconds is there after DISCONNECT [MQTT-3.1.2-23]': [60, leave, 0, true],
    'of 60 seconds is there after the connection broke [MQTT-3.1.2-23]': [60, vanish, 100, true],
    'of one second is gone after three [MQTT-4.1.0-2]': [1, leave, 3_000, false],
    'of one second is gone three seconds after the connection broke [MQTT-4.1.0-2]': [
      1,
      vanish,
      3_000,
      false,
    ],
    'of 0xFFFFFFFF seconds never ends [MQTT-3.1.2-23]': [never, leave, 3_000, true],
    'ends when DISCONNECT says 0 [MQTT-4.1.0-2]': [
      60,
      (peer) => peer.disconnect(0, { sessionExpiry: 0 }),
      0,
      false,
    ],
    'is prolonged when DISCONNECT says so [MQTT-3.1.2-23]': [
      1,
      (peer) => peer.disconnect(0, { sessionExpiry: 60 }),
      3_000,
      true,
    ],
    'is shortened when DISCONNECT says so [MQTT-4.1.0-2]': [
      60,
      (peer) => peer.disconnect(0, { sessionExpiry: 1 }),
      3_000,
      false,
    ],
    'whose DISCONNECT says nothing keeps its interval [MQTT-3.1.2-23]': [
      60,
      (peer) => peer.disconnect(4),
      0,
      true,
    ],
    'of Session Expiry Interval 0 may say 0 again [MQTT-4.1.0-2]': [
      0,
      (peer) => peer.disconnect(0, { sessionExpiry: 0 }),
      0,
      false,
    ],
  }

chapter('sessions of MQTT 5.0: how long they last', {
  ...Object.fromEntries(
    Object.entries(lives).map(([what, [sessionExpiry, end, waitMs, isKept]]): [string, Case] => [
      `a session ${what}`,
      async (place) => {
        const properties = sessionExpiry === undefined ? {} : { sessionExpiry }
        const peer = await place.connect({ clientId: place.name, properties })
        await peer.subscribe(place.name, { qos: 1 })
        await end(peer)
        await sleep(waitMs)
        assert.equal(await isThere(place), isKept)
      },
    ]),
  ),

  ...Object.fromEntries(
    [undefined, 0].map((sessionExpiry): [string, Case] => [
      `a session of Session Expiry Interval ${sessionExpiry ?? 'that was not told'} is not prolonged by DISCONNECT: a protocol error [MQTT-4.13.1-1]`,
      async (place) => {
        const properties = sessionExpiry === undefined ? {} : { sessionExpiry }
        const peer = await place.connect({ clientId: place.name, properties })
        peer.send(disconnectBytes(0, { sessionExpiry: 60 }))
        await peer.expectDisconnect(0x82)
        assert.equal(await isThere(place), false)
      },
    ]),
  ),

  'a session does not expire while its client is connected [MQTT-4.1.0-1]': async (place) => {
    const peer = await place.connect(kept(place, 1))
    await peer.subscribe(place.name, { qos: 1 })
    await sleep(2_500)
    await peer.publish(place.name, 'x', { qos: 1 })
    await peer.expectMessage({ payload: 'x' })
    await peer.disconnect()
    assert.equal(await isThere(place), true)
  },

  'a connection in time saves a session, whose time then begins anew [MQTT-3.1.2-5] [MQTT-4.1.0-1]': async (
    place,
  ) => {
    for (let count = 0; count < 3; count++) {
      const peer = await place.connect(kept(place, 2))
      assert.equal(peer.connack.isSessionPresent, count > 0)
      await peer.disconnect()
      await sleep(700)
    }
  },

  'the interval of the latest connection is what counts [MQTT-3.1.2-23]': async (place) => {
    await (await place.connect(kept(place, 1))).disconnect()
    await (await place.connect(kept(place, 60))).disconnect()
    await sleep(3_000)
    assert.equal(await isThere(place), true)
  },
})

chapter('sessions of MQTT 5.0: what they keep', {
  'without a session Clean Start 0 makes one [MQTT-3.1.2-6] [MQTT-3.2.2-3]': async (place) => {
    const peer = await place.connect(kept(place, 60))
    assert.equal(peer.connack.isSessionPresent, false)
    await peer.publish(place.name, 'x')
    await peer.expectNothingFrom(peer)
  },

  'Clean Start 0 resumes: subscriptions and what came meanwhile are there [MQTT-3.1.2-5] [MQTT-3.2.2-3] [MQTT-3.1.2-23] [MQTT-4.5.0-1]':
    async (place) => {
      const { name } = place
      const first = await place.connect(kept(place, 60))
      await first.subscribe(`${name}/+`, { qos: 2 })
      await first.disconnect()
      const publisher = await place.connect()
      for (const qos of [1, 2, 1] as const) await publisher.publish(`${name}/a`, `${qos}`, { qos })
      const second = await place.connect(kept(place, 60))
      assert.equal(second.connack.isSessionPresent, true)
      for (const qos of [1, 2, 1] as const) await second.expectMessage({ qos, payload: `${qos}`, dup: false })
      await publisher.publish(`${name}/b`, 'now')
      await second.expectMessage({ qos: 0, payload: 'now' })
      await second.expectNothingFrom(publisher)
    },

  'Clean Start 1 discards the session that was [MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2]': async (
    place,
  ) => {
    const first = await place.connect(kept(place, 60))
    await first.subscribe(place.name, { qos: 1 })
    await first.disconnect()
    const publisher = await place.connect()
    await publisher.publish(place.name, 'x', { qos: 1 })
    const second = await place.connect(kept(place, 60, true))
    assert.equal(second.connack.isSessionPresent, false)
    await publisher.publish(place.name, 'y', { qos: 1 })
    await second.expectNothingFrom(publisher)
    await second.disconnect()
    const third = await place.connect(kept(place, 60))
    assert.equal(third.connack.isSessionPresent, true, 'the session that Clean Start began')
    await third.expectNothingFrom(publisher)
  },

  'a session without subscriptions is a session [MQTT-3.2.2-3]': async (place) => {
    await (await place.connect(kept(place, 60))).disconnect()
    assert.equal(await isThere(place), true)
  },

  'sessions go by the client id, and do not mix [MQTT-3.1.3-2]': async (place) => {
    const ids = Array.from({ length: 5 }, (_, index) => `${place.name}-${index}`)
    for (const clientId of ids) {
      const peer = await place.connect({ ...kept(place, 60), clientId })
      await peer.subscribe(clientId, { qos: 1 })
      await peer.disconnect()
    }
    const publisher = await place.connect()
    for (const clientId of ids) await publisher.publish(clientId, clientId, { qos: 1 })
    for (const clientId of ids) {
      const peer = await place.connect({ ...kept(place, 60), clientId })
      await peer.expectMessage({ topic: clientId, payload: clientId })
      await peer.expectNothingFrom(publisher)
    }
  },

  'who takes over gets the session, and what was not acknowledged [MQTT-3.1.4-3] [MQTT-3.1.2-5] [MQTT-4.4.0-1]':
    async (place) => {
      const first = await place.connect(kept(place, 60))
      await first.subscribe(place.name, { qos: 1 })
      const publisher = await place.connect()
      await publisher.publish(place.name, 'x', { qos: 1 })
      const heard = await first.next('PUBLISH')
      const second = await place.connect(kept(place, 60))
      assert.equal(second.connack.isSessionPresent, true)
      await first.expectDisconnect(0x8e)
      await second.expectMessage({ ...heard, dup: true })
      await second.expectNothingFrom(publisher)
    },

  'who takes over with Clean Start gets nothing of it [MQTT-3.1.4-3] [MQTT-3.1.2-4]': async (place) => {
    const first = await place.connect(kept(place, 60))
    await first.subscribe(place.name, { qos: 1 })
    const second = await place.connect(kept(place, 60, true))
    await first.expectDisconnect(0x8e)
    assert.equal(second.connack.isSessionPresent, false)
    await second.publish(place.name, 'x')
    await second.expectNothingFrom(second)
  },

  // mosquitto hands on the session although it ended with the connection
  'who takes over a connection whose session ends with it begins a new one [MQTT-3.1.4-3] [MQTT-4.1.0-2]':
    async (place) => {
      const first = await place.connect({ clientId: place.name })
      await first.subscribe(place.name)
      const second = await place.connect({ clientId: place.name, clean: false })
      await first.expectDisconnect(0x8e)
      if (isOurs) assert.equal(second.connack.isSessionPresent, false)
    },

  'the QoS 2 packet ids of a client are part of its session [MQTT-3.1.2-23] [MQTT-4.3.3-10]': async (
    place,
  ) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name, { qos: 2 })
    const first = await place.connect(kept(place, 60))
    first.send(publishBytes(place.name, 'once', { qos: 2, id: 5 }))
    assert.ok((await first.next('PUBREC')).code < 0x80)
    first.drop()
    const second = await place.connect(kept(place, 60))
    await second.publish(place.name, 'once', { qos: 2, id: 5, dup: true })
    await watcher.expectMessage({ payload: 'once' })
    await watcher.expectNothingFrom(second, 2)
  },
})

// mosquitto has no such word
if (isOurs)
  chapter(
    'sessions of MQTT 5.0 when the broker has a bound',
    {
      'a longer Session Expiry Interval is cut, and CONNACK says to what [MQTT-4.1.0-2]': async (place) => {
        for (const sessionExpiry of [60, never]) {
          const peer = await place.connect(kept(place, sessionExpiry, true))
          assert.equal(peer.connack.properties.sessionExpiry, 1)
          await peer.disconnect()
        }
        await sleep(3_000)
        assert.equal(await isThere(place), false)
      },

      'DISCONNECT does not prolong it either [MQTT-4.1.0-2]': async (place) => {
        const peer = await place.connect(kept(place, 1))
        assert.equal(peer.connack.properties.sessionExpiry, undefined)
        await peer.disconnect(0, { sessionExpiry: 60 })
        await sleep(3_000)
        assert.equal(await isThere(place), false)
      },
    },
    { limits: { sessionExpirySecondsMax: 1 } },
  )
