import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FilterTree } from '#src/broker/filter-tree.js'
import { LevelTree } from '#src/broker/level-tree.js'
import { matchesFilter } from '#src/core/topics.js'
import { someFilter, someTopic } from '../support/topics.js'

const table: readonly (readonly [filter: string, matches: readonly string[], misses: readonly string[]])[] = [
  ['a', ['a'], ['b', 'a/', '/a', 'a/b']],
  ['a/#', ['a', 'a/', 'a/b', 'a/b/c'], ['b', '/a', 'ab']],
  ['+', ['a', 'b'], ['/', 'a/b', '$SYS']],
  ['+/+', ['/', 'a/', '/a', 'a/b'], ['a', 'a/b/c', '$SYS/a']],
  ['/+', ['/', '/a'], ['a', '/a/b']],
  ['#', ['a', '/', 'a/b/c'], ['$SYS', '$SYS/a', '$']],
  ['+/a/#', ['a/a', '/a/b'], ['$SYS/a', 'a/b']],
  ['$SYS/#', ['$SYS', '$SYS/a'], ['SYS', '$SYSa']],
  ['$SYS/+', ['$SYS/a', '$SYS/'], ['$SYS', '$SYS/a/b']],
]

for (const [filter, matches, misses] of table) {
  test(`${filter} matches ${matches.join(' and ')}, and not ${misses.join(' or ')} [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.2-1]`, () => {
    const tree = new FilterTree<string>()
    tree.add(filter, 'it')
    for (const topic of matches) assert.deepEqual(tree.match(topic), ['it'], topic)
    for (const topic of misses) assert.deepEqual(tree.match(topic), [], topic)
  })
}

test('whatever is added and removed, it finds what the definition of a match says', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), someFilter, fc.nat(2)), { maxLength: 30 })
  fc.assert(
    fc.property(steps, fc.array(someTopic, { maxLength: 5 }), (changes, topics) => {
      const tree = new FilterTree<string>()
      let model: string[] = []
      for (const [isAdded, filter, number] of changes) {
        const value = `${filter} ${number}`
        if (isAdded) {
          tree.add(filter, value)
          model.push(value)
        } else {
          const index = model.indexOf(value)
          assert.equal(tree.remove(filter, value), index !== -1)
          model = model.filter((_, at) => at !== index)
        }
      }
      for (const topic of topics) {
        const expected = model.filter((value) => matchesFilter(value.replace(/ \d$/, ''), topic))
        assert.deepEqual(tree.match(topic).toSorted(), expected.sort())
      }
    }),
    { numRuns: 500 },
  )
})

test('of what has come and gone nothing stays, and what is left is found', () => {
  const tree = new LevelTree<number>()
  const filters = Array.from({ length: 1_000 }, (_, index) => `${index % 7}/+/${index}/#`)
  for (const [index, filter] of filters.entries()) tree.set(filter, filter.length, index)
  tree.set('0/+/0', 5, -1)
  for (const [index, filter] of filters.entries()) assert.equal(tree.delete(filter), index)
  assert.equal(tree.get('0/+/0'), -1)
  assert.equal(tree.delete('0/+/0'), -1)
  assert.equal(tree.root.children, undefined)
})

test('what is not there is not removed, and of what is there twice one', () => {
  const tree = new FilterTree<string>()
  assert.equal(tree.remove('a/b', 'x'), false)
  tree.add('a/b', 'x')
  tree.add('a/b', 'x')
  assert.equal(tree.remove('a', 'x'), false)
  assert.equal(tree.remove('a/b/c', 'x'), false)
  assert.equal(tree.remove('a/b', 'y'), false)
  assert.equal(tree.remove('a/b', 'x'), true)
  assert.deepEqual(tree.match('a/b'), ['x'])
})
