import { Fifo } from '../../core/fifo.ts'

/** Waiting items by owner: each owner in its turn, and of one owner the oldest first. */
export class FairQueue<Item> {
  /** The owner whose turn is next first; none is empty. */
  readonly #queues = new Map<string, Fifo<Item>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  push(owner: string, item: Item): void {
    let queue = this.#queues.get(owner)
    if (queue === undefined) {
      queue = new Fifo()
      this.#queues.set(owner, queue)
    }
    queue.push(item)
    this.#size++
  }

  /** Takes the next item of an owner who is not among these. */
  take(busy: ReadonlySet<string>): Item | undefined {
    for (const [owner, queue] of this.#queues) {
      if (busy.has(owner)) continue
      this.#queues.delete(owner)
      const item = queue.shift()
      if (queue.size > 0) this.#queues.set(owner, queue) // behind the others
      this.#size--
      return item
    }
    return undefined
  }

  /** Takes the oldest item of the owner who has most. */
  takeFromLongest(): Item | undefined {
    let [longest, most] = ['', 0]
    for (const [owner, { size }] of this.#queues) if (size > most) [longest, most] = [owner, size]
    const queue = this.#queues.get(longest)
    const item = queue?.shift()
    if (queue?.size === 0) this.#queues.delete(longest)
    if (most > 0) this.#size--
    return item
  }
}
