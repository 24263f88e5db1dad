import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  bytes,
  type Case,
  type ConnectFields,
  chapter,
  disconnectBytes,
  isOurs,
  type Peer,
  type Place,
  type QoS,
} from '../../support/conformance-v5.js'

async function watching(place: Place): Promise<Peer> {
  const watcher = await place.connect()
  await watcher.subscribe(place.name, { qos: 2, retainAsPublished: true })
  return watcher
}

const willing = (place: Place, fields: ConnectFields = {}): ConnectFields => ({
  clientId: `${place.name}will`,
  will: { topic: place.name, payload: 'gone' },
  ...fields,
})

/** Ways to go, and whether the will is published. */
const ends: Readonly<
  Record<string, readonly [end: (peer: Peer, place: Place) => unknown, isPublished: boolean]>
> = {
  'when the connection breaks [MQTT-3.1.2-7] [MQTT-3.1.2-8]': [(peer) => peer.drop(), true],
  'after DISCONNECT 0x00 [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.14.4-3]': [
    (peer) => peer.send(disconnectBytes(0)),
    false,
  ],
  'after DISCONNECT without a reason code [MQTT-3.1.2-10] [MQTT-3.14.4-3]': [
    (peer) => peer.send([0xe0, 0]),
    false,
  ],
  'after DISCONNECT 0x04, with will message [MQTT-3.1.2-8]': [(peer) => peer.send(disconnectBytes(4)), true],
  'after DISCONNECT 0x80, an error of the client [MQTT-3.1.2-8]': [
    (peer) => peer.send(disconnectBytes(0x80)),
    true,
  ],
  'after a malformed packet [MQTT-3.1.2-8]': [(peer) => peer.send(bytes([0, 0])), true],
  'after a protocol error [MQTT-3.1.2-8]': [(peer) => peer.send(bytes([0xd0, 0])), true],
  'when another takes the client id and begins anew [MQTT-3.1.2-8] [MQTT-3.1.4-3]': [
    (_, place) => place.connect({ clientId: `${place.name}will` }),
    true,
  ],
}

chapter('wills of MQTT 5.0', {
  ...Object.fromEntries(
    Object.entries(ends).map(([how, [end, isPublished]]): [string, Case] => [
      `a will is ${isPublished ? '' : 'not '}published ${how}`,
      async (place) => {
        const watcher = await watching(place)
        const peer = await place.connect(willing(place))
        // mosquitto ignores a PINGRESP
        if (!isOurs && how.includes('protocol error')) return
        end(peer, place)
        await peer.closed()
        if (isPublished) await watcher.expectMessage({ payload: 'gone', qos: 0, retain: false })
        await sleep(100)
        await watcher.expectNothingFrom(watcher, 2)
      },
    ]),
  ),

  'who has no will leaves none [MQTT-3.1.2-11]': async (place) => {
    const watcher = await watching(place)
    const peer = await place.connect({ clientId: place.name })
    peer.drop()
    await sleep(200)
    await watcher.expectNothingFrom(watcher, 2)
  },

  ...Object.fromEntries(
    ([0, 1, 2] as const satisfies readonly QoS[]).flatMap((qos) =>
      [false, true].map((retain): [string, Case] => [
        `a will of QoS ${qos} ${retain ? 'with' : 'without'} RETAIN is published so [MQTT-3.1.2-9] ${retain ? '[MQTT-3.1.2-15]' : '[MQTT-3.1.2-14]'}`,
        async (place) => {
          const watcher = await watching(place)
          const peer = await place.connect({ will: { topic: place.name, qos, retain } })
          peer.drop()
          await watcher.expectMessage({ payload: 'gone', qos, retain })
          const late = await place.connect()
          await late.subscribe(place.name)
          if (retain) await late.expectMessage({ payload: 'gone', retain: true })
          await late.expectNothingFrom(watcher)
        },
      ]),
    ),
  ),

  'a will is published once: it goes with its connection [MQTT-3.1.2-10]': async (place) => {
    const watcher = await watching(place)
    const session = { clean: false, properties: { sessionExpiry: 60 } }
    const peer = await place.connect(willing(place, session))
    peer.drop()
    await watcher.expectMessage({ payload: 'gone' })
    const again = await place.connect({ clientId: `${place.name}will`, ...session })
    assert.equal(again.connack.isSessionPresent, true)
    again.drop()
    await sleep(200)
    await watcher.expectNothingFrom(watcher, 2)
  },

  'a will has its properties, and user properties their order [MQTT-3.1.3-10] [MQTT-3.3.2-4] [MQTT-3.3.2-18]':
    async (place) => {
      const watcher = await watching(place)
      const properties = {
        payloadFormat: 1,
        contentType: 'text',
        responseTopic: 'there',
        correlationData: Buffer.from([1, 0, 2]),
        userProperties: [
          ['z', '1'],
          ['a', '2'],
          ['z', '3'],
        ] as const,
      }
      const peer = await place.connect({ will: { topic: place.name, qos: 1, properties } })
      peer.drop()
      await watcher.expectMessage({ payload: 'gone', properties })
    },

  'a will’s Message Expiry Interval counts from when it is published [MQTT-3.3.2-6]': async (place) => {
    const watcher = await watching(place)
    const properties = { messageExpiry: 50 }
    const peer = await place.connect({ will: { topic: place.name, qos: 1, properties } })
    await sleep(2_500)
    const beganMs = performance.now()
    peer.drop()
    const { properties: heard } = await watcher.expectMessage({ payload: 'gone' })
    const least = 50 - Math.ceil((performance.now() - beganMs) / 1_000)
    assert.ok((heard.messageExpiry as number) >= least, `${heard.messageExpiry} seconds`)
  },

  'a will of no bytes is a will [MQTT-3.1.2-9]': async (place) => {
    const watcher = await watching(place)
    const peer = await place.connect({ will: { topic: place.name, payload: '' } })
    peer.drop()
    await watcher.expectMessage({ payload: '' })
  },
})

