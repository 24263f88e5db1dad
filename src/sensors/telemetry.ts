import { reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { OutgoingMessage } from '../core/message.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import type { TelemetryField, TelemetryKind, TelemetryReading, TelemetrySettings } from '../core/telemetry.ts'
import { type Asked, askMachine } from './ask-machine.ts'
import { hasUnreadWireless, type MachinePlaces, machinePlaces, readMachine } from './machine.ts'
import { pause } from './pause.ts'
import { ReadLane } from './read-lane.ts'

/** The child costs a second on a small Pi: it is asked so often at most. */
const askEveryMs = 60_000
/** A machine that has not known its temperature so many times is asked no more. */
const temperatureUnknownMax = 3

export interface TelemetryOptions {
  readonly hub: Hub
  /** Damselfly's name: `damselfly/NAME/telemetry`. */
  readonly name: string
  readonly log: Logger
  /** Called when the machine tells something that it has not told before, with all that it tells. */
  readonly onFields?: (fields: readonly TelemetryField[]) => void
  readonly places?: Partial<MachinePlaces>
  readonly ask?: typeof askMachine
}

interface Running {
  readonly settings: TelemetrySettings
  readonly end: AbortController
}

/**
 * Tells how the machine is: at once and then each `everyMs`, as one JSON object, retained, on `damselfly/NAME/telemetry`.
 * A reading is begun when the one before has ended, and ends by its time limit. The topic is cleared at the end, for
 * what was long ago would pass for now.
 *
 * The kernel's files are read first, which costs a millisecond; `systeminformation`, in a process of its own, is asked
 * for what they do not tell.
 */
export class Telemetry {
  readonly #options: TelemetryOptions
  readonly #places: MachinePlaces
  readonly #topic: string
  readonly #repeats = new Repeats()
  readonly #lane = new ReadLane(limits.sensorReadMsMax)
  readonly #fields = new Set<TelemetryField>()
  #running: Running | undefined
  #told = ''
  #asked: { readonly atMs: number; readonly found: TelemetryReading } | undefined
  /** How often in a row the child did not know it. */
  #temperatureUnknown = 0
  #stopFollowing = (): void => {}

  constructor(options: TelemetryOptions) {
    this.#options = options
    this.#places = { ...machinePlaces, ...options.places }
    this.#topic = `damselfly/${options.name}/telemetry`
  }

  /** What the machine has told since the start, of what is wanted. */
  get fields(): readonly TelemetryField[] {
    return [...this.#fields]
  }

  /** Clears what an earlier process left, then reads. */
  async start(settings: TelemetrySettings | undefined): Promise<void> {
    const { hub } = this.#options
    this.#stopFollowing = hub.remote?.onRenewed(() => void this.#publishState()) ?? this.#stopFollowing
    const clearing = settings === undefined ? this.#clearOld() : undefined
    if (hub.remote === undefined) await clearing // else it waits for the connection, perhaps for long
    await this.apply(settings)
  }

  /** Reads these instead; the same ones go on. */
  async apply(settings: TelemetrySettings | undefined): Promise<void> {
    if (JSON.stringify(settings) === JSON.stringify(this.#running?.settings)) return
    this.#running?.end.abort()
    this.#running = undefined
    this.#fields.clear()
    this.#temperatureUnknown = 0
    this.#asked = undefined
    if (settings === undefined) {
      if (this.#told !== '') await this.#tell('')
      this.#options.onFields?.([])
      return
    }
    this.#running = { settings, end: new AbortController() }
    void this.#run(this.#running)
  }

  /** Ends; resolves when the topic is cleared. A read that hangs is not waited for. */
  async close(): Promise<void> {
    this.#running?.end.abort()
    this.#running = undefined
    this.#stopFollowing()
    if (this.#told !== '') await this.#tell('')
  }

  /** Never rejects. */
  async #run({ settings, end: { signal } }: Running): Promise<void> {
    while (!signal.aborted) {
      const reading = await this.#read(settings.kinds, signal)
      if (signal.aborted) return
      await this.#take(reading, settings)
      await pause(settings.everyMs, signal)
    }
  }

  async #read(kinds: readonly TelemetryKind[], ended: AbortSignal): Promise<TelemetryReading> {
    let files: TelemetryReading
    try {
      files = await this.#lane.run('the state of this machine', () => readMachine(kinds, this.#places, ended))
    } catch (error) {
      this.#warn('late', { reason: reasonOf(error) }, 'telemetry not read')
      return {}
    }
    const missing = await this.#missing(kinds, files)
    if (missing.length === 0 || ended.aborted) return files
    const nowMs = performance.now()
    if (this.#asked === undefined || nowMs - this.#asked.atMs >= askEveryMs) {
      const { ask = askMachine } = this.#options
      const found = await ask(missing, limits.sensorReadMsMax, ended)
      this.#asked = { atMs: nowMs, found }
      this.#temperatureUnknown = found.temperature === undefined ? this.#temperatureUnknown + 1 : 0
    }
    return { ...this.#asked.found, ...files }
  }

  /** What the kernel's files do not tell, and the machine may know. */
  async #missing(kinds: readonly TelemetryKind[], files: TelemetryReading): Promise<readonly Asked[]> {
    const missing = (['temperature', 'wifi'] as const).filter(
      (kind) => kinds.includes(kind) && files[kind] === undefined,
    )
    const hasWireless = missing.includes('wifi') && (await hasUnreadWireless(this.#places))
    return missing.filter((kind) =>
      kind === 'wifi' ? hasWireless : this.#temperatureUnknown < temperatureUnknownMax,
    )
  }

  async #take(reading: TelemetryReading, { publish }: TelemetrySettings): Promise<void> {
    const payload = JSON.stringify(reading)
    await this.#tell(payload)
    if (publish !== undefined) await this.#publish({ topic: publish, payload, qos: 1 })
    const known = this.#fields.size
    for (const field of Object.keys(reading)) this.#fields.add(field as TelemetryField)
    if (this.#fields.size !== known) this.#options.onFields?.(this.fields)
  }

  async #tell(payload: string): Promise<void> {
    this.#told = payload
    await this.#publishState()
  }

  async #publishState(): Promise<void> {
    await this.#publish({ topic: this.#topic, payload: this.#told, qos: 1, retain: true })
  }

  /** Never rejects. */
  async #clearOld(): Promise<void> {
    const { hub, log } = this.#options
    try {
      for await (const { topic } of hub.retained(this.#topic))
        if (this.#running === undefined) await this.#publish({ topic, payload: '', qos: 1, retain: true })
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'old telemetry not cleared')
    }
  }

  async #publish(message: OutgoingMessage): Promise<void> {
    try {
      await this.#options.hub.publish(message)
    } catch (error) {
      this.#warn('publish', { topic: message.topic, reason: reasonOf(error) }, 'telemetry not published')
    }
  }

  #warn(kind: string, fields: object, message: string): void {
    const repeats = this.#repeats.admit(kind)
    if (repeats !== undefined) this.#options.log.warn({ ...fields, ...repeats }, message)
  }
}
