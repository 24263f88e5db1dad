import type { WireEdge } from './chip.ts'
import type { LineEvent } from './uapi.ts'

/**
 * Finds by their numbers which of a line's edges were lost, wherever that was: in the kernel's buffer, in the
 * queue of the input thread, or with a thread that died. Lost edges are taken to have alternated, as edges of a
 * wire do; an edge to a level that was there already is no rise.
 * One for each request of a line, for the kernel counts from 1 again.
 */
export class EdgeSequence {
  #seqno = 0
  #value: boolean | undefined

  take({ value, atMs, seqno }: LineEvent): WireEdge {
    const steps = (seqno - this.#seqno) | 0 // the number has 32 bits and begins again
    this.#seqno = seqno
    const lostEdges = Math.max(0, steps - 1)
    // before the first edge the level is what makes it an edge
    let level = this.#value ?? (lostEdges % 2 === 0 ? !value : value)
    let rises = Math.floor((lostEdges + (level ? 0 : 1)) / 2)
    if (lostEdges % 2 === 1) level = !level
    if (value && !level) rises++
    this.#value = value
    return { atMs, lostEdges, rises }
  }
}
