import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeAuth, decodeDisconnect, readAck } from '#src/broker/wire/acknowledgements.js'
import { encodeDisconnect } from '#src/broker/wire/encode.js'
import { type AckType, packetType } from '#src/broker/wire/packet-types.js'
import { writeProperties } from '#src/broker/wire/properties.js'
import { packetId, propertiesOf } from '../../support/wire-arbitraries.js'
import { bytes, u16 } from '../../support/wire-client.js'
import { among, bodyOf, refusal } from '../../support/wire-packets.js'

const readAckOf = (type: AckType, body: Uint8Array, isV5: boolean) =>
  among(body, (all, start, end) => readAck(type, all, start, end, isV5))
const disconnect = (hex: string, isV5: boolean) =>
  among(Buffer.from(hex, 'hex'), (all, start, end) => decodeDisconnect(all, start, end, isV5))
const auth = (hex: string) => among(Buffer.from(hex, 'hex'), decodeAuth)

const names = ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const
const published = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
const codes = { puback: published, pubrec: published, pubrel: [0x00, 0x92], pubcomp: [0x00, 0x92] }

for (const name of names) {
  const type = packetType[name]
  test(`${name} carries the reason codes of its table and no others [MQTT-3.${type}.2-1]`, () => {
    for (let code = 0; code < 256; code++) {
      const read = () => readAckOf(type, bytes(u16(0x1234), code), true)
      if (codes[name].includes(code)) assert.equal(read(), code)
      else assert.throws(read, refusal(0x82))
    }
  })

  const rows: readonly (readonly [title: string, hex: string, v5: number, v3: number])[] = [
    ['two bytes', '0001', 0, 0],
    ['a code of success, and no properties', '000100', 0, 0x81],
    ['a code of success, and properties of no bytes', '00010000', 0, 0x81],
    ['a user property', '0001000726000161000162', 0, 0x81],
    ['a reason string', '000100041f000161', 0, 0x81],
    ['packet identifier 0 [MQTT-2.2.1-3]', '0000', 0x82, 0x82],
    ['nothing', '', 0x81, 0x81],
    ['half a packet identifier', '01', 0x81, 0x81],
    ['a byte behind its properties', '0001000000', 0x81, 0x81],
    ['properties that are cut off', '00010005', 0x81, 0x81],
    ['two reason strings', '000100081f0001611f000161', 0x82, 0x81],
    ['a property that it does not carry', '00010003210001', 0x81, 0x81],
  ]
  for (const [title, hex, v5, v3] of rows) {
    for (const [isV5, expected] of [
      [true, v5],
      [false, v3],
    ] as const) {
      test(`${name} of ${title} is ${expected === 0 ? 'accepted' : 'refused'} in MQTT ${isV5 ? '5' : '3'}`, () => {
        const read = () => readAckOf(type, Buffer.from(hex, 'hex'), isV5)
        if (expected === 0) assert.equal(read(), 0)
        else assert.throws(read, refusal(expected))
      })
    }
  }

  test(`${name} with properties is read as it was written`, () => {
    fc.assert(
      fc.property(packetId, fc.constantFrom(...codes[name]), propertiesOf(name), (id, code, properties) => {
        assert.equal(readAckOf(type, bytes(u16(id), code, writeProperties(properties)), true), code)
      }),
    )
  })
}

test('a DISCONNECT of a client carries the reason codes that are a client’s and no others [MQTT-3.14.2-1]', () => {
  const own = [0, 4, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]
  for (let code = 0; code < 256; code++) {
    const read = () => disconnect(bodyOf(encodeDisconnect(code)).toString('hex'), true)
    if (own.includes(code)) assert.deepEqual(read(), { reasonCode: code, properties: {} })
    else assert.throws(read, refusal(0x82))
  }
})

test('a DISCONNECT with properties is read as it was written', () => {
  fc.assert(
    fc.property(fc.constantFrom(0, 4, 0x80), propertiesOf('disconnect'), (code, properties) => {
      const hex = bodyOf(encodeDisconnect(code, properties)).toString('hex')
      assert.deepEqual(disconnect(hex, true), { reasonCode: code, properties })
    }),
  )
})

test('a DISCONNECT before MQTT 5 has no body', () => {
  assert.deepEqual(disconnect('', false), { reasonCode: 0, properties: {} })
  assert.throws(() => disconnect('00', false), refusal(0x81))
})

test('a DISCONNECT with a byte behind its properties is malformed', () => {
  assert.throws(() => disconnect('000000', true), refusal(0x81))
})

const auths: readonly (readonly [title: string, hex: string, code: number])[] = [
  ['nothing, which means success and is the server’s [MQTT-3.15.2-1]', '', 0x82],
  ['success, which is the server’s [MQTT-3.15.2-1]', '00041500016d', 0x82],
  ['a reason code of other packets [MQTT-3.15.2-1]', '87041500016d', 0x82],
  ['no method', '1800', 0x82],
  ['a reason code alone', '18', 0x82],
  ['two methods', '18081500016d1500016d', 0x82],
  ['a byte too many', '18041500016d00', 0x81],
  ['a property that it does not carry', '18022101', 0x81],
]

for (const [title, hex, code] of auths) {
  test(`AUTH of ${title} is refused with 0x${code.toString(16)}`, () => {
    assert.throws(() => auth(hex), refusal(code))
  })
}

test('AUTH that continues or begins again is read', () => {
  assert.deepEqual(auth('18081500016d16000101'), {
    reasonCode: 0x18,
    properties: { authenticationMethod: 'm', authenticationData: Buffer.of(1) },
  })
  assert.deepEqual(auth('19041500016d'), { reasonCode: 0x19, properties: { authenticationMethod: 'm' } })
})
