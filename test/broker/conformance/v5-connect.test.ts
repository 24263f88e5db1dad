import assert from 'node:assert/strict'
import {
  ackBytes,
  authBytes,
  bytes,
  type Case,
  type ConnectFields,
  chapter,
  connectBytes,
  disconnectBytes,
  isOurs,
  packet,
  pingreq,
  prefixed,
  publishBytes,
  rawConnect,
  silence,
  subscribeBytes,
  u16,
  unsubscribeBytes,
  withLength,
} from '../../support/conformance-v5.js'

const illFormed = Buffer.from([0x61, 0xc3, 0x28])

/** First packets that are not answered: neither CONNACK nor DISCONNECT may come. */
const notConnect: Readonly<Record<string, Buffer>> = {
  'a PUBLISH before CONNECT': publishBytes('a', 'x'),
  'a PUBACK before CONNECT': ackBytes(0x40, 1),
  'a PUBREL before CONNECT': ackBytes(0x62, 1),
  'a SUBSCRIBE before CONNECT': subscribeBytes(1, [['a', 0]]),
  'an UNSUBSCRIBE before CONNECT': unsubscribeBytes(1, 'a'),
  'a PINGREQ before CONNECT': pingreq,
  'a DISCONNECT before CONNECT': disconnectBytes(),
  'an AUTH before CONNECT': authBytes(0x18, { authenticationMethod: 'a' }),
  'a CONNACK before CONNECT': packet(0x20, 0, 0, 0),
}

/** CONNECTs that are refused, by what is wrong with them, and with which code. */
const refused: Readonly<Record<string, readonly [connect: Buffer, ...codes: number[]]>> = {
  'the protocol name mqtt [MQTT-3.1.2-1]': [rawConnect({ name: 'mqtt' }), silence, 0x84],
  'the protocol name MQTT5 [MQTT-3.1.2-1]': [rawConnect({ name: 'MQTT5' }), silence, 0x84],
  'the protocol name of no letters [MQTT-3.1.2-1]': [rawConnect({ name: '' }), silence, 0x84],
  'the reserved connect flag [MQTT-3.1.2-3] [MQTT-3.1.4-1]': [rawConnect({ flags: 3 }), 0x81],
  'flags in the fixed header of CONNECT [MQTT-2.1.3-1]': [
    bytes(0x11, connectBytes().subarray(1)),
    0x81,
    silence,
  ],
  'a will flag without will fields [MQTT-3.1.2-9]': [
    rawConnect({ flags: 6, payload: [prefixed('c')] }),
    0x81,
  ],
  'a will flag without will payload [MQTT-3.1.2-9]': [
    rawConnect({ flags: 6, payload: [prefixed('c'), withLength(), prefixed('topic')] }),
    0x81,
  ],
  'a will flag without will properties [MQTT-3.1.2-9]': [
    rawConnect({ flags: 6, payload: [prefixed('c'), prefixed('topic'), prefixed('gone')] }),
    0x81,
  ],
  'will fields without a will flag [MQTT-3.1.2-9]': [
    rawConnect({ flags: 2, payload: [prefixed('c'), withLength(), prefixed('topic'), prefixed('gone')] }),
    0x81,
  ],
  'will QoS 1 without a will flag [MQTT-3.1.2-11]': [rawConnect({ flags: 0x0a }), 0x81],
  'will QoS 2 without a will flag [MQTT-3.1.2-11]': [rawConnect({ flags: 0x12 }), 0x81],
  'will QoS 3 [MQTT-3.1.2-12]': [
    rawConnect({ flags: 0x1e, payload: [prefixed('c'), withLength(), prefixed('t'), prefixed('p')] }),
    0x81,
  ],
  'will retain without a will flag [MQTT-3.1.2-13]': [rawConnect({ flags: 0x22 }), 0x81],
  'a user name without its flag [MQTT-3.1.2-16]': [
    rawConnect({ flags: 2, payload: [prefixed('c'), prefixed('user')] }),
    0x81,
  ],
  'a user name flag without user name [MQTT-3.1.2-17]': [
    rawConnect({ flags: 0x82, payload: [prefixed('c')] }),
    0x81,
  ],
  'a password without its flag [MQTT-3.1.2-18]': [
    rawConnect({ flags: 0x82, payload: [prefixed('c'), prefixed('user'), prefixed('pass')] }),
    0x81,
  ],
  'a password flag without password [MQTT-3.1.2-19]': [
    rawConnect({ flags: 0xc2, payload: [prefixed('c'), prefixed('user')] }),
    0x81,
  ],
  'a user name before the client id, which is too much then [MQTT-3.1.3-1]': [
    rawConnect({ flags: 0x82, payload: [prefixed('user'), prefixed('c'), prefixed('rest')] }),
    0x81,
  ],
  'no client id at all [MQTT-3.1.3-3]': [rawConnect({ payload: [] }), 0x81],
  'a client id that is not UTF-8 [MQTT-3.1.3-4]': [connectBytes({ clientId: illFormed }), 0x81, 0x85],
  'a client id with U+0000 [MQTT-3.1.3-4] [MQTT-1.5.4-2]': [connectBytes({ clientId: 'a\0' }), 0x81, 0x85],
  'a will topic that is not UTF-8 [MQTT-3.1.3-11]': [connectBytes({ will: { topic: illFormed } }), 0x81],
  'a will topic with a wildcard [MQTT-4.7.0-1]': [connectBytes({ will: { topic: 'a/+' } }), 0x81, 0x82, 0x90],
  'a will topic of no letters [MQTT-4.7.3-1]': [connectBytes({ will: { topic: '' } }), 0x81, 0x82, 0x90],
  'a user name that is not UTF-8 [MQTT-3.1.3-12]': [connectBytes({ username: illFormed }), 0x81],
  'a CONNECT that ends after the protocol name [MQTT-3.1.4-1]': [
    packet(0x10, prefixed('MQTT')),
    0x81,
    silence,
  ],
  'a CONNECT that ends after the keep alive [MQTT-3.1.4-1] [MQTT-2.2.2-1]': [
    packet(0x10, prefixed('MQTT'), 5, 2, u16(0)),
    0x81,
  ],
}

