import assert from 'node:assert/strict'
import { test } from 'node:test'
import { overlap } from '#src/core/filter-cover.js'

const table: [one: string, other: string, expected: boolean][] = [
  ['a', 'a', true],
  ['a', 'b', false],
  ['a', 'a/b', false],
  ['a/+', 'a/b', true],
  ['a/+', '+/b', true],
  ['a/+', 'b/+', false],
  ['a/+', 'a/b/c', false],
  ['a/#', 'a', true],
  ['a/#', 'a/b/c', true],
  ['a/+/#', 'a', false],
  ['a/+/#', 'a/b', true],
  ['#', 'a/b', true],
  ['#', '$SYS/#', false],
  ['+/x', '$SYS/x', false],
  ['$SYS/#', '$SYS/a', true],
  ['+/+', '/', true],
]
for (const [one, other, expected] of table) {
  test(`${one} and ${other} ${expected ? 'overlap' : 'have no topic in common'}`, () => {
    assert.equal(overlap(one, other), expected)
    assert.equal(overlap(other, one), expected)
  })
}
