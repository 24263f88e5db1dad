import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import { LastMessages } from '#src/rules/last-messages.js'

const message = (topic: string, payload: string | Uint8Array) => ({
  topic,
  payload: Buffer.from(payload),
  qos: 1 as const,
  retain: false,
  client: 'c',
  chain: [],
})

test('only the topics that are wanted are remembered, and a wanted one keeps its message', () => {
  const lasts = new LastMessages(new Counters())
  assert.deepEqual(
    lasts.want(['a', 'b']).map(({ topic }) => topic),
    ['a', 'b'],
  )
  lasts.slot('a')?.note(message('a', '{"x":1}'))
  assert.deepEqual(
    lasts.want(['a', 'c']).map(({ topic }) => topic),
    ['c'],
  )
  lasts.keepOnly(new Set(['a', 'c']))
  assert.deepEqual(lasts.slot('a')?.message?.payload, { x: 1 })
  assert.equal(lasts.slot('b'), undefined)
  assert.equal(lasts.slot('other'), undefined)
})

test('what was taken out stays as it was when newer messages come', () => {
  const lasts = new LastMessages(new Counters())
  lasts.want(['a', 'b'])
  lasts.slot('a')?.note(message('a', '1'))
  const captured = lasts.capture(['a', 'b'])
  lasts.slot('a')?.note(message('a', '2'))
  lasts.slot('b')?.note(message('b', '2'))
  assert.deepEqual([captured.get('a')?.payload, captured.get('b')], [1, undefined])
})

test('a retained message does not take the place of a newer one', () => {
  const lasts = new LastMessages(new Counters())
  const [slot] = lasts.want(['a'])
  slot?.note(message('a', 'new'))
  slot?.noteRetained(message('a', 'old'), undefined)
  assert.equal(slot?.message?.payload, 'new')
})

test('its bytes are its own: a chunk that is used again does not change it', () => {
  const lasts = new LastMessages(new Counters())
  const [slot] = lasts.want(['a'])
  const chunk = Buffer.from('-on-')
  slot?.note({ ...message('a', ''), payload: chunk.subarray(1, 3) })
  chunk.fill('x')
  assert.equal(slot?.message?.payload, 'on')
})

test('at the limit of bytes all payloads are kept; one byte more is not, and the limit is counted', () => {
  const counters = new Counters()
  const lasts = new LastMessages(counters)
  const [a, b] = lasts.want(['a', 'b'])
  a?.note(message('a', new Uint8Array(limits.lastBytesMax - 10)))
  b?.note(message('b', new Uint8Array(10)))
  assert.deepEqual([b?.message?.isTooLarge, counters.get('lastBytesMax')], [false, 0])
  b?.note(message('b', new Uint8Array(11)))
  assert.deepEqual([b?.message?.isTooLarge, b?.message?.payload, b?.message?.bytes], [true, undefined, 11])
  assert.equal(counters.get('lastBytesMax'), 1)
  a?.note(message('a', 'small'))
  b?.note(message('b', new Uint8Array(11)))
  assert.equal(b?.message?.isTooLarge, false)
  lasts.keepOnly(new Set())
  const [c] = lasts.want(['c'])
  c?.note(message('c', new Uint8Array(limits.lastBytesMax)))
  assert.equal(c?.message?.isTooLarge, false)
})
