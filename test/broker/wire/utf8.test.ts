import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asciiEnd, isStrictUtf8 } from '#src/broker/wire/utf8.js'
import { among } from '../../support/wire-packets.js'

const rows: readonly (readonly [title: string, hex: string, isStrict: boolean])[] = [
  ['nothing', '', true],
  ['ASCII', '612f62', true],
  ['U+0001', '01', true],
  ['U+007F', '7f', true],
  ['U+0000 [MQTT-1.5.4-2]', '00', false],
  ['U+0000 behind eight ASCII characters [MQTT-1.5.4-2]', '616161616161616100', false],
  ['U+0000 behind a character of two bytes [MQTT-1.5.4-2]', 'c3a400', false],
  ['U+FEFF at the beginning [MQTT-1.5.4-3]', 'efbbbf61', true],
  ['U+0080, the first of two bytes', 'c280', true],
  ['U+07FF, the last of two bytes', 'dfbf', true],
  ['U+0800, the first of three bytes', 'e0a080', true],
  ['U+D7FF, before the surrogates', 'ed9fbf', true],
  ['U+D800, a surrogate [MQTT-1.5.4-1]', 'eda080', false],
  ['U+DFFF, a surrogate [MQTT-1.5.4-1]', 'edbfbf', false],
  ['a pair of surrogates [MQTT-1.5.4-1]', 'eda0bdedb880', false],
  ['U+E000, behind the surrogates', 'ee8080', true],
  ['U+FFFF, no character, and legal', 'efbfbf', true],
  ['U+10000, the first of four bytes', 'f0908080', true],
  ['U+10FFFF, the last character', 'f48fbfbf', true],
  ['what is above U+10FFFF [MQTT-1.5.4-1]', 'f4908080', false],
  ['a first byte of F5 [MQTT-1.5.4-1]', 'f5808080', false],
  ['a first byte of FF [MQTT-1.5.4-1]', 'ff', false],
  ['U+0000 in two bytes [MQTT-1.5.4-1]', 'c080', false],
  ['U+007F in two bytes [MQTT-1.5.4-1]', 'c1bf', false],
  ['U+07FF in three bytes [MQTT-1.5.4-1]', 'e09fbf', false],
  ['U+FFFF in four bytes [MQTT-1.5.4-1]', 'f08fbfbf', false],
  ['a byte of continuation alone [MQTT-1.5.4-1]', '80', false],
  ['two bytes cut off [MQTT-1.5.4-1]', '61c3', false],
  ['three bytes cut off [MQTT-1.5.4-1]', 'e282', false],
  ['four bytes cut off [MQTT-1.5.4-1]', 'f09f98', false],
  ['ASCII where a continuation belongs [MQTT-1.5.4-1]', 'e28261', false],
  ['ASCII as the last of four [MQTT-1.5.4-1]', 'f09f9861', false],
]

for (const [title, hex, isStrict] of rows) {
  test(`${title} is ${isStrict ? '' : 'not '}strict UTF-8`, () => {
    assert.equal(among(Buffer.from(hex, 'hex'), isStrictUtf8), isStrict)
  })
}

const fatal = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isDecodable(bytes: Uint8Array): boolean {
  try {
    return !fatal.decode(bytes).includes('\0')
  } catch {
    return false
  }
}

test('what is strict is what a fatal TextDecoder takes, less U+0000', () => {
  const some = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.string({ unit: 'binary', maxLength: 5 }).map((text) => Buffer.from(text)),
    ),
    { maxLength: 6 },
  )
  fc.assert(
    fc.property(some, (parts) => {
      const bytes = Buffer.concat(parts)
      assert.equal(among(bytes, isStrictUtf8), isDecodable(bytes))
    }),
    { numRuns: 1_500 },
  )
})

test('every pair of first bytes is judged as a fatal TextDecoder does', () => {
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      for (const tail of [[], [0x80, 0xbf]]) {
        const bytes = Uint8Array.from([first, second, ...tail])
        if (isStrictUtf8(bytes, 0, bytes.length) !== isDecodable(bytes)) assert.fail(`${[...bytes]}`)
      }
    }
  }
})

test('the end of ASCII is found wherever it is', () => {
  for (const stranger of [0, 0x80, 0xff]) {
    for (let at = 0; at < 20; at++) {
      const bytes = Buffer.alloc(20, 'a')
      bytes[at] = stranger
      assert.equal(asciiEnd(bytes, 0, 20), at)
      assert.equal(asciiEnd(bytes, 0, at), at)
    }
  }
})
