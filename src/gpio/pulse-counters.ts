import { setTimeout as sleep } from 'node:timers/promises'
import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { InputPin, PulseCount } from '../core/pin.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import type { PinBoard } from './board.ts'
import type { WireEdge } from './chip.ts'
import { monotonicMs } from './clock.ts'
import type { PinOutbox } from './outbox.ts'
import { pulseFilePath, type Readings, readReadings, writeReadings } from './pulse-file.ts'
import { type MeterReading, PulseMeter } from './pulse-meter.ts'

/** How long a pulse may wait to be written: an SD card wears out by writing. */
const saveMs = 60_000
/** How long an alignment may wait to be written when another one was just before. */
const alignSaveMs = 5_000
/** How long the disk may take when the last totals are written. */
const closeMsMax = 3_000

export interface PulseCountersOptions {
  readonly board: Pick<PinBoard, 'listen' | 'pins' | 'tellTotal'>
  readonly outbox: Pick<PinOutbox, 'send'>
  /** Where the totals are kept. */
  readonly dataDir: string
  readonly log: Logger
  /** Gets `pulseTotalsKept`: totals of pins that are gone, forgotten. */
  readonly counters: Counters
  /** By the clock of the edges; `monotonicMs` unless told. */
  readonly nowMs?: () => number
}

interface Counting {
  readonly name: string
  readonly count: PulseCount
  readonly meter: PulseMeter
  readonly timer: NodeJS.Timeout
  toldTotal: number
  /** The last message. */
  told: string
}

/**
 * Counts the pulses of inputs with `count`: one is one edge to `on`, edges that the kernel had no room for included.
 * When they have changed, at most each `everyMs`, and once at the beginning, `{ "total", "rate", "pulses" }` goes to
 * the topic of the count, and the board tells the total.
 *
 * The totals are kept in `counters.json` in the data folder: written at the end, when one was aligned (at most once in
 * `alignSaveMs`), and at most `saveMs` after a pulse, so that a crash loses the pulses of a minute at most. A damaged
 * file is set aside and told; one that cannot be read is told, and neither moved nor written as long as this lives.
 * The totals of pins that are gone stay, `limits.pulseTotalsKept` in all.
 */
export class PulseCounters {
  readonly #options: PulseCountersOptions
  readonly #nowMs: () => number
  readonly #repeats = new Repeats()
  readonly #counting = new Map<string, Counting>()
  /** Of pins that count and of pins that did, those that were looked at last at the end. */
  readonly #kept: Map<string, MeterReading>
  readonly #end: () => void
  #saveTimer: NodeJS.Timeout | undefined
  #saving: Promise<void> | undefined
  #isSaveDue = false
  /** Runs for `alignSaveMs` after an alignment was written. */
  #alignTimer: NodeJS.Timeout | undefined
  #isAlignDue = false
  readonly #isKeeping: boolean
  /** Whether the last try to write them failed. */
  #isFailing = false
  #isClosed = false

