import { limits } from '../core/limits.ts'

/** Below this share of the limit the pressure is over. */
const reliefShare = 0.9

/**
 * What waits in all sessions and connections together, in bytes. Above `memoryBytesMax` there is pressure: publishers
 * wait for their acknowledgements, and sessions without a client take nothing more.
 */
export class MemoryBudget {
  #bytes = 0
  #isPressing = false
  readonly #onPressure: () => void
  readonly #onRelief: () => void

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
      if (this.#bytes >= limits.memoryBytesMax * reliefShare) return
      this.#isPressing = false
      this.#onRelief()
    } else if (this.#bytes > limits.memoryBytesMax) {
      this.#isPressing = true
      this.#onPressure()
    }
  }
}
