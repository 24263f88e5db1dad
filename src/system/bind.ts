import { isIPv6, SocketAddress } from 'node:net'
import type { Bind } from '../core/bind.ts'
import type { LanAddress } from './lan-choice.ts'
import type { Network } from './network.ts'

/** Where to listen now, and what is still missing. */
export interface BindResult {
  /** Unique, sorted; each as `listen` takes it. */
  readonly addresses: readonly string[]
  readonly pending: readonly PendingBind[]
}

/** An entry of `BIND` that has no address yet; it may get one at any time, so this is no error. */
export interface PendingBind {
  readonly bind: Bind
  /** In a few words, for a log line: `wlan0 has no address yet`. */
  readonly reason: string
}

/** What of the network matters to `BIND`. */
export interface BindState extends Pick<Network, 'addresses' | 'interfaces'> {
  readonly lan: LanAddress | undefined
}

/**
 * Turns the entries of `BIND` into the addresses to listen on, as the network is now. `all` is `::`, which
 * takes IPv4 too, or `0.0.0.0` on a machine without IPv6; it makes every other entry superfluous. Pure.
 */
export function resolveBind(bind: readonly Bind[], state: BindState): BindResult {
  if (bind.some(({ kind }) => kind === 'all')) {
    const hasIpv6 = state.addresses.some(({ family }) => family === 6)
    return { addresses: [hasIpv6 ? '::' : '0.0.0.0'], pending: [] }
  }
  const addresses = new Set<string>()
  const pending: PendingBind[] = []
  for (const entry of bind) {
    const found = resolveEntry(entry, state)
    for (const address of found.addresses) addresses.add(address)
    if (found.missing !== undefined) pending.push({ bind: entry, reason: found.missing })
  }
  return { addresses: [...addresses].sort(), pending }
}

interface Found {
  readonly addresses: readonly string[]
  readonly missing?: string
}

function resolveEntry(bind: Bind, state: BindState): Found {
  switch (bind.kind) {
    case 'lan':
      return lanAndLoopback(state)
    case 'loopback':
      return orMissing(loopback(state), 'the loopback interface is down')
    case 'all':
      return { addresses: [] } // resolveBind has seen to it
    case 'interface':
      return orMissing(
        state.addresses.filter(({ interface: name }) => name === bind.name).map(({ address }) => address),
        state.interfaces.includes(bind.name)
          ? `${bind.name} has no address yet`
          : `there is no interface ${bind.name} yet`,
      )
    case 'address':
      return orMissing(ownAddress(bind.address, state), `no interface has the address ${bind.address} yet`)
  }
}

function lanAndLoopback(state: BindState): Found {
  const own = loopback(state)
  if (state.lan === undefined) return { addresses: own, missing: 'there is no LAN address yet' }
  return { addresses: [...own, state.lan.address] }
}

function loopback(state: BindState): string[] {
  return state.addresses
    .map(({ address }) => address)
    .filter((address) => address === '127.0.0.1' || address === '::1')
}

function orMissing(addresses: readonly string[], missing: string): Found {
  return addresses.length > 0 ? { addresses } : { addresses, missing }
}

/** The address as the kernel writes it, if the machine has it; wildcards and 127.0.0.0/8 it always has. */
function ownAddress(address: string, state: BindState): string[] {
  if (address.startsWith('127.')) return [address]
  const wanted = canonical(address)
  if (wanted === '0.0.0.0' || wanted === '::') return [wanted]
  return state.addresses
    .map((own) => own.address)
    .filter((own) => own === wanted || own.split('%')[0] === wanted)
}

/** IPv6 has many spellings of one address; the kernel's is lower case and as short as can be. */
function canonical(address: string): string {
  const [bare, zone] = address.split('%') as [string, string | undefined]
  if (!isIPv6(bare)) return address
  const short = new SocketAddress({ family: 'ipv6', address: bare }).address
  return zone === undefined ? short : `${short}%${zone}`
}
