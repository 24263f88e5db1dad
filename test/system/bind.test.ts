import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Bind } from '#src/core/bind.js'
import { resolveBind } from '#src/system/bind.js'
import { chooseLan } from '#src/system/lan-choice.js'
import { networkOf } from '../support/system-network.ts'

function resolve(bind: Bind[], addresses: Record<string, string[]>): [addresses: string, pending: string] {
  const network = networkOf(addresses)
  const result = resolveBind(bind, { ...network, lan: chooseLan(network) })
  return [result.addresses.join(), result.pending.map(({ reason }) => reason).join('; ')]
}

const lan: Bind = { kind: 'lan' }
const loopback: Bind = { kind: 'loopback' }
const named = (name: string): Bind => ({ kind: 'interface', name })
const at = (address: string): Bind => ({ kind: 'address', address })
const wired = { eth0: ['10.77.0.5/24', 'fe80::5/64'] }

const cases: [
  title: string,
  bind: Bind[],
  addresses: Record<string, string[]>,
  ReturnType<typeof resolve>,
][] = [
  ['lan is the LAN address and loopback', [lan], wired, ['10.77.0.5,127.0.0.1,::1', '']],
  ['lan without a LAN is pending', [lan], {}, ['127.0.0.1,::1', 'there is no LAN address yet']],
  ['loopback is both loopbacks', [loopback], wired, ['127.0.0.1,::1', '']],
  ['loopback without IPv6', [loopback], { lo: ['127.0.0.1/8'] }, ['127.0.0.1', '']],
  ['loopback that is down is pending', [loopback], { lo: [] }, ['', 'the loopback interface is down']],
  ['all is both families', [{ kind: 'all' }], wired, ['::', '']],
  ['all without IPv6', [{ kind: 'all' }], { lo: ['127.0.0.1/8'] }, ['0.0.0.0', '']],
  ['all swallows the others', [named('wlan0'), { kind: 'all' }, lan], wired, ['::', '']],
  ['an interface is all its addresses', [named('eth0')], wired, ['10.77.0.5,fe80::5%eth0', '']],
  ['an absent interface is pending', [named('eth9')], wired, ['', 'there is no interface eth9 yet']],
  [
    'an interface without address is pending',
    [named('wlan0'), loopback],
    { wlan0: [] },
    ['127.0.0.1,::1', 'wlan0 has no address yet'],
  ],
  ['an own address', [at('10.77.0.5')], wired, ['10.77.0.5', '']],
  [
    'a foreign address is pending',
    [at('10.77.0.6')],
    wired,
    ['', 'no interface has the address 10.77.0.6 yet'],
  ],
  ['an own IPv6 address in another spelling', [at('FD77:0:0::5')], { eth0: ['fd77::5/64'] }, ['fd77::5', '']],
  ['a link-local address gets its zone', [at('fe80:0::5')], wired, ['fe80::5%eth0', '']],
  ['a link-local address with its zone', [at('fe80::5%eth0')], wired, ['fe80::5%eth0', '']],
  ['a wildcard address stays what it is', [at('0.0.0.0')], wired, ['0.0.0.0', '']],
  ['any address of 127.0.0.0/8', [at('127.0.0.9')], wired, ['127.0.0.9', '']],
  [
    'a list has each address once, sorted',
    [lan, loopback, named('eth0'), at('10.77.0.5')],
    wired,
    ['10.77.0.5,127.0.0.1,::1,fe80::5%eth0', ''],
  ],
]

for (const [title, bind, addresses, expected] of cases) {
  test(`BIND: ${title}`, () => assert.deepEqual(resolve(bind, addresses), expected))
}
