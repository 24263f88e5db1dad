import assert from 'node:assert/strict'
import {
  type Case,
  chapter,
  type Peer,
  publishBytes,
  subscribeBytes,
  unsubscribeBytes,
} from '../../support/conformance-v5.js'

/** Which topics each filter matches; `T` stands for the test's own first level. */
const matches: Readonly<
  Record<string, readonly [tag: string, yes: readonly string[], no: readonly string[]]>
> = {
  'T/a': ['[MQTT-4.7.3-4]', ['T/a'], ['T/A', 'T/a/', 'T//a', '/T/a', 'T/ab', 'T']],
  'T/#': ['[MQTT-4.7.1-1]', ['T', 'T/', 'T/a', 'T/a/b', 'T//'], ['t/a', '/T', 'TT']],
  'T/a/#': ['[MQTT-4.7.1-1]', ['T/a', 'T/a/b/c'], ['T/ab', 'T']],
  'T/+': ['[MQTT-4.7.1-2]', ['T/a', 'T/', 'T/$a'], ['T', 'T/a/b', '/T']],
  'T/+/c': ['[MQTT-4.7.1-2]', ['T/a/c', 'T//c'], ['T/c', 'T/a/b/c']],
  'T/+/#': ['[MQTT-4.7.1-2]', ['T/a', 'T/a/b', 'T/'], ['T']],
  '+/T': ['[MQTT-4.7.1-2]', ['/T', 'a/T'], ['T', 'a/b/T']],
  'T/+/+': ['[MQTT-4.7.1-2]', ['T/a/b', 'T//'], ['T/a', 'T/a/b/c']],
  'T/': ['[MQTT-4.7.3-1]', ['T/'], ['T', 'T//']],
  '/T': ['[MQTT-4.7.3-1]', ['/T'], ['T', 'T/']],
  'T/ä b': ['[MQTT-4.7.3-4]', ['T/ä b'], ['T/a\u0308 b', 'T/ä%20b', 'T/Ä b']],
  'T/$a': ['[MQTT-4.7.2-1]', ['T/$a'], ['T/a']],
}

/** Filters that are none. They are refused in SUBACK, or end the connection. */
const wrongFilters: Readonly<Record<string, string>> = {
  'a/#/b': '[MQTT-4.7.1-1]',
  'a#': '[MQTT-4.7.1-1]',
  'a/b#': '[MQTT-4.7.1-1]',
  '##': '[MQTT-4.7.1-1]',
  '#/': '[MQTT-4.7.1-1]',
  'a+': '[MQTT-4.7.1-2]',
  '+a/b': '[MQTT-4.7.1-2]',
  'a/++/b': '[MQTT-4.7.1-2]',
  '+#': '[MQTT-4.7.1-1]',
  '': '[MQTT-4.7.3-1]',
}

chapter('topics and filters of MQTT 5.0', {
  ...Object.fromEntries(
    Object.entries(matches).map(([filter, [tag, yes, no]]): [string, Case] => [
      `${filter} matches ${yes.join(', ')}, and not ${no.join(', ')} ${tag}`,
      async (place) => {
        const own = (topic: string) => topic.replace('T', place.name)
        const watcher = await place.connect()
        await watcher.subscribe(own(filter), { qos: 1 })
        const publisher = await place.connect()
        for (const topic of [...yes, ...no])
          await publisher.publish(own(topic), 'x', { qos: 1, retain: true })
        const live = await watcher.everythingFrom(publisher)
        assert.deepEqual(
          live.map(({ topic }) => topic),
          yes.map((topic) => own(topic)),
        )
        await watcher.subscribe(own(filter), { qos: 1 })
        const retained = await watcher.everythingFrom(publisher)
        assert.deepEqual(retained.map(({ topic }) => topic).sort(), yes.map((topic) => own(topic)).sort())
        for (const topic of [...yes, ...no]) await publisher.publish(own(topic), '', { qos: 1, retain: true })
      },
    ]),
  ),

  ...Object.fromEntries(
    Object.entries(wrongFilters).map(([filter, tag]): [string, Case] => [
      `"${filter}" is no filter ${tag}`,
      async (place) => (await place.connect()).expectNoFilter(filter),
    ]),
  ),

  'wildcards at the start do not match topics that begin with $ [MQTT-4.7.2-1]': async (place) => {
    const { name } = place
    const topic = `$${name}/a`
    const publisher = await place.connect()
    const watchers: Peer[] = []
    for (const filter of ['#', '+/a', '+/#']) {
      const watcher = await place.connect({ clientId: `${name}${filter}` })
      await watcher.subscribe(filter, { qos: 1, retainHandling: 2 })
      watchers.push(watcher)
    }
    const named = await place.connect()
    await named.subscribe(`$${name}/+`, { qos: 1 })
    await publisher.publish(topic, 'x', { qos: 1 })
    await named.expectMessage({ topic })
    for (const watcher of watchers) {
      const heard = await watcher.everythingFrom(publisher)
      assert.ok(heard.every((one) => !one.topic.startsWith('$')))
    }
  },

  'a topic with U+0000 is no topic, a filter neither [MQTT-4.7.3-2]': async (place) => {
    for (const bytes of [
      publishBytes('a\0b', 'x'),
      subscribeBytes(1, [['a\0b', 0]]),
      unsubscribeBytes(1, 'a\0b'),
    ]) {
      const peer = await place.connect()
      peer.send(bytes)
      await peer.expectDisconnect(0x81, 0x82, 0x90, 0x8f)
    }
  },

  'a topic of 4,000 bytes is a topic; one of 65,535 is delivered, or refused, and harms nobody [MQTT-4.7.3-3]':
    async (place) => {
      const watcher = await place.connect()
      await watcher.subscribe(`${place.name}/#`, { qos: 1 })
      const long = `${place.name}/${'x'.repeat(3_900)}`
      await watcher.publish(long, 'x', { qos: 1 })
      await watcher.expectMessage({ topic: long })
      const longest = `${place.name}/`.padEnd(65_535, 'x')
      const publisher = await place.connect()
      publisher.send(publishBytes(longest, 'x', { qos: 1 }))
      const answer = await publisher.take('PUBACK').catch(() => undefined)
      if (answer?.code === 0) await watcher.expectMessage({ topic: longest })
      else if (answer === undefined) await publisher.expectDisconnect(0x90)
      await watcher.expectAlive()
    },

  'topics are told apart byte by byte: nothing is normalized [MQTT-4.7.3-4]': async (place) => {
    const { name } = place
    const topics = [`${name}/å`, `${name}/a\u030a`, `${name}/Å`, `${name}/\u212b`, `${name}/ å`, `${name}/å `]
    const publisher = await place.connect()
    for (const topic of topics) {
      const watcher = await place.connect()
      await watcher.subscribe(topic, { qos: 1 })
      for (const other of topics) await publisher.publish(other, 'x', { qos: 1 })
      const heard = await watcher.everythingFrom(publisher)
      assert.deepEqual(
        heard.map((one) => one.topic),
        [topic],
      )
    }
  },
})
