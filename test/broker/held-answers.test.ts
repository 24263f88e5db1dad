import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeldAnswers, packAck } from '#src/broker/held-answers.js'

test('answers leave in their order, each not before its batch is kept, and one with nothing to wait for behind those before it', () => {
  const held = new HeldAnswers()
  held.push(1, packAck(0x40, 1, 0))
  held.push(2, packAck(0x50, 65_535, 0x87))
  held.push(0, Uint8Array.of(0xd0, 0))
  assert.equal(held.count, 3)
  assert.equal(held.next(0), undefined)
  assert.equal(held.next(1), 0x4000_0100)
  assert.equal(held.next(1), undefined)
  assert.equal(held.next(2), 0x50ff_ff87)
  assert.deepEqual(held.next(2), Uint8Array.of(0xd0, 0))
  assert.equal(held.next(9), undefined)
  assert.equal(held.count, 0)
})

test('it is known how many messages of the client have their last answer among them', () => {
  const held = new HeldAnswers()
  const answers: readonly (readonly [answer: number | Uint8Array, isFinal: boolean])[] = [
    [packAck(0x40, 1, 0), true],
    [packAck(0x40, 2, 0x87), true],
    [packAck(0x50, 3, 0), false],
    [packAck(0x50, 4, 0x87), true],
    [packAck(0x62, 5, 0), false],
    [packAck(0x70, 6, 0), true],
    [packAck(0x70, 7, 0x92), false],
    [Uint8Array.of(0x90, 3, 0, 1, 0), false],
  ]
  let finals = 0
  for (const [answer, isFinal] of answers) {
    held.push(1, answer)
    if (isFinal) finals++
    assert.equal(held.finals, finals)
  }
  for (const [, isFinal] of answers) {
    held.next(1)
    if (isFinal) finals--
    assert.equal(held.finals, finals)
  }
})

test('ten thousand answers come and go in their order', () => {
  const held = new HeldAnswers()
  let next = 0
  for (let number = 0; number < 10_000; number++) {
    held.push(number, packAck(0x40, number, 0))
    if (number % 3 !== 0) assert.equal(held.next(number), packAck(0x40, next++, 0))
  }
  while (held.count > 0) assert.equal(held.next(10_000), packAck(0x40, next++, 0))
  assert.equal(next, 10_000)
})
