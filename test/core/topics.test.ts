import assert from 'node:assert/strict'
import { test } from 'node:test'
import { overlap } from '#src/core/filter-cover.js'
import { limits } from '#src/core/limits.js'
import { FilterIndex, filterProblem, matchesFilter, topicProblem } from '#src/core/topics.js'

const matching: readonly (readonly [filter: string, topic: string, matches: boolean])[] = [
  ['a/b', 'a/b', true],
  ['a/b', 'a/c', false],
  ['a/b', 'a/b/c', false],
  ['+', 'a', true],
  ['+', '', true],
  ['+/+', '/a', true], // [MQTT-4.7.1-3]
  ['/+', '/a', true],
  ['+', '/a', false],
  ['a/+/c', 'a//c', true],
  ['a/#', 'a', true], // [MQTT-4.7.1-2] the parent level is included
  ['a/#', 'a/b/c', true],
  ['a/#', 'ab', false],
  ['#', 'a/b', true],
  ['#', '$SYS/broker', false], // [MQTT-4.7.2-1]
  ['+/broker', '$SYS/broker', false],
  ['$SYS/#', '$SYS/broker', true],
  ['$SYS/+', '$SYS/broker', true],
  ['a/$x', 'a/$x', true],
  ['a/#', 'a/$x', true],
  ['__proto__', '__proto__', true],
  ['constructor/+', 'constructor/x', true],
]

for (const [filter, topic, matches] of matching) {
  test(`${filter} ${matches ? 'matches' : 'does not match'} "${topic}", alone and in an index`, () => {
    assert.equal(matchesFilter(filter, topic), matches)
    const index = new FilterIndex<string>()
    index.add(filter, 'found')
    assert.deepEqual(index.match(topic), matches ? ['found'] : [])
  })
}

test('an index returns what matches in the order in which it was added', () => {
  const index = new FilterIndex<number>()
  for (const [order, filter] of ['#', 'a/b', 'x', 'a/+', 'a/b', 'a/#'].entries()) index.add(filter, order)
  assert.deepEqual(index.match('a/b'), [0, 1, 3, 4, 5])
})

test('an index finds those whose filters share a topic with another filter, as looking at each of them does', () => {
  const filters = ['a', 'b', '+', '$SYS', '$x']
    .flatMap((one) => [one, ...['a', 'b', '+', '$x', ''].map((two) => `${one}/${two}`)])
    .flatMap((filter) => [filter, `${filter}/#`, `${filter}/a`])
    .concat('#')
  const index = new FilterIndex<string>()
  for (const filter of filters) index.add(filter, filter)
  for (const asked of filters) {
    const found: string[] = []
    index.someOverlapping(asked, (filter) => {
      found.push(filter)
      return false
    })
    assert.deepEqual(found.sort(), filters.filter((filter) => overlap(filter, asked)).sort(), asked)
  }
  assert.equal(
    index.someOverlapping('a/#', (filter) => filter === 'a/b'),
    true,
  )
})

const badFilters = [
  '',
  'a#',
  'a/#/b',
  '+a',
  'a+/b',
  'a/b+',
  '#/a',
  'é'.repeat(limits.topicBytesMax / 2 + 1),
  'a\0b',
  `${'a/'.repeat(limits.topicLevelsMax)}a`,
  'a'.repeat(limits.topicBytesMax + 1),
]
const goodFilters = [
  '#',
  '+',
  'a',
  '/',
  'a//b',
  '+/+/#',
  `${'a/'.repeat(limits.topicLevelsMax - 1)}a`,
  'a'.repeat(limits.topicBytesMax),
]

for (const filter of badFilters) {
  test(`the filter ${JSON.stringify(filter.slice(0, 20))} of ${filter.length} characters is refused`, () => {
    assert.equal(typeof filterProblem(filter), 'string')
  })
}
for (const filter of goodFilters) {
  test(`the filter ${JSON.stringify(filter.slice(0, 20))} of ${filter.length} characters is accepted`, () => {
    assert.equal(filterProblem(filter), undefined)
  })
}

test('a topic to publish to has no wildcard and is not empty', () => {
  for (const topic of ['a/+', '#', '', 'a\0']) assert.equal(typeof topicProblem(topic), 'string', topic)
  for (const topic of ['a', '/', '$SYS/x', 'ü/€']) assert.equal(topicProblem(topic), undefined, topic)
})

test('a client may be held to fewer levels than the house itself', () => {
  for (const problem of [topicProblem, filterProblem]) {
    assert.equal(problem('a/b/c', 3), undefined)
    assert.equal(problem('a/b/c/', 3), 'it has more than 3 levels')
    assert.equal(problem('a/b/c/'), undefined)
  }
})
