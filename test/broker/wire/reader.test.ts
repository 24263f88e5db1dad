import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Reader } from '#src/broker/wire/reader.js'
import { putVarint, varintSize } from '#src/broker/wire/varint.js'
import { data, text } from '../../support/wire-arbitraries.js'
import { bytes, prefixed, u16, u32 } from '../../support/wire-client.js'
import { among, refusal } from '../../support/wire-packets.js'

type Read = (reader: Reader) => unknown

const u8: Read = (reader) => reader.u8()
const two: Read = (reader) => reader.u16()
const four: Read = (reader) => reader.u32()
const varint: Read = (reader) => reader.varint()
const string: Read = (reader) => reader.string()
const binary: Read = (reader) => reader.binary().toString('hex')

const read = (hex: string, how: Read) =>
  among(Buffer.from(hex, 'hex'), (all, start, end) => {
    const reader = new Reader().reset(all, start, end)
    const value = how(reader)
    reader.finish()
    return value
  })

const whole: readonly (readonly [title: string, hex: string, how: Read, value: unknown])[] = [
  ['a byte', 'fe', u8, 254],
  ['Two Byte Integer, high byte first', '0102', two, 258],
  ['the greatest Two Byte Integer', 'ffff', two, 65_535],
  ['Four Byte Integer, high byte first', '01020304', four, 0x01020304],
  ['the greatest Four Byte Integer', 'ffffffff', four, 4_294_967_295],
  ['0 as Variable Byte Integer', '00', varint, 0],
  ['the greatest of one byte', '7f', varint, 127],
  ['the least of two bytes', '8001', varint, 128],
  ['the greatest of two bytes', 'ff7f', varint, 16_383],
  ['the least of three bytes', '808001', varint, 16_384],
  ['the greatest of three bytes', 'ffff7f', varint, 2_097_151],
  ['the least of four bytes', '80808001', varint, 2_097_152],
  ['the greatest of four bytes', 'ffffff7f', varint, 268_435_455],
  ['an empty text', '0000', string, ''],
  ['the text that the specification shows', '000541f0aa9b94', string, 'A\u{2a6d4}'],
  ['a text that begins with U+FEFF [MQTT-1.5.4-3]', '0004efbbbf61', string, '\ufeffa'],
  ['empty data', '0000', binary, ''],
  ['data of any bytes', '000300ff80', binary, '00ff80'],
]

for (const [title, hex, how, value] of whole) {
  test(`${title} is read`, () => assert.equal(read(hex, how), value))
  test(`${title} is malformed when its last byte is missing`, () => {
    assert.throws(() => read(hex.slice(0, -2), how), refusal(0x81))
  })
}

const broken: readonly (readonly [title: string, hex: string, how: Read])[] = [
  ['an integer of five bytes', '8080808001', varint],
  ['an integer that goes on behind four bytes', 'ffffffff', varint],
  ['0 in two bytes [MQTT-1.5.5-1]', '8000', varint],
  ['127 in two bytes [MQTT-1.5.5-1]', 'ff00', varint],
  ['128 in three bytes [MQTT-1.5.5-1]', '808100', varint],
  ['16,384 in four bytes [MQTT-1.5.5-1]', '80808100', varint],
  ['a text with U+0000 [MQTT-1.5.4-2]', '0003610062', string],
  ['a text with a surrogate [MQTT-1.5.4-1]', '0003eda080', string],
  ['a text whose length is more than there is', '00046162', string],
  ['data whose length is more than there is', 'ffff6162', binary],
  ['bytes that are left over', '0000', u8],
]

for (const [title, hex, how] of broken) {
  test(`${title}: malformed`, () => assert.throws(() => read(hex, how), refusal(0x81)))
}

test('integers, texts and data are read as they were written, one after the other', () => {
  const varints = fc.integer({ min: 0, max: 268_435_455 })
  const all = fc.tuple(varints, text, data, fc.nat(0xffff), fc.nat(0xffff_ffff))
  fc.assert(
    fc.property(all, ([integer, some, few, short, long]) => {
      const head = Buffer.alloc(varintSize(integer))
      assert.equal(putVarint(head, 0, integer), head.length)
      among(bytes(head, prefixed(some), prefixed(few), u16(short), u32(long)), (from, start, end) => {
        const reader = new Reader().reset(from, start, end)
        assert.equal(reader.rest, end - start)
        assert.equal(reader.varint(), integer)
        assert.equal(reader.string(), some)
        assert.deepEqual(reader.binary(), few)
        assert.equal(reader.u16(), short)
        assert.equal(reader.u32(), long)
        assert.equal(reader.rest, 0)
        reader.finish()
      })
    }),
  )
})

test('data does not change with the bytes that it was read from', () => {
  const from = prefixed('abc')
  const copy = new Reader().reset(from, 0, from.length).binary()
  from.fill(0)
  assert.equal(copy.toString(), 'abc')
})
