import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copiedBytesMax, Publication } from '#src/broker/publication.js'
import { RetainedMessage } from '#src/broker/retained-message.js'
import { putVarint, varintSize } from '#src/broker/wire/varint.js'
import type { QoS } from '#src/core/message.js'

/** A message as a client sends it, in a chunk with others around it. */
function received(
  topic: string,
  payload: Buffer,
  { qos = 0 as QoS, isV5 = false, properties = Buffer.alloc(0), expiryAt = -1, expiresAtMs = 0 } = {},
): { readonly publication: Publication; readonly chunk: Buffer } {
  const topicBytes = Buffer.from(topic)
  const id = qos > 0 ? [0x12, 0x34] : []
  const before = isV5 ? [properties.length, ...properties] : []
  const body = [...topicBytes, ...id, ...before, ...payload]
  const length = body.length + 2
  const varint = Buffer.alloc(varintSize(length))
  putVarint(varint, 0, length)
  const head = [0x31 | (qos << 1), ...varint, topicBytes.length >> 8, topicBytes.length & 255]
  const chunk = Buffer.from([1, 2, 3, ...head, ...body, 9, 9])
  const end = chunk.length - 2
  const publication = Publication.received(
    { topic, topicBytes, topicLength: topicBytes.length },
    qos,
    true,
    'client',
    undefined,
    chunk,
    end - payload.length,
    end,
    undefined,
    properties.length,
    expiryAt,
    expiresAtMs,
    3,
    head.length + topicBytes.length,
    isV5,
  )
  return { publication, chunk }
}

/** What a subscriber is sent, without its first byte and its packet identifier, which are for the one who copies it. */
function written(publication: Publication, isV5: boolean, hasId: boolean): string {
  const { bytes, payload = Buffer.alloc(0), idAt } = publication.form(isV5, hasId)
  const packet = Buffer.concat([bytes, payload])
  if (hasId) packet.fill(0, idAt, idAt + 2)
  return packet.toString('latin1', 1)
}

const longProperties = Buffer.concat([Buffer.from([38, 0, 1, 0x61, 0, 200]), Buffer.alloc(200, 'ü')])
const payloads = [1, 40, 300, copiedBytesMax, copiedBytesMax + 1].map((length) =>
  Buffer.from(Array.from({ length }, (_, index) => (index * 7) & 255)),
)

for (const topic of ['a', 'house/kitchen/temperature', 'küche/ⅷ/\u{1f41e}']) {
  test(`a message to ${topic} is kept as it came, and is sent as if it came again`, () => {
    for (const payload of payloads)
      for (const qos of [0, 1, 2] as const)
        for (const isV5 of [false, true])
          for (const properties of isV5
            ? [Buffer.alloc(0), Buffer.from([1, 1]), longProperties]
            : [undefined]) {
            const fields = {
              qos,
              isV5,
              ...(properties === undefined ? {} : { properties: properties.subarray(0, 120) }),
            }
            const { publication, chunk } = received(topic, payload, fields)
            const kept = new RetainedMessage(publication)
            const { length, size } = publication
            const expected = [true, false].flatMap((to) =>
              [true, false].map((id) => written(publication, to, id)),
            )
            assert.deepEqual([kept.length, kept.topicLength], [length, Buffer.byteLength(topic)])
            chunk.fill(0xee)
            assert.deepEqual([kept.topic, kept.qos, kept.client], [topic, qos, 'client'])
            assert.deepEqual(Buffer.from(kept.payload), payload)
            assert.deepEqual(kept.properties ?? Buffer.alloc(0), fields.properties ?? Buffer.alloc(0))
            for (const hint of [true, false]) {
              const again = kept.toPublication(hint)
              assert.deepEqual(
                [again.topic, again.qos, again.retain, again.source],
                [topic, qos, true, undefined],
              )
              assert.deepEqual([again.length, again.size], [length, size])
              const sent = [true, false].flatMap((to) => [true, false].map((id) => written(again, to, id)))
              assert.deepEqual(sent, expected)
            }
          }
  })
}

test('when it expires is patched where the publisher had it', () => {
  const properties = Buffer.from([1, 1, 2, 0, 0, 0, 60])
  const expiresAtMs = Date.now() + 60_000
  const { publication } = received('a/b', Buffer.from('x'), {
    isV5: true,
    properties,
    expiryAt: 3,
    expiresAtMs,
  })
  const kept = new RetainedMessage(publication)
  assert.equal(kept.expiresAtMs, expiresAtMs)
  for (const hint of [true, false]) {
    const again = kept.toPublication(hint)
    const { bytes, expiryAt } = again.form(true, false)
    assert.deepEqual(
      [again.expiresAtMs, [...bytes.subarray(expiryAt, expiryAt + 4)]],
      [expiresAtMs, [0, 0, 0, 60]],
    )
    assert.equal(again.form(false, false).expiryAt, -1)
  }
})

test('many are unpacked at once, and none disturbs another', () => {
  const kept = Array.from(
    { length: 2_000 },
    (_, index) => new RetainedMessage(received(`t/${index}`, Buffer.alloc(index % 500, index)).publication),
  )
  const unpacked = kept.map((message) => message.toPublication(false))
  for (const [index, publication] of unpacked.entries()) {
    assert.deepEqual(Buffer.from(publication.payload), Buffer.alloc(index % 500, index))
    assert.equal(
      written(publication, false, false),
      written(kept[index]?.toPublication(true) as Publication, false, false),
    )
  }
})

test('a large message has its payload in memory once, however many are sent it', () => {
  const kept = new RetainedMessage(received('a', Buffer.alloc(1_000_000, 'x')).publication)
  const payloads = [kept.toPublication(false), kept.toPublication(true)].flatMap((publication) =>
    [true, false].flatMap((isV5) =>
      [true, false].map((hasId) => publication.form(isV5, hasId).payload?.buffer),
    ),
  )
  assert.equal(payloads.length, 8)
  assert.deepEqual(new Set(payloads), new Set([kept.payload.buffer]))
})

test('a small one keeps nothing of how it was sent', () => {
  const kept = new RetainedMessage(received('a', Buffer.alloc(100, 'x')).publication)
  const [one, other] = [kept.toPublication(false), kept.toPublication(false)]
  assert.notEqual(one, other)
  assert.notEqual(one.form(true, true), other.form(true, true))
  assert.deepEqual(one.form(true, true).bytes, other.form(true, true).bytes)
})
