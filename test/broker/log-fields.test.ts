import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cut, plainAddress } from '#src/broker/log-fields.js'

test('texts of up to 200 characters stay as they are, longer ones are cut, and other values are left alone', () => {
  const fields = { short: 'a'.repeat(200), long: 'a'.repeat(201), count: 7, absent: undefined }
  assert.deepEqual(cut(fields), { ...fields, long: `${'a'.repeat(200)}…` })
})

test('an IPv4 address that came in by an IPv6 socket is shown as people write it', () => {
  for (const [address, shown] of [
    ['::ffff:10.0.0.5', '10.0.0.5'],
    ['10.0.0.5', '10.0.0.5'],
    ['::1', '::1'],
    ['::ffff:a00:5', '::ffff:a00:5'],
  ] as const)
    assert.equal(plainAddress(address), shown)
})
