import { networkInterfaces } from 'node:os'

/** Tells whether a peer's address is one of this machine's own. */
export type OwnAddressCheck = (address: string | undefined) => boolean

const rememberMs = 1_000

/**
 * Makes the check by which "from this machine" is told from "from the LAN": loopback, or an address of any
 * of its interfaces; IPv4-mapped forms (`::ffff:192.0.2.7`) and zones (`fe80::1%eth0`) included. The
 * machine's addresses are looked up at most once a second, so a new one counts at most a second late.
 *
 * @param nowMs a clock that never runs backwards
 */
export function ownAddressCheck(
  nowMs: () => number = () => performance.now(),
  interfaces: typeof networkInterfaces = networkInterfaces,
): OwnAddressCheck {
  let own = new Set<string>()
  let readMs = Number.NEGATIVE_INFINITY
  return (address) => {
    if (address === undefined) return false // the peer has gone already
    const bare = bareAddress(address)
    if (bare === '::1' || bare.startsWith('127.')) return true
    if (nowMs() - readMs >= rememberMs) {
      own = addressesOf(interfaces)
      readMs = nowMs()
    }
    return own.has(bare)
  }
}

function bareAddress(address: string): string {
  const bare = (address.split('%')[0] as string).toLowerCase()
  return bare.startsWith('::ffff:') && bare.includes('.') ? bare.slice('::ffff:'.length) : bare
}

/** Empty when the kernel does not tell: then only loopback is known to be ours, and nobody is let in by mistake. */
function addressesOf(interfaces: typeof networkInterfaces): Set<string> {
  try {
    return new Set(Object.values(interfaces()).flatMap((infos = []) => infos.map(({ address }) => address)))
  } catch {
    return new Set()
  }
}
