import assert from 'node:assert/strict'
import { test } from 'node:test'
import { excerptOf, TraceHub } from '#src/control/trace-hub.js'
import { limits } from '#src/core/limits.js'
import type { Rule } from '#src/core/rule.js'
import { tracedMessage } from '../support/control.js'
import { rule } from '../support/rules.js'

const none: readonly Rule[] = []

/** A reader that keeps what it is told, and has room or not. */
function readerOf(filter: string) {
  const told: Record<string, Record<string, unknown>>[] = []
  const reader = {
    filter,
    hasRoom: true,
    told,
    offer(line: Buffer): boolean {
      if (reader.hasRoom) told.push(JSON.parse(`${line}`))
      return reader.hasRoom
    },
    topics: () => told.flatMap(({ message }) => (message === undefined ? [] : [message['topic']])),
  }
  return reader
}

test('it is on while somebody watches', () => {
  const hub = new TraceHub({ rules: () => none })
  assert.equal(hub.isOn, false)
  const ends = [hub.watch(readerOf('#')), hub.watch(readerOf('#'))]
  assert.equal(hub.isOn, true)
  ends[0]?.()
  ends[0]?.()
  assert.equal(hub.isOn, true)
  ends[1]?.()
  assert.equal(hub.isOn, false)
})

test('each watcher sees the messages that its filter matches, and what follows from them', () => {
  const hub = new TraceHub({ rules: () => none })
  const all = readerOf('#')
  const home = readerOf('home/#')
  for (const reader of [all, home]) hub.watch(reader)
  hub.tell(tracedMessage(1, 'home/lamp', { rules: ['a'] }))
  hub.tell(tracedMessage(2, 'shed/lamp', { rules: ['a'] }))
  hub.tell(tracedMessage(3, '', { rules: ['clock'] }))
  hub.tell(tracedMessage(4, '$SYS/x'))
  for (const id of [1, 2, 3]) {
    hub.tell({ kind: 'rule', id, rule: 'a', outcome: 'fired' })
    hub.tell({ kind: 'step', id, rule: 'a', step: 1, action: 'log', outcome: 'done', tookMs: 0.123456 })
  }
  assert.deepEqual(all.topics(), ['home/lamp', 'shed/lamp', ''])
  assert.deepEqual(home.topics(), ['home/lamp'])
  const ids = (reader: typeof all) => reader.told.flatMap(({ rule, step }) => (rule ?? step)?.['id'] ?? [])
  assert.deepEqual(ids(all), [1, 1, 2, 2, 3, 3])
  assert.deepEqual(ids(home), [1, 1])
  assert.equal(home.told.at(-1)?.['step']?.['tookMs'], 0.123)
})

test('a message for which there was no room is followed by nothing', () => {
  const hub = new TraceHub({ rules: () => none })
  const reader = readerOf('#')
  hub.watch(reader)
  reader.hasRoom = false
  hub.tell(tracedMessage(1, 'a', { rules: ['r'] }))
  reader.hasRoom = true
  hub.tell({ kind: 'rule', id: 1, rule: 'r', outcome: 'fired' })
  hub.tell({ kind: 'rule', id: 99, rule: 'r', outcome: 'fired' })
  assert.deepEqual(reader.told.slice(1), [])
})

test('the rules are told at the begin, and again before the first message after they have changed', () => {
  let rules: readonly Rule[] = [rule('a', 'home/a', []), rule('off', 'x', [], { isEnabled: false })]
  const hub = new TraceHub({ rules: () => rules })
  const reader = readerOf('#')
  hub.watch(reader)
  hub.tell(tracedMessage(1, 'a'))
  rules = [rule('clock', { kind: 'every', everyMs: 1_000 }, [])]
  hub.tell(tracedMessage(2, 'b'))
  hub.tell(tracedMessage(3, 'c'))
  assert.deepEqual(
    reader.told.map((answer) => answer['rules'] ?? answer['message']?.['topic']),
    [[{ name: 'a', on: ['home/a'] }], 'a', [{ name: 'clock', on: [] }], 'b', 'c'],
  )
})

test('rules without room are told with the next message', () => {
  const hub = new TraceHub({ rules: () => none })
  const reader = readerOf('#')
  reader.hasRoom = false
  hub.watch(reader)
  reader.hasRoom = true
  hub.tell(tracedMessage(1, 'a'))
  assert.deepEqual(
    reader.told.map((answer) => Object.keys(answer)[0]),
    ['rules', 'message'],
  )
})

test('rules too long for any reader are told as none', () => {
  const many = Array.from({ length: 100 }, (_, index) => rule(`${index}`, 'x'.repeat(4_000), []))
  const hub = new TraceHub({ rules: () => many })
  const reader = readerOf('#')
  hub.watch(reader)
  assert.deepEqual(reader.told, [{ rules: [] }])
})

test('late steps are told for so many messages, and for those before them no more', () => {
  const hub = new TraceHub({ rules: () => none })
  const reader = readerOf('#')
  hub.watch(reader)
  for (let id = 0; id <= limits.traceMessagesRemembered; id++) {
    hub.tell(tracedMessage(id, 'a', { rules: ['r'] }))
    hub.tell(tracedMessage(-id - 1, 'a')) // no rule: nothing can follow
  }
  const before = reader.told.length
  for (const id of [0, 1]) hub.tell({ kind: 'rule', id, rule: 'r', outcome: 'fired' })
  assert.deepEqual(
    reader.told.slice(before).map(({ rule }) => rule?.['id']),
    [1],
  )
})

test('a payload is told as text where it is text, else as base64, and only its begin', () => {
  const max = limits.tracePayloadBytesMax
  assert.deepEqual(excerptOf(Buffer.from('')), { text: '' })
  assert.deepEqual(excerptOf(Buffer.from('{"a":"ä"}')), { text: '{"a":"ä"}' })
  assert.deepEqual(excerptOf(Buffer.from('\ufeffx')), { text: '\ufeffx' })
  assert.deepEqual(excerptOf(Buffer.from([0xff, 0])), { base64: '/wA=' })
  assert.deepEqual(
    excerptOf(Buffer.from([0xc3])),
    { base64: 'ww==' },
    'half a character at the end is no text',
  )
  assert.deepEqual(excerptOf(Buffer.alloc(max, 'a')), { text: 'a'.repeat(max) })
  assert.deepEqual(excerptOf(Buffer.alloc(max + 1, 'a')), { text: 'a'.repeat(max) })
  const split = Buffer.from(`${'a'.repeat(max - 1)}ä`)
  assert.deepEqual(excerptOf(split), { text: 'a'.repeat(max - 1) }, 'a character that is cut is left out')
})

test('what comes from outside is cut: names and reasons have no length that anybody could rely on', () => {
  const hub = new TraceHub({ rules: () => none })
  const reader = readerOf('#')
  hub.watch(reader)
  hub.tell(tracedMessage(1, 'a', { client: 'c'.repeat(65_535), rules: ['r'] }))
  hub.tell({ kind: 'rule', id: 1, rule: 'r', outcome: 'missed', why: 'w'.repeat(65_535) })
  assert.equal(String(reader.told[1]?.['message']?.['client']).length, 1_001)
  assert.equal(String(reader.told[2]?.['rule']?.['why']).length, 1_001)
})
