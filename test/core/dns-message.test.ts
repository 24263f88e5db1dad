import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type DnsRecord, decodeMessage, encodeMessage, isSameRecord } from '#src/core/dns-message.js'
import { limits } from '#src/core/limits.js'

const records: DnsRecord[] = [
  { name: '_mqtt._tcp.local', type: 'PTR', ttl: 4_500, data: 'shed._mqtt._tcp.local' },
  {
    name: 'shed._mqtt._tcp.local',
    type: 'SRV',
    ttl: 120,
    flush: true,
    data: { target: 'shed.local', port: 1_883 },
  },
  {
    name: 'shed._mqtt._tcp.local',
    type: 'TXT',
    ttl: 120,
    data: [Buffer.from('v=1'), Buffer.from('name=ä b')],
  },
  { name: 'shed.local', type: 'A', ttl: 120, flush: true, data: '10.77.0.1' },
  { name: 'shed.local', type: 'AAAA', ttl: 120, data: 'fd00::1' },
]

test('what is written is read again', () => {
  const questions = [{ name: '_mqtt._tcp.local', type: 'PTR' }]
  const message = decodeMessage(encodeMessage({ isResponse: true, questions, answers: records, id: 7 }))
  assert.equal(message?.isResponse, true)
  assert.equal(message.id, 7)
  assert.deepEqual(
    message.questions.map(({ name, type }) => ({ name, type })),
    questions,
  )
  assert.equal(message.answers.length, records.length)
  message.answers.forEach((record, index) => {
    assert.ok(isSameRecord(record, records[index] as DnsRecord))
    assert.equal(record.ttl, records[index]?.ttl)
    assert.equal(record.flush, records[index]?.flush ?? false)
  })
})

test('no bytes from the network throw, whether they are noise or a message that was damaged', () => {
  const valid = encodeMessage({ isResponse: true, answers: records })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      decodeMessage(Buffer.from(bytes))
    }),
    { numRuns: 3_000 },
  )
  const damage = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 6 })
  fc.assert(
    fc.property(damage, fc.nat(valid.length), (changes, length) => {
      const bytes = Buffer.from(valid)
      for (const [at, value] of changes) bytes[at] = value
      for (const record of decodeMessage(bytes.subarray(0, length))?.answers ?? [])
        isSameRecord(record, record)
    }),
    { numRuns: 3_000 },
  )
})

test('names that point at themselves and at each other are no message', () => {
  const header = Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  for (const name of [[0xc0, 12], [0xc0, 14, 0xc0, 12], [0xc0, 0xff], [0x3f]])
    assert.equal(decodeMessage(Buffer.concat([header, Buffer.from([...name, 0, 12, 0, 1])])), undefined)
})

test('a packet of mdnsBytesMax is read, one byte more is not', () => {
  const valid = encodeMessage({ questions: [{ name: 'a.local', type: 'A' }] })
  const padded = (bytes: number) => Buffer.concat([valid, Buffer.alloc(bytes - valid.length)])
  assert.notEqual(decodeMessage(padded(limits.mdnsBytesMax)), undefined)
  assert.equal(decodeMessage(padded(limits.mdnsBytesMax + 1)), undefined)
})

test('mdnsRecordsMax questions and records are read, one more is not', () => {
  const asked = (count: number) =>
    encodeMessage({ questions: Array.from({ length: count }, () => ({ name: 'a.local', type: 'A' })) })
  assert.equal(decodeMessage(asked(limits.mdnsRecordsMax))?.questions.length, limits.mdnsRecordsMax)
  assert.equal(decodeMessage(asked(limits.mdnsRecordsMax + 1)), undefined)
})
