import assert from 'node:assert/strict'
import { chapter, isOurs, type Peer, publishBytes } from '../../support/conformance-v5.js'

/** Publishes by alias, with or without the topic. */
const aliased = (topic: string, topicAlias: number, payload: string) =>
  publishBytes(topic, payload, { properties: { topicAlias } })

/** The topics of the next messages, the aliases of the broker looked up; they may not pass `aliasMax`. */
async function resolved(peer: Peer, count: number, aliasMax: number): Promise<string[]> {
  const aliases = new Map<number, string>()
  const topics: string[] = []
  for (let heard = 0; heard < count; heard++) {
    const { topic, properties } = await peer.receive()
    const { topicAlias } = properties
    if (topicAlias !== undefined) {
      assert.ok(topicAlias >= 1 && topicAlias <= aliasMax, `Topic Alias ${topicAlias}`)
      if (topic !== '') aliases.set(topicAlias, topic)
    }
    const name = topic === '' ? aliases.get(topicAlias as number) : topic
    assert.ok(name, `an alias that was never told: ${topicAlias}`)
    topics.push(name)
  }
  return topics
}

chapter('topic aliases of MQTT 5.0, from a client', {
  'each alias up to what CONNACK says is taken, and stands for its topic then [MQTT-3.3.2-12] [MQTT-3.2.2-17]':
    async (place) => {
      const watcher = await place.connect()
      await watcher.subscribe(`${place.name}/#`)
      const peer = await place.connect()
      const max = peer.connack.properties.topicAliasMaximum ?? 0
      assert.ok(max > 0)
      for (let alias = 1; alias <= max; alias++) peer.send(aliased(`${place.name}/${alias}`, alias, 'told'))
      for (let alias = max; alias >= 1; alias--) peer.send(aliased('', alias, 'meant'))
      for (let alias = 1; alias <= max; alias++)
        await watcher.expectMessage({ topic: `${place.name}/${alias}`, payload: 'told' })
      for (let alias = max; alias >= 1; alias--)
        await watcher.expectMessage({ topic: `${place.name}/${alias}`, payload: 'meant' })
    },

  'an alias may be given to another topic [MQTT-3.3.2-12]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(`${place.name}/#`)
    for (const level of ['a', 'b']) {
      peer.send(aliased(`${place.name}/${level}`, 1, level), aliased('', 1, level))
      for (let count = 0; count < 2; count++)
        await peer.expectMessage({ topic: `${place.name}/${level}`, payload: level })
    }
  },

  'aliases work with QoS 1 and 2, and a retained message has its topic [MQTT-3.3.2-12]': async (place) => {
    const peer = await place.connect()
    const { name } = place
    const properties = { topicAlias: 2 }
    await peer.publish(name, '0', { properties })
    await peer.publish('', '1', { qos: 1, properties })
    await peer.publish('', '2', { qos: 2, retain: true, properties })
    await peer.subscribe(name, { qos: 2 })
    await peer.expectMessage({ topic: name, payload: '2', retain: true, properties: {} })
  },

  'the alias of a publisher goes to no subscriber [MQTT-3.1.2-27]': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name)
    const peer = await place.connect()
    peer.send(aliased(place.name, 1, 'x'))
    await watcher.expectMessage({ topic: place.name, properties: {} })
  },

  'Topic Alias 0 is told 0x94 [MQTT-3.3.2-8]': async (place) => {
    const peer = await place.connect()
    peer.send(aliased(place.name, 0, 'x'))
    await peer.expectDisconnect(0x94)
  },

  'a Topic Alias above what CONNACK says is told 0x94 [MQTT-3.3.2-9] [MQTT-3.2.2-17]': async (place) => {
    for (const beyond of [1, 1_000]) {
      const peer = await place.connect()
      const max = peer.connack.properties.topicAliasMaximum ?? 0
      peer.send(aliased(place.name, max + beyond, 'x'))
      await peer.expectDisconnect(0x94)
    }
  },

  'an alias that stands for nothing is a protocol error [MQTT-4.13.1-1]': async (place) => {
    const peer = await place.connect()
    peer.send(aliased(place.name, 1, 'x'), aliased('', 2, 'x'))
    await peer.expectDisconnect(0x82)
  },

  'an alias is forgotten with its connection, not with its session [MQTT-3.3.2-7]': async (place) => {
    const fields = { clientId: place.name, clean: false, properties: { sessionExpiry: 60 } }
    const first = await place.connect(fields)
    first.send(aliased(place.name, 1, 'x'))
    await first.expectAlive()
    await first.disconnect()
    const second = await place.connect(fields)
    assert.equal(second.connack.isSessionPresent, true)
    second.send(aliased('', 1, 'x'))
    await second.expectDisconnect(0x82)
  },

  'the aliases of one client are not those of another [MQTT-3.3.2-7]': async (place) => {
    const [a, b] = [await place.connect(), await place.connect()]
    await a.subscribe(`${place.name}/#`)
    a.send(aliased(`${place.name}/a`, 1, 'a'))
    await a.expectMessage({ topic: `${place.name}/a` })
    b.send(aliased(`${place.name}/b`, 1, 'b'))
    await a.expectMessage({ topic: `${place.name}/b` })
    a.send(aliased('', 1, 'a'))
    await a.expectMessage({ topic: `${place.name}/a` })
  },
})

