import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  encodeConnack,
  encodeDisconnect,
  encodeSuback,
  encodeUnsuback,
  returnCodeOf,
} from '#src/broker/wire/encode.js'
import { packetId, propertiesOf } from '../../support/wire-arbitraries.js'
import { readConnack, readSubscribed } from '../../support/wire-packets.js'

/** Reason code, and the return code of 3.1.1 table 3.1 for it; undefined closes without one. */
const returnCodes: readonly (readonly [code: number, returnCode: number | undefined])[] = [
  [0x00, 0],
  [0x84, 1],
  [0x85, 2],
  [0x88, 3],
  [0x89, 3],
  [0x97, 3],
  [0x9f, 3],
  [0x86, 4],
  [0x87, 5],
  [0x8a, 5],
  [0x81, undefined], // [MQTT-3.1.4-1] of 3.1.1
  [0x82, undefined],
  [0x90, undefined],
  [0x8c, undefined],
]

for (const [code, returnCode] of returnCodes) {
  test(`CONNACK with 0x${code.toString(16)} is ${returnCode ?? 'nothing'} in MQTT 3 [MQTT-3.2.2-6] of 3.1.1`, () => {
    assert.equal(returnCodeOf(code), returnCode)
    for (const level of [3, 4] as const) {
      const packet = encodeConnack(level, { isSessionPresent: false, reasonCode: code })
      assert.equal(packet.toString('hex'), returnCode === undefined ? '' : `2002000${returnCode}`)
    }
  })
}

const connacks = [
  [3, 0, '20020000'], // 3.1 has no such flag
  [4, 0, '20020100'],
  [5, 0, '2003010000'],
  [4, 0x87, '20020005'], // [MQTT-3.2.2-4] of 3.1.1
  [5, 0x87, '2003008700'], // [MQTT-3.2.2-6]
] as const

for (const [level, code, hex] of connacks) {
  test(`CONNACK of level ${level} with 0x${code.toString(16)} and a session is ${hex}`, () => {
    assert.equal(encodeConnack(level, { isSessionPresent: true, reasonCode: code }).toString('hex'), hex)
  })
}

test('CONNACK is read as it was written', () => {
  fc.assert(
    fc.property(fc.boolean(), propertiesOf('connack'), (isSessionPresent, properties) => {
      const packet = encodeConnack(5, { isSessionPresent, reasonCode: 0, properties })
      assert.equal(packet[0], 0x20)
      assert.deepEqual(readConnack(packet), { flags: isSessionPresent ? 1 : 0, code: 0, properties })
    }),
  )
})

const codes = fc.array(fc.constantFrom(0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e), { minLength: 1 })

test('SUBACK of MQTT 5 is read as it was written, a code for each filter [MQTT-3.8.4-5]', () => {
  fc.assert(
    fc.property(packetId, codes, propertiesOf('suback'), (id, some, properties) => {
      const packet = encodeSuback(5, id, some, properties)
      assert.deepEqual(readSubscribed(packet, 'suback', true), {
        first: 0x90,
        packetId: id,
        codes: some,
        properties,
      })
    }),
  )
})

test('SUBACK before MQTT 5 grants a QoS or says 0x80 [MQTT-3.9.3-2]', () => {
  assert.equal(encodeSuback(4, 0x1234, [0, 1, 2, 0x80, 0x87, 0x8f]).toString('hex'), '90081234000102808080')
  assert.equal(encodeSuback(3, 1, [2]).toString('hex'), '9003000102')
})

test('UNSUBACK of MQTT 5 is read as it was written, a code for each filter [MQTT-3.11.3-1]', () => {
  const some = fc.array(fc.constantFrom(0, 0x11, 0x87), { minLength: 1 })
  fc.assert(
    fc.property(packetId, some, propertiesOf('unsuback'), (id, each, properties) => {
      const packet = encodeUnsuback(5, id, each, properties)
      assert.deepEqual(readSubscribed(packet, 'unsuback', true), {
        first: 0xb0,
        packetId: id,
        codes: each,
        properties,
      })
    }),
  )
})

test('UNSUBACK before MQTT 5 is its packet identifier', () => {
  assert.equal(encodeUnsuback(4, 0x1234, [0, 0x11]).toString('hex'), 'b0021234')
})

test('DISCONNECT is as short as it can be', () => {
  assert.equal(encodeDisconnect(0).toString('hex'), 'e000')
  assert.equal(encodeDisconnect(0x8e).toString('hex'), 'e0018e')
  assert.equal(encodeDisconnect(0x8e, { reasonString: 'x' }).toString('hex'), 'e0068e041f000178')
})

test('a SUBACK of many filters has a length of two bytes', () => {
  const packet = encodeSuback(4, 1, new Array<number>(200).fill(1))
  assert.equal(packet.subarray(0, 3).toString('hex'), '90ca01')
  assert.equal(packet.length, 205)
})
