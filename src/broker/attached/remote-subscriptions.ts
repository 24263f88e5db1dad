import { filterCover, overlap } from '../../core/filter-cover.ts'
import { isShared } from '../../core/shared-filter.ts'
import type { Link } from './link.ts'

export interface RemoteSubscriptionsParts {
  /** Called with filters that the broker does not let us have, once a connection. */
  readonly onRefused: (filters: readonly string[]) => void
}

/**
 * Keeps our subscriptions at the broker as the house wants them: a cover of all wanted filters, of which no two
 * overlap. Changes of one turn travel together; one change is made after the other.
 */
export class RemoteSubscriptions {
  readonly #parts: RemoteSubscriptionsParts
  /** How many in the house want the filter. */
  readonly #wanted = new Map<string, number>()
  #held = new Set<string>()
  /** What the broker may hold: its answer is not there yet, or never came. */
  #doubtful = new Set<string>()
  #refused = new Set<string>()
  /** What is to be subscribed to, perhaps once more, so that its retained messages come. */
  #asked = new Set<string>()
  #cover: readonly string[] | undefined
  #link: Link | undefined
  #work: Promise<void> = Promise.resolve()

  constructor(parts: RemoteSubscriptionsParts) {
    this.#parts = parts
  }

  add(filters: readonly string[]): void {
    for (const filter of filters) this.#wanted.set(filter, (this.#wanted.get(filter) ?? 0) + 1)
    this.#changed()
  }

  remove(filters: readonly string[]): void {
    for (const filter of filters) {
      const count = (this.#wanted.get(filter) ?? 0) - 1
      if (count > 0) this.#wanted.set(filter, count)
      else this.#wanted.delete(filter)
    }
    this.#changed()
  }

  /** There is a connection. Resolves when everything wanted is subscribed; rejects when the connection ends before. */
  open(link: Link): Promise<void> {
    if (!link.isResumed) this.forget()
    this.#refused = new Set()
    this.#link = link
    return this.#sync()
  }

  /** The connection is gone. */
  close(): void {
    this.#link = undefined
    this.#asked = new Set()
  }

  /** Leaves none at this broker. Resolves when it has acknowledged that; rejects when the connection ends before. */
  async leave(): Promise<void> {
    const link = this.#link
    this.close() // the next changes are for the next broker
    const filters = [...this.#held, ...this.#doubtful]
    this.forget()
    if (link !== undefined && filters.length > 0) await link.unsubscribe(filters)
  }

  /** The broker holds nothing for us. */
  forget(): void {
    this.#held = new Set()
    this.#doubtful = new Set()
  }

  /**
   * Makes the broker send the retained messages of a wanted filter, and perhaps more. Resolves when it has
   * acknowledged that; rejects when there is no connection, or it ends before.
   */
  ask(filter: string): Promise<void> {
    const wide = this.#covering().find((other) => overlap(other, filter))
    if (wide !== undefined) this.#asked.add(wide)
    return this.#sync()
  }

  #covering(): readonly string[] {
    if (this.#cover !== undefined) return this.#cover
    const all = [...this.#wanted.keys()]
    // a wider share would take messages from others who share it, for nothing
    this.#cover = [...filterCover(all.filter((filter) => !isShared(filter))), ...all.filter(isShared)]
    return this.#cover
  }

  #changed(): void {
    this.#cover = undefined
    if (this.#link !== undefined) this.#sync().catch(() => {}) // with a next connection it begins anew
  }

  #sync(): Promise<void> {
    const done = this.#work.then(() => this.#run(this.#link))
    this.#work = done.catch(() => {}) // whoever waits is told
    return done
  }

  async #run(link: Link | undefined): Promise<void> {
    if (link === undefined) throw new Error('not connected')
    for (;;) {
      if (link !== this.#link) throw new Error('the connection is gone')
      const cover = new Set(this.#covering().filter((filter) => !this.#refused.has(filter)))
      const asked = this.#asked
      this.#asked = new Set()
      const missing = [...cover].filter((filter) => !this.#held.has(filter) || asked.has(filter))
      const surplus = [...this.#held, ...this.#doubtful].filter((filter) => !cover.has(filter))
      if (missing.length === 0 && surplus.length === 0) return
      if (missing.length > 0) await this.#subscribe(link, missing)
      if (surplus.length > 0) await this.#unsubscribe(link, surplus)
    }
  }

  async #subscribe(link: Link, filters: readonly string[]): Promise<void> {
    this.#doubt(filters)
    const refused = await link.subscribe(filters)
    for (const filter of filters) {
      this.#doubtful.delete(filter)
      if (refused.includes(filter)) this.#refused.add(filter)
      else this.#held.add(filter)
    }
    if (refused.length > 0) this.#parts.onRefused(refused)
  }

  async #unsubscribe(link: Link, filters: readonly string[]): Promise<void> {
    this.#doubt(filters)
    await link.unsubscribe(filters)
    for (const filter of filters) this.#doubtful.delete(filter)
  }

  #doubt(filters: readonly string[]): void {
    for (const filter of filters) {
      this.#held.delete(filter)
      this.#doubtful.add(filter)
    }
  }
}
