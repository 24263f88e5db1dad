import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { packetOf } from '#src/broker/hub-packet.js'
import type { StoredMessage } from '#src/broker/journal/records.js'
import { Publication } from '#src/broker/publication.js'
import { RetainedStore } from '#src/broker/retained-store.js'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import { isSystemTopic, matchesFilter } from '#src/core/topics.js'
import { standingClock } from '../support/clock.js'
import { hubWorld, publicationOn, TestReceiver } from '../support/hub-world.js'
import { MemoryLog } from '../support/memory-log.js'
import { someFilter, someTopic } from '../support/topics.js'

function matching(retained: RetainedStore, filter: string): string[] {
  return collect(retained, filter).map(
    ({ topic, payload, qos, retain }) => `${topic} ${Buffer.from(payload)} q${qos} ${retain}`,
  )
}

/** What a ledger would be told. */
class Told {
  readonly lines: string[] = []

  putRetained(message: StoredMessage, isNew?: boolean): void {
    const { topic, payload, qos, client } = message
    this.lines.push(`put${isNew === true ? ' new' : ''} ${topic} ${Buffer.from(payload)} q${qos} ${client}`)
  }

  deleteRetained(topic: string): void {
    this.lines.push(`delete ${topic}`)
  }
}

function stored(topic: string, payload = 'x', expiresAtMs = 0): StoredMessage {
  return { topic, payload: Buffer.from(payload), qos: 1, properties: undefined, expiresAtMs, client: 'c' }
}

test('what is published with RETAIN stays until it is replaced or cleared; what is not changes nothing [MQTT-3.3.1-5], [MQTT-3.3.1-8]', async (context) => {
  const { publish, retained } = await hubWorld(context)
  publish('a/b', 'one', { qos: 1, retain: true })
  publish('a/b', 'live', { qos: 1 })
  publish('a/b', '')
  assert.deepEqual(matching(retained, 'a/b'), ['a/b one q1 true'])
  publish('a/b', 'two', { retain: true })
  publish('a', 'three', { qos: 2, retain: true })
  assert.deepEqual(matching(retained, '#').toSorted(), ['a three q2 true', 'a/b two q0 true'])
  assert.deepEqual([retained.count, retained.bytes], [2, 'a/btwo'.length + 'athree'.length])
  publish('a/b', '', { retain: true }) // [MQTT-3.3.1-6]
  publish('nothing/there', '', { retain: true }) // [MQTT-3.3.1-7]
  assert.deepEqual(matching(retained, '#'), ['a three q2 true'])
  publish('a', '', { retain: true })
  assert.deepEqual([retained.count, retained.bytes], [0, 0])
})

test('the ledger is told what changes, and only that', async (context) => {
  const { publish, retained } = await hubWorld(context)
  publish('before', 'x', { retain: true })
  const told = new Told()
  retained.ledger = told
  publish('a', 'one', { qos: 1, retain: true })
  publish('a', 'live')
  publish('a', '', { retain: true })
  publish('a', '', { retain: true })
  publish('before', 'y', { retain: true })
  assert.deepEqual(told.lines, ['put new a one q1 sender', 'delete a', 'put before y q0 sender'])
})

test('what is kept has bytes of its own, and does not hold who published it', async (context) => {
  const { aedes, router, retained } = await hubWorld(context)
  const topic = Buffer.from('a')
  const route = router.routeOfBytes(topic, 0, 1)
  const bytes = Buffer.from('....payload....')
  const properties = Buffer.from([2, 0, 0, 0, 60])
  const source = new TestReceiver()
  const expiresAtMs = Date.now() + 60_000
  const publication = Publication.received(
    route,
    0,
    true,
    'c',
    source,
    bytes,
    4,
    11,
    properties,
    0,
    1,
    expiresAtMs,
    -1,
    0,
    true,
  )
  aedes.publish(packetOf(publication), () => {})
  bytes.fill('!')
  properties.fill(9)
  const [kept] = [...collect(retained, 'a')]
  assert.ok(kept !== undefined)
  assert.equal(`${kept.payload}`, 'payload')
  assert.deepEqual([...(kept.forwardedProperties ?? [])], [2, 0, 0, 0, 60])
  assert.equal(kept.form(true, false).expiryAt, 2 + 3 + 1 + 1) // fixed header, topic, length of the properties, id
  assert.equal(kept.source, undefined)
})

function collect(retained: RetainedStore, filter: string): Publication[] {
  const found: Publication[] = []
  const cursor = retained.cursor(filter)
  while (!cursor.isDone) {
    const message = cursor.next()
    if (message !== undefined) found.push(message.toPublication(false))
  }
  return found
}

test('a search finds each topic that matches once, as the definition of a match says', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(someTopic, fc.boolean()), { maxLength: 30 }),
      someFilter,
      (changes, filter) => {
        const { retained, keep, clear, at: model } = changing()
        for (const [topic, isKept] of changes) {
          if (isKept) keep(topic)
          else clear(topic)
        }
        assert.equal(retained.count, [...model.keys()].filter((topic) => !isSystemTopic(topic)).length)
        const found = collect(retained, filter).map(({ topic }) => topic)
        assert.deepEqual(
          found.toSorted(),
          [...model.keys()].filter((topic) => matchesFilter(filter, topic)).toSorted(),
        )
      },
    ),
    { numRuns: 500 },
  )
})

