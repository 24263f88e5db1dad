import assert from 'node:assert/strict'
import { alone, chapter, type Peer, publishBytes } from '../../support/conformance.js'

/** The topics of the messages that come to a subscriber. */
async function topicsFrom(subscriber: Peer, publisher: Peer): Promise<string[]> {
  return (await subscriber.everythingFrom(publisher)).map(({ topic }) => topic)
}

/** [filter, topic, whether they match] */
const rows: readonly (readonly [string, string, boolean])[] = [
  ['a/b', 'a/b', true],
  ['a/b', 'a/b/', false],
  ['a/b', '/a/b', false],
  ['a/b', 'a/B', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a/', true],
  ['a/+', 'a', false],
  ['a/+', 'a/b/c', false],
  ['a/+/c', 'a//c', true],
  ['a/+/c', 'a/b/c', true],
  ['a/+/c', 'a/b/b/c', false],
  ['+', 'a', true],
  ['+', '/a', false],
  ['+', 'a/', false],
  ['+/+', '/a', true],
  ['+/+', '/', true],
  ['/+', '/a', true],
  ['/+', '/', true],
  ['/+', 'a', false],
  ['#', 'a', true],
  ['#', '/', true],
  ['#', 'a/b/c', true],
  ['a/#', 'a', true],
  ['a/#', 'a/', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'ab', false],
  ['a/+/#', 'a', false],
  ['a/+/#', 'a/b', true],
  ['+/b/#', 'a/b', true],
  ['/#', '/a', true],
  ['/#', 'a', false],
  ['a//b', 'a//b', true],
  ['a//b', 'a/b', false],
  ['/', '/', true],
  ['//', '//', true],
  ['//', '/', false],
  [' ', ' ', true],
  ['a b', 'a  b', false],
]

alone(
  'filters match topics level by level, empty ones too [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.5.0-1]',
  async (place) => {
    const publisher = await place.connect()
    for (const [filter, topic, isMatch] of rows) {
      const subscriber = await place.connect()
      await subscriber.subscribe(filter, 1)
      await publisher.publish(topic, 'x', { qos: 1 })
      const heard = await topicsFrom(subscriber, publisher)
      assert.deepEqual(heard, isMatch ? [topic] : [], `${filter} and ${topic}`)
      await subscriber.disconnect()
    }
  },
)

/** [filter, topic, whether they match]: what begins with $ needs a filter that says so. */
const dollars: readonly (readonly [string, string, boolean])[] = [
  ['#', '$test/a', false],
  ['+/a', '$test/a', false],
  ['+/#', '$test/a', false],
  ['+', '$test', false],
  ['$test/#', '$test/a', true],
  ['$test/+', '$test/a', true],
  ['$test/a', '$test/a', true],
  ['#', 'a/$test', true],
  ['+/$test', 'a/$test', true],
  ['a/+', 'a/$test', true],
]

alone(
  'topics that begin with $ are not for filters that begin with a wildcard [MQTT-4.7.2-1]',
  async (place) => {
    const publisher = await place.connect()
    for (const [filter, topic, isMatch] of dollars) {
      const subscriber = await place.connect()
      await subscriber.subscribe(filter, 1)
      await publisher.publish(topic, 'x', { qos: 1, retain: true })
      const heard = await topicsFrom(subscriber, publisher)
      assert.deepEqual(heard, isMatch ? [topic] : [], `${filter} and ${topic}`)
      await subscriber.disconnect()
      // and the same for what is retained
      const late = await place.connect()
      await late.subscribe(filter, 1)
      assert.deepEqual(await topicsFrom(late, publisher), isMatch ? [topic] : [], `retained: ${filter}`)
      await late.disconnect()
      await publisher.publish(topic, '', { qos: 1, retain: true })
    }
  },
)

chapter('topics of MQTT 3.1.1', {
  'nothing is normalized: texts that look alike are different topics [MQTT-4.7.3-4]': async (place) => {
    const { name } = place
    const peer = await place.connect()
    for (const other of ['e\u0301', 'É', 'é ', ' é', 'e', '%C3%A9', '../é', './é'])
      await peer.subscribe(`${name}/${other}`)
    await peer.publish(`${name}/é`, 'x')
    await peer.expectNothingFrom(peer, 0)
    await peer.subscribe(`${name}/é`)
    await peer.publish(`${name}/é`, 'x')
    await peer.expectMessage({ topic: `${name}/é` })
  },

  'a topic of 4,096 bytes is carried, and more than 65,535 cannot be said [MQTT-4.7.3-3]': async (place) => {
    const topic = place.name.padEnd(4_096, 'x')
    const peer = await place.connect()
    await peer.subscribe(topic)
    peer.send(publishBytes(topic, 'x'))
    await peer.expect(publishBytes(topic, 'x'))
  },

  'topics and filters of one character are fine [MQTT-4.7.3-1]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe('q')
    await peer.publish('q', place.name)
    await peer.expectMessage({ topic: 'q', payload: place.name })
  },

  'names of objects are topics as others: constructor, __proto__': async (place) => {
    const peer = await place.connect()
    for (const level of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      await peer.subscribe(`${place.name}/${level}/+`)
      await peer.publish(`${place.name}/${level}/__proto__`, 'x', { retain: true })
      await peer.expectMessage({ topic: `${place.name}/${level}/__proto__` })
    }
  },
})
