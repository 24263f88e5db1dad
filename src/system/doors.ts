import type { DamselflyError } from '../core/errors.ts'
import { type Listener, mainListener, type WayIn } from '../core/listener.ts'
import type { Logger } from '../core/ports.ts'
import { resolveBind } from './bind.ts'
import type { Lan } from './lan.ts'

/** What could not be opened: an address, or the whole of a listener. */
export interface DoorFailure {
  readonly listener: string
  readonly address: string | undefined
  readonly error: DamselflyError
}

/** What `Doors` moves: something that listens on exactly the addresses that it is given. */
export interface Listening {
  listen(ways: readonly WayIn[]): Promise<readonly DoorFailure[]>
}

export interface DoorsOptions {
  readonly lan: Pick<Lan, 'state' | 'onChange'>
  readonly listening: Listening
  readonly log: Logger
  /** Called when the set of addresses has changed, or what is missing has. */
  readonly onChange: () => void
  /** How long until an address that could not be listened on is tried again; 5,000 unless told. */
  readonly retryMs?: number
}

/**
 * Keeps the listeners where their `BIND` wants them while the network comes, goes and changes. An address that is
 * not there yet is waited for, one that is taken is tried again; each is said once.
 */
export class Doors implements AsyncDisposable {
  readonly #options: DoorsOptions
  readonly #unfollow: () => void
  readonly #saidReasons = new Set<string>()
  #wanted: readonly Listener[] | undefined
  #work: Promise<unknown> = Promise.resolve()
  #retry: NodeJS.Timeout | undefined
  /** Where it listens now, by the name of the listener. */
  #addresses: ReadonlyMap<string, readonly string[]> = new Map()
  #pending: readonly string[] = []

  constructor(options: DoorsOptions) {
    this.#options = options
    this.#unfollow = options.lan.onChange(() => void this.#move())
  }

  /** Where that listener listens now; that of `BIND` and `PORT` unless told. */
  addressesOf(listener: string = mainListener): readonly string[] {
    return this.#addresses.get(listener) ?? []
  }

  /** What cannot be served now, in words. */
  get pending(): readonly string[] {
    return this.#pending
  }

  /**
   * Opens, moves and closes doors as these listeners say, from now on.
   * @throws DamselflyError when an address is taken at the first call (half a broker, beside another one, would
   *   mislead), or later when no door at all could be opened
   */
  async apply(listeners: readonly Listener[]): Promise<void> {
    const isFirst = this.#wanted === undefined
    this.#wanted = listeners
    const failures = await this.#move()
    const taken = isFirst ? failures.find(({ error }) => error.code === 'ADDRESS_IN_USE') : undefined
    const fatal = taken ?? (this.#isOpen() ? undefined : failures[0])
    if (fatal !== undefined) throw fatal.error
  }

  /** Moves no more; resolves when a move that was under way is over. The listeners stay as they are. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unfollow()
    this.#wanted = undefined
    clearTimeout(this.#retry)
    await this.#work
  }

  #isOpen(): boolean {
    return [...this.#addresses.values()].some((addresses) => addresses.length > 0)
  }

  #move(): Promise<readonly DoorFailure[]> {
    return this.#enqueue(async () => {
      if (this.#wanted === undefined) return []
      clearTimeout(this.#retry)
      const { ways, missing } = this.#resolve(this.#wanted)
      const failures = await this.#options.listening.listen(ways)
      if (this.#wanted === undefined) return []
      const reasons = [...missing, ...failures.map(({ error }) => error.message)]
      this.#tell(reasons)
      const before = this.#shown()
      this.#addresses = new Map(
        ways.map(({ listener: { name }, addresses }) => [
          name,
          addresses.filter((address) => !failures.some((failure) => isAbout(failure, name, address))),
        ]),
      )
      this.#pending = reasons
      if (failures.length > 0)
        this.#retry = setTimeout(() => void this.#move(), this.#options.retryMs ?? 5_000)
      if (this.#shown() !== before) this.#options.onChange()
      return failures
    })
  }

  /** Where each is to listen as the network is now, and what is missing for that; for several of them it is said once. */
  #resolve(listeners: readonly Listener[]): { ways: readonly WayIn[]; missing: readonly string[] } {
    const missing = new Set<string>()
    const ways = listeners.map((listener): WayIn => {
      const { where } = listener
      if (where.kind === 'unix') return { listener, addresses: [where.path] }
      const { addresses, pending } = resolveBind(where.bind, this.#options.lan.state)
      for (const { reason } of pending) missing.add(reason)
      return { listener, addresses }
    })
    return { ways, missing: [...missing] }
  }

  #shown(): string {
    return JSON.stringify([[...this.#addresses], this.#pending])
  }

  /** Says what is missing once, and again only when it was there in between. */
  #tell(reasons: readonly string[]): void {
    for (const reason of reasons) {
      if (this.#saidReasons.has(reason)) continue
      this.#options.log.warn({ reason }, 'not listening everywhere yet')
    }
    this.#saidReasons.clear()
    for (const reason of reasons) this.#saidReasons.add(reason)
  }

  /** One move at a time: two at once would open what the other closes. */
  #enqueue<Result>(move: () => Promise<Result>): Promise<Result> {
    const result = this.#work.then(move)
    this.#work = result.catch(() => undefined)
    return result
  }
}

function isAbout(failure: DoorFailure, listener: string, address: string): boolean {
  return failure.listener === listener && (failure.address === undefined || failure.address === address)
}
