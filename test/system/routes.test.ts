import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIpv6Addresses, parseIpv6Routes, parseRoutes } from '#src/system/routes.js'

const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n'

test('IPv4 default routes come lowest metric first, with their gateways', () => {
  const text = `${head}wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
`
  assert.deepEqual(parseRoutes(text), [
    { family: 4, interface: 'ppp0', metric: 0 },
    { family: 4, interface: 'eth0', metric: 100, gateway: '192.168.0.1' },
    { family: 4, interface: 'wlan0', metric: 600, gateway: '192.168.1.1' },
  ])
})

test('routes to a network, halves of the Internet, refusing routes and torn lines are no default routes', () => {
  const text = `${head}eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t00000000\t01000A0A\t0003\t0\t0\t0\t00000080\t0\t0\t0
*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0
eth1\t00000000\t0100A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000
`
  assert.deepEqual(parseRoutes(text), [])
  assert.deepEqual(parseRoutes(''), [])
})

test('IPv6 default routes come lowest metric first; the unreachable one of lo is none', () => {
  const zero = '0'.repeat(32)
  const route = (metric: string, flags: string, name: string) =>
    `${zero} 00 ${zero} 00 fe800000000000000000000000000001 ${metric} 00000001 00000000 ${flags} ${name}\n`
  const text =
    route('00000400', '00450003', 'wlan0') +
    route('00000064', '00000003', 'eth0') +
    route('ffffffff', '00200200', 'lo') +
    route('00000001', '00000203', 'eth1') +
    `fd77${'0'.repeat(28)} 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001 eth0\n`
  assert.deepEqual(parseIpv6Routes(text), [
    { family: 6, interface: 'eth0', metric: 100 },
    { family: 6, interface: 'wlan0', metric: 1024 },
  ])
})

test('IPv6 addresses are known by their usual spelling', () => {
  const text = `fd770000000000000000000000000005 02 40 00 80     eth0
20010db8007700000000000000000009 02 40 00 01     eth0
torn
`
  assert.deepEqual(
    parseIpv6Addresses(text),
    new Map([
      ['fd77::5', 0x80],
      ['2001:db8:77::9', 0x01],
    ]),
  )
})
