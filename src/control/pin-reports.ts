import type { Pin, PinValue } from '../core/pin.ts'
import type { PinReport } from './protocol.ts'

/** The pins, as far as they are shown; the board of the house fits. */
export interface PinSource {
  readonly pins: readonly Pin[]
  /** @throws when there is no such pin */
  state(pin: string): PinValue
  /** Tells the states as they are, then each change. @returns ends it */
  listen(listener: {
    onState(pin: string, state: PinValue, chain: readonly string[], by?: string): void
    onRemoved(pin: string): void
  }): () => void
}

/** Told the name of each pin that has changed or is no more; must not throw. */
export type PinChanged = (pin: string) => void

const byCharsMax = 200

/** Knows since when each pin is what it is, and who did it. From `start` to `stop`. */
export class PinReports {
  readonly #source: PinSource
  readonly #changes = new Map<string, { readonly atMs: number; readonly by: string | undefined }>()
  readonly #watchers = new Set<PinChanged>()
  #unlisten: (() => void) | undefined

  constructor(source: PinSource) {
    this.#source = source
  }

  start(): void {
    this.#unlisten = this.#source.listen({
      onState: (pin, _, chain, by) => {
        this.#changes.set(pin, { atMs: Date.now(), by: by ?? ruleOf(chain) })
        this.#tell(pin)
      },
      onRemoved: (pin) => {
        this.#changes.delete(pin)
        this.#tell(pin)
      },
    })
  }

  stop(): void {
    this.#unlisten?.()
  }

  /** @returns ends it */
  watch(onChange: PinChanged): () => void {
    this.#watchers.add(onChange)
    return () => this.#watchers.delete(onChange)
  }

  all(): PinReport[] {
    return this.#source.pins.map((pin) => this.#report(pin))
  }

  /** One pin; undefined when it is no more. */
  one(name: string): PinReport | undefined {
    const pin = this.#source.pins.find((one) => one.name === name)
    return pin && this.#report(pin)
  }

  #report(pin: Pin): PinReport {
    const { name, line, direction } = pin
    const { atMs = Date.now(), by } = this.#changes.get(name) ?? {}
    const state = this.#source.state(name)
    const unit = typeof state === 'number' ? unitOf(pin) : undefined
    return {
      name,
      line: typeof line === 'number' ? `GPIO${line}` : line,
      direction,
      ...(pin.direction === 'pwm' && pin.scale.kind === 'angle' ? { isServo: true } : {}),
      state,
      ...(unit === undefined ? {} : { unit }),
      since: new Date(atMs).toISOString(),
      ...(by === undefined ? {} : { by: by.slice(0, byCharsMax) }),
    }
  }

  #tell(pin: string): void {
    for (const watcher of this.#watchers) watcher(pin)
  }
}

function unitOf(pin: Pin): string | undefined {
  if (pin.direction !== 'pwm') return undefined
  return pin.scale.kind === 'duty' ? '%' : '°'
}

function ruleOf(chain: readonly string[]): string | undefined {
  const rule = chain.at(-1)
  return rule === undefined ? undefined : `rule ${rule}`
}
