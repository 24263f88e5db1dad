// Which of the numbers 1, 2, 3 … have been seen: as little memory as their holes take.

export class Numbers {
  /** All up to here have been seen, or are not waited for. */
  #upTo = 0
  #beyond = new Set()
  /** Not waited for, and not seen. */
  #skipped = new Set()

  /** @returns whether it is seen for the first time */
  see(number) {
    if (this.#skipped.delete(number)) return true
    if (this.has(number)) return false
    this.#add(number)
    return true
  }

  /** It need not come. */
  skip(number) {
    if (this.has(number)) return
    this.#skipped.add(number)
    this.#add(number)
  }

  has(number) {
    return number <= this.#upTo || this.#beyond.has(number)
  }

  #add(number) {
    this.#beyond.add(number)
    while (this.#beyond.delete(this.#upTo + 1)) this.#upTo++
  }
}
