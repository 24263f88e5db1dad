import type { PulseCount } from '../core/pin.ts'

/** What outlives the process. */
export interface MeterReading {
  /** All pulses since the meter was first looked at. */
  readonly pulses: number
  /** What the meter shows. */
  readonly total: number
}

export interface MeterSample extends MeterReading {
  /** Units per hour, minute or second, as the count says. */
  readonly rate: number
}

const unitMs = { h: 3_600_000, m: 60_000, s: 1_000 } as const

/** Longer without a pulse, and nothing is known of the rate. */
const silenceMsMax = 3_600_000
/** The rate is not said to be 0 before that. */
const silenceMsMin = 60_000
const silentIntervals = 10

/**
 * One meter: its total, counted in whole pulses, and its rate, from the times of the pulses.
 *
 * The rate is that of the pulses since the last sample; if there was none, it falls as the next one fails to come, and is 0
 * after ten times the last interval, within one minute and one hour. One pulse alone has no rate.
 */
export class PulseMeter {
  readonly #count: PulseCount
  /** The total was `base.total` when there were `base.pulses`. */
  #base: MeterReading
  #pulses: number
  #lastMs: number | undefined
  #intervalMs: number | undefined
  /** The first pulse since the last sample, … */
  #firstMs: number | undefined
  /** … and how many came after it. */
  #later = 0

  constructor(count: PulseCount, reading: MeterReading) {
    this.#count = count
    this.#base = reading
    this.#pulses = reading.pulses
  }

  get reading(): MeterReading {
    const { total, pulses } = this.#base
    return {
      pulses: this.#pulses,
      total: rounded(total + (this.#pulses - pulses) * this.#count.perPulse, 12),
    }
  }

  /** The total is this from now on; the pulses stay. */
  align(total: number): void {
    this.#base = { total, pulses: this.#pulses }
  }

  /** So many pulses, of which the last was at `atMs`. */
  add(pulses: number, atMs: number): void {
    this.#pulses += pulses
    if (this.#firstMs !== undefined) {
      this.#later += pulses
      this.#intervalMs = intervalOf(atMs - this.#firstMs, this.#later)
    } else {
      // until a second one comes, the time since the one before is all there is
      if (this.#lastMs !== undefined) this.#intervalMs = intervalOf(atMs - this.#lastMs, pulses)
      this.#firstMs = atMs
    }
    this.#lastMs = atMs
  }

  /** The state at `nowMs`; begins the next stretch of the rate. */
  sample(nowMs: number): MeterSample {
    this.#firstMs = undefined
    this.#later = 0
    return { ...this.reading, rate: rounded(this.#rate(nowMs), 4) }
  }

  #rate(nowMs: number): number {
    if (this.#intervalMs === undefined || this.#lastMs === undefined) return 0
    const silentMs = nowMs - this.#lastMs
    const isOver =
      this.#intervalMs > silenceMsMax ||
      silentMs > Math.min(silenceMsMax, Math.max(silenceMsMin, silentIntervals * this.#intervalMs))
    if (isOver) this.#intervalMs = undefined
    const { perPulse, ratePer } = this.#count
    return isOver ? 0 : (perPulse * unitMs[ratePer]) / Math.max(this.#intervalMs ?? 0, silentMs)
  }
}

function intervalOf(ms: number, pulses: number): number {
  return Math.max(ms / pulses, 0.001) // the clock's step
}

// 0.1 + 0.2 is 0.3 for people
function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits))
}
