import { limits } from '../core/limits.ts'

/** Below this share of the limit the pressure is over. */
const reliefShare = 0.9

/**
 * What waits in all sessions and connections together, in bytes. Above `memoryBytesMax` there is pressure: publishers
 * wait for their acknowledgements, and what waits for clients that are away is shed.
 */
export class MemoryBudget {
  /** Called in one of the next turns of the event loop under pressure. @returns whether there is more that may go */
  shed: () => boolean = () => false
  #bytes = 0
  #isPressing = false
  #isShedding = false
  readonly #onPressure: () => void
  readonly #onRelief: () => void
  /** How often memory that several connections share is held. */
  readonly #shared = new Map<ArrayBufferLike, number>()

  constructor(onPressure: () => void, onRelief: () => void) {
    this.#onPressure = onPressure
    this.#onRelief = onRelief
  }

  get bytes(): number {
    return this.#bytes
  }

  get isPressing(): boolean {
    return this.#isPressing
  }

  /** Adds to what waits; a negative number takes away. */
  add(bytes: number): void {
    this.#bytes += bytes
    if (this.#isPressing) {
      if (this.#bytes < limits.memoryBytesMax * reliefShare) {
        this.#isPressing = false
        this.#onRelief()
      } else if (bytes > 0) this.#shedSoon()
    } else if (this.#bytes > limits.memoryBytesMax) {
      this.#isPressing = true
      this.#onPressure()
      this.#shedSoon()
    }
  }

  /** Adds the memory that these bytes are a part of, once for all who hold it. */
  hold({ buffer }: Uint8Array): void {
    const count = this.#shared.get(buffer)
    this.#shared.set(buffer, (count ?? 0) + 1)
    if (count === undefined) this.add(buffer.byteLength)
  }

  /** One of those who hold it does no longer. */
  drop({ buffer }: Uint8Array): void {
    const count = this.#shared.get(buffer)
    if (count === undefined) return
    if (count > 1) this.#shared.set(buffer, count - 1)
    else {
      this.#shared.delete(buffer)
      this.add(-buffer.byteLength)
    }
  }

  #shedSoon(): void {
    if (this.#isShedding) return
    this.#isShedding = true
    setImmediate(() => {
      this.#isShedding = false
      if (this.#isPressing && this.shed() && this.#isPressing) this.#shedSoon()
    })
  }
}
