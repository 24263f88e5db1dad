/**
 * Waiting items by owner: each owner in its turn, and of one owner the newest first. Whoever has sent many lets his own old
 * ones wait, and somebody who shares an owner with him has a chance.
 */
export class FairQueue<Item> {
  /** The owner whose turn is next first; none is empty. */
  readonly #items = new Map<string, Item[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  push(owner: string, item: Item): void {
    const items = this.#items.get(owner)
    if (items === undefined) this.#items.set(owner, [item])
    else items.push(item)
    this.#size++
  }

  /** Takes the next item of an owner who is not among these. */
  take(busy: ReadonlySet<string>): Item | undefined {
    for (const [owner, items] of this.#items) {
      if (busy.has(owner)) continue
      this.#items.delete(owner)
      const item = items.pop()
      if (items.length > 0) this.#items.set(owner, items) // behind the others
      this.#size--
      return item
    }
    return undefined
  }

  /** Forgets the items of which this is true. */
  drop(isOver: (item: Item) => boolean): void {
    for (const [owner, items] of this.#items) {
      const rest = items.filter((item) => !isOver(item))
      this.#size -= items.length - rest.length
      if (rest.length === 0) this.#items.delete(owner)
      else if (rest.length < items.length) this.#items.set(owner, rest) // it keeps its turn
    }
  }

  /** Takes the oldest item of the owner who has most. */
  takeFromLongest(): Item | undefined {
    let [longest, most] = ['', 0]
    for (const [owner, { length }] of this.#items) if (length > most) [longest, most] = [owner, length]
    const items = this.#items.get(longest)
    if (items === undefined) return undefined
    if (most === 1) this.#items.delete(longest)
    this.#size--
    return items.shift()
  }
}