chapter(
  'topic aliases of MQTT 5.0, when the broker takes none',
  {
    'CONNACK does not speak of them, and one is told 0x94 [MQTT-3.2.2-18]': async (place) => {
      const peer = await place.connect()
      if (!isOurs) return // mosquitto 2.0.11 always takes ten
      assert.ok([undefined, 0].includes(peer.connack.properties.topicAliasMaximum))
      peer.send(aliased(place.name, 1, 'x'))
      await peer.expectDisconnect(0x94)
    },
  },
  { limits: { topicAliasesMax: 0 } },
)

chapter('topic aliases of MQTT 5.0, to a client', {
  'a client that does not ask for aliases gets none [MQTT-3.1.2-27]': async (place) => {
    for (const properties of [{}, { topicAliasMaximum: 0 }]) {
      const peer = await place.connect({ properties })
      await peer.subscribe(place.name)
      for (let count = 0; count < 5; count++) {
        await peer.publish(place.name, 'x')
        await peer.expectMessage({ topic: place.name, properties: {} })
      }
      await peer.disconnect()
    }
  },

  'no alias is above the client’s Topic Alias Maximum, and each was told before it stands alone [MQTT-3.1.2-26] [MQTT-3.3.2-11] [MQTT-3.3.2-10]':
    async (place) => {
      for (const topicAliasMaximum of [1, 2, 65_535]) {
        const peer = await place.connect({ properties: { topicAliasMaximum } })
        await peer.subscribe(`${place.name}/#`, { qos: 1 })
        const topics = Array.from({ length: 40 }, (_, index) => `${place.name}/${index % 7}`)
        for (const topic of topics) peer.send(publishBytes(topic, 'x'))
        assert.deepEqual(await resolved(peer, topics.length, topicAliasMaximum), topics)
        await peer.disconnect()
      }
    },

  'the broker’s aliases are told anew to each connection, for what is sent again too [MQTT-3.3.2-7]': async (
    place,
  ) => {
    const fields = {
      clientId: place.name,
      clean: false,
      properties: { sessionExpiry: 60, topicAliasMaximum: 5 },
    }
    const first = await place.connect(fields)
    await first.subscribe(`${place.name}/#`, { qos: 1 })
    const publisher = await place.connect()
    const topics = ['a', 'a', 'a', 'b', 'a'].map((level) => `${place.name}/${level}`)
    for (const topic of topics) await publisher.publish(topic, 'x', { qos: 1 })
    for (const _ of topics) await first.next('PUBLISH')
    first.drop()
    const second = await place.connect(fields)
    assert.deepEqual(await resolved(second, topics.length, 5), topics)
  },
})
