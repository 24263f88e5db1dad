import assert from 'node:assert/strict'
import {
  bytes,
  type Case,
  chapter,
  connectBytes,
  type Peer,
  type Place,
  prefixed,
  publishBytes,
  type QoS,
  rawConnect,
  subscribeBytes,
} from '../../support/conformance.js'

/** How a connection ends so that its will is published, by the rest of the title. */
const endings: Readonly<Record<string, (peer: Peer, place: Place) => unknown>> = {
  'the connection breaks': (peer) => peer.drop(),
  'the client ends the connection without DISCONNECT': (peer) => peer.end(),
  'the client sends what is no packet': (peer) => peer.send([0xf0, 0]),
  'the client sends a PUBLISH of QoS 3': (peer) => peer.send([0x36, 4, 0, 1, 0x61, 0]),
  // mosquitto forgets the will
  'the client sends a second CONNECT': (peer, place) => peer.send(connectBytes({ clientId: place.name })),
  'the client sends a DISCONNECT with a reserved flag': (peer) => peer.send([0xe1, 0]),
  'the client sends text that is not UTF-8': (peer) => peer.send(publishBytes(bytes(0xff), 'x')),
  'another client takes over its id': (_, place) => place.connect({ clientId: place.name }),
}

const every: readonly QoS[] = [0, 1, 2]

