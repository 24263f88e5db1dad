import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isServerName, serverNames } from '#src/certificates/names.js'

const names: readonly [name: string, isRight: boolean][] = [
  ['shed.local', true],
  ['*.example.org', true],
  ['a', true],
  ['192.168.1.20', true],
  ['fd00::2', true],
  ['fe80::1%eth0', false],
  ['', false],
  ['.local', false],
  ['a..b', false],
  ['-a', false],
  ['a_b', false],
  ['a b', false],
  ['a,DNS:b', false],
  ['*', false],
  ['a.*.b', false],
  ['x'.repeat(63), true],
  ['x'.repeat(64), false],
  [`${'abcdefghi.'.repeat(25)}abc`, true],
  [`${'abcdefghi.'.repeat(25)}abcd`, false],
]

for (const [name, isRight] of names)
  test(`a certificate ${isRight ? 'can' : 'cannot'} name ${name.slice(0, 30) || 'nothing'}`, () => {
    assert.equal(isServerName(name), isRight)
  })

test('a server is called by its name, its host, its addresses and what its owner says, each once', () => {
  const all = serverNames({
    host: 'Pi.lan',
    name: 'Shed',
    addresses: ['192.168.1.20', 'fe80::1%eth0'],
    more: ['broker.example.org', 'pi.local'],
  })
  assert.deepEqual(all, [
    'shed.local',
    'pi.local',
    'pi',
    'pi.lan',
    'broker.example.org',
    'localhost',
    '192.168.1.20',
    '127.0.0.1',
    '::1',
  ])
})
