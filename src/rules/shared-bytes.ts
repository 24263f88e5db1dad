/** Something that several may hold at once. */
export interface Shared {
  readonly bytes: number
}

/** The bytes of all that is held, each thing counted once however many hold it. */
export class SharedBytes {
  readonly #holders = new Map<Shared, number>()
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  hold(things: Iterable<Shared> = []): void {
    for (const thing of things) {
      const holders = this.#holders.get(thing) ?? 0
      if (holders === 0) this.#bytes += thing.bytes
      this.#holders.set(thing, holders + 1)
    }
  }

  /** What was held before. */
  release(things: Iterable<Shared> = []): void {
    for (const thing of things) {
      const holders = this.#holders.get(thing) ?? 0
      if (holders > 1) this.#holders.set(thing, holders - 1)
      else if (this.#holders.delete(thing)) this.#bytes -= thing.bytes
    }
  }

  clear(): void {
    this.#holders.clear()
    this.#bytes = 0
  }
}
