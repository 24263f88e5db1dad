import { SocketAddress } from 'node:net'

/** A default route of the main routing table. */
export interface DefaultRoute {
  readonly family: 4 | 6
  readonly interface: string
  /** The kernel prefers the lowest. */
  readonly metric: number
  /** The IPv4 gateway; undefined for a route that is just a link, and for IPv6. */
  readonly gateway?: string
}

// linux/route.h
const up = 0x1
const viaGateway = 0x2
const reject = 0x200

/** The IPv4 default routes in the text of /proc/self/net/route, lowest metric first. Pure. */
export function parseRoutes(text: string): DefaultRoute[] {
  const routes: DefaultRoute[] = []
  for (const line of text.split('\n').slice(1)) {
    const [name, destination, gateway, flagsText, , , metric, mask] = line.trim().split(/\s+/)
    if (name === undefined || gateway === undefined || mask === undefined) continue
    const flags = Number.parseInt(flagsText as string, 16)
    if (destination !== '00000000' || mask !== '00000000' || !(flags & up) || flags & reject) continue
    const route: DefaultRoute = { family: 4, interface: name, metric: Number(metric) }
    routes.push(flags & viaGateway ? { ...route, gateway: ipv4Of(gateway) } : route)
  }
  return routes.sort((a, b) => a.metric - b.metric)
}

/** The IPv6 default routes in the text of /proc/self/net/ipv6_route, lowest metric first. Pure. */
export function parseIpv6Routes(text: string): DefaultRoute[] {
  const routes: DefaultRoute[] = []
  for (const line of text.split('\n')) {
    const [destination, prefixLength, , , , metric, , , flagsText, name] = line.trim().split(/\s+/)
    if (name === undefined || name === 'lo') continue
    const flags = Number.parseInt(flagsText as string, 16)
    if (!/^0+$/.test(destination as string) || prefixLength !== '00' || !(flags & up) || flags & reject)
      continue
    routes.push({ family: 6, interface: name, metric: Number.parseInt(metric as string, 16) })
  }
  return routes.sort((a, b) => a.metric - b.metric)
}

/** Each IPv6 address with its `IFA_F_*` flags, from the text of /proc/self/net/if_inet6. Pure. */
export function parseIpv6Addresses(text: string): Map<string, number> {
  const flags = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [address, , , , flagsText, name] = line.trim().split(/\s+/)
    if (address?.length !== 32 || name === undefined) continue
    const groups = address.match(/.{4}/g) as string[]
    flags.set(
      new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address,
      Number.parseInt(flagsText as string, 16),
    )
  }
  return flags
}

// the kernel prints the 32 bits as one number; every machine that Node 20 runs a GPIO on is little-endian
function ipv4Of(hex: string): string {
  const bytes = hex.match(/../g) ?? []
  return bytes
    .reverse()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.')
}
