import { DamselflyError } from '../core/errors.ts'
import {
  consumer,
  describeLine,
  type GpioChip,
  type InputLine,
  type InputRequest,
  type OnEdge,
  type OutputLine,
  type OutputRequest,
} from './chip.ts'
import { monotonicMs } from './clock.ts'

/** The label of a chip without hardware. */
export const simulatedLabel = 'simulated'

const headerLines = 28

/**
 * A chip without hardware, with a Pi header's lines GPIO0 to GPIO27. Outputs remember their level. An input
 * rests at its pull, one without a pull at `off`; `drive` moves it. There is no debounce: nothing bounces.
 */
export class SimulatedChip implements GpioChip {
  readonly isSimulated = true
  readonly path = 'simulated'
  readonly label = simulatedLabel
  readonly lineNames: readonly string[] = Array.from({ length: headerLines }, (_, line) => `GPIO${line}`)
  /** Told each level that an output is driven to, `true` is high; for those who want to see what would have moved. */
  onDrive: ((offset: number, isHigh: boolean) => void) | undefined
  readonly #taken = new Set<number>()
  readonly #levels = new Map<number, boolean>()

  /** The physical level of a line, `true` is high; undefined if nothing ever drove it. */
  level(offset: number): boolean | undefined {
    return this.#levels.get(offset)
  }

  requestOutput(offset: number, { isActiveLow, value }: OutputRequest): OutputLine {
    this.#take(offset)
    const write = (next: boolean): void => {
      this.#levels.set(offset, next !== isActiveLow)
      this.onDrive?.(offset, next !== isActiveLow)
    }
    write(value)
    return { write, release: () => this.#taken.delete(offset) }
  }

  requestInput(offset: number, { isActiveLow, pull }: InputRequest, onEdge: OnEdge): InputLine {
    this.#take(offset)
    const rest = pull === 'up' ? true : pull === 'down' ? false : isActiveLow
    this.#levels.set(offset, rest)
    const read = (): boolean => this.#levels.get(offset) !== isActiveLow
    return {
      read,
      drive: (value, chain) => {
        if (value === read()) return
        this.#levels.set(offset, value !== isActiveLow)
        onEdge(value, chain, { atMs: monotonicMs(), lostEdges: 0, rises: value ? 1 : 0 })
      },
      release: async () => {
        this.#taken.delete(offset)
      },
    }
  }

  async close(): Promise<void> {
    this.#taken.clear()
  }

  #take(offset: number): void {
    if (this.#taken.has(offset))
      throw new DamselflyError('GPIO_BUSY', `${describeLine(this, offset)} is busy: held by "${consumer}"`)
    this.#taken.add(offset)
  }
}