  private constructor(options: PulseCountersOptions, kept: Readings, isKeeping: boolean) {
    this.#options = options
    this.#nowMs = options.nowMs ?? monotonicMs
    this.#kept = new Map(kept)
    this.#isKeeping = isKeeping
    this.#end = options.board.listen({
      onWire: (pin, _state, edge) => this.#edge(pin, edge),
      onAlign: (pin, total) => this.#align(pin, total),
    })
  }

  /** Reads what was counted before, and counts from now on. */
  static async open(options: PulseCountersOptions): Promise<PulseCounters> {
    const { dataDir, log } = options
    const file = pulseFilePath(dataDir)
    const found = await readReadings(dataDir)
    if (found.kind === 'unreadable') {
      const remedy =
        'make it a file that Damselfly may read and write, then restart: its totals are still in it'
      log.error({ file, reason: found.reason, remedy }, 'counters begin at 0 and are not kept')
      return new PulseCounters(options, new Map(), false)
    }
    const { kind, readings, reason } = found
    if (kind === 'damaged') {
      const remedy = 'publish what the meter shows to damselfly/NAME/pins/PIN/set'
      log.error(
        { file, reason, remedy },
        readings.size > 0 ? 'some counters begin at 0' : 'counters begin at 0',
      )
    }
    return new PulseCounters(options, readings, true)
  }

  /** What the pin has counted. */
  totalOf({ name }: Pick<InputPin, 'name'>): number {
    return (this.#counting.get(name)?.meter.reading ?? this.#kept.get(name))?.total ?? 0
  }

  /** Looks at the board's pins anew: counts for those that are new, and no more for those that are gone. */
  apply(): void {
    const pins = new Map(this.#options.board.pins.map((pin) => [pin.name, pin]))
    for (const counting of [...this.#counting.values()]) {
      const pin = pins.get(counting.name)
      if (pin?.direction !== 'in' || pin.count === undefined) this.#drop(counting)
    }
    for (const pin of pins.values()) if (pin.direction === 'in') this.#countingOf(pin)
  }

  /** Tells the last totals and keeps them. To be closed before the board. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#end()
    for (const counting of this.#counting.values()) this.#tell(counting)
    if (this.#saveTimer !== undefined || this.#isAlignDue) this.#save()
    clearTimeout(this.#alignTimer)
    await this.#saved()
    for (const counting of [...this.#counting.values()]) this.#drop(counting)
  }

  /** Waits for what is being written; not for long, for the outputs wait too. */
  async #saved(): Promise<void> {
    const end = new AbortController()
    const late = sleep(closeMsMax, undefined, { signal: end.signal }).catch(() => {})
    await Promise.race([this.#saving, late])
    end.abort()
  }

  #edge(pin: InputPin, { atMs, rises, lostEdges }: WireEdge): void {
    const counting = this.#countingOf(pin)
    if (counting === undefined) return
    if (lostEdges > 0) this.#tellLost(pin.name, lostEdges, rises)
    if (rises === 0) return
    counting.meter.add(rises, atMs)
    this.#saveSoon()
  }

  #align(pin: InputPin, total: number): void {
    const counting = this.#countingOf(pin)
    if (counting === undefined) return
    const repeats = this.#repeats.admit(`align ${pin.name}`)
    if (repeats !== undefined)
      this.#options.log.info(
        { pin: pin.name, from: counting.meter.reading.total, to: total, ...repeats },
        'counter aligned',
      )
    counting.meter.align(total)
    this.#tell(counting)
    this.#saveAligned()
  }

  #countingOf({ name, count }: InputPin): Counting | undefined {
    const known = this.#counting.get(name)
    if (known !== undefined && JSON.stringify(known.count) === JSON.stringify(count)) return known
    if (known !== undefined) this.#drop(known)
    if (count === undefined) return undefined
    const meter = new PulseMeter(count, this.#kept.get(name) ?? { pulses: 0, total: 0 })
    const timer = setInterval(() => this.#tell(counting), count.everyMs)
    const counting: Counting = { name, count, meter, timer, toldTotal: meter.reading.total, told: '' }
    this.#counting.set(name, counting)
    this.#tell(counting)
    return counting
  }

  #drop({ name, meter, timer }: Counting): void {
    clearInterval(timer)
    this.#counting.delete(name)
    this.#keep(name, meter.reading)
  }

  #tell(counting: Counting): void {
    const { name, count, meter } = counting
    const { total, rate, pulses } = meter.sample(this.#nowMs())
    if (total !== counting.toldTotal) {
      counting.toldTotal = total
      this.#options.board.tellTotal(name)
    }
    const payload = JSON.stringify({ total, rate, pulses })
    if (count.publish === undefined || payload === counting.told) return
    counting.told = payload
    this.#options.outbox.send({ topic: count.publish, payload, qos: 1 })
  }

  #tellLost(pin: string, lostEdges: number, pulses: number): void {
    const repeats = this.#repeats.admit(`lost ${pin}`)
    if (repeats !== undefined)
      this.#options.log.warn(
        { pin, lostEdges, pulses, ...repeats },
        'edges of a counter came too fast to be told one by one: counted by their numbers',
      )
  }

  #saveSoon(): void {
    if (!this.#isClosed) this.#saveTimer ??= setTimeout(() => this.#save(), saveMs)
  }

  #saveAligned(): void {
    this.#isAlignDue = true
    if (this.#alignTimer !== undefined) return
    this.#save()
    this.#alignTimer = setTimeout(() => {
      this.#alignTimer = undefined
      if (this.#isAlignDue) this.#saveAligned()
    }, alignSaveMs)
  }

  #save(): void {
    clearTimeout(this.#saveTimer)
    this.#saveTimer = undefined
    this.#isAlignDue = false
    if (!this.#isKeeping) return
    this.#isSaveDue = true
    this.#saving ??= this.#saveWhileDue().finally(() => {
      this.#saving = undefined
    })
  }

  async #saveWhileDue(): Promise<void> {
    const { dataDir, log } = this.#options
    while (this.#isSaveDue) {
      this.#isSaveDue = false
      for (const { name, meter } of this.#counting.values()) this.#keep(name, meter.reading)
      const file = pulseFilePath(dataDir)
      try {
        await writeReadings(dataDir, this.#kept)
        if (this.#isFailing) log.info({ file }, 'totals of counters are kept again')
        this.#isFailing = false
      } catch (error) {
        if (!this.#isFailing) log.error({ file, reason: reasonOf(error) }, 'totals of counters not kept')
        this.#isFailing = true
        this.#saveSoon()
      }
    }
  }

  #keep(name: string, reading: MeterReading): void {
    this.#kept.delete(name)
    this.#kept.set(name, reading)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= limits.pulseTotalsKept) return
      if (this.#counting.has(oldest)) continue
      this.#kept.delete(oldest)
      this.#options.counters.add('pulseTotalsKept')
    }
  }
}
