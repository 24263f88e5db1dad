import type { InputPin, Press, PressKind } from '../core/pin.ts'
import type { PinBoard } from './board.ts'
import type { WireEdge } from './chip.ts'
import { monotonicMs } from './clock.ts'
import type { PinOutbox } from './outbox.ts'
import { PressDetector } from './press-detector.ts'

export interface PressesOptions {
  readonly board: Pick<PinBoard, 'listen'>
  readonly outbox: Pick<PinOutbox, 'send'>
  /** Damselfly's name: `damselfly/NAME/pins/PIN/press`. */
  readonly name: string
  /** By the clock of the edges; `monotonicMs` unless told. */
  readonly nowMs?: () => number
}

export interface Presses {
  /** Tells no more. */
  close(): void
}

/**
 * Publishes the presses of inputs with `press`: the word `short`, `long` or `double`, not retained, on the topic that
 * the pin has for it and on `damselfly/NAME/pins/PIN/press`. Follows the board through reloads; a button whose
 * `press` has changed begins anew.
 */
export function startPresses(options: PressesOptions): Presses {
  const buttons = new Buttons(options)
  buttons.start()
  return buttons
}

interface Button {
  readonly name: string
  readonly press: Press
  readonly detector: PressDetector
  /** Of the last edge. */
  chain: readonly string[]
  timer: NodeJS.Timeout | undefined
  look: NodeJS.Immediate | undefined
}

class Buttons implements Presses {
  readonly #board: Pick<PinBoard, 'listen'>
  readonly #prefix: string
  readonly #nowMs: () => number
  readonly #outbox: Pick<PinOutbox, 'send'>
  readonly #buttons = new Map<string, Button>()
  #end = (): void => {}

  constructor(options: PressesOptions) {
    this.#board = options.board
    this.#prefix = `damselfly/${options.name}/pins/`
    this.#nowMs = options.nowMs ?? monotonicMs
    this.#outbox = options.outbox
  }

  start(): void {
    this.#end = this.#board.listen({
      onWire: (pin, state, edge, chain) => this.#edge(pin, state === 'on', edge, chain),
      onState: (pin, state) => this.#seen(pin, state === 'on'),
      onRemoved: (pin) => this.#forget(pin),
    })
  }

  close(): void {
    this.#end()
    for (const pin of [...this.#buttons.keys()]) this.#forget(pin)
  }

  #edge(pin: InputPin, isOn: boolean, edge: WireEdge, chain: readonly string[]): void {
    const button = this.#buttonOf(pin)
    if (button === undefined) return
    button.chain = chain
    if (edge.lostEdges > 0) this.#tell(button, button.detector.interrupt())
    this.#tell(button, button.detector.edge(isOn, edge.atMs))
    this.#arm(button)
  }

  /** After an edge this says nothing new; else the release was lost, or the line was taken anew. */
  #seen(pin: string, isOn: boolean): void {
    const button = this.#buttons.get(pin)
    if (button === undefined || isOn || !button.detector.isHeld) return
    this.#tell(button, button.detector.interrupt())
    this.#arm(button)
  }

  #buttonOf({ name, press }: InputPin): Button | undefined {
    const known = this.#buttons.get(name)
    if (known !== undefined && JSON.stringify(known.press) === JSON.stringify(press)) return known
    this.#forget(name)
    if (press === undefined) return undefined
    const detector = new PressDetector(press)
    const button: Button = { name, press, detector, chain: [], timer: undefined, look: undefined }
    this.#buttons.set(name, button)
    return button
  }

  #forget(pin: string): void {
    const button = this.#buttons.get(pin)
    if (button !== undefined) disarm(button)
    this.#buttons.delete(pin)
  }

  /**
   * @NOTE When a busy process comes to a timer, edges of long ago may still wait for it. They are taken after the timers
   * and before the immediates of the same turn: only then is it known whether the button is still held.
   */
  #arm(button: Button): void {
    disarm(button)
    const { dueMs } = button.detector
    if (dueMs === undefined) return
    button.timer = setTimeout(
      () => {
        button.look = setImmediate(() => {
          this.#tell(button, button.detector.look(this.#nowMs()))
          this.#arm(button)
        })
      },
      Math.max(0, Math.ceil(dueMs - this.#nowMs())),
    )
  }

  #tell({ name, press, chain }: Button, kind: PressKind | undefined): void {
    if (kind === undefined) return
    const own = `${this.#prefix}${name}/press`
    for (const topic of new Set([own, press.topics[kind] ?? own]))
      this.#outbox.send({ topic, payload: kind, qos: 1, chain })
  }
}

function disarm(button: Button): void {
  clearTimeout(button.timer)
  clearImmediate(button.look)
}
