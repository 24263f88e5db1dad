import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filterCover, overlap } from '#src/core/filter-cover.js'
import { matchesFilter } from '#src/core/topics.js'

const covers: readonly [filters: readonly string[], cover: readonly string[]][] = [
  [[], []],
  [['a', 'a'], ['a']],
  [
    ['a', 'b'],
    ['a', 'b'],
  ],
  [['a/b', 'a/+', 'a/#'], ['a/#']],
  [['a/#', 'a'], ['a/#']],
  [['home/+/set', 'home/lamp/#'], ['home/+/#']],
  [['a/+', '+/b'], ['+/+']],
  [
    ['a/+', 'a/+/c'],
    ['a/+', 'a/+/c'],
  ],
  [['x/1', 'y/1', '+/1'], ['+/1']],
  [['a/+/c', 'a/b/+', 'a/x/y'], ['a/+/+']],
  [['+/set', 'home/#'], ['+/#']],
  [
    ['#', '$SYS/#'],
    ['#', '$SYS/#'],
  ],
  [
    ['$SYS/a', '$SYS/+', '+/a'],
    ['$SYS/+', '+/a'],
  ],
]

for (const [filters, cover] of covers) {
  test(`[${filters}] is covered by [${cover}]`, () => {
    assert.deepEqual([...filterCover(filters)].sort(), [...cover].sort())
  })
}

test('of any filters, what matches one of them matches one of the cover, and none matches two', () => {
  const levels = ['a', 'b', '+', '$c']
  const topics = ['a', 'b', '$c', 'a/a', 'a/b', 'b/a', '$c/a', 'a/b/a', 'a/a/b', 'b/b/b', '$c/b/a', '/', '/a']
  let seed = 1
  const chance = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  const anyFilter = (): string => {
    const parts = Array.from({ length: 1 + chance(3) }, () => levels[chance(levels.length)] as string)
    return chance(4) === 0 ? [...parts.slice(1), '#'].join('/') : parts.join('/')
  }
  for (let round = 0; round < 2_000; round++) {
    const filters = Array.from({ length: 1 + chance(5) }, anyFilter)
    const cover = filterCover(filters)
    for (const topic of topics) {
      const matching = cover.filter((filter) => matchesFilter(filter, topic))
      const isWanted = filters.some((filter) => matchesFilter(filter, topic))
      assert.ok(matching.length <= 1, `${topic} matches ${matching}, the cover of ${filters}`)
      assert.ok(!isWanted || matching.length === 1, `${topic} is lost by ${cover}, the cover of ${filters}`)
    }
    for (const one of filters)
      for (const other of filters)
        if (topics.some((topic) => matchesFilter(one, topic) && matchesFilter(other, topic)))
          assert.ok(overlap(one, other), `${one} and ${other}`)
  }
})
