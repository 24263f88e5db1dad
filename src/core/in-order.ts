/** Lets work that runs side by side come to its end in the order in which it was begun. */
export class InOrder {
  #last: Promise<unknown> = Promise.resolve()
  #running = 0

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return this.#running === 0
  }

  /** Settles as `work` does, but not before all that was handed in earlier has settled. */
  async settle<Result>(work: Promise<Result>): Promise<Result> {
    const mine = Promise.allSettled([this.#last, work]).then(() => {}) // keeps none of the results
    this.#last = mine
    this.#running++
    await mine
    this.#running--
    return await work
  }
}
