import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  decodeAnswer,
  decodeConnack,
  decodeFarewell,
  encodeConnect,
  encodePublish,
  encodeSubscribe,
  encodeUnsubscribe,
  type OutgoingConnect,
} from '#src/broker/wire/client-side.js'
import { decodeConnect } from '#src/broker/wire/connect.js'
import { encodeConnack, encodeDisconnect, encodeSuback, encodeUnsuback } from '#src/broker/wire/encode.js'
import { ProtocolError } from '#src/broker/wire/protocol-error.js'
import { decodeSubscribe, decodeUnsubscribe } from '#src/broker/wire/subscribe.js'
import type { QoS } from '#src/core/message.js'
import { text, topic } from '../../support/wire-arbitraries.js'

/** What follows the fixed header; the packet says how long it is. */
function bodyOf(packet: Buffer): Buffer {
  let at = 1
  let length = 0
  for (let shift = 0; ; shift += 7) {
    const byte = packet[at++] as number
    length |= (byte & 127) << shift
    if (byte < 128) break
  }
  assert.equal(packet.length, at + length)
  return packet.subarray(at)
}

const level = fc.constantFrom(4 as const, 5 as const)

test('what we say as a client is what a server reads: CONNECT', () => {
  const connect = fc.record({
    level,
    isBridge: fc.boolean(),
    cleanStart: fc.boolean(),
    keepAlive: fc.nat(0xffff),
    clientId: text.filter((id) => id !== ''),
    username: fc.option(text, { nil: undefined }),
    password: fc.option(text, { nil: undefined }),
    will: fc.option(fc.record({ topic, payload: text }), { nil: undefined }),
  })
  fc.assert(
    fc.property(connect, (said) => {
      fc.pre(said.password === undefined || said.username !== undefined || said.level === 5)
      const isBridge = said.isBridge && said.level === 4
      const properties = said.level === 5 ? { receiveMaximum: 7 } : {}
      const whole: OutgoingConnect = { ...said, isBridge, properties }
      const body = bodyOf(encodeConnect(whole))
      const { will, password, ...read } = decodeConnect(body, 0, body.length)
      const { will: saidWill, password: saidPassword, ...rest } = whole
      assert.deepEqual(read, rest)
      assert.equal(password?.toString(), saidPassword)
      assert.deepEqual(
        will && { topic: will.topic, payload: will.payload.toString(), qos: will.qos, retain: will.retain },
        saidWill && { ...saidWill, qos: 1, retain: true },
      )
    }),
  )
})

test('… SUBSCRIBE and UNSUBSCRIBE', () => {
  const fields = {
    filter: text,
    qos: fc.constantFrom<QoS>(0, 1, 2),
    noLocal: fc.boolean(),
    retainAsPublished: fc.boolean(),
    retainHandling: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
  }
  const request = fc.record(fields, { noNullPrototype: true })
  const requests = fc.array(request, { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(level, fc.integer({ min: 1, max: 0xffff }), requests, (of, packetId, said) => {
      fc.pre(said.every(({ filter }) => !filter.startsWith('$share/')))
      const body = bodyOf(encodeSubscribe(of, packetId, said))
      const read = decodeSubscribe(body, 0, body.length, of === 5)
      const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 }
      assert.equal(read.packetId, packetId)
      assert.deepEqual(read.requests, of === 5 ? said : said.map((one) => ({ ...one, ...plain })))
      const filters = said.map(({ filter }) => filter)
      const bye = bodyOf(encodeUnsubscribe(of, packetId, filters))
      assert.deepEqual(decodeUnsubscribe(bye, 0, bye.length, of === 5), { packetId, filters })
    }),
  )
})

test('a PUBLISH of the bridge’s own is whole', () => {
  assert.equal(encodePublish(4, 'a', 'x', true).toString('hex'), '3104000161' + '78')
  assert.equal(encodePublish(5, 'a', 'x', false).toString('hex'), '3005000161' + '00' + '78')
})

test('what a server answers is read as it was said', () => {
  for (const of of [4, 5] as const) {
    const isV5 = of === 5
    const connack = bodyOf(encodeConnack(of, { isSessionPresent: true, reasonCode: 0 }))
    assert.deepEqual(decodeConnack(connack, 0, connack.length, isV5), {
      isSessionPresent: true,
      code: 0,
      properties: {},
    })
    const suback = bodyOf(encodeSuback(of, 7, [0, 1, 2, 0x80]))
    assert.deepEqual(decodeAnswer('suback', suback, 0, suback.length, isV5), {
      packetId: 7,
      codes: [0, 1, 2, 0x80],
    })
    const unsuback = bodyOf(encodeUnsuback(of, 7, [0, 0x11]))
    assert.deepEqual(decodeAnswer('unsuback', unsuback, 0, unsuback.length, isV5), {
      packetId: 7,
      codes: isV5 ? [0, 0x11] : [],
    })
  }
  const refusal = { isSessionPresent: false, reasonCode: 0x87, properties: { reasonString: 'no' } }
  const no = bodyOf(encodeConnack(5, refusal))
  assert.deepEqual(decodeConnack(no, 0, no.length, true), {
    isSessionPresent: false,
    code: 0x87,
    properties: { reasonString: 'no' },
  })
  const bye = bodyOf(encodeDisconnect(0x8b, { reasonString: 'restart' }))
  assert.deepEqual(decodeFarewell(bye, 0, bye.length), {
    code: 0x8b,
    properties: { reasonString: 'restart' },
  })
  assert.deepEqual(decodeFarewell(bye, 0, 0), { code: 0, properties: {} })
})

test('what is no answer of a server is refused, whatever its bytes are', () => {
  for (const [hex, isV5] of [
    ['', true],
    ['00', false],
    ['0200', false], // reserved flags
    ['000000', false], // more than there is
    ['00000321', true], // properties cut off
  ] as const) {
    const body = Buffer.from(hex, 'hex')
    assert.throws(() => decodeConnack(body, 0, body.length, isV5), ProtocolError, hex)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), fc.boolean(), (bytes, isV5) => {
      const body = Buffer.from(bytes)
      for (const read of [
        () => decodeConnack(body, 0, body.length, isV5),
        () => decodeAnswer('suback', body, 0, body.length, isV5),
        () => decodeFarewell(body, 0, body.length),
      ])
        try {
          read()
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error))
        }
    }),
  )
})
