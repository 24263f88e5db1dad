import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeValue } from '#src/client/encode.js'

const encoded: [value: unknown, expected: string][] = [
  ['on', 'on'],
  ['"on"', '"on"'],
  [21.5, '21.5'],
  [null, 'null'],
  [{ a: undefined, b: 1 }, '{"b":1}'],
  [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  [Buffer.from('x'), 'x'],
]
for (const [value, expected] of encoded) {
  test(`${JSON.stringify(value)} goes out as ${expected}`, () => {
    assert.equal(encodeValue(value).toString(), expected)
  })
}

test('bytes are copied: what becomes of the original does not matter', () => {
  const original = Uint8Array.of(1, 2)
  const payload = encodeValue(original)
  original[0] = 9
  assert.deepEqual([...payload], [1, 2])
})

const refused: [name: string, value: unknown][] = [
  ['undefined', undefined],
  ['a symbol', Symbol('x')],
  ['an infinity', { t: Number.POSITIVE_INFINITY }],
  ['a function in an object', { f() {} }],
  ['a BigInt in a list', [1n]],
  ['a Set', { s: new Set([1]) }],
  ['bytes in an object', { b: Buffer.from('x') }],
  ['a list of floats as bytes', new Float32Array(2)],
  ['undefined in a list', [1, undefined]],
  ['something whose toJSON throws', { toJSON: () => assert.fail('no') }],
]
for (const [name, value] of refused) {
  test(`${name} is refused`, () => {
    assert.throws(() => encodeValue(value), { code: 'VALUE_INVALID' })
  })
}
