import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { packetOf } from '#src/broker/hub-packet.js'
import type { Route } from '#src/broker/route.js'
import type { Router } from '#src/broker/router.js'
import { limits } from '#src/core/limits.js'
import type { QoS } from '#src/core/message.js'
import { matchesFilter } from '#src/core/topics.js'
import { hubWorld, publicationOn, TestReceiver } from '../support/hub-world.js'
import { someFilter, someTopic } from '../support/topics.js'
import { until } from '../support/until.js'

test('a message reaches each receiver whose filter matches, with what is left of its QoS [MQTT-3.8.4-8]', async (context) => {
  const { subscribe, publish } = await hubWorld(context)
  const [one, two, other] = [new TestReceiver(), new TestReceiver(), new TestReceiver()]
  subscribe(one, 'a/b', { qos: 1 })
  subscribe(two, 'a/+', { qos: 2 })
  subscribe(other, 'a/c')
  for (const qos of [0, 1, 2] as const) publish('a/b', `${qos}`, { qos })
  assert.deepEqual(one.heard, ['a/b 0 q0', 'a/b 1 q1', 'a/b 2 q1'])
  assert.deepEqual(two.heard, ['a/b 0 q0', 'a/b 1 q1', 'a/b 2 q2'])
  assert.deepEqual(other.heard, [])
})

test('subscriptions of one receiver that overlap bring a message once, with the highest QoS and all identifiers [MQTT-3.3.4-2]', async (context) => {
  const { subscribe, unsubscribe, publish } = await hubWorld(context)
  const [one, other] = [new TestReceiver(), new TestReceiver()]
  subscribe(one, 'a/b', { qos: 0, identifier: 7, retainAsPublished: true })
  const wide = subscribe(one, 'a/#', { qos: 1, identifier: 9 })
  subscribe(one, '+/b', { qos: 0 })
  subscribe(other, '#', { qos: 2 })
  publish('a/b', 'x', { qos: 2, retain: true })
  const [first = ''] = one.take()
  assert.deepEqual(first.split(' ').sort(), ['#7', '#9', 'a/b', 'q1', 'retain', 'x'])
  assert.deepEqual(other.take(), ['a/b x q2'])
  unsubscribe(wide)
  publish('a/b', 'x', { qos: 2, retain: true })
  publish('a/c', 'x', { qos: 2 })
  assert.deepEqual(one.take(), ['a/b x q0 retain #7'])
})

test('RETAIN is passed on to who asked for it, and cleared for the others [MQTT-3.3.1-12], [MQTT-3.3.1-13]', async (context) => {
  const { subscribe, publish } = await hubWorld(context)
  const [plain, asPublished] = [new TestReceiver(), new TestReceiver()]
  subscribe(plain, 'a')
  subscribe(asPublished, 'a', { retainAsPublished: true })
  publish('a', 'x', { retain: true })
  publish('a', 'y')
  assert.deepEqual(plain.heard, ['a x q0', 'a y q0'])
  assert.deepEqual(asPublished.heard, ['a x q0 retain', 'a y q0'])
})

test('no local keeps from a session what it published itself, unless another of its subscriptions wants it [MQTT-3.8.3-3]', async (context) => {
  const { subscribe, publish } = await hubWorld(context)
  const [self, other] = [new TestReceiver(), new TestReceiver()]
  subscribe(self, 'a/#', { noLocal: true })
  subscribe(other, 'a/#', { noLocal: true })
  publish('a/b', 'own', { source: self })
  assert.deepEqual([self.take(), other.take()], [[], ['a/b own q0']])
  subscribe(self, '+/b')
  publish('a/b', 'own', { source: self })
  publish('a/c', 'own', { source: self })
  publish('a/c', 'foreign', { source: other })
  assert.deepEqual(self.take(), ['a/b own q0', 'a/c foreign q0'])
})

