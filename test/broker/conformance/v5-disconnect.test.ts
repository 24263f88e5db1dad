import assert from 'node:assert/strict'
import {
  authBytes,
  bytes,
  type Case,
  chapter,
  connectBytes,
  disconnectBytes,
  type Properties,
  packet,
  pingreq,
  publishBytes,
  subscribeBytes,
} from '../../support/conformance-v5.js'

chapter('DISCONNECT of MQTT 5.0', {
  'after DISCONNECT the broker closes the connection without a word, and obeys nothing more [MQTT-3.14.4-1] [MQTT-3.14.4-2]':
    async (place) => {
      const watcher = await place.connect()
      await watcher.subscribe(place.name)
      const peer = await place.connect()
      peer.send(publishBytes(place.name, 'before'), disconnectBytes())
      peer.send(publishBytes(place.name, 'after'), pingreq)
      await peer.closed()
      assert.deepEqual(peer.heard(), [])
      await watcher.expectMessage({ payload: 'before' })
      await watcher.expectNothingFrom(watcher, 0)
    },

  ...Object.fromEntries(
    Object.entries({
      'no bytes': bytes([0xe0, 0]),
      'a reason code only': packet(0xe0, 0x04),
      'properties of no bytes': packet(0xe0, 0, 0),
      'a reason and user properties': disconnectBytes(0, {
        reasonString: 'tired',
        userProperties: [['a', 'b']],
      }),
      'a reason code of an error': disconnectBytes(0x93),
    }).map(([what, sent]): [string, Case] => [
      `a DISCONNECT with ${what} is a DISCONNECT`,
      async (place) => {
        const peer = await place.connect()
        peer.send(sent)
        await peer.closed()
        assert.deepEqual(peer.heard(), [])
      },
    ]),
  ),

  'who violates the protocol is told why once, and nothing after it [MQTT-3.14.2-1] [MQTT-3.14.2-2] [MQTT-3.14.4-1] [MQTT-3.14.4-2]':
    async (place) => {
      const peer = await place.connect({ properties: { sessionExpiry: 60 } })
      peer.send(publishBytes('a', 'x'), bytes([0x32, 2, 0, 0]), pingreq, subscribeBytes(1, [['a', 0]]))
      // each DISCONNECT is read strictly: a reason code of the table, and no Session Expiry Interval
      await peer.expectDisconnect(0x81, 0x82)
    },

  'no DISCONNECT comes before CONNACK, nor instead of it [MQTT-3.14.0-1]': async (place) => {
    for (const first of [disconnectBytes(), bytes([0, 0]), connectBytes().subarray(0, 12)]) {
      const peer = await place.open()
      peer.send(first)
      if (first.length === 12) peer.drop()
      else await peer.closed()
      assert.deepEqual(peer.heard(), [])
    }
  },
})

const method: Properties = { authenticationMethod: 'SCRAM-SHA-256' }
const data: Properties = { authenticationData: Buffer.from('n,,n=user') }

chapter('enhanced authentication of MQTT 5.0, which is not offered', {
  'a CONNECT with an Authentication Method is refused with 0x8C [MQTT-4.12.0-1] [MQTT-4.12.0-4]': async (
    place,
  ) => {
    for (const properties of [method, { ...method, ...data }]) {
      const peer = await place.open()
      peer.send(connectBytes({ clientId: place.name, properties }))
      await peer.expectRefused(0x8c)
    }
  },

  'what follows such a CONNECT is not obeyed [MQTT-3.1.4-6] [MQTT-4.12.0-4]': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name)
    const peer = await place.open()
    peer.send(connectBytes({ properties: method }), authBytes(0x18, { ...method, ...data }))
    peer.send(publishBytes(place.name, 'x'))
    await peer.expectRefused(0x8c)
    await watcher.expectNothingFrom(watcher)
  },

  'it does not take the place of a client with that id [MQTT-3.1.4-2]': async (place) => {
    const there = await place.connect({ clientId: place.name })
    const peer = await place.open()
    peer.send(connectBytes({ clientId: place.name, properties: method }))
    await peer.expectRefused(0x8c)
    await there.expectAlive()
  },

  'who does not ask for it gets neither AUTH nor an Authentication Method [MQTT-4.12.0-6]': async (place) => {
    const peer = await place.connect()
    assert.equal(peer.connack.properties.authenticationMethod, undefined)
    assert.equal(peer.connack.properties.authenticationData, undefined)
    await peer.expectAlive()
  },

  ...Object.fromEntries(
    Object.entries({
      'to go on': authBytes(0x18, method),
      'to authenticate anew': authBytes(0x19, method),
      'of success': authBytes(0),
      'of no bytes': bytes([0xf0, 0]),
    }).map(([what, auth]): [string, Case] => [
      `an AUTH ${what} after CONNACK is a protocol error [MQTT-4.12.0-7] [MQTT-4.12.1-2] [MQTT-4.13.1-1]`,
      async (place) => {
        const peer = await place.connect()
        peer.send(auth)
        await peer.expectDisconnect(0x82)
      },
    ]),
  ),

  ...Object.fromEntries(
    [1, 2, 8].map((flags): [string, Case] => [
      `an AUTH with the flags ${flags} is malformed [MQTT-3.15.1-1]`,
      async (place) => {
        const peer = await place.connect()
        const auth = authBytes(0x18, method)
        peer.send(bytes(0xf0 | flags, auth.subarray(1)))
        await peer.expectDisconnect(0x81)
      },
    ]),
  ),
})
