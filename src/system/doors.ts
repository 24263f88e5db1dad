import type { Bind } from '../core/bind.ts'
import type { DamselflyError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { resolveBind } from './bind.ts'
import type { Lan } from './lan.ts'

/** What `Doors` moves: something that listens on exactly the addresses that it is given. */
export interface Listening {
  listen(
    addresses: readonly string[],
    port: number,
  ): Promise<readonly { address: string; error: DamselflyError }[]>
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
 * Keeps the listeners where `BIND` wants them while the network comes, goes and changes. An address that is
 * not there yet is waited for, one that is taken is tried again; each is said once.
 */
export class Doors implements AsyncDisposable {
  readonly #options: DoorsOptions
  readonly #unfollow: () => void
  readonly #told = new Set<string>()
  #wanted: { readonly bind: readonly Bind[]; readonly port: number } | undefined
  #work: Promise<unknown> = Promise.resolve()
  #retry: NodeJS.Timeout | undefined
  #addresses: readonly string[] = []
  #pending: readonly string[] = []

  constructor(options: DoorsOptions) {
    this.#options = options
    this.#unfollow = options.lan.onChange(() => void this.#move())
  }

  /** Where it listens now. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** What of `BIND` cannot be served now, in words. */
  get pending(): readonly string[] {
    return this.#pending
  }

  /**
   * Opens, moves and closes doors as `BIND` and `PORT` say, from now on.
   * @throws DamselflyError when an address is taken at the first call (half a broker, beside another one, would
   *   mislead), or later when no door at all could be opened
   */
  async apply(bind: readonly Bind[], port: number): Promise<void> {
    const isFirst = this.#wanted === undefined
    const hasMoved = this.#wanted !== undefined && this.#wanted.port !== port
    this.#wanted = { bind, port }
    if (hasMoved) await this.#enqueue(() => this.#options.listening.listen([], port))
    const failures = await this.#move()
    const taken = isFirst ? failures.find(({ error }) => error.code === 'ADDRESS_IN_USE') : undefined
    const fatal = taken ?? (this.#addresses.length === 0 ? failures[0] : undefined)
    if (fatal !== undefined) throw fatal.error
  }

  /** Moves no more; resolves when a move that was under way is over. The listeners stay as they are. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unfollow()
    this.#wanted = undefined
    clearTimeout(this.#retry)
    await this.#work
  }

  #move(): Promise<readonly { address: string; error: DamselflyError }[]> {
    return this.#enqueue(async () => {
      if (this.#wanted === undefined) return []
      clearTimeout(this.#retry)
      const { bind, port } = this.#wanted
      const { addresses, pending } = resolveBind(bind, this.#options.lan.state)
      const failures = await this.#options.listening.listen(addresses, port)
      if (this.#wanted === undefined) return []
      const failed = new Set(failures.map(({ address }) => address))
      const reasons = [...pending.map(({ reason }) => reason), ...failures.map(({ error }) => error.message)]
      this.#tell(reasons)
      const before = JSON.stringify([this.#addresses, this.#pending])
      this.#addresses = addresses.filter((address) => !failed.has(address))
      this.#pending = reasons
      if (failures.length > 0)
        this.#retry = setTimeout(() => void this.#move(), this.#options.retryMs ?? 5_000)
      if (JSON.stringify([this.#addresses, this.#pending]) !== before) this.#options.onChange()
      return failures
    })
  }

  /** Says what is missing once, and again only when it was there in between. */
  #tell(reasons: readonly string[]): void {
    for (const reason of reasons) {
      if (this.#told.has(reason)) continue
      this.#options.log.warn({ reason }, 'not listening everywhere yet')
    }
    this.#told.clear()
    for (const reason of reasons) this.#told.add(reason)
  }

  /** One move at a time: two at once would open what the other closes. */
  #enqueue<Result>(move: () => Promise<Result>): Promise<Result> {
    const result = this.#work.then(move)
    this.#work = result.catch(() => undefined)
    return result
  }
}