type Step = { readonly kind: 'keep' | 'clear'; readonly topic: string } | { readonly kind: 'next' }

const someSteps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('keep' as const, 'clear' as const), topic: someTopic }),
    fc.record({ kind: fc.constant('next' as const) }),
  ),
  { maxLength: 40 },
)

test('while a cursor rests anything may change: what stays is found once, and all as it is then', () => {
  fc.assert(
    fc.property(fc.array(someTopic, { maxLength: 20 }), someFilter, someSteps, (before, filter, steps) => {
      const { retained, keep, clear, at } = changing()
      for (const topic of before) keep(topic)
      const staying = new Set(before.filter((topic) => matchesFilter(filter, topic)))
      const times = new Map<string, number>()
      const cursor = retained.cursor(filter)
      const next = (): void => {
        const found = cursor.next()
        if (found === undefined) return
        assert.ok(matchesFilter(filter, found.topic))
        assert.equal(`${found.payload}`, at.get(found.topic))
        times.set(found.topic, (times.get(found.topic) ?? 0) + 1)
      }
      for (const step of steps satisfies readonly Step[]) {
        if (step.kind === 'next') next()
        else if (step.kind === 'keep') keep(step.topic)
        else {
          clear(step.topic)
          staying.delete(step.topic)
          times.delete(step.topic) // it may come back
        }
      }
      while (!cursor.isDone) next()
      for (const topic of staying) assert.equal(times.get(topic), 1, topic)
      for (const [topic, count] of times) assert.equal(count, 1, topic)
    }),
    { numRuns: 2_000 },
  )
})

/** A store in which each message is another one. */
function changing() {
  const retained = new RetainedStore({ log: new MemoryLog(), counters: new Counters() })
  const at = new Map<string, string>()
  let number = 0
  const store = (topic: string, payload: string): void => {
    const topicBytes = Buffer.from(topic)
    const route = { topic, topicBytes, topicLength: topicBytes.length }
    const properties = Publication.of({ route, qos: 0, retain: true, client: 'c' }, Buffer.from(payload))
    retained.storeRetained({ properties } as unknown as Parameters<RetainedStore['storeRetained']>[0])
  }
  return {
    retained,
    /** What is retained, by topic. */
    at,
    keep(topic: string): void {
      const payload = `${number++}`
      store(topic, payload)
      at.set(topic, payload)
    },
    clear(topic: string): void {
      store(topic, '')
      at.delete(topic)
    },
  }
}

test('as many messages as allowed are retained; one for a further topic is delivered, and not retained', async (context) => {
  const { publish, subscribe, router, retained, counters, log } = await hubWorld(context)
  const receiver = new TestReceiver()
  subscribe(receiver, 'one/+')
  const told = new Told()
  const many = Array.from({ length: limits.retainedMessagesMax - 1 }, (_, index) => stored(`t/${index}`))
  retained.restore(many)
  retained.ledger = told
  publish('one/last', 'x', { retain: true })
  assert.equal(counters.get('retainedMessagesMax'), 0)
  const more = publicationOn(router, Buffer.from('one/more'), 'y', { retain: true })
  assert.equal(retained.hasRoomFor(more), false)
  assert.equal(counters.get('retainedMessagesMax'), 0) // asking counts nothing
  publish('one/more', 'y', { retain: true })
  publish('one/more', 'y', { retain: true })
  publish('t/0', 'changed', { retain: true })
  assert.deepEqual(receiver.heard, ['one/last x q0', 'one/more y q0', 'one/more y q0'])
  assert.deepEqual(matching(retained, 't/0'), ['t/0 changed q0 true'])
  assert.deepEqual(told.lines, ['put new one/last x q0 sender', 'put t/0 changed q0 sender'])
  assert.equal(counters.get('retainedMessagesMax'), 2)
  assert.equal(log.having('message not retained: there are too many already').length, 1)

  publish('one/more', '', { retain: true }) // there is always room to clear
  publish('t/1', '', { retain: true })
  assert.equal(retained.hasRoomFor(more), true)
  publish('one/more', 'z', { retain: true })
  assert.deepEqual(matching(retained, 'one/more'), ['one/more z q0 true'])
  assert.equal(counters.get('retainedMessagesMax'), 2)
})

test('as many bytes as allowed are retained, topics and properties included, and not one more', async (context) => {
  const { publish, retained, counters } = await hubWorld(context)
  const megabyte = 1024 * 1024
  const count = limits.retainedBytesMax / megabyte
  retained.restore(
    Array.from({ length: count }, (_, index) => {
      const topic = `t/${String(index).padStart(4, '0')}`
      return { ...stored(topic), payload: Buffer.alloc(megabyte - topic.length) }
    }),
  )
  assert.equal(retained.bytes, limits.retainedBytesMax)
  publish('t/0000', 'x'.repeat(megabyte - 't/0000'.length), { retain: true }) // in place of the old one
  assert.equal(counters.get('retainedBytesMax'), 0)
  publish('t/0000', 'x'.repeat(megabyte - 't/0000'.length + 1), { retain: true })
  publish('y', 'y', { retain: true })
  assert.equal(counters.get('retainedBytesMax'), 2)
  assert.deepEqual([retained.count, retained.bytes], [count, limits.retainedBytesMax])
})

