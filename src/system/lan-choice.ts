import type { Network, NetworkAddress } from './network.ts'
import type { DefaultRoute } from './routes.ts'

/** The address by which the LAN knows this machine. */
export interface LanAddress {
  readonly interface: string
  readonly address: string
}

/** Whether an interface is one of those, by its name. */
export function isVirtual(name: string): boolean {
  return virtual.test(name)
}

type RouteEnd = Pick<DefaultRoute, 'interface' | 'gateway'>

/** Interfaces that containers, virtual machines and tunnels make; they are the LAN only if nothing else is. */
const virtual =
  /^(br-|cali|cni|docker|dummy|flannel|ifb|kube|lxc|lxd|nordlynx|podman|tailscale|tap|tun|utun|veth|virbr|vmnet|vnet|wg|zt)/

/**
 * Which of the machine's addresses is the LAN address, first that exists:
 *
 * 1. of the default route's interface, lowest metric first: IPv4 routes, then IPv6 routes
 * 2. of the other interfaces by name: IPv4, then IPv6
 * 3. of virtual interfaces (docker0, veth…, br-…, tun0, …) by name
 * 4. an IPv4 link-local address (169.254.0.0/16): a cable between two machines without a router
 *
 * On the chosen interface IPv4 comes before IPv6; of several IPv4 addresses the one in the gateway's
 * network is taken, of several IPv6 addresses the unique local one (fc00::/7), which no provider changes.
 * Never a link-local IPv6 address. Pure.
 *
 * @param firstInterface the default route's interface as somebody else tells it: is believed where the routing
 *   table cannot be read, or has an IPv4 default route there too
 */
export function chooseLan(network: Network, firstInterface?: string): LanAddress | undefined {
  const routes = routesOf(network, firstInterface)
  for (const route of routes) {
    const own = network.addresses.filter(({ interface: name }) => name === route.interface)
    const chosen = preferred(own, route.gateway)
    if (chosen !== undefined) return lanAddressOf(chosen)
  }
  return chooseWithoutRoute(network.addresses)
}

function routesOf({ routes }: Network, firstInterface: string | undefined): readonly RouteEnd[] {
  if (firstInterface === undefined) return routes ?? []
  if (routes === undefined) return [{ interface: firstInterface }]
  const first = routes.filter((route) => route.family === 4 && route.interface === firstInterface)
  return [...first, ...routes]
}

function chooseWithoutRoute(addresses: readonly NetworkAddress[]): LanAddress | undefined {
  const outside = addresses
    .filter(({ isLoopback }) => !isLoopback)
    .sort((a, b) => a.interface.localeCompare(b.interface, 'en', { numeric: true }))
  const real = outside.filter((address) => !isVirtual(address.interface))
  const others = outside.filter((address) => isVirtual(address.interface))
  const chosen =
    preferred(real) ?? preferred(others) ?? [...real, ...others].find(({ family }) => family === 4)
  return chosen === undefined ? undefined : lanAddressOf(chosen)
}

/** The best of some addresses, those of the first interface first; undefined when all are link-local or loopback. */
function preferred(addresses: readonly NetworkAddress[], gateway?: string): NetworkAddress | undefined {
  const usable = addresses.filter(({ isLoopback, isLinkLocal }) => !isLoopback && !isLinkLocal)
  const ipv4 = usable.filter(({ family }) => family === 4)
  if (ipv4[0] !== undefined) {
    return ipv4.find((address) => gateway !== undefined && isInNetwork(gateway, address)) ?? ipv4[0]
  }
  const lasting = usable.filter(({ isDeprecated }) => !isDeprecated)
  const ipv6 = lasting.length > 0 ? lasting : usable
  return ipv6.find(({ address }) => /^f[cd]/.test(address)) ?? ipv6[0]
}

function isInNetwork(address: string, { address: own, netmask }: NetworkAddress): boolean {
  const mask = bitsOf(netmask)
  return (bitsOf(address) & mask) === (bitsOf(own) & mask)
}

function bitsOf(ipv4: string): number {
  return ipv4.split('.').reduce((bits, byte) => (bits << 8) | Number(byte), 0)
}

function lanAddressOf({ interface: name, address }: NetworkAddress): LanAddress {
  return { interface: name, address }
}
