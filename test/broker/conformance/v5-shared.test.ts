import assert from 'node:assert/strict'
import {
  ackBytes,
  type Case,
  chapter,
  type Peer,
  type Place,
  type QoS,
} from '../../support/conformance-v5.js'

const kept = (place: Place, member: number) => ({
  clientId: `${place.name}m${member}`,
  clean: false,
  properties: { sessionExpiry: 60 },
})

/** So many members of one shared subscription, each in a session. */
async function members(place: Place, count: number, qos: QoS = 1): Promise<Peer[]> {
  const peers: Peer[] = []
  for (let member = 0; member < count; member++) {
    const peer = await place.connect(kept(place, member))
    await peer.subscribe(`$share/g/${place.name}`, { qos })
    peers.push(peer)
  }
  return peers
}

/** Names of shares that are none; mosquitto 2.0.11 takes most of them. */
const wrong: Readonly<Record<string, string>> = {
  '$share/': '[MQTT-4.8.2-1]',
  '$share//a': '[MQTT-4.8.2-1]',
  '$share/g': '[MQTT-4.8.2-2]',
  '$share/g/': '[MQTT-4.8.2-2]',
  '$share/g+/a': '[MQTT-4.8.2-2]',
  '$share/+/a': '[MQTT-4.8.2-2]',
  '$share/g#/a': '[MQTT-4.8.2-2]',
  '$share/#/a': '[MQTT-4.8.2-2]',
  '$share/g/a#': '[MQTT-4.7.1-1]',
}

