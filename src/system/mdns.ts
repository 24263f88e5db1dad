import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import type { Listener } from '../core/listener.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { resolveBind } from './bind.ts'
import type { Lan, LanState } from './lan.ts'
import { isVirtual } from './lan-choice.ts'
import type { Responder } from './mdns/responder.ts'
import type { SentPackets } from './mdns/sent-packets.ts'
import type { AdvertisedService, Advertisement } from './mdns/service-records.ts'
import type { NetworkAddress } from './network.ts'

export interface MdnsOptions {
  readonly lan: Pick<Lan, 'state' | 'onChange'>
  readonly log: Logger
  readonly counters: Counters
  /** Damselfly's version. */
  readonly version: string
}

/** What of the settings matters here. */
export interface MdnsSettings {
  readonly name: string
  readonly mdns: boolean
  readonly listeners: readonly Listener[]
}

/**
 * Lets the LAN find the broker: tells on each network that it is listened on where that is. Follows the network and the
 * settings. Where that does not work it says so once, and the broker works all the same. What it needs is loaded
 * when there is something to tell.
 */
export class Mdns implements AsyncDisposable {
  readonly #options: MdnsOptions
  readonly #unfollow: () => void
  /** By interface. */
  readonly #responders = new Map<
    string,
    { readonly address: string; ad: string; readonly responder: Responder }
  >()
  readonly #repeats = new Repeats()
  #sent: SentPackets | undefined
  #settings: MdnsSettings | undefined
  #toldFailure: string | undefined
  #work: Promise<void> = Promise.resolve()

  constructor(options: MdnsOptions) {
    this.#options = options
    this.#unfollow = options.lan.onChange(() => void this.#move())
  }

  /** Never rejects. */
  async apply(settings: MdnsSettings): Promise<void> {
    this.#settings = settings
    await this.#move()
  }

  /** Says goodbye. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unfollow()
    this.#settings = undefined
    await this.#move()
  }

  /** One move at a time. */
  #move(): Promise<void> {
    this.#work = this.#work.then(() => this.#moveNow()).catch((error) => this.#tellFailure(error))
    return this.#work
  }

  async #moveNow(): Promise<void> {
    const settings = this.#settings
    const wanted =
      settings?.mdns === true
        ? advertisementsOf(settings, this.#options.lan.state, this.#options.version)
        : new Map<string, LinkAdvertisement>()
    for (const [name, { address, responder }] of this.#responders) {
      if (wanted.get(name)?.link.address === address) continue
      this.#responders.delete(name)
      await responder.stop()
    }
    for (const [name, { link, ad }] of wanted) {
      const known = this.#responders.get(name)
      const text = JSON.stringify(ad)
      if (known === undefined) await this.#begin(name, link, ad)
      else if (known.ad !== text) {
        known.ad = text
        await known.responder.apply(ad)
      }
    }
  }

  async #begin(name: string, link: NetworkAddress, ad: Advertisement): Promise<void> {
    const { log, counters, lan } = this.#options
    const [{ Responder }, { SentPackets }] = await Promise.all([
      import('./mdns/responder.ts'),
      import('./mdns/sent-packets.ts'),
    ])
    this.#sent ??= new SentPackets()
    const responder = new Responder(ad, {
      link,
      counters,
      sent: this.#sent,
      isOwnAddress: (address) =>
        lan.state.addresses.some((own) => own.address.split('%')[0] === address.split('%')[0]),
      onRenamed: ({ wanted, taken }) => {
        const repeats = this.#repeats.admit(`renamed ${name}`) // there may be a machine that takes every name
        if (repeats !== undefined)
          log.warn(
            { interface: name, wanted, taken, ...repeats },
            'another machine has our name on the network',
          )
      },
      onError: (error) => this.#tellFailure(error, name),
    })
    try {
      await responder.start()
      this.#responders.set(name, { address: link.address, ad: JSON.stringify(ad), responder })
      log.debug({ interface: name, services: ad.services.length }, 'broker can be found on the network')
    } catch (error) {
      this.#tellFailure(error, name)
    }
  }

  #tellFailure(error: unknown, name?: string): void {
    const reason = reasonOf(error)
    if (this.#toldFailure === reason) return
    this.#toldFailure = reason
    const fields = { ...(name === undefined ? {} : { interface: name }), reason }
    this.#options.log.warn(fields, 'broker cannot be found by mDNS')
  }
}

interface LinkAdvertisement {
  /** The IPv4 address by which the link is spoken to. */
  readonly link: NetworkAddress
  readonly ad: Advertisement
}

/**
 * What is to be told on each interface: the TCP listeners that can be reached there, but those for WebSockets, for which
 * there is no service type. Nothing on loopback; on interfaces of containers and tunnels only if that is the LAN. Pure.
 */
export function advertisementsOf(
  { name, listeners }: Pick<MdnsSettings, 'name' | 'listeners'>,
  state: LanState,
  version: string,
): Map<string, LinkAdvertisement> {
  const found = new Map<string, LinkAdvertisement>()
  for (const interfaceName of new Set(state.addresses.map((address) => address.interface))) {
    if (isVirtual(interfaceName) && state.lan?.interface !== interfaceName) continue
    const own = state.addresses.filter(
      (address) => address.interface === interfaceName && !address.isLoopback,
    )
    const link = own.find(({ family }) => family === 4)
    if (link === undefined) continue
    const services: AdvertisedService[] = []
    const addresses = new Set<string>()
    for (const listener of listeners) {
      const reached = reachedBy(listener, own, state)
      if (reached.length === 0 || listener.where.kind !== 'tcp') continue
      for (const { address } of reached) addresses.add(address)
      const isSecure = listener.tls !== undefined
      const isFirst = !services.some((service) => service.isSecure === isSecure)
      services.push({ isSecure, port: listener.where.port, suffix: isFirst ? '' : listener.name })
    }
    if (services.length === 0) continue
    found.set(interfaceName, { link, ad: { name, version, services, addresses: [...addresses] } })
  }
  return found
}

/** Those of an interface's addresses at which a listener for MQTT over TCP can be reached. */
function reachedBy(
  { where, webSocket }: Listener,
  own: readonly NetworkAddress[],
  state: LanState,
): readonly NetworkAddress[] {
  if (where.kind !== 'tcp' || webSocket !== undefined) return []
  const { addresses } = resolveBind(where.bind, state)
  const isAll = (family: 4 | 6): boolean =>
    addresses.includes('::') || (family === 4 && addresses.includes('0.0.0.0'))
  return own.filter(
    // a link-local address is of no use without the zone, which each machine calls otherwise
    ({ address, family, isLinkLocal }) =>
      (family === 4 || !isLinkLocal) && (isAll(family) || addresses.includes(address)),
  )
}