/** CONNECT with a delayed will, in a session. */
const delayed = (
  place: Place,
  times: { readonly delay: number; readonly expiry: number },
): ConnectFields => ({
  clientId: `${place.name}will`,
  clean: false,
  properties: { sessionExpiry: times.expiry },
  will: { topic: place.name, payload: 'gone', qos: 1, properties: { willDelay: times.delay } },
})

/** Nothing comes for so long, and the will not much later. */
async function expectAfter(watcher: Peer, ms: number): Promise<void> {
  await sleep(ms)
  await watcher.expectAlive()
  await watcher.expectMessage({ payload: 'gone' })
}

chapter('Will Delay Interval of MQTT 5.0', {
  'a will waits for its delay [MQTT-3.1.2-8] [MQTT-3.1.3-9]': async (place) => {
    const watcher = await watching(place)
    const peer = await place.connect(delayed(place, { delay: 2, expiry: 60 }))
    peer.drop()
    await expectAfter(watcher, 1_000)
    await watcher.expectNothingFrom(watcher)
  },

  'a will with DISCONNECT 0x04 waits, too [MQTT-3.1.2-8]': async (place) => {
    const watcher = await watching(place)
    const peer = await place.connect(delayed(place, { delay: 2, expiry: 60 }))
    await peer.disconnect(4)
    await expectAfter(watcher, 1_000)
  },

  'a will is published when the session ends, if that is sooner [MQTT-3.1.2-8]': async (place) => {
    const watcher = await watching(place)
    const peer = await place.connect(delayed(place, { delay: 60, expiry: 1 }))
    peer.drop()
    await watcher.expectMessage({ payload: 'gone' })
  },

  // mosquitto lets it wait
  'a will whose session ends with the connection does not wait [MQTT-3.1.2-8]': async (place) => {
    const watcher = await watching(place)
    const peer = await place.connect(delayed(place, { delay: 60, expiry: 0 }))
    peer.drop()
    await watcher.expectMessage({ payload: 'gone' })
  },

  'a client that is back in time has its will not published [MQTT-3.1.3-9] [MQTT-3.1.2-8]': async (place) => {
    const watcher = await watching(place)
    const peer = await place.connect(delayed(place, { delay: 1, expiry: 60 }))
    peer.drop()
    await sleep(200)
    const { will: _, ...withoutWill } = delayed(place, { delay: 1, expiry: 60 })
    const again = await place.connect(withoutWill)
    assert.equal(again.connack.isSessionPresent, true)
    await sleep(3_000)
    await again.disconnect()
    await watcher.expectNothingFrom(watcher)
  },

  'who takes over in time has the will of the other not published [MQTT-3.1.3-9]': async (place) => {
    const watcher = await watching(place)
    const peer = await place.connect(delayed(place, { delay: 1, expiry: 60 }))
    const again = await place.connect(delayed(place, { delay: 60, expiry: 60 }))
    await peer.expectDisconnect(0x8e)
    await sleep(3_000)
    await again.disconnect()
    await watcher.expectNothingFrom(watcher)
  },

  // mosquitto forgets it
  'a will that waits is published when Clean Start ends its session [MQTT-3.1.2-8] [MQTT-3.1.2-4]': async (
    place,
  ) => {
    const watcher = await watching(place)
    const peer = await place.connect(delayed(place, { delay: 60, expiry: 60 }))
    peer.drop()
    await sleep(200)
    await place.connect({ clientId: `${place.name}will` })
    await watcher.expectMessage({ payload: 'gone' })
  },

  'a will that waits is published at its time when the client was back, and left again [MQTT-3.1.2-8]':
    async (place) => {
      const watcher = await watching(place)
      for (let count = 0; count < 3; count++) {
        const peer = await place.connect(delayed(place, { delay: 2, expiry: 60 }))
        peer.drop()
        await sleep(700)
      }
      await watcher.expectMessage({ payload: 'gone' })
      await watcher.expectNothingFrom(watcher)
    },
})
