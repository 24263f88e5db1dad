import { readdir, readFile } from 'node:fs/promises'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { type DefaultRoute, parseIpv6Addresses, parseIpv6Routes, parseRoutes } from './routes.ts'

/** An address on which this machine can listen. */
export interface NetworkAddress {
  readonly interface: string
  readonly family: 4 | 6
  /** As `listen` takes it; a link-local IPv6 address carries its zone: `fe80::1%eth0`. */
  readonly address: string
  readonly netmask: string
  readonly isLoopback: boolean
  /** 169.254.0.0/16 or fe80::/10: valid on its own link only. */
  readonly isLinkLocal: boolean
  /** Still reachable, but about to be replaced. */
  readonly isDeprecated: boolean
}

/** What the kernel says of the network, at one moment. */
export interface Network {
  /** Without temporary IPv6 addresses (RFC 8981) and those that the kernel has not accepted yet. */
  readonly addresses: readonly NetworkAddress[]
  /** Every interface, with or without an address; empty where the system does not tell. */
  readonly interfaces: readonly string[]
  /** The default routes, lowest metric first, IPv4 before IPv6; undefined where they cannot be read. */
  readonly routes: readonly DefaultRoute[] | undefined
}

/**
 * Reads interfaces, addresses and default routes; sends nothing and waits for nobody.
 *
 * @NOTE `/proc/self/net` and not `/proc/net`: the latter is hidden by `ProcSubset=pid`.
 * @throws what `os.networkInterfaces` throws, for example when netlink sockets are forbidden
 */
export async function readNetwork(): Promise<Network> {
  const [routes4, routes6, flags6, interfaces] = await Promise.all([
    textOf('/proc/self/net/route'),
    textOf('/proc/self/net/ipv6_route'),
    textOf('/proc/self/net/if_inet6'),
    readdir('/sys/class/net').catch(() => []),
  ])
  const isKnown = routes4 !== undefined || routes6 !== undefined
  return {
    addresses: addressesOf(networkInterfaces(), parseIpv6Addresses(flags6 ?? '')),
    interfaces: interfaces.sort(),
    routes: isKnown ? [...parseRoutes(routes4 ?? ''), ...parseIpv6Routes(routes6 ?? '')] : undefined,
  }
}

/** Absent without IPv6, or without Linux: undefined then. */
async function textOf(path: string): Promise<string | undefined> {
  return await readFile(path, 'latin1').catch(() => undefined)
}

const temporary = 0x01
const failed = 0x08
const deprecated = 0x20
const tentative = 0x40

/**
 * The addresses of all interfaces, in the kernel's order. Pure.
 * @param ipv6Flags `IFA_F_*` of linux/if_addr.h by address, as in /proc/self/net/if_inet6
 */
export function addressesOf(
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>,
  ipv6Flags: ReadonlyMap<string, number>,
): NetworkAddress[] {
  const addresses: NetworkAddress[] = []
  for (const [label, infos] of Object.entries(interfaces)) {
    const name = label.split(':')[0] as string // an alias of eth0 is labelled eth0:1
    for (const info of infos ?? []) {
      const isIpv6 = info.family === 'IPv6'
      const flags = isIpv6 ? (ipv6Flags.get(info.address) ?? 0) : 0
      if (flags & (temporary | failed | tentative)) continue
      const isLinkLocal = isIpv6 ? /^fe[89ab]/.test(info.address) : info.address.startsWith('169.254.')
      addresses.push({
        interface: name,
        family: isIpv6 ? 6 : 4,
        address: isIpv6 && isLinkLocal ? `${info.address}%${name}` : info.address,
        netmask: info.netmask,
        isLoopback: info.internal,
        isLinkLocal,
        isDeprecated: (flags & deprecated) !== 0,
      })
    }
  }
  return addresses
}
