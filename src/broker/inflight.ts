/** What a packet identifier waits for. */
export const waits = { nothing: 0, puback: 1, pubrec: 2, pubcomp: 3 } as const

export type Waits = (typeof waits)[keyof typeof waits]

const smallest = 16
const identifierMax = 65_535

/**
 * The packet identifiers of one session that are in use towards its client, each with what it waits for and the item
 * that is to be sent again if need be. All calls take constant time; the memory follows the window, not the traffic.
 */
export class Inflight<Item> {
  #count = 0
  #next = 1
  #mask = 0
  #order = 0
  #ids: Uint16Array | undefined
  #states: Uint8Array = none
  /** When each was taken, counted: identifiers come round. */
  #orders: Float64Array = noOrders
  /** Only made when something is to be kept: most sessions end with their connection. */
  #items: (Item | undefined)[] | undefined

  get count(): number {
    return this.#count
  }

  /** Takes a free packet identifier. The caller sees to it that no more than 65,535 are taken. */
  take(state: Waits, item: Item | undefined): number {
    if (this.#count > this.#mask || this.#ids === undefined) this.#grow()
    let id = this.#next
    while (id === 0 || this.#states[id & this.#mask] !== waits.nothing) id = (id + 1) & identifierMax
    this.#next = (id + 1) & identifierMax
    this.#put(id, state, item)
    return id
  }

  /** Takes exactly this one, which is free: it was taken in an earlier life of the process. */
  retake(id: number, state: Waits, item: Item): void {
    while (
      this.#ids === undefined ||
      (this.#states[id & this.#mask] !== waits.nothing && this.#mask < identifierMax)
    )
      this.#grow()
    this.#put(id, state, item)
    this.#next = (id + 1) & identifierMax
  }

  stateOf(id: number): Waits {
    const slot = id & this.#mask
    if (this.#ids === undefined || this.#ids[slot] !== id) return waits.nothing
    return this.#states[slot] as Waits
  }

  itemOf(id: number): Item | undefined {
    return this.stateOf(id) === waits.nothing ? undefined : this.#items?.[id & this.#mask]
  }

  /** From one state to the next. @returns false when the identifier is not in that state */
  move(id: number, from: Waits, to: Waits): boolean {
    if (this.stateOf(id) !== from) return false
    this.#states[id & this.#mask] = to
    return true
  }

  /** Gives an identifier back. @returns its item */
  free(id: number): Item | undefined {
    const slot = id & this.#mask
    this.#states[slot] = waits.nothing
    this.#count--
    const items = this.#items
    if (items === undefined) return undefined
    const item = items[slot]
    items[slot] = undefined
    return item
  }

  /** All that are in use, in the order in which they were taken. */
  ids(): number[] {
    const found: number[] = []
    if (this.#ids === undefined) return found
    for (let slot = 0; slot <= this.#mask; slot++) {
      if (this.#states[slot] !== waits.nothing) found.push(this.#ids[slot] as number)
    }
    const orders = this.#orders
    return found.sort((a, b) => (orders[a & this.#mask] as number) - (orders[b & this.#mask] as number))
  }

  #put(id: number, state: Waits, item: Item | undefined): void {
    const slot = id & this.#mask
    ;(this.#ids as Uint16Array)[slot] = id
    this.#states[slot] = state
    this.#orders[slot] = this.#order++
    this.#count++
    if (item === undefined) return
    this.#items ??= new Array<Item | undefined>(this.#mask + 1).fill(undefined)
    this.#items[slot] = item
  }

  #grow(): void {
    const size = this.#ids === undefined ? smallest : (this.#mask + 1) * 2
    const ids = new Uint16Array(size)
    const states = new Uint8Array(size)
    const orders = new Float64Array(size)
    const items = this.#items === undefined ? undefined : new Array<Item | undefined>(size).fill(undefined)
    for (let from = 0; from < this.#states.length; from++) {
      if (this.#states[from] === waits.nothing) continue
      const id = (this.#ids as Uint16Array)[from] as number
      const slot = id & (size - 1) // what did not meet in the smaller one does not meet here
      ids[slot] = id
      states[slot] = this.#states[from] as number
      orders[slot] = this.#orders[from] as number
      if (items !== undefined) items[slot] = this.#items?.[from]
    }
    this.#ids = ids
    this.#states = states
    this.#orders = orders
    this.#items = items
    this.#mask = size - 1
  }
}

const none = new Uint8Array(0)
const noOrders = new Float64Array(0)
