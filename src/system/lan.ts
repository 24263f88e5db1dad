import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Identity, Logger } from '../core/ports.ts'
import type { BindState } from './bind.ts'
import { defaultInterface } from './default-interface.ts'
import { chooseLan } from './lan-choice.ts'
import { type Network, type NetworkAddress, readNetwork } from './network.ts'

/** The network as `BIND` and the start block see it. */
export interface LanState extends BindState {
  readonly host: string
}

export interface LanOptions {
  readonly log: Logger
  /** How often the network is read; 2,000 unless told. */
  readonly intervalMs?: number
  /**
   * How long the addresses of an interface count after its link was found down, so that a Wi-Fi access point
   * that restarts costs no connection; 10,000 unless told.
   */
  readonly lossMs?: number
  /** Time that the first answer may take; 2,000 unless told. 0: it is not asked for. */
  readonly firstAnswerMs?: number
}

const nothing: LanState = { host: hostname(), lan: undefined, addresses: [], interfaces: [] }

/**
 * Who this machine is on its LAN, for as long as it runs. `start` asks once, systeminformation included;
 * afterwards the kernel's tables are read at an interval, and nothing blocks or sends a packet.
 * `chooseLan` has the order of preference.
 */
export class Lan implements AsyncDisposable {
  /** Live: reading it gives the values of this moment. */
  readonly identity: Identity
  readonly #options: Required<LanOptions>
  readonly #listeners = new Set<(state: LanState) => void>()
  readonly #lastSeen = new Map<string, { addresses: readonly NetworkAddress[]; lostAtMs?: number }>()
  readonly #end = new AbortController()
  #state = nothing
  #firstInterface: string | undefined
  #isDeaf = false
  #started: Promise<void> | undefined
  #following: Promise<void> | undefined

  constructor(options: LanOptions) {
    this.#options = { intervalMs: 2_000, lossMs: 10_000, firstAnswerMs: 2_000, ...options }
    const current = () => this.#state
    this.identity = {
      get host() {
        return current().host
      },
      get ip() {
        return current().lan?.address ?? ''
      },
    }
  }

  get state(): LanState {
    return this.#state
  }

  /**
   * Reads the network and begins to follow it. Resolves when `state` holds the first answer, address or not,
   * within `firstAnswerMs`. A second call does nothing.
   */
  async start(): Promise<void> {
    this.#started ??= this.#start()
    await this.#started
  }

  /**
   * Calls `listener` after each change of state; it must not throw.
   * @returns ends that; a second call does nothing
   */
  onChange(listener: (state: LanState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Ends the following; no listener is called afterwards. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    this.#listeners.clear()
    await this.#started
    await this.#following
  }

  async #start(): Promise<void> {
    const { firstAnswerMs, log } = this.#options
    const { signal } = this.#end
    this.#firstInterface = firstAnswerMs > 0 ? await defaultInterface(firstAnswerMs, signal) : undefined
    await this.#read(this.#firstInterface)
    if (this.#state.lan === undefined)
      log.warn({ host: this.#state.host }, 'no LAN address yet, waiting for one')
    this.#following = this.#follow()
  }

  async #follow(): Promise<void> {
    const { signal } = this.#end
    while (!signal.aborted) {
      // the watch alone keeps no process alive
      await sleep(this.#options.intervalMs, undefined, { signal, ref: false }).catch(() => undefined)
      if (signal.aborted) return
      const before = this.#state
      await this.#read()
      if (this.#state === before) continue
      if (this.#state.lan?.address !== before.lan?.address) this.#tell()
      for (const listener of this.#listeners) listener(this.#state)
    }
  }

  /** Sets `state` to a new object if anything in it has changed. */
  async #read(firstInterface?: string): Promise<void> {
    let network: Network
    try {
      network = this.#withLostLinks(await readNetwork())
      this.#isDeaf = false
    } catch (err) {
      if (!this.#isDeaf) this.#options.log.error({ err }, 'network cannot be read')
      this.#isDeaf = true
      return
    }
    // the first answer grows old; later only a machine that hides its routing table goes by it
    const hint = network.routes === undefined ? this.#firstInterface : firstInterface
    const { addresses, interfaces } = network
    const state = { host: hostname(), lan: chooseLan(network, hint), addresses, interfaces }
    if (JSON.stringify(state) !== JSON.stringify(this.#state)) this.#state = state
  }

  /** The network plus the addresses of interfaces that are still there but lost their link a moment ago. */
  #withLostLinks(network: Network): Network {
    const nowMs = performance.now()
    const present = new Set(network.addresses.map((address) => address.interface))
    for (const name of present) {
      const addresses = network.addresses.filter((address) => address.interface === name)
      this.#lastSeen.set(name, { addresses })
    }
    const lost: NetworkAddress[] = []
    for (const [name, last] of this.#lastSeen) {
      if (present.has(name)) continue
      last.lostAtMs ??= nowMs
      if (nowMs - last.lostAtMs < this.#options.lossMs && network.interfaces.includes(name))
        lost.push(...last.addresses)
      else this.#lastSeen.delete(name)
    }
    return lost.length === 0 ? network : { ...network, addresses: [...network.addresses, ...lost] }
  }

  #tell(): void {
    const { lan, host } = this.#state
    if (lan === undefined) this.#options.log.warn({ host }, 'LAN address lost, waiting for another')
    else this.#options.log.info({ interface: lan.interface, ip: lan.address }, 'LAN address changed')
  }
}
