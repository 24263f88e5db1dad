import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { decodeRecord, RecordEncoder, type StoredRecord } from '#src/broker/journal/codec.js'
import type { StoredMessage } from '#src/broker/journal/records.js'

const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true })
const number = fc.maxSafeNat().map((value) => value % 2 ** 48)
const packetId = fc.nat(0xffff)
const uint32 = fc.nat(0xffff_ffff)
const text = fc.string({ unit: 'grapheme', maxLength: 50 })
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const qos = fc.constantFrom(0, 1, 2)
const message: fc.Arbitrary<StoredMessage> = plain({
  topic: text,
  payload: bytes,
  qos,
  properties: fc.option(bytes, { nil: undefined }),
  expiresAtMs: number,
  client: text,
})
const will = plain({ message, retain: fc.boolean(), delaySeconds: uint32 })

const records: fc.Arbitrary<StoredRecord> = fc.oneof(
  plain({ of: fc.constant('numbers'), next: plain({ session: number, body: number }) }),
  plain({ of: fc.constant('retained'), message }),
  plain({ of: fc.constant('body'), number, message }),
  plain({
    of: fc.constant('session'),
    session: plain({
      number,
      clientId: text,
      expirySeconds: uint32,
      disconnectedAtMs: number,
      will: fc.option(will, { nil: undefined }),
      owner: fc.oneof(
        plain({ user: fc.option(text, { nil: undefined }), listener: text }),
        plain({ user: fc.option(text, { nil: undefined }), listener: text, realm: text }),
      ),
    }),
  }),
  plain({
    of: fc.constant('subscription'),
    session: number,
    subscription: plain({
      filter: text,
      qos,
      noLocal: fc.boolean(),
      retainAsPublished: fc.boolean(),
      retainHandling: qos,
      identifier: uint32,
    }),
  }),
  plain({
    of: fc.constant('delivery'),
    session: number,
    order: number,
    body: number,
    delivery: plain({
      qos: fc.constantFrom(1, 2),
      retain: fc.boolean(),
      packetId,
      isReleased: fc.boolean(),
      identifiers: fc.array(uint32, { maxLength: 5 }),
    }),
  }),
  plain({ of: fc.constant('receivedId'), session: number, packetId }),
) as fc.Arbitrary<StoredRecord>

function encode(encoder: RecordEncoder, record: StoredRecord): void {
  switch (record.of) {
    case 'numbers':
      encoder.numbersKey()
      return encoder.numbers(record.next)
    case 'retained':
      encoder.retainedKey(record.message.topic)
      return encoder.retained(record.message)
    case 'body':
      encoder.bodyKey(record.number)
      return encoder.body(record.message)
    case 'session':
      encoder.sessionKey(record.session.number)
      return encoder.session(record.session)
    case 'subscription':
      encoder.subscriptionKey(record.session, record.subscription.filter)
      return encoder.subscription(record.subscription)
    case 'delivery':
      encoder.deliveryKey(record.session, record.order)
      return encoder.delivery(record.body, record.delivery)
    case 'receivedId':
      encoder.receivedIdKey(record.session, record.packetId)
      return encoder.receivedId()
  }
}

test('every record is read as it was written, one after the other out of the same encoder', () => {
  const encoder = new RecordEncoder()
  fc.assert(
    fc.property(records, (record) => {
      encode(encoder, record)
      assert.deepEqual(decodeRecord(Buffer.from(encoder.key), Buffer.from(encoder.value)), record)
    }),
    { numRuns: 1_000 },
  )
})

test('a session of version 1, which did not say whose it is, is read without an owner', () => {
  const encoder = new RecordEncoder()
  const session = { number: 7, clientId: 'esp', expirySeconds: 60, disconnectedAtMs: 5, will: undefined }
  encode(encoder, { of: 'session', session })
  const value = Buffer.from(encoder.value)
  value[0] = 1
  value.writeUInt32BE(crc32(value.subarray(0, -4), crc32(encoder.key)), value.length - 4)
  assert.deepEqual(decodeRecord(encoder.key, value), { of: 'session', session })
})

test('a large payload and long texts are read as they were written', () => {
  const encoder = new RecordEncoder()
  const topic = `${'ä'.repeat(2_000)}/€`
  const payload = Buffer.alloc(1024 * 1024, 'x')
  const large: StoredMessage = {
    topic,
    payload,
    qos: 2,
    properties: undefined,
    expiresAtMs: 0,
    client: 'c'.repeat(65_535),
  }
  const record = { of: 'retained', message: large } as const
  encode(encoder, record)
  assert.deepEqual(decodeRecord(encoder.key, encoder.value), record)
})

test('random bytes are damaged', () => {
  fc.assert(
    fc.property(bytes, bytes, (key, value) => {
      assert.equal(decodeRecord(key, value), 'damaged')
    }),
    { numRuns: 2_000 },
  )
})

test('a record of which one bit is wrong is damaged, in its key as well as in its value', () => {
  const encoder = new RecordEncoder()
  fc.assert(
    fc.property(records, fc.nat(), fc.nat(7), (record, seed, bit) => {
      encode(encoder, record)
      const both = Buffer.concat([encoder.key, encoder.value])
      const keyBytes = encoder.key.length
      const at = seed % both.length
      both.writeUInt8(both.readUInt8(at) ^ (1 << bit), at)
      assert.equal(decodeRecord(both.subarray(0, keyBytes), both.subarray(keyBytes)), 'damaged')
    }),
    { numRuns: 1_000 },
  )
})

test('a record cut short is damaged', () => {
  const encoder = new RecordEncoder()
  fc.assert(
    fc.property(records, fc.nat(), (record, seed) => {
      encode(encoder, record)
      const length = seed % encoder.value.length
      assert.equal(decodeRecord(encoder.key, encoder.value.subarray(0, length)), 'damaged')
    }),
  )
})

test('keys sort as they are read: bodies before sessions, a session before what belongs to it, in order', () => {
  const encoder = new RecordEncoder()
  const keys: Buffer[] = []
  const keep = () => keys.push(Buffer.from(encoder.key))
  encoder.numbersKey()
  keep()
  encoder.retainedKey('~')
  keep()
  encoder.bodyKey(2 ** 40)
  keep()
  for (const session of [1, 255, 256, 2 ** 33]) {
    encoder.sessionPrefix(session)
    keep()
    encoder.sessionKey(session)
    keep()
    encoder.subscriptionKey(session, 'a')
    keep()
    for (const order of [0, 255, 256, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 40]) {
      encoder.deliveryKey(session, order)
      keep()
    }
    encoder.receivedIdKey(session, 1)
    keep()
  }
  assert.deepEqual(keys.toSorted(Buffer.compare), keys)
})