test('messages of one topic keep their order, whatever their QoS and whether they are retained [MQTT-4.6.0-6]', async (context) => {
  const { subscribe, publish, hub } = await hubWorld(context)
  const receiver = new TestReceiver()
  const house: string[] = []
  subscribe(receiver, 'a')
  hub.subscribe('a', ({ payload }) => house.push(`${payload}`))
  const expected = Array.from({ length: 24 }, (_, index) => `${index}`)
  for (const [index, payload] of expected.entries())
    publish('a', payload, { qos: (2 - (index % 3)) as QoS, retain: index % 4 < 2 })
  assert.deepEqual(
    receiver.heard.map((words) => words.split(' ')[1]),
    expected,
  )
  assert.deepEqual(house, expected)
})

test('what is published from inside a delivery comes after it, for everybody', async (context) => {
  const { subscribe, publish, hub } = await hubWorld(context)
  const [first, second] = [new TestReceiver(), new TestReceiver()]
  const house: string[] = []
  subscribe(first, '#')
  hub.subscribe('a', () => {
    publish('b', '1', { qos: 1 })
    publish('b', '2')
    house.push('published')
  })
  hub.subscribe('b', ({ payload }) => {
    if (`${payload}` === '1') publish('c', '3', { qos: 2, retain: true })
  })
  hub.subscribe('#', ({ topic, payload }) => house.push(`${topic} ${payload}`))
  subscribe(second, '#')
  publish('a', '0')
  const expected = ['a 0', 'b 1', 'b 2', 'c 3']
  assert.deepEqual(house.toSorted(), [...expected, 'published'])
  assert.equal(house.indexOf('published') < house.indexOf('b 1'), true)
  for (const { heard } of [first, second])
    assert.deepEqual(
      heard.map((words) => words.slice(0, 3)),
      expected,
    )
})

test('a publisher is called back when everybody has its message, in the order of the messages', async (context) => {
  const { subscribe, aedes, router } = await hubWorld(context)
  const receiver = new TestReceiver()
  const steps: string[] = []
  subscribe(receiver, 'a')
  const send = (payload: string, then: () => void): void =>
    aedes.publish(packetOf(publicationOn(router, Buffer.from('a'), payload)), () => {
      steps.push(`${payload} after ${receiver.heard.length}`)
      then()
    })
  send('one', () => send('two', () => send('three', () => {})))
  assert.deepEqual(steps, ['one after 1', 'two after 2', 'three after 3'])
})

test('a listener or a receiver that throws is logged, and harms neither the others nor the publisher', async (context) => {
  const { subscribe, publish, aedes, router, hub, log } = await hubWorld(context)
  const [good, late] = [new TestReceiver(), new TestReceiver()]
  const house: string[] = []
  const fail = (reason: string) => (): never => {
    throw new Error(reason)
  }
  subscribe({ isLive: true, isKept: false, mayRead: () => true, deliver: fail('a receiver') }, 'a')
  subscribe({ isLive: true, isKept: false, mayRead: () => true, deliver: fail('a member') }, '$share/s/a')
  subscribe(good, 'a')
  hub.subscribe('a', fail('a listener'))
  hub.subscribe('a', ({ payload }) => house.push(`${payload}`))
  subscribe(late, 'a')
  let error: Error | undefined | null
  aedes.publish(packetOf(publicationOn(router, Buffer.from('a'), '1', { qos: 1 })), (cause) => {
    error = cause
    throw new Error('a publisher')
  })
  publish('a', '2')
  assert.equal(error, null)
  for (const { heard } of [good, late]) assert.deepEqual(heard, ['a 1 q1', 'a 2 q0'])
  assert.deepEqual(house, ['1', '2'])
  assert.deepEqual(
    log.having('delivery failed').map(({ fields }) => fields['reason']),
    ['a receiver', 'a member', 'a listener', 'a publisher'], // each is told once, and then counted
  )
})

test('leading wildcards do not see topics that begin with $ [MQTT-4.7.2-1]', async (context) => {
  const { subscribe, publish } = await hubWorld(context)
  const receivers = ['#', '+/x', '$SYS/x', '$SYS/#'].map((filter) => {
    const receiver = new TestReceiver()
    subscribe(receiver, filter)
    return receiver
  })
  publish('$SYS/x')
  publish('$other/x')
  publish('b/x')
  assert.deepEqual(
    receivers.map(({ heard }) => heard.map((words) => words.split(' ')[0]).join()),
    ['b/x', 'b/x', '$SYS/x', '$SYS/x'],
  )
})