chapter('CONNECT of MQTT 5.0: what is refused', {
  ...Object.fromEntries(
    Object.entries(notConnect).map(([what, first]): [string, Case] => [
      `${what} closes the connection without an answer [MQTT-3.1.0-1] [MQTT-3.14.0-1]`,
      async (place) => {
        const peer = await place.open()
        peer.send(first)
        await peer.closed()
        assert.deepEqual(peer.heard(), [])
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(refused).map(([what, [connect, ...codes]]): [string, Case] => [
      `refused: ${what} [MQTT-4.13.1-1] [MQTT-4.13.2-1]`,
      async (place) => {
        const peer = await place.open()
        peer.send(connect, pingreq)
        await peer.expectRefused(...codes)
      },
    ]),
  ),

  'the protocol name MQIsdp with version 5 is refused [MQTT-3.1.2-1]': async (place) => {
    const peer = await place.open()
    peer.send(rawConnect({ name: 'MQIsdp' }))
    await peer.closed() // what it says in which version's form is its own choice
  },

  // MQTT 3.1.1 demands its own return code for a level that is not known, this standard leaves the choice
  ...Object.fromEntries(
    [0, 1, 6, 255].map((level): [string, Case] => [
      `protocol version ${level} closes the connection [MQTT-3.1.2-2]`,
      async (place) => {
        const peer = await place.open()
        peer.send(rawConnect({ level }), pingreq)
        await peer.closed()
      },
    ]),
  ),

  'a second CONNECT is a protocol error [MQTT-3.1.0-2] [MQTT-3.2.0-2]': async (place) => {
    const peer = await place.connect()
    peer.send(connectBytes({ clientId: `${place.name}c1` }))
    await peer.expectDisconnect(0x82)
  },

  'a second CONNECT in the same segment is a protocol error, after the one CONNACK [MQTT-3.1.0-2] [MQTT-3.2.0-2]':
    async (place) => {
      const peer = await place.open()
      peer.send(connectBytes({ clientId: place.name }), connectBytes({ clientId: place.name }))
      await peer.next('CONNACK')
      await peer.expectDisconnect(0x82)
    },
})

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

chapter('CONNECT and CONNACK of MQTT 5.0: what is accepted', {
  'CONNECT is answered with CONNACK 0x00, and says what the broker can do [MQTT-3.1.4-5] [MQTT-3.2.2-1] [MQTT-3.2.2-8]':
    async (place) => {
      const { connack } = await place.connect()
      assert.equal(connack.isSessionPresent, false)
      assert.notEqual(connack.properties.receiveMaximum, 0)
      assert.notEqual(connack.properties.maximumPacketSize, 0)
      assert.equal(connack.properties.assignedClientId, undefined)
    },

  'all QoS, retained messages, wildcards, identifiers and shared subscriptions are there: CONNACK denies none, and a QoS 2 retained will is accepted [MQTT-3.2.2-9] [MQTT-3.2.2-10] [MQTT-3.2.2-12] [MQTT-3.2.2-13]':
    async (place) => {
      const will = { topic: place.name, qos: 2, retain: true } as const
      const peer = await place.connect({ will })
      const { properties } = peer.connack
      for (const name of [
        'maximumQos',
        'retainAvailable',
        'wildcardsAvailable',
        'subscriptionIdentifiersAvailable',
        'sharedAvailable',
      ] as const)
        assert.ok([undefined, name === 'maximumQos' ? 2 : 1].includes(properties[name]), name)
      for (const qos of [0, 1, 2] as const) {
        await peer.subscribe(`${place.name}/${qos}`, { qos })
        await peer.publish(`${place.name}/${qos}`, 'x', { qos, retain: true })
        await peer.expectMessage({ qos })
      }
      await peer.disconnect()
    },

  ...Object.fromEntries(
    [alphabet.slice(0, 23), alphabet.slice(23, 46), alphabet.slice(46), 'Z'].map(
      (clientId): [string, Case] => [
        `the client id ${clientId} is allowed [MQTT-3.1.3-5]`,
        async (place) => {
          const peer = await place.connect({ clientId })
          await peer.expectAlive()
        },
      ],
    ),
  ),

  'a client without an id gets one that nobody else has [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]':
    async (place) => {
      const peers = await Promise.all(Array.from({ length: 5 }, () => place.connect({ clientId: '' })))
      const ids = peers.map((peer) => peer.connack.properties.assignedClientId)
      assert.ok(
        ids.every((id) => id !== undefined && id.length > 0),
        `${ids}`,
      )
      assert.equal(new Set(ids).size, ids.length)
      for (const peer of peers) await peer.expectAlive()
    },

  'an assigned client id names a session like any other [MQTT-3.1.3-7] [MQTT-3.1.3-2]': async (place) => {
    const fields: ConnectFields = { clientId: '', properties: { sessionExpiry: 60 } }
    const first = await place.connect(fields)
    const clientId = first.connack.properties.assignedClientId as string
    await first.subscribe(place.name)
    await first.disconnect()
    const second = await place.connect({ ...fields, clientId, clean: false })
    assert.equal(second.connack.isSessionPresent, true)
    assert.equal(second.connack.properties.assignedClientId, undefined)
    await second.publish(place.name, 'x')
    await second.expectMessage({ payload: 'x' })
  },

  // mosquitto refuses an id of no letters without Clean Start, as MQTT 3.1.1 did
  'a client without an id and without Clean Start gets an id and a new session [MQTT-3.1.3-6] [MQTT-3.1.3-7]':
    async (place) => {
      if (!isOurs) return
      const peer = await place.connect({ clientId: '', clean: false })
      assert.equal(peer.connack.isSessionPresent, false)
      assert.ok(peer.connack.properties.assignedClientId)
    },

  'packets that follow CONNECT at once are answered after CONNACK, in their order [MQTT-3.2.0-1] [MQTT-3.1.4-5]':
    async (place) => {
      const peer = await place.open()
      const { name } = place
      const connect = connectBytes({ clientId: name })
      peer.send(connect, subscribeBytes(7, [[name, 1]]), publishBytes(name, 'x', { qos: 1, id: 8 }), pingreq)
      await peer.next('CONNACK')
      assert.equal((await peer.take('SUBACK')).id, 7)
      assert.equal((await peer.take('PUBACK')).id, 8)
      await peer.take('PINGRESP')
      await peer.expectMessage({ payload: 'x' })
      await peer.expectAlive()
    },

  'a CONNECT that comes byte by byte is one CONNECT [MQTT-4.2.0-1]': async (place) => {
    const peer = await place.open()
    for (const byte of connectBytes({ clientId: place.name })) {
      peer.send(byte)
      await new Promise(setImmediate)
    }
    assert.equal((await peer.next('CONNACK')).code, 0)
    await peer.expectAlive()
  },

  'a client with the id of one that is connected takes its place: that one is told 0x8E [MQTT-3.1.4-3] [MQTT-3.2.2-2]':
    async (place) => {
      const clientId = place.name
      const first = await place.connect({ clientId })
      const second = await place.connect({ clientId })
      await first.expectDisconnect(0x8e)
      assert.equal(second.connack.isSessionPresent, false)
      await second.expectAlive()
    },

  'response information is never sent to who did not ask for it [MQTT-3.1.2-28]': async (place) => {
    const fields: ConnectFields[] = [{}, { properties: { requestResponseInformation: 0 } }]
    for (const one of fields) {
      const { connack } = await place.connect(one)
      assert.equal(connack.properties.responseInformation, undefined)
    }
    await place.connect({ properties: { requestResponseInformation: 1 } })
  },

  'who asks for no problem information gets no reason string and no user property but in PUBLISH, CONNACK and DISCONNECT [MQTT-3.1.2-29]':
    async (place) => {
      const { name } = place
      const peer = await place.connect({ properties: { requestProblemInformation: 0 } })
      peer.send(unsubscribeBytes(1, name), publishBytes(name, 'x', { qos: 1, id: 2 }))
      peer.send(publishBytes(name, 'x', { qos: 2, id: 3 }), ackBytes(0x62, 99), ackBytes(0x50, 98))
      const answers = [
        await peer.take('UNSUBACK'),
        await peer.take('PUBACK'),
        await peer.take('PUBREC'),
        await peer.take('PUBCOMP'),
      ]
      for (const { properties } of answers) assert.deepEqual(properties, {})
      await peer.subscribe(name)
      await peer.publish(name, 'x', { properties: { userProperties: [['a', 'b']] } })
      const { properties } = await peer.take('PUBLISH')
      assert.deepEqual(properties.userProperties, [['a', 'b']])
    },
})

const credentials = { username: 'user', password: 'pass' }

chapter(
  'CONNECT of MQTT 5.0: who may',
  {
    ...Object.fromEntries(
      Object.entries<ConnectFields>({
        'without a user name': {},
        'with another password': { username: 'user', password: 'word' },
        'with a user name only': { username: 'user' },
        'with a password only, which MQTT 5.0 allows': { password: 'pass' },
      }).map(([how, fields]): [string, Case] => [
        `who comes ${how} is refused, and what follows is not obeyed [MQTT-3.1.4-2] [MQTT-3.1.4-6] [MQTT-3.2.2-6] [MQTT-3.2.2-7]`,
        async (place) => {
          const { name } = place
          const watcher = await place.connect(credentials)
          await watcher.subscribe(name)
          const peer = await place.open()
          peer.send(connectBytes({ ...fields, clientId: name }), publishBytes(name, 'x', { retain: true }))
          await peer.expectRefused(0x86, 0x87)
          await watcher.expectNothingFrom(watcher)
        },
      ]),
    ),

    'reason strings and user properties of a refusal keep to Maximum Packet Size [MQTT-3.2.2-19] [MQTT-3.2.2-20]':
      async (place) => {
        const peer = await place.open()
        peer.send(connectBytes({ username: 'nobody', properties: { maximumPacketSize: 8 } }))
        await peer.expectRefused(0x86, 0x87)
        assert.ok(peer.largestBytes <= 8, `${peer.largestBytes}`)
      },
  },
  { credentials },
)
