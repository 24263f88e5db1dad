import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import { Repeats } from '#src/core/repeats.js'

test('the first of a kind is logged, the next ones are counted, and told ten seconds later', () => {
  let nowMs = 0
  const repeats = new Repeats(() => nowMs)
  assert.deepEqual(repeats.admit('a'), {})
  assert.equal(repeats.admit('a'), undefined)
  nowMs = 9_999
  assert.equal(repeats.admit('a'), undefined)
  assert.deepEqual(repeats.admit('b'), {})
  nowMs = 10_000
  assert.deepEqual(repeats.admit('a'), { unlogged: 2 })
  assert.equal(repeats.admit('a'), undefined)
})

test('it remembers no more than its limit of kinds: the oldest is forgotten', () => {
  const repeats = new Repeats(() => 0)
  for (let kind = 0; kind < limits.repeatsRemembered; kind++) repeats.admit(`${kind}`)
  assert.equal(repeats.admit('0'), undefined)
  repeats.admit('one more')
  assert.deepEqual(repeats.admit('0'), {})
})