chapter('wills of MQTT 3.1.1', {
  ...Object.fromEntries(
    Object.entries(endings).map(([ending, end]): [string, Case] => [
      `a will is published when ${ending} [MQTT-3.1.2-8]`,
      async (place) => {
        const [watcher, peer] = await withWill(place)
        await end(peer, place)
        await watcher.expectMessage({ topic: topicOf(place), payload: 'gone', dup: false })
        await watcher.expectNothingFrom(watcher)
      },
    ]),
  ),

  'a will is published when the keep alive runs out [MQTT-3.1.2-8] [MQTT-3.1.2-24]': async (place) => {
    const [watcher, peer] = await withWill(place, {}, 1)
    await watcher.expectMessage({ payload: 'gone' })
    await peer.expectClosed()
  },

  'a will is not published after DISCONNECT [MQTT-3.1.2-10] [MQTT-3.14.4-3]': async (place) => {
    const [watcher, peer] = await withWill(place)
    await peer.disconnect()
    await watcher.expectNothingFrom(watcher)
  },

  'a will is not published after DISCONNECT, also when the connection breaks with it [MQTT-3.14.4-3]': async (
    place,
  ) => {
    const [watcher, peer] = await withWill(place)
    peer.send([0xe0, 0])
    peer.end()
    await peer.closed()
    await watcher.expectNothingFrom(watcher)
  },

  'a will belongs to its connection: it is published once, and not for the next [MQTT-3.1.2-10] [MQTT-3.1.2-12]':
    async (place) => {
      const [watcher, peer] = await withWill(place, {}, 0, false)
      peer.drop()
      await watcher.expectMessage({ payload: 'gone' })
      const again = await place.connect({ clientId: place.name, clean: false })
      again.send([0xf0, 0])
      await again.closed()
      await watcher.expectNothingFrom(watcher)
    },

  'a connection without will leaves none [MQTT-3.1.2-12]': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(`${place.name}/#`, 2)
    const peer = await place.connect({ clientId: place.name })
    peer.send([0xf0, 0])
    await peer.closed()
    await watcher.expectNothingFrom(watcher)
  },

  'a rejected client leaves no will [MQTT-3.1.2-8] [MQTT-3.1.4-5]': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(`${place.name}/#`, 2)
    const payload = [prefixed(''), prefixed(topicOf(place)), prefixed('gone')]
    for (const rejected of [rawConnect({ level: 9, flags: 6, payload }), rawConnect({ flags: 4, payload })]) {
      const peer = await place.open()
      peer.send(rejected)
      await peer.closed()
    }
    await watcher.expectNothingFrom(watcher)
  },

  ...Object.fromEntries(
    every.map((qos): [string, Case] => [
      `a will of QoS ${qos} is published with it [MQTT-3.1.2-9] [MQTT-3.1.2-14]`,
      async (place) => {
        const [watcher, peer] = await withWill(place, { qos })
        peer.drop()
        await watcher.expectMessage({ payload: 'gone', qos })
      },
    ]),
  ),

  'a will without RETAIN is not retained, and leaves alone what is [MQTT-3.1.2-16]': async (place) => {
    const [watcher, peer] = await withWill(place)
    await peer.publish(topicOf(place), 'state', { retain: true, qos: 1 })
    await watcher.expectMessage({ payload: 'state' })
    peer.drop()
    await watcher.expectMessage({ payload: 'gone' })
    const late = await place.connect()
    await late.subscribe(topicOf(place), 1)
    await late.expectMessage({ payload: 'state', retain: true })
    await late.expectNothingFrom(watcher)
  },

  'a will with RETAIN is retained, with its QoS [MQTT-3.1.2-17]': async (place) => {
    const [watcher, peer] = await withWill(place, { retain: true, qos: 1 })
    peer.drop()
    await watcher.expectMessage({ payload: 'gone', retain: false, qos: 1 })
    const late = await place.connect()
    await late.subscribe(topicOf(place), 2)
    await late.expectMessage({ payload: 'gone', retain: true, qos: 1 })
  },

  'a will with RETAIN and no bytes ends what was retained [MQTT-3.1.2-17] [MQTT-3.3.1-10]': async (place) => {
    const [watcher, peer] = await withWill(place, { retain: true, payload: '' })
    await peer.publish(topicOf(place), 'state', { retain: true, qos: 1 })
    await watcher.expectMessage({ payload: 'state' })
    peer.drop()
    await watcher.expectMessage({ payload: '' })
    const late = await place.connect()
    await late.subscribe(topicOf(place))
    await late.expectNothingFrom(watcher)
  },

  'a will message is bytes, and may be any [MQTT-3.1.2-9]': async (place) => {
    const watcher = await place.connect()
    watcher.send(subscribeBytes(1, [topicOf(place), 0]))
    await watcher.take(9)
    const payload = Uint8Array.from({ length: 256 }, (_, value) => value)
    const peer = await place.connect({ clientId: place.name, will: { topic: topicOf(place), payload } })
    peer.drop()
    await watcher.expect(publishBytes(topicOf(place), payload))
  },

  'a will waits for a session that is away [MQTT-4.5.0-1]': async (place) => {
    const { name } = place
    const away = await place.connect({ clientId: `${name}-away`, clean: false })
    await away.subscribe(topicOf(place), 1)
    await away.disconnect()
    const [watcher, peer] = await withWill(place, { qos: 1 })
    peer.drop()
    await watcher.expectMessage({ payload: 'gone' })
    const again = await place.connect({ clientId: `${name}-away`, clean: false })
    assert.equal(again.isSessionPresent, true)
    await again.expectMessage({ payload: 'gone', qos: 1 })
  },

  'a client may take back its own session after its will was published, and hears it if it subscribed [MQTT-3.1.2-8]':
    async (place) => {
      const fields = { clientId: place.name, clean: false }
      const peer = await place.connect({
        ...fields,
        will: { topic: topicOf(place), payload: 'mine', qos: 1 },
      })
      await peer.subscribe(topicOf(place), 1)
      peer.send([0xf0, 0])
      await peer.closed()
      const again = await place.connect(fields)
      await again.expectMessage({ payload: 'mine', qos: 1 })
    },
})

const topicOf = (place: Place): string => `${place.name}/will`

/** Somebody who hears the will, and the client that leaves it. */
async function withWill(
  place: Place,
  will: { readonly qos?: QoS; readonly retain?: boolean; readonly payload?: string } = {},
  keepAlive = 0,
  clean = true,
): Promise<readonly [Peer, Peer]> {
  const watcher = await place.connect()
  await watcher.subscribe(topicOf(place), 2)
  const fields = { topic: topicOf(place), payload: 'gone', ...will }
  return [watcher, await place.connect({ clientId: place.name, clean, keepAlive, will: fields })]
}
