import type { Press, PressKind } from '../core/pin.ts'

type State =
  /** Nobody presses, or a press is under way that began before we looked. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'held'; readonly sinceMs: number }
  /** Still held, and told already. */
  | { readonly kind: 'told' }
  /** Released after a short press; a second one would make it double. */
  | { readonly kind: 'released'; readonly atMs: number }

const idle: State = { kind: 'idle' }

/**
 * Tells the presses of one button apart, by the times at which its edges were, whenever it comes to hear of them.
 *
 * A press is `short` when it is released before `longMs`, else `long`: told once, while it is held, and its
 * release tells nothing. A press that begins within `doubleMs` after a short one was released makes both together
 * `double`, told when it begins; nothing more comes of it, however long it is held. A third press is a press of its own.
 * Without `longMs` a long one is short; without `doubleMs` each is told at once.
 */
export class PressDetector {
  readonly #press: Press
  #state: State = idle

  constructor(press: Press) {
    this.#press = press
  }

  /** Whether a press is under way. */
  get isHeld(): boolean {
    return this.#state.kind === 'held' || this.#state.kind === 'told'
  }

  /** When `look` is to be called, unless an edge comes before; undefined when nothing is waited for. */
  get dueMs(): number | undefined {
    const { longMs, doubleMs } = this.#press
    const state = this.#state
    if (state.kind === 'held' && longMs !== undefined) return state.sinceMs + longMs
    if (state.kind === 'released' && doubleMs !== undefined) return state.atMs + doubleMs
    return undefined
  }

  /** An edge that was at `atMs`. */
  edge(isOn: boolean, atMs: number): PressKind | undefined {
    return isOn ? this.#pressed(atMs) : this.#released(atMs)
  }

  /** Time has gone by, and every edge up to `nowMs` has been told. */
  look(nowMs: number): PressKind | undefined {
    if (this.dueMs === undefined || nowMs < this.dueMs) return undefined
    const isHeld = this.#state.kind === 'held'
    this.#state = isHeld ? { kind: 'told' } : idle
    return isHeld ? 'long' : 'short'
  }

  /** Edges were lost, or the button is seen released: what is under way is no press, what was complete is one. */
  interrupt(): PressKind | undefined {
    const wasComplete = this.#state.kind === 'released'
    this.#state = idle
    return wasComplete ? 'short' : undefined
  }

  #pressed(atMs: number): PressKind | undefined {
    const state = this.#state
    if (state.kind === 'held' || state.kind === 'told') return undefined // a bounce
    const { dueMs } = this
    if (dueMs !== undefined && atMs < dueMs) {
      this.#state = { kind: 'told' }
      return 'double'
    }
    this.#state = { kind: 'held', sinceMs: atMs }
    return state.kind === 'released' ? 'short' : undefined // the first one, whose time has passed
  }

  #released(atMs: number): PressKind | undefined {
    if (this.#state.kind === 'told') this.#state = idle
    if (this.#state.kind !== 'held') return undefined
    const isLong = this.dueMs !== undefined && atMs >= this.dueMs
    if (!isLong && this.#press.doubleMs !== undefined) {
      this.#state = { kind: 'released', atMs }
      return undefined
    }
    this.#state = idle
    return isLong ? 'long' : 'short'
  }
}