test('what aedes says to itself reaches aedes, and neither a session nor the house', async (context) => {
  const { subscribe, aedes, hub } = await hubWorld(context, 20)
  const receiver = new TestReceiver()
  const house: string[] = []
  for (const filter of ['#', '$SYS/#', `$SYS/${aedes.id}/heartbeat`]) {
    subscribe(receiver, filter)
    subscribe(receiver, `$share/s/${filter}`)
    hub.subscribe(filter, ({ topic }) => house.push(topic))
  }
  await until('aedes has heard itself', () => aedes.brokers[aedes.id] !== undefined)
  await sleep(100) // the search for wills of others runs as well
  assert.deepEqual([receiver.heard, house], [[], []])
  hub.publishSystem('$SYS/broker/uptime', '1')
  assert.deepEqual([receiver.heard.length, house], [2, ['$SYS/broker/uptime']])
})

test('a topic may have as many levels as allowed, and not one more', async (context) => {
  const { subscribe, publish, aedes, router } = await hubWorld(context)
  const receiver = new TestReceiver()
  subscribe(receiver, '#')
  const deep = 'a/'.repeat(limits.topicLevelsMax - 1)
  assert.equal(router.routeOf(deep).problem, undefined)
  publish(deep)
  assert.match(router.routeOf(`${deep}/`).problem ?? '', /levels/)
  const error = await new Promise<Error | undefined>((resolve) =>
    aedes.publish(packetOf(publicationOn(router, Buffer.from(`${deep}/`), '')), resolve),
  )
  assert.match(String(error), /levels/)
  assert.equal(receiver.heard.length, 1)
})

const problems: readonly (readonly [what: string, topic: Buffer, problem: RegExp])[] = [
  ['an empty topic', Buffer.from(''), /empty/],
  ['a wildcard', Buffer.from('a/+'), /wildcards/],
  ['U+0000', Buffer.from('a\0b'), /U\+0000/],
  ['a byte that UTF-8 has not', Buffer.from([0x61, 0xff]), /UTF-8/],
  ['a cut character', Buffer.from([0x61, 0xc3]), /UTF-8/],
  ['a surrogate', Buffer.from([0xed, 0xa0, 0x80]), /UTF-8/],
  ['more bytes than allowed', Buffer.alloc(limits.topicBytesMax + 1, 'a'), /longer/],
  [
    'more bytes than allowed in fewer characters',
    Buffer.from('ä'.repeat(limits.topicBytesMax / 2 + 1)),
    /longer/,
  ],
]

for (const [what, topic, problem] of problems) {
  test(`${what} is no topic of a message, each time it comes`, async (context) => {
    const { router } = await hubWorld(context)
    for (let time = 0; time < 2; time++) {
      const route = router.routeOfBytes(topic, 0, topic.length)
      assert.match(route.problem ?? '', problem)
      assert.equal(router.isCurrent(route), false)
    }
  })
}

test('text that no UTF-8 can stand for is no topic [MQTT-1.5.4-1]', async (context) => {
  const { router } = await hubWorld(context)
  assert.match(router.routeOf('a\ud800').problem ?? '', /Unicode/)
  assert.equal(router.routeOf('a\u{1f41e}').problem, undefined)
})

test('a topic is what its bytes are, also beyond ASCII', async (context) => {
  const { router, subscribe, publish } = await hubWorld(context)
  const [exact, latin1] = [new TestReceiver(), new TestReceiver()]
  subscribe(exact, 'küche/ⅷ')
  subscribe(latin1, Buffer.from('küche/ⅷ').toString('latin1'))
  publish('küche/ⅷ')
  assert.deepEqual([exact.heard.length, latin1.heard.length], [1, 0])
  const chunk = Buffer.from('..küche/ⅷ..')
  const route = router.routeOfBytes(chunk, 2, chunk.length - 2)
  assert.equal(route, router.routeOf('küche/ⅷ'))
  assert.deepEqual([route.topic, Buffer.from(route.topicBytes)], ['küche/ⅷ', Buffer.from('küche/ⅷ')])
  assert.equal(router.routeOf('\ufeffa').topic, '\ufeffa') // [MQTT-1.5.4-3]
})

