import type { InputPin, PinState } from '#src/core/pin.js'
import type { PinListener } from '#src/gpio/board.js'
import type { WireEdge } from '#src/gpio/chip.js'

/** A board of inputs that only says what it is told to say. */
export class SayingBoard {
  pins: InputPin[] = []
  readonly told: string[] = []
  readonly #listeners = new Set<PinListener>()

  listen(listener: PinListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tellTotal(pin: string): void {
    this.told.push(pin)
  }

  /** An edge as the kernel tells it, and what the board makes of it. */
  edge(
    pin: InputPin,
    state: PinState,
    edge: Partial<WireEdge> & { atMs: number },
    chain: string[] = [],
  ): void {
    const wire = { lostEdges: 0, rises: state === 'on' ? 1 : 0, ...edge }
    for (const listener of this.#listeners) {
      listener.onWire?.(pin, state, wire, chain)
      listener.onState?.(pin.name, state, chain)
      listener.onEdge?.(pin, state, chain)
    }
  }

  /** A level that was only looked at. */
  seen(pin: InputPin, state: PinState): void {
    for (const listener of this.#listeners) listener.onState?.(pin.name, state, [])
  }

  align(pin: InputPin, total: number): void {
    for (const listener of this.#listeners) listener.onAlign?.(pin, total)
  }

  remove(pin: InputPin): void {
    for (const listener of this.#listeners) listener.onRemoved?.(pin.name)
  }
}
