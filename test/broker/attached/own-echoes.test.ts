import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OwnEchoes } from '#src/broker/attached/own-echoes.js'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'

const on = Buffer.from('on')

test('each message that was sent is known again once, with its rules', () => {
  const echoes = new OwnEchoes(new Counters())
  echoes.expect('t', on, ['first'])
  echoes.expect('t', on, ['second'])
  assert.equal(echoes.take('other', on), undefined)
  assert.equal(echoes.take('t', Buffer.from('off')), undefined)
  assert.deepEqual(echoes.take('t', on), ['first'])
  assert.deepEqual(echoes.take('t', on), ['second'])
  assert.equal(echoes.take('t', on), undefined)
})

test('one that has not come back within a minute is a stranger when it comes', () => {
  let nowMs = 0
  const echoes = new OwnEchoes(new Counters(), () => nowMs)
  echoes.expect('t', on, ['lost'])
  nowMs = 60_000
  echoes.expect('t', on, ['new'])
  nowMs = 60_001
  assert.deepEqual(echoes.take('t', on), ['new'])
  assert.equal(echoes.take('t', on), undefined)
})

test('so many are remembered; one more, and the oldest is a stranger', () => {
  const counters = new Counters()
  const echoes = new OwnEchoes(counters)
  for (let n = 0; n < limits.linkEchoesMax; n++) echoes.expect(`${n}`, on, [])
  assert.equal(counters.get('linkEchoesMax'), 0)
  echoes.expect('one more', on, [])
  assert.equal(counters.get('linkEchoesMax'), 1)
  assert.equal(echoes.take('0', on), undefined)
  assert.deepEqual(echoes.take('1', on), [])
  assert.deepEqual(echoes.take('one more', on), [])
})