chapter('shared subscriptions of MQTT 5.0', {
  'each message goes to one member, and all members have their turn [MQTT-4.8.2-1]': async (place) => {
    const peers = await members(place, 3)
    const publisher = await place.connect()
    const payloads = Array.from({ length: 9 }, (_, index) => `${index}`)
    for (const payload of payloads) await publisher.publish(place.name, payload, { qos: 1 })
    const heard: string[] = []
    for (const peer of peers) {
      const own = (await peer.everythingFrom(publisher)).map(({ payload }) => payload)
      assert.equal(own.length, 3)
      heard.push(...own)
    }
    assert.deepEqual(heard.sort(), payloads)
  },

  'each share gets its message, and who subscribed without one [MQTT-4.8.2-1]': async (place) => {
    const { name } = place
    const [a, b, alone] = [await place.connect(), await place.connect(), await place.connect()]
    await a.subscribe(`$share/one/${name}`)
    await b.subscribe(`$share/two/${name}`)
    await b.subscribe(name)
    await alone.subscribe(`${name}/#`)
    await alone.publish(name, 'x')
    assert.equal((await a.everythingFrom(alone)).length, 1)
    assert.equal((await b.everythingFrom(alone)).length, 2)
    assert.equal((await alone.everythingFrom(alone)).length, 1)
  },

  'a filter of a share may have wildcards and levels [MQTT-4.8.2-2]': async (place) => {
    const peer = await place.connect()
    for (const filter of [`${place.name}/+/c`, `${place.name}/d/#`])
      await peer.subscribe(`$share/g/${filter}`)
    for (const topic of ['a/c', 'd', 'd/e/f']) {
      await peer.publish(`${place.name}/${topic}`, topic)
      await peer.expectMessage({ payload: topic, topic: `${place.name}/${topic}` })
    }
    await peer.publish(`${place.name}/c`, 'x')
    await peer.expectNothingFrom(peer)
  },

  'a share is left with UNSUBSCRIBE, and others of the same filter stay [MQTT-3.10.4-1]': async (place) => {
    const peer = await place.connect()
    const { name } = place
    await peer.subscribe(`$share/g/${name}`)
    await peer.subscribe(`$share/g/${name}`)
    await peer.subscribe(`$share/h/${name}`)
    assert.equal(await peer.unsubscribe(name), 0x11)
    assert.equal(await peer.unsubscribe(`$share/g/${name}`), 0)
    await peer.publish(name, 'x')
    assert.equal((await peer.everythingFrom(peer)).length, 1)
  },

  ...Object.fromEntries(
    Object.entries(wrong).map(([filter, tag]): [string, Case] => [
      `"${filter}" is no shared subscription ${tag}`,
      async (place) => (await place.connect()).expectNoFilter(filter),
    ]),
  ),

  'members get the QoS that each was granted [MQTT-4.8.2-3]': async (place) => {
    const { name } = place
    const peers: Peer[] = []
    for (const qos of [0, 1, 2] as const) {
      const peer = await place.connect()
      await peer.subscribe(`$share/g/${name}`, { qos })
      peers.push(peer)
    }
    const publisher = await place.connect()
    for (let count = 0; count < 6; count++) await publisher.publish(name, 'x', { qos: 2 })
    for (const [qos, peer] of peers.entries()) {
      const heard = await peer.everythingFrom(publisher, 2)
      assert.ok(heard.length > 0 && heard.every((one) => one.qos === qos))
    }
  },

  // mosquitto 2.0.11 sends them
  'no retained message comes for a share [MQTT-4.8.2-1]': async (place) => {
    const publisher = await place.connect()
    await publisher.publish(place.name, 'x', { qos: 1, retain: true })
    const peer = await place.connect()
    for (const retainHandling of [0, 1, 2] as const)
      await peer.subscribe(`$share/g/${place.name}`, { retainHandling })
    await peer.expectNothingFrom(publisher)
    await peer.subscribe(place.name)
    await peer.expectMessage({ retain: true })
  },

  'a client may get what it publishes itself through a share [MQTT-4.8.2-1]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(`$share/g/${place.name}`)
    await peer.publish(place.name, 'x')
    await peer.expectMessage({ payload: 'x' })
  },

  // the standard leaves it open; mosquitto does not care
  'members that are connected come before those that are away': async (place) => {
    const [first, second] = (await members(place, 2)) as [Peer, Peer]
    await first.disconnect()
    const publisher = await place.connect()
    for (let count = 0; count < 4; count++) await publisher.publish(place.name, 'x', { qos: 1 })
    assert.equal((await second.everythingFrom(publisher)).length, 4)
  },

  'with all members away a message waits in one session': async (place) => {
    const peers = await members(place, 2)
    for (const peer of peers) await peer.disconnect()
    const publisher = await place.connect()
    for (const payload of ['1', '2', '3', '4']) await publisher.publish(place.name, payload, { qos: 1 })
    let count = 0
    for (const member of [0, 1]) {
      const peer = await place.connect(kept(place, member))
      count += (await peer.everythingFrom(publisher)).length
    }
    assert.equal(count, 4)
  },

  'a delivery of QoS 2 that was begun is completed with the same member [MQTT-4.8.2-4]': async (place) => {
    const peers = await members(place, 2, 2)
    const publisher = await place.connect()
    for (const payload of ['1', '2']) await publisher.publish(place.name, payload, { qos: 2 })
    const [first, second] = peers as [Peer, Peer]
    const heard = await first.next('PUBLISH')
    await second.receive()
    first.drop()
    await second.expectNothingFrom(publisher, 2)
    const again = await place.connect(kept(place, 0))
    assert.deepEqual(await again.next('PUBLISH'), { ...heard, dup: true })
  },

  'when its session ends, a delivery of QoS 2 that was begun goes to nobody else [MQTT-4.8.2-5]': async (
    place,
  ) => {
    const [first, second] = (await members(place, 2, 2)) as [Peer, Peer]
    const publisher = await place.connect()
    for (const payload of ['1', '2']) await publisher.publish(place.name, payload, { qos: 2 })
    await first.next('PUBLISH')
    await second.receive()
    await first.disconnect(0, { sessionExpiry: 0 })
    await second.expectNothingFrom(publisher, 2)
  },

  // a SHOULD of the standard; mosquitto lets it go with the session
  'when its session ends, a message of QoS 1 that was not acknowledged goes to another member': async (
    place,
  ) => {
    const [first, second] = (await members(place, 2)) as [Peer, Peer]
    const publisher = await place.connect()
    for (const payload of ['1', '2']) await publisher.publish(place.name, payload, { qos: 1 })
    const { payload } = await first.next('PUBLISH')
    await second.receive()
    await first.disconnect(0, { sessionExpiry: 0 })
    await second.expectMessage({ payload })
    await second.expectNothingFrom(publisher)
  },

  ...Object.fromEntries(
    ([1, 2] as const).map((qos): [string, Case] => [
      `a message of QoS ${qos} that a member refuses is offered to nobody else [MQTT-4.8.2-6]`,
      async (place) => {
        const [first, second] = (await members(place, 2, qos)) as [Peer, Peer]
        const publisher = await place.connect()
        for (const payload of ['1', '2']) await publisher.publish(place.name, payload, { qos })
        const { id } = await first.next('PUBLISH')
        await second.receive()
        first.send(ackBytes(qos === 1 ? 0x40 : 0x50, id, 0x97))
        await first.expectAlive()
        await first.disconnect(0, { sessionExpiry: 0 })
        await second.expectNothingFrom(publisher, qos)
      },
    ]),
  ),
})
