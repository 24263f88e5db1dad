import assert from 'node:assert/strict'
import {
  alone,
  bytes,
  type Case,
  chapter,
  connack,
  connectBytes,
  isOurs,
  ownClientId,
  type Place,
  packet,
  pingreq,
  prefixed,
  puback,
  pubcomp,
  publishBytes,
  pubrec,
  pubrel,
  rawConnect,
  subscribeBytes,
  u16,
  unsubscribeBytes,
} from '../../support/conformance.js'

const will = [prefixed('c'), prefixed('will/topic'), prefixed('gone')]

/** First packets that are closed without a CONNACK, by their titles. */
const unanswered: Readonly<Record<string, Buffer>> = {
  'a PUBLISH before CONNECT closes the connection [MQTT-3.1.0-1]': publishBytes('a', 'x'),
  'a PUBACK before CONNECT closes the connection [MQTT-3.1.0-1]': puback(1),
  'a PUBREC before CONNECT closes the connection [MQTT-3.1.0-1]': pubrec(1),
  'a PUBREL before CONNECT closes the connection [MQTT-3.1.0-1]': pubrel(1),
  'a PUBCOMP before CONNECT closes the connection [MQTT-3.1.0-1]': pubcomp(1),
  'a SUBSCRIBE before CONNECT closes the connection [MQTT-3.1.0-1]': subscribeBytes(1, ['a', 0]),
  'an UNSUBSCRIBE before CONNECT closes the connection [MQTT-3.1.0-1]': unsubscribeBytes(1, 'a'),
  'a PINGREQ before CONNECT closes the connection [MQTT-3.1.0-1]': pingreq,
  'a DISCONNECT before CONNECT closes the connection [MQTT-3.1.0-1]': bytes([0xe0, 0]),
  'a request of HTTP closes the connection [MQTT-3.1.0-1]': bytes('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),

  'the protocol name mqtt closes the connection [MQTT-3.1.2-1]': rawConnect({ name: 'mqtt' }),
  'the protocol name MQTT5 closes the connection [MQTT-3.1.2-1]': rawConnect({ name: 'MQTT5' }),
  'the protocol name of no letters closes the connection [MQTT-3.1.2-1]': rawConnect({ name: '' }),
  'the reserved connect flag closes the connection [MQTT-3.1.2-3] [MQTT-3.2.2-6]': rawConnect({ flags: 3 }),

  'a will flag without will topic and message closes the connection [MQTT-3.1.2-9]': rawConnect({
    flags: 6,
    payload: [prefixed('c')],
  }),
  'a will flag without will message closes the connection [MQTT-3.1.2-9]': rawConnect({
    flags: 6,
    payload: [prefixed('c'), prefixed('will/topic')],
  }),
  'a will topic and message without will flag close the connection [MQTT-3.1.2-11]': rawConnect({
    flags: 2,
    payload: will,
  }),
  'will QoS 1 without will flag closes the connection [MQTT-3.1.2-11] [MQTT-3.1.2-13]': rawConnect({
    flags: 0x0a,
  }),
  'will QoS 2 without will flag closes the connection [MQTT-3.1.2-11] [MQTT-3.1.2-13]': rawConnect({
    flags: 0x12,
  }),
  'will QoS 3 closes the connection [MQTT-3.1.2-14]': rawConnect({ flags: 0x1e, payload: will }),
  'will retain without will flag closes the connection [MQTT-3.1.2-11] [MQTT-3.1.2-15]': rawConnect({
    flags: 0x22,
  }),
  'a user name without its flag closes the connection [MQTT-3.1.2-18]': rawConnect({
    payload: [prefixed('c'), prefixed('user')],
  }),
  'a user name flag without user name closes the connection [MQTT-3.1.2-19]': rawConnect({
    flags: 0x82,
    payload: [prefixed('c')],
  }),
  'a password without its flag closes the connection [MQTT-3.1.2-20]': rawConnect({
    flags: 0x82,
    payload: [prefixed('c'), prefixed('user'), prefixed('password')],
  }),
  'a password flag without password closes the connection [MQTT-3.1.2-21]': rawConnect({
    flags: 0xc2,
    payload: [prefixed('c'), prefixed('user')],
  }),
  'a password without user name closes the connection [MQTT-3.1.2-22]': rawConnect({
    flags: 0x42,
    payload: [prefixed('c'), prefixed('password')],
  }),
  'a CONNECT without client id closes the connection [MQTT-3.1.3-3]': rawConnect({ payload: [] }),
  'a byte after the last field closes the connection [MQTT-3.1.4-1]': rawConnect({
    payload: [prefixed('c'), 0],
  }),
  'a will topic with a wildcard closes the connection [MQTT-4.7.1-1]': rawConnect({
    flags: 6,
    payload: [prefixed('c'), prefixed('will/+'), prefixed('gone')],
  }),
  'an empty will topic closes the connection [MQTT-4.7.3-1]': rawConnect({
    flags: 6,
    payload: [prefixed('c'), prefixed(''), prefixed('gone')],
  }),
}

/** Protocol levels that nobody speaks. 5 is MQTT 5; 0x84 is a bridge of mosquitto, which goes on with 4. */
const levels = [0, 1, 2, 3, 6, 127, 255]

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

chapter('CONNECT and CONNACK of MQTT 3.1.1', {
  ...Object.fromEntries(
    Object.entries(unanswered).map(([title, sent]): [string, Case] => [
      title,
      async (place) => {
        const peer = await place.open()
        peer.send(sent)
        await peer.expectClosed()
      },
    ]),
  ),

  'a second CONNECT closes the connection [MQTT-3.1.0-2]': async (place) => {
    const peer = await place.connect({ clientId: place.name })
    peer.send(connectBytes({ clientId: place.name }))
    await peer.expectClosed()
  },

  ...Object.fromEntries(
    levels.map((level): [string, Case] => [
      `protocol level ${level} is answered with return code 1, and closed [MQTT-3.1.2-2] [MQTT-3.2.2-4] [MQTT-3.2.2-5]`,
      (place) => refused(place, rawConnect({ level }), 1),
    ]),
  ),

  'all of a CONNECT must be there: cut at any byte, it closes the connection [MQTT-3.1.4-1]': async (
    place,
  ) => {
    const fields = { topic: 'will/topic', payload: 'gone' }
    const whole = connectBytes({ clientId: place.name, will: fields, username: 'user', password: 'secret' })
    const body = whole.subarray(2)
    const lengths = Array.from({ length: body.length }, (_, length) => length)
    await Promise.all(
      lengths.map(async (length) => {
        const peer = await place.open()
        peer.send(packet(0x10, body.subarray(0, length)))
        await peer.expectClosed()
      }),
    )
  },

  'a CONNECT is accepted with return code 0, and nothing comes before [MQTT-3.1.4-4] [MQTT-3.2.0-1] [MQTT-3.2.2-1]':
    async (place) => {
      const peer = await place.open()
      peer.send(connectBytes({ clientId: place.name }))
      await peer.expect(connack(false, 0))
      await peer.expectAlive()
    },

  'also before queued messages of its session comes the CONNACK [MQTT-3.2.0-1]': async (place) => {
    const { name } = place
    const first = await place.connect({ clientId: name, clean: false })
    await first.subscribe(`${name}/a`, 1)
    await first.disconnect()
    const publisher = await place.connect()
    await publisher.publish(`${name}/a`, 'waits', { qos: 1 })
    const again = await place.open()
    again.send(connectBytes({ clientId: name, clean: false }))
    await again.expect(connack(true, 0))
    await again.expectMessage({ payload: 'waits' })
  },

  'client ids of 1 to 23 letters and digits are taken [MQTT-3.1.3-5]': async (place) => {
    for (const clientId of ['a', 'Z', alphabet.slice(0, 23), alphabet.slice(23, 46), alphabet.slice(46)]) {
      const peer = await place.connect({ clientId })
      await peer.expectAlive()
    }
  },

  'client ids that are longer or have other characters are taken, too': async (place) => {
    const { name } = place
    for (const clientId of [
      `${name}-${'x'.repeat(24)}`,
      `${name}-${'x'.repeat(256)}`,
      `${name} Küche/Lampe +#$ 💡`,
      `constructor-${name}`,
      '__proto__',
    ]) {
      const peer = await place.connect({ clientId, clean: false })
      await peer.disconnect()
      const again = await place.connect({ clientId, clean: false })
      assert.equal(again.isSessionPresent, true)
    }
  },

  'a client id of 65,535 bytes is taken, or rejected with return code 2 [MQTT-3.1.3-9]': async (place) => {
    const peer = await place.open()
    peer.send(connectBytes({ clientId: place.name.padEnd(65_535, 'x') }))
    const { type, body } = await peer.next()
    assert.ok(type === 2 && body[0] === 0 && (body[1] === 0 || body[1] === 2))
    if (body[1] === 2) await peer.expectClosed()
    else await peer.expectAlive()
  },

  'client ids differ in case, and the session belongs to the id [MQTT-3.1.3-2]': async (place) => {
    const { name } = place
    const lower = await place.connect({ clientId: `${name}a`, clean: false })
    await lower.disconnect()
    assert.equal((await place.connect({ clientId: `${name}A`, clean: false })).isSessionPresent, false)
    assert.equal((await place.connect({ clientId: `${name}a`, clean: false })).isSessionPresent, true)
  },

  'empty client ids are given ids of their own: none takes over another [MQTT-3.1.3-6]': async (place) => {
    const peers = await Promise.all([place.connect(), place.connect(), place.connect()])
    for (const peer of peers) await peer.expectAlive()
  },

  'an empty client id with CleanSession 0 is answered with return code 2, and closed [MQTT-3.1.3-8] [MQTT-3.2.2-4] [MQTT-3.2.2-5]':
    (place) => refused(place, connectBytes({ clean: false }), 2),

  'a second client with an id ends the connection of the first [MQTT-3.1.4-2]': async (place) => {
    const first = await place.connect({ clientId: place.name })
    const second = await place.connect({ clientId: place.name })
    await first.expectClosed()
    await second.expectAlive()
  },

  'each of four clients with one id ends the one before, and the last stays [MQTT-3.1.4-2]': async (
    place,
  ) => {
    const peers = []
    for (let count = 0; count < 4; count++) {
      const peer = await place.open()
      peer.send(connectBytes({ clientId: place.name, clean: count % 2 === 0 }))
      await peer.take(2)
      peers.push(peer)
    }
    const last = peers.pop()
    for (const peer of peers) await peer.closed()
    await last?.expectAlive()
  },

  'CleanSession is obeyed when a client is accepted, and not when it is rejected [MQTT-3.1.4-3]': async (
    place,
  ) => {
    const clientId = place.name
    const first = await place.connect({ clientId, clean: false })
    await first.disconnect()
    await refused(place, rawConnect({ level: 6, flags: 2, payload: [prefixed(clientId)] }), 1)
    const second = await place.connect({ clientId, clean: false })
    assert.equal(second.isSessionPresent, true)
    await second.disconnect()
    await place.connect({ clientId, clean: true })
    assert.equal((await place.connect({ clientId, clean: false })).isSessionPresent, false)
  },

  'what comes after a rejected CONNECT is not processed [MQTT-3.1.4-5]': async (place) => {
    const { name } = place
    const watcher = await place.connect()
    await watcher.subscribe(`${name}/a`)
    const message = publishBytes(`${name}/a`, 'no', { retain: true })
    for (const rejected of [
      rawConnect({ level: 6 }),
      connectBytes({ clean: false }),
      rawConnect({ flags: 3 }),
    ]) {
      const peer = await place.open()
      peer.send(rejected, message, pingreq)
      await peer.closed()
    }
    await watcher.expectNothingFrom(watcher, 0)
  },

  'the fields stand in the order client id, will topic, will message, user name, password [MQTT-3.1.3-1]':
    async (place) => {
      const { name } = place
      const watcher = await place.connect()
      await watcher.subscribe(`${name}/will`)
      const peer = await place.connect({
        clientId: name,
        will: { topic: `${name}/will`, payload: 'gone' },
        username: 'user',
        password: 'secret',
      })
      const second = await place.connect({ clientId: name })
      await watcher.expectMessage({ topic: `${name}/will`, payload: 'gone' })
      await peer.expectClosed()
      await second.expectAlive()
    },

  ...keepAlive(),
  ...levelThree(),
})

alone(
  'a client that gives no user name where one is needed is answered with return code 5, and closed [MQTT-3.2.2-4] [MQTT-3.2.2-5]',
  (place) => refused(place, connectBytes({ clientId: 'c', clean: false }), 5),
  { credentials: { username: 'user', password: 'secret' } },
)

if (isOurs) {
  // mosquitto says 5, and has no client id of its own
  alone(
    'a wrong password is answered with return code 4, and the right one is let in [MQTT-3.1.3-1] [MQTT-3.2.2-5]',
    async (place) => {
      await refused(place, connectBytes({ username: 'user', password: 'wrong' }), 4)
      await refused(place, connectBytes({ username: 'secret', password: 'user' }), 4)
      await place.connect({
        clientId: 'c',
        will: { topic: 'a', payload: 'b' },
        username: 'user',
        password: 'secret',
      })
    },
    { credentials: { username: 'user', password: 'secret' } },
  )

  alone(
    'the client id of the house is answered with return code 2, and closed [MQTT-3.1.3-9] [MQTT-3.2.2-5]',
    (place) => refused(place, connectBytes({ clientId: ownClientId }), 2),
  )
}

/** The CONNECT is answered with this return code and session present 0, and the connection closed. */
async function refused(place: Place, sent: Buffer, code: number): Promise<void> {
  const peer = await place.open()
  peer.send(sent)
  await peer.expect(connack(false, code))
  await peer.expectClosed()
}

function keepAlive(): Record<string, Case> {
  return {
    'a client that says nothing for one and a half times its keep alive is disconnected, and not before [MQTT-3.1.2-24]':
      async (place) => {
        const startedMs = performance.now()
        const peer = await place.connect({ keepAlive: 1 })
        await peer.expectClosed()
        const tookMs = performance.now() - startedMs
        assert.ok(tookMs > 1_400 && tookMs < (isOurs ? 5_000 : 10_000), `after ${tookMs} ms`) // mosquitto looks every 5 s
      },

    'any packet keeps a client alive [MQTT-3.1.2-24]': async (place) => {
      const peers = await Promise.all(
        [pingreq, publishBytes(place.name, 'x'), pubrel(9)].map(async (sent) => ({
          sent,
          peer: await place.connect({ keepAlive: 1 }),
        })),
      )
      for (let beat = 0; beat < 6; beat++) {
        await new Promise((resolve) => setTimeout(resolve, 500))
        for (const { peer, sent } of peers) peer.send(sent)
      }
      for (const { peer } of peers) assert.equal(peer.isClosed, false)
    },

    'what the broker sends does not keep a client alive [MQTT-3.1.2-24]': async (place) => {
      const silent = await place.connect({ keepAlive: 1 })
      await silent.subscribe(place.name)
      const publisher = await place.connect()
      const timer = setInterval(() => publisher.send(publishBytes(place.name, 'x')), 200)
      await silent.closed().finally(() => clearInterval(timer))
    },

    'with keep alive 0 a client may be silent [MQTT-3.1.2-24]': async (place) => {
      const peer = await place.connect({ keepAlive: 0 })
      await new Promise((resolve) => setTimeout(resolve, 3_000))
      await peer.expectAlive()
    },
  }
}

/** MQTT 3.1, where it differs. */
function levelThree(): Record<string, Case> {
  return {
    'MQTT 3.1: a client with MQIsdp and level 3 talks with one of MQTT 3.1.1, both ways': async (place) => {
      const { name } = place
      const [older, newer] = await Promise.all([
        place.connect({ level: 3, clientId: name }),
        place.connect({ clientId: `${name}b` }),
      ])
      for (const [from, to] of [
        [older, newer],
        [newer, older],
      ] as const) {
        await to.subscribe(`${name}/a`, 2)
        for (const qos of [0, 1, 2] as const) {
          await from.publish(`${name}/a`, `${qos}`, { qos })
          await to.expectMessage({ topic: `${name}/a`, payload: `${qos}`, qos })
        }
        await to.unsubscribe(`${name}/a`)
      }
    },

    'MQTT 3.1: MQIsdp with another level is answered with return code 1, and closed [MQTT-3.1.2-2]': (
      place,
    ) => refused(place, rawConnect({ name: 'MQIsdp', level: 4 }), 1),

    'MQTT 3.1: the first byte of CONNACK is reserved, also when there is a session': async (place) => {
      const fields = { level: 3, clientId: place.name, clean: false } as const
      const first = await place.connect(fields)
      await first.subscribe(`${place.name}/a`, 1)
      await first.disconnect()
      const again = await place.open()
      again.send(connectBytes(fields))
      await again.expect(connack(false, 0))
      await again.publish(`${place.name}/a`, 'still subscribed')
      await again.expectMessage({ payload: 'still subscribed' })
    },

    'MQTT 3.1: an empty client id is answered with return code 2, and closed [MQTT-3.1.3-9]': (place) =>
      refused(place, connectBytes({ level: 3 }), 2),

    // 3.1 asks to reject it; clients of today send it, and mosquitto takes it, too
    'MQTT 3.1: a client id of more than 23 characters is taken': async (place) => {
      const peer = await place.connect({ level: 3, clientId: `${place.name}-${'x'.repeat(24)}` })
      await peer.expectAlive()
    },

    'MQTT 3.1: SUBSCRIBE, PUBREL and UNSUBSCRIBE may have DUP set: they are sent again': async (place) => {
      const { name } = place
      const peer = await place.connect({ level: 3, clientId: name })
      peer.send(packet(0x8a, u16(1), prefixed(`${name}/a`), 1))
      await peer.expect(bytes([0x90, 3, 0, 1, 1]))
      peer.send(publishBytes(`${name}/b`, 'x', { qos: 2, id: 2 }))
      await peer.expect(pubrec(2))
      peer.send(packet(0x6a, u16(2)))
      await peer.expect(pubcomp(2))
      peer.send(packet(0xaa, u16(3), prefixed(`${name}/a`)))
      await peer.expect(bytes([0xb0, 2, 0, 3]))
    },
  }
}
