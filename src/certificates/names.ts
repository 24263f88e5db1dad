import { isIP } from 'node:net'

/** Letters, digits and hyphens between dots, perhaps `*.` before them (RFC 5280, 4.2.1.6; RFC 1123, 2.1). */
const dnsName = /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i

/** Whether a certificate can name it: a name of the DNS, or an address without a zone. */
export function isServerName(name: string): boolean {
  return isIP(name) !== 0 ? !name.includes('%') : name.length <= 253 && dnsName.test(name)
}

export interface ServerNaming {
  /** What the machine calls itself. */
  readonly host: string
  /** Damselfly's name: it is found as `NAME.local`. */
  readonly name: string
  /** The addresses of this machine. */
  readonly addresses: readonly string[]
  /** What the owner wants besides. */
  readonly more: readonly string[]
}

/**
 * The names and addresses by which clients on the LAN, and programs on this machine, call a server. The first one is what
 * to tell clients. What no certificate can name is left out.
 */
export function serverNames({ host, name, addresses, more }: ServerNaming): readonly string[] {
  const label = (host.split('.')[0] ?? host).toLowerCase()
  const names = [
    `${name.toLowerCase()}.local`,
    `${label}.local`,
    label,
    host.toLowerCase(),
    ...more,
    'localhost',
    ...addresses,
    '127.0.0.1',
    '::1',
  ]
  return [...new Set(names)].filter(isServerName)
}
