import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { ownAddressCheck } from '#src/system/own-addresses.js'

test('loopback and the addresses of each interface are own, in their IPv4-mapped and zoned forms too', () => {
  const isOwn = ownAddressCheck()
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '::FFFF:127.0.0.1'])
    assert.equal(isOwn(address), true, address)
  for (const infos of Object.values(networkInterfaces())) {
    for (const { address, family } of infos ?? []) {
      assert.equal(isOwn(address), true, address)
      assert.equal(isOwn(family === 'IPv4' ? `::ffff:${address}` : `${address}%eth0`), true, address)
    }
  }
})

test('addresses of others are not own', () => {
  const isOwn = ownAddressCheck()
  for (const address of [
    '198.51.100.77',
    '::ffff:198.51.100.77',
    '2001:db8::77',
    '::ffff:7f00:1',
    '1127.0.0.1',
    '',
  ])
    assert.equal(isOwn(address), false, address)
  assert.equal(isOwn(undefined), false)
})

test('the addresses are looked up again when a second has passed, and not before', () => {
  let nowMs = 0
  let lookups = 0
  const isOwn = ownAddressCheck(
    () => nowMs,
    () => {
      lookups++
      return networkInterfaces()
    },
  )
  isOwn('198.51.100.1')
  nowMs = 999
  isOwn('198.51.100.2')
  assert.equal(lookups, 1)
  nowMs = 1_000
  isOwn('198.51.100.3')
  assert.equal(lookups, 2)
})

test('when the system does not tell its addresses, only loopback is own', () => {
  const isOwn = ownAddressCheck(undefined, () => {
    throw new Error('netlink is forbidden')
  })
  assert.equal(isOwn('198.51.100.1'), false)
  assert.equal(isOwn('127.0.0.1'), true)
})
