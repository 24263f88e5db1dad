import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseLan } from '#src/system/lan-choice.js'
import { networkOf, routeBy } from '../support/system-network.ts'

const route6 = (name: string) => ({ family: 6, interface: name, metric: 0 }) as const

const cases: [title: string, network: Parameters<typeof chooseLan>, expected: string | undefined][] = [
  ['nothing but loopback', [networkOf({})], undefined],
  [
    'the first default route wins',
    [
      networkOf({ eth0: ['10.77.0.5/24'], wlan0: ['10.77.1.5/24'] }, [
        routeBy('wlan0', '10.77.1.1'),
        routeBy('eth0', '10.77.0.1'),
      ]),
    ],
    '10.77.1.5',
  ],
  [
    'a default route whose interface has no address yet is passed over',
    [networkOf({ eth0: ['10.77.0.5/24'] }, [routeBy('wlan0'), routeBy('eth0')])],
    '10.77.0.5',
  ],
  [
    "of several addresses the one in the gateway's network",
    [networkOf({ eth0: ['192.168.9.1/24', '10.77.0.5/24'] }, [routeBy('eth0', '10.77.0.1')])],
    '10.77.0.5',
  ],
  [
    'the first address when the gateway is in no network of ours',
    [networkOf({ eth0: ['192.168.9.1/24', '10.77.0.5/24'] }, [routeBy('eth0', '172.16.0.1')])],
    '192.168.9.1',
  ],
  [
    'a link without gateway is LAN, by name and by number',
    [networkOf({ eth10: ['10.0.10.1/24'], eth2: ['10.0.2.1/24'] })],
    '10.0.2.1',
  ],
  [
    'a virtual interface only when nothing else is there',
    [networkOf({ 'br-12ab': ['172.18.0.1/16'], docker0: ['172.17.0.1/16'], wlan0: ['10.77.1.5/24'] })],
    '10.77.1.5',
  ],
  ['a virtual interface alone', [networkOf({ docker0: ['172.17.0.1/16'] })], '172.17.0.1'],
  [
    'a virtual interface with the default route',
    [networkOf({ tun0: ['10.8.0.2/24'], eth0: ['10.77.0.5/24'] }, [routeBy('tun0')])],
    '10.8.0.2',
  ],
  [
    'IPv4 link-local comes last',
    [networkOf({ eth0: ['169.254.7.7/16'], veth0: ['10.9.0.1/24'] })],
    '10.9.0.1',
  ],
  ['IPv4 link-local when there is nothing else', [networkOf({ eth0: ['169.254.7.7/16'] })], '169.254.7.7'],
  ['an IPv6 link-local address never', [networkOf({ eth0: ['fe80::5/64'] }, [route6('eth0')])], undefined],
  [
    'IPv4 before IPv6 on the same interface',
    [networkOf({ eth0: ['fd77::5/64', '10.77.0.5/24'] }, [route6('eth0')])],
    '10.77.0.5',
  ],
  [
    'a unique local IPv6 address before a global one',
    [networkOf({ eth0: ['2001:db8::5/64', 'fd77::5/64'] })],
    'fd77::5',
  ],
  [
    'an IPv6 default route before IPv4 without gateway elsewhere',
    [networkOf({ eth0: ['2001:db8::5/64'], wlan0: ['10.77.0.5/24'] }, [route6('eth0')])],
    '2001:db8::5',
  ],
  [
    'neither temporary, nor failed, nor unconfirmed, nor deprecated IPv6 addresses',
    [
      networkOf(
        { eth0: ['fd77::1/64', 'fd77::2/64', 'fd77::3/64', 'fd77::4/64', '2001:db8::5/64'] },
        [],
        new Map([
          ['fd77::1', 0x01],
          ['fd77::2', 0x08],
          ['fd77::3', 0x40],
          ['fd77::4', 0xa0],
        ]),
      ),
    ],
    '2001:db8::5',
  ],
  [
    'a deprecated one if it is the last',
    [networkOf({ eth0: ['fd77::4/64'] }, [], new Map([['fd77::4', 0x20]]))],
    'fd77::4',
  ],
  [
    'the first answer where the routing table cannot be read',
    [{ ...networkOf({ eth0: ['10.77.0.5/24'], wlan0: ['10.77.1.5/24'] }), routes: undefined }, 'wlan0'],
    '10.77.1.5',
  ],
  [
    'not the first answer when the routing table has nothing like it',
    [networkOf({ eth0: ['10.77.0.5/24'], docker0: ['172.17.0.1/16'] }), 'docker0'],
    '10.77.0.5',
  ],
  [
    'the first answer when the routing table has it too',
    [
      networkOf({ eth0: ['10.77.0.5/24'], wlan0: ['10.77.1.5/24'] }, [routeBy('eth0'), routeBy('wlan0')]),
      'wlan0',
    ],
    '10.77.1.5',
  ],
]

for (const [title, network, expected] of cases) {
  test(`the LAN address: ${title}`, () => assert.equal(chooseLan(...network)?.address, expected))
}