test('what has expired is not found any more, and is removed for good soon after [MQTT-3.3.2-5]', async (context) => {
  const retained = new RetainedStore({ log: new MemoryLog(), counters: new Counters() })
  context.after(() => retained.close())
  standingClock(context, 1_000_000, ['setInterval'])
  const told = new Told()
  retained.restore([stored('short', 'x', 1_000_500), stored('long', 'x', 1_060_000), stored('ever')])
  retained.ledger = told
  context.mock.timers.tick(499)
  assert.equal(matching(retained, '#').length, 3)
  context.mock.timers.tick(1)
  assert.deepEqual(
    collect(retained, '#')
      .map(({ topic }) => topic)
      .toSorted(),
    ['ever', 'long'],
  )
  assert.deepEqual(collect(retained, 'short'), [])
  assert.equal(retained.count, 3)
  context.mock.timers.tick(2_000)
  assert.deepEqual([retained.count, told.lines], [2, ['delete short']])
  retained.restore([stored('long', 'new', 1_100_000)])
  context.mock.timers.tick(70_000)
  assert.deepEqual(matching(retained, 'long'), ['long new q1 true'])
  context.mock.timers.tick(40_000)
  assert.deepEqual([retained.count, told.lines], [1, ['delete short', 'delete long']])
})

test('of many that will expire all are found in time, a few at each look', async (context) => {
  const retained = new RetainedStore({ log: new MemoryLog(), counters: new Counters() })
  context.after(() => retained.close())
  standingClock(context, 1_000_000, ['setInterval'])
  const expiresAt = (index: number): number => (index % 2 === 0 ? 1_000_001 : 9_000_000)
  retained.restore(Array.from({ length: 20_000 }, (_, index) => stored(`t/${index}`, 'x', expiresAt(index))))
  context.mock.timers.tick(2_000)
  assert.ok(retained.count > 10_000)
  context.mock.timers.tick(10_000)
  assert.equal(retained.count, 10_000)
})

test('what is restored is there, as it was, and is not written again', async (context) => {
  const { retained, publish } = await hubWorld(context)
  const told = new Told()
  retained.ledger = told
  const properties = Buffer.from([3, 0, 1, 0x61])
  retained.restore([{ ...stored('a/b', 'kept'), properties, qos: 2 }, stored('ä')])
  assert.deepEqual(matching(retained, '#').toSorted(), ['a/b kept q2 true', 'ä x q1 true'])
  const [kept] = collect(retained, 'a/b')
  assert.deepEqual([kept?.client, kept?.forwardedProperties], ['c', properties])
  assert.deepEqual(told.lines, [])
  assert.equal(retained.bytes, 'a/bkept'.length + 4 + Buffer.byteLength('äx'))
  publish('ä', '', { retain: true })
  assert.deepEqual(told.lines, ['delete ä'])
})

test('a cursor may rest: what is cleared meanwhile is not found, and what is changed is found as it is then', async (context) => {
  const { retained, publish } = await hubWorld(context)
  for (const topic of ['t/1', 't/2', 't/3', 't/4/x']) publish(topic, 'old', { retain: true })
  const cursor = retained.cursor('t/#')
  assert.equal(cursor.next()?.topic, 't/1')
  publish('t/2', '', { retain: true })
  publish('t/3', 'new', { retain: true })
  publish('t/4/x', '', { retain: true })
  const rest: string[] = []
  while (!cursor.isDone) {
    const found = cursor.next()
    if (found !== undefined) rest.push(`${found.topic} ${found.payload}`)
  }
  assert.deepEqual(rest, ['t/3 new'])
  assert.equal(cursor.next(), undefined)
})

test('a search among many that finds nothing lets others have their turn', async (context) => {
  const { retained } = await hubWorld(context)
  retained.restore(Array.from({ length: 100_000 }, (_, index) => stored(`${index}/x`)))
  const cursor = retained.cursor('+/y')
  assert.equal(cursor.next(), undefined)
  assert.equal(cursor.isDone, false)
  let turns = 0
  let isDone = false
  const count = (): void => {
    turns++
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  for await (const { topic } of retained.messages('+/y')) assert.fail(topic)
  isDone = true
  assert.ok(turns > 1, `${turns} turns`)
})

test('what aedes asks of a persistence is answered at once', async (context) => {
  const { retained } = await hubWorld(context)
  const answers: unknown[] = []
  retained.subscriptionsByTopic().then((value) => answers.push(value))
  retained.outgoingEnqueueCombi().then((value) => answers.push(value))
  assert.deepEqual(answers, [[], undefined])
  assert.deepEqual(retained.streamWill(), [])
})
