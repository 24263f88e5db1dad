/**
 * What all owners share of one thing, in bytes, and how much of it each takes. One owner may take as much as is left for
 * the others then, at most: whoever wants all of it gets a half, and the next one half of the rest.
 */
export class FairShare {
  readonly #byOwner = new Map<string, number>()
  #total = 0

  /** Whether an owner may take so many bytes more, of at most `bytesMax` for all of them. */
  hasRoomFor(owner: string, bytes: number, bytesMax: number): boolean {
    const taken = (this.#byOwner.get(owner) ?? 0) + bytes
    return taken <= bytesMax - this.#total - bytes
  }

  take(owner: string, bytes: number): void {
    if (bytes === 0) return
    this.#total += bytes
    this.#byOwner.set(owner, (this.#byOwner.get(owner) ?? 0) + bytes)
  }

  giveBack(owner: string, bytes: number): void {
    const left = (this.#byOwner.get(owner) ?? 0) - bytes
    this.#total -= bytes
    if (left > 0) this.#byOwner.set(owner, left)
    else this.#byOwner.delete(owner)
  }
}
