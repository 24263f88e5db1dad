import type { NetworkInterfaceInfo } from 'node:os'
import { addressesOf, type Network } from '#src/system/network.js'
import type { DefaultRoute } from '#src/system/routes.js'

/** A network from `{ eth0: ['10.77.0.5/24', 'fe80::1/64'] }`; lo is there unless it is told. */
export function networkOf(
  addresses: Record<string, readonly string[]>,
  routes: Network['routes'] = [],
  ipv6Flags: ReadonlyMap<string, number> = new Map(),
): Network {
  const all = { lo: ['127.0.0.1/8', '::1/128'], ...addresses }
  const infos = Object.entries(all).map(([name, list]) => [name, list.map((cidr) => infoOf(name, cidr))])
  const known = Object.fromEntries(infos) as Record<string, NetworkInterfaceInfo[]>
  return { addresses: addressesOf(known, ipv6Flags), interfaces: Object.keys(all), routes }
}

/** An IPv4 default route. */
export function routeBy(name: string, gateway?: string): DefaultRoute {
  const route: DefaultRoute = { family: 4, interface: name, metric: 0 }
  return gateway === undefined ? route : { ...route, gateway }
}

function infoOf(name: string, cidr: string): NetworkInterfaceInfo {
  const [address, bits] = cidr.split('/') as [string, string]
  const common = { address, cidr, mac: '00:00:00:00:00:00', internal: name === 'lo' }
  if (address.includes(':')) return { ...common, family: 'IPv6', netmask: 'ffff::', scopeid: 0 }
  const mask = 2 ** 32 - 2 ** (32 - Number(bits))
  const netmask = [24, 16, 8, 0].map((shift) => (mask / 2 ** shift) & 255).join('.')
  return { ...common, family: 'IPv4', netmask }
}