/** As after the second message to a topic, from when on its route is remembered. */
function remembered(router: Router, topic: string): Route {
  router.routeOf(topic)
  return router.routeOf(topic)
}

test('a route is remembered when its topic comes again, and serves one message before that', async (context) => {
  const { router, subscribe, aedes } = await hubWorld(context)
  const receiver = new TestReceiver()
  subscribe(receiver, 'a')
  const publication = publicationOn(router, Buffer.from('a'), 'x')
  const route = publication.route as Route
  assert.deepEqual([route.targets.length, router.isCurrent(route)], [1, false])
  aedes.publish(packetOf(publication), () => {})
  aedes.publish(packetOf(publication), () => {})
  assert.deepEqual(receiver.take(), ['a x q0', 'a x q0'])
  assert.equal(route.targets.length, 0)
  const again = router.routeOf('a')
  assert.deepEqual([router.isCurrent(again), again === router.routeOf('a')], [true, true])
})

test('a route is current until its subscribers change: a filter without wildcards concerns its topic alone', async (context) => {
  const { router, subscribe, unsubscribe } = await hubWorld(context)
  const receiver = new TestReceiver()
  const [a, b] = [remembered(router, 'a'), remembered(router, 'b')]
  const exact = subscribe(receiver, 'a')
  assert.deepEqual([router.isCurrent(a), router.isCurrent(b)], [false, true])
  assert.deepEqual([router.routeOf('a').targets.length, b.targets.length], [1, 0])
  const wide = subscribe(receiver, '+')
  assert.deepEqual([router.isCurrent(a), router.isCurrent(b)], [false, false])
  assert.deepEqual([router.routeOf('a').targets.length, router.routeOf('b').targets.length], [1, 1])
  unsubscribe(exact)
  assert.deepEqual([router.isCurrent(a), router.isCurrent(b)], [false, true])
  unsubscribe(wide)
  assert.deepEqual([router.routeOf('a').targets.length, router.routeOf('b').targets.length], [0, 0])
  unsubscribe(wide) // it has gone already
  assert.deepEqual([router.isCurrent(a), router.isCurrent(b)], [true, true])
})

test('a message that was made before subscriptions changed goes where they say now', async (context) => {
  const { router, aedes, subscribe, unsubscribe } = await hubWorld(context)
  const [before, now] = [new TestReceiver(), new TestReceiver()]
  const old = subscribe(before, 'a')
  const publication = publicationOn(router, Buffer.from('a'), 'x')
  unsubscribe(old)
  subscribe(now, '#')
  aedes.publish(packetOf(publication), () => {})
  assert.deepEqual([before.heard, now.heard], [[], ['a x q0']])
})

test('whatever is subscribed, unsubscribed and published in between, messages go where the definition of a match says', async (context) => {
  const { subscribe, unsubscribe, publish } = await hubWorld(context)
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('subscribe' as const),
      filter: someFilter,
      qos: fc.constantFrom<QoS>(0, 1, 2),
    }),
    fc.record({ kind: fc.constant('unsubscribe' as const), which: fc.nat(20) }),
    fc.record({ kind: fc.constant('publish' as const), topic: someTopic }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const receiver = new TestReceiver()
      const subscribed: ReturnType<typeof subscribe>[] = []
      for (const one of steps) {
        if (one.kind === 'subscribe') subscribed.push(subscribe(receiver, one.filter, { qos: one.qos }))
        else if (one.kind === 'unsubscribe') subscribed.splice(one.which, 1).forEach(unsubscribe)
        else {
          publish(one.topic, 'x', { qos: 2 })
          const matching = subscribed
            .map(({ subscription }) => subscription)
            .filter(({ filter }) => matchesFilter(filter, one.topic))
          const qos = Math.max(...matching.map((subscription) => subscription.qos))
          assert.deepEqual(receiver.take(), matching.length === 0 ? [] : [`${one.topic} x q${qos}`])
        }
      }
      for (const delivery of subscribed) unsubscribe(delivery)
    }),
    { numRuns: 300 },
  )
})

