import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventOf } from '#src/core/event.js'
import { decodePayload, type Message } from '#src/core/message.js'

const decoded: readonly (readonly [string, unknown])[] = [
  ['{"msg":"ON"}', { msg: 'ON' }],
  [' [1, 2]', [1, 2]],
  ['21.5', 21.5],
  ['-3', -3],
  ['true', true],
  ['null', null],
  ['"quoted"', 'quoted'],
  ['', ''],
  ['on', 'on'],
  ['OFF', 'OFF'],
  ['007', '007'],
  ['1,5', '1,5'],
  ['{"broken":', '{"broken":'],
  ['nothing', 'nothing'],
  ['ü', 'ü'],
]

for (const [text, value] of decoded) {
  test(`the payload ${JSON.stringify(text)} means ${JSON.stringify(value)}`, () => {
    assert.deepEqual(decodePayload(Buffer.from(text)), value)
  })
}

test('a payload that is not UTF-8 stays bytes', () => {
  const bytes = Buffer.from([0xff, 0xfe, 0x00])
  assert.equal(decodePayload(bytes), bytes)
})

test('a payload nested 100,000 deep is decoded without a crash', () => {
  const text = '['.repeat(100_000) + ']'.repeat(100_000)
  assert.ok(Array.isArray(decodePayload(Buffer.from(text))))
})

test('a payload with __proto__ leaves every other object as it was', () => {
  const value = decodePayload(Buffer.from('{"__proto__":{"polluted":1}}')) as Record<string, unknown>
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  assert.deepEqual(Object.keys(value), ['__proto__'])
})

test('an event decodes its payload once, and only when somebody looks', (context) => {
  const parse = context.mock.method(JSON, 'parse')
  const message: Message = {
    topic: 'a/b',
    payload: Buffer.from('{"x":1}'),
    qos: 1,
    retain: false,
    client: 'c',
    chain: [],
  }
  const event = eventOf(message, { host: 'pi', ip: '10.0.0.2' })
  assert.deepEqual(event.levels, ['a', 'b'])
  assert.equal(parse.mock.callCount(), 0)
  assert.equal(event.payload, event.payload)
  assert.equal(parse.mock.callCount(), 1)
})

test('an event takes the text that the hub tells, and asks for no bytes', () => {
  const message: Message = {
    topic: 't',
    text: '{"v":1}',
    get payload(): Uint8Array {
      throw new Error('nobody needs the bytes')
    },
    qos: 0,
    retain: false,
    client: 'c',
    chain: [],
  }
  assert.deepEqual(eventOf(message, { host: 'pi', ip: '' }).payload, { v: 1 })
})