test('as many routes are remembered as allowed; one more costs one that was not used, and it is found again', async (context) => {
  const { router, counters, subscribe } = await hubWorld(context)
  const receiver = new TestReceiver()
  const topic = (index: number): string => `t/${String(index).padStart(6, '0')}`
  subscribe(receiver, topic(0))
  const [used, unused] = [remembered(router, topic(0)), remembered(router, topic(1))]
  const fill = (from: number, to: number): void => {
    for (let index = from; index < to; index++) {
      remembered(router, topic(index))
      router.routeOf(topic(0))
    }
  }
  let count = 2
  while (counters.get('routeBytesMax') === 0) fill(count, ++count)
  assert.ok(count * 300 < limits.routeBytesMax, 'each takes its bytes')
  assert.ok(count * 1_000 > limits.routeBytesMax, 'there is room for thousands')
  assert.equal(counters.get('routeBytesMax'), 1)
  fill(count, count + 1_000)
  assert.equal(counters.get('routeBytesMax'), 1_001)
  assert.equal(router.routeOf(topic(0)), used)
  assert.equal(router.isCurrent(used), true)
  assert.equal(router.isCurrent(unused), false)
  subscribe(receiver, topic(1))
  assert.equal(router.routeOf(topic(1)).targets.length, 1)
})

test('topics that come once or twice do not push out those that come again, also where a connection remembers them', async (context) => {
  const { router, counters } = await hubWorld(context)
  const [looked, kept] = [remembered(router, 'looked'), remembered(router, 'kept')]
  for (let index = 0; counters.get('routeBytesMax') < 20_000; index++) {
    remembered(router, `twice/${index}`)
    if (index % 1_000 === 0) router.routeOf('looked')
    if (index % 1_000 === 0) assert.ok(router.isCurrent(kept))
  }
  assert.equal(router.routeOf('looked'), looked)
})

test('of topics that come once few routes are remembered', async (context) => {
  const { router } = await hubWorld(context)
  let known = 0
  for (let index = 0; index < 300_000; index++) if (router.isCurrent(router.routeOf(`once/${index}`))) known++
  assert.ok(known < 100_000, `${known}`)
  assert.ok(router.isCurrent(remembered(router, 'twice')))
})

test('a route that has gone holds nobody, and who remembers it is not misled', async (context) => {
  const { router, counters, subscribe, aedes } = await hubWorld(context)
  const receiver = new TestReceiver()
  subscribe(receiver, 'gone')
  const known = remembered(router, 'gone')
  const publication = publicationOn(router, Buffer.from('gone'), 'x')
  assert.equal(publication.route, known)
  known.wasUsed = false
  for (let index = 0; counters.get('routeBytesMax') < 2; index++) remembered(router, `t/${index}`)
  const { route } = publication
  assert.notEqual(router.routeOf('gone'), route)
  assert.equal(known.targets.length, 0)
  aedes.publish(packetOf(publication), () => {})
  assert.deepEqual(receiver.heard, ['gone x q0'])
})

test('tens of thousands of wildcard filters may be subscribed while messages flow', async (context) => {
  const { subscribe, publish } = await hubWorld(context)
  const [many, steady] = [new TestReceiver(), new TestReceiver()]
  subscribe(steady, 'topic/+')
  for (let index = 0; index < 40_000; index++) {
    subscribe(many, `many/+/${index}/#`)
    publish(`topic/${index % 100}`)
  }
  publish('many/x/39999/y')
  assert.deepEqual([steady.heard.length, many.heard.length], [40_000, 1])
})

test('after its end it delivers nothing, and says so', async (context) => {
  const { router, subscribe, aedes } = await hubWorld(context)
  const receiver = new TestReceiver()
  subscribe(receiver, 'a')
  await new Promise<void>((resolve) => router.close(resolve))
  const error = await new Promise<Error | undefined>((resolve) =>
    aedes.publish(packetOf(publicationOn(router, Buffer.from('a'), '')), resolve),
  )
  assert.match(String(error), /closed/)
  assert.deepEqual(receiver.heard, [])
})
