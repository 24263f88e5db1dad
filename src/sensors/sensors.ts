import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { type Message, type OutgoingMessage, ownClientId } from '../core/message.ts'
import type { Sensor, SensorSource } from '../core/pin.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { pause } from './pause.ts'
import { ReadLane } from './read-lane.ts'
import { describeSource, readSource } from './sources.ts'

const nameShownMax = 64

export interface SensorsOptions {
  readonly hub: Hub
  /** Damselfly's name: `damselfly/NAME/sensors/SENSOR`. */
  readonly name: string
  readonly log: Logger
  /** Gets `sensors.failed`: readings that failed. */
  readonly counters: Counters
  /** Reads a source once; sysfs in `/sys` unless told. */
  readonly read?: (source: SensorSource) => Promise<number>
  /** A monotonic clock, in milliseconds; `performance.now` unless told. */
  readonly nowMs?: () => number
}

interface Running {
  readonly sensor: Sensor
  readonly end: AbortController
}

type Outcome = { readonly value: string } | { readonly reason: string }

/**
 * Reads sensors, each at once and then each `everyMs`, one reading of it at a time; two at a time over all, for 1-Wire
 * and the others have a lane each. Each value goes to the sensor's topic, and, when it has changed, retained to
 * `damselfly/NAME/sensors/SENSOR`. That is empty while there is no value: before the first reading, when one failed, and
 * at the end, for a value of long ago would pass for one of now. A failure is logged once until it is over.
 */
export class Sensors {
  readonly #options: SensorsOptions
  readonly #prefix: string
  readonly #read: (source: SensorSource) => Promise<number>
  // a 1-Wire bus takes nearly a second for each sensor, and is the likeliest to hang
  readonly #lanes = { w1: new ReadLane(limits.sensorReadMsMax), file: new ReadLane(limits.sensorReadMsMax) }
  readonly #running = new Map<string, Running>()
  readonly #states = new Map<string, string>()
  readonly #repeats = new Repeats()
  #unsubscribe = (): void => {}
  #stopFollowing = (): void => {}

  constructor(options: SensorsOptions) {
    this.#options = options
    this.#prefix = `damselfly/${options.name}/sensors/`
    this.#read = options.read ?? ((source) => readSource(source, '/sys'))
  }

  /** Clears what an earlier process left, then reads. */
  async start(sensors: readonly Sensor[]): Promise<void> {
    const { hub } = this.#options
    this.#unsubscribe = hub.subscribe(`${this.#prefix}+`, (message) => this.#repair(message))
    this.#stopFollowing = hub.remote?.onRenewed(() => this.#tellStates()) ?? this.#stopFollowing
    const clearing = this.#clearOld()
    if (hub.remote === undefined) await clearing // else it waits for the connection, perhaps for long
    await this.apply(sensors)
  }

  /** Reads these instead. One that is the same goes on; one that has changed begins anew. */
  async apply(sensors: readonly Sensor[]): Promise<void> {
    const wanted = new Map(sensors.map((sensor) => [sensor.name, sensor]))
    for (const { sensor, end } of [...this.#running.values()]) {
      if (isSame(sensor, wanted.get(sensor.name))) continue
      end.abort()
      this.#running.delete(sensor.name)
      await this.#setState(sensor.name, '')
    }
    for (const sensor of sensors) {
      if (this.#running.has(sensor.name)) continue
      const end = new AbortController()
      this.#running.set(sensor.name, { sensor, end })
      void this.#run(sensor, end.signal)
    }
  }

  /** Ends all readings; resolves when the states are cleared. A read that hangs is not waited for. */
  async close(): Promise<void> {
    await this.apply([])
    this.#unsubscribe()
    this.#stopFollowing()
  }

  /** Never rejects. */
  async #clearOld(): Promise<void> {
    const { hub, log } = this.#options
    try {
      for await (const { topic } of hub.retained(`${this.#prefix}+`))
        if (!this.#states.has(topic.slice(this.#prefix.length))) await this.#publishState(topic, '')
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'old states of sensors not cleared')
    }
  }

  #tellStates(): void {
    for (const [name, state] of this.#states) void this.#publishState(this.#prefix + name, state)
  }

  /** Never rejects. */
  async #run(sensor: Sensor, signal: AbortSignal): Promise<void> {
    let failing: string | undefined
    const { nowMs = () => performance.now() } = this.#options
    let dueMs = nowMs()
    while (!signal.aborted) {
      const outcome = await this.#take(sensor)
      if (signal.aborted) return
      failing = this.#log(sensor, outcome, failing)
      await this.#tell(sensor, outcome)
      dueMs = Math.max(dueMs + sensor.everyMs, nowMs())
      await pause(dueMs - nowMs(), signal)
    }
  }

  async #take(sensor: Sensor): Promise<Outcome> {
    const { source, scale, offset, decimals } = sensor
    const lane = this.#lanes[source.kind === 'w1' ? 'w1' : 'file']
    try {
      const value = (await lane.run(describeSource(source), () => this.#read(source))) * scale + offset
      if (!Number.isFinite(value)) return { reason: 'the value is too large' }
      return { value: String(Number(value.toFixed(decimals))) }
    } catch (error) {
      return { reason: reasonOf(error) }
    }
  }

  async #tell({ name, publish }: Sensor, outcome: Outcome): Promise<void> {
    if ('reason' in outcome) return await this.#setState(name, '')
    await this.#setState(name, outcome.value)
    if (publish !== undefined) await this.#publish({ topic: publish, payload: outcome.value, qos: 1 })
  }

  /** @returns why it fails now, if it does */
  #log({ name, source }: Sensor, outcome: Outcome, failing: string | undefined): string | undefined {
    const { log, counters } = this.#options
    if ('value' in outcome) {
      if (failing !== undefined) log.info({ sensor: name, value: outcome.value }, 'sensor is read again')
      return undefined
    }
    counters.add('sensors.failed')
    const { reason } = outcome
    const repeats = reason === failing ? undefined : this.#repeats.admit(`sensor ${name}`)
    if (repeats !== undefined)
      log.warn({ sensor: name, read: describeSource(source), reason, ...repeats }, 'sensor not read')
    return reason
  }

  async #setState(name: string, state: string): Promise<void> {
    if ((this.#states.get(name) ?? '') === state) return
    if (state === '') this.#states.delete(name)
    else this.#states.set(name, state)
    await this.#publishState(this.#prefix + name, state)
  }

  /** A state that a client has published is no state: the true one goes out again. */
  #repair({ topic, client, payload }: Message): void {
    const name = topic.slice(this.#prefix.length)
    const state = this.#states.get(name) ?? ''
    if (client === ownClientId || Buffer.from(payload).equals(Buffer.from(state))) return
    const repeats = this.#repeats.admit('state')
    if (repeats !== undefined)
      this.#options.log.warn(
        { sensor: name.slice(0, nameShownMax), client, ...repeats },
        'sensor state published by a client: corrected',
      )
    void this.#publishState(topic, state)
  }

  /** An empty state takes the retained message away [MQTT-3.3.1-10]. */
  async #publishState(topic: string, state: string): Promise<void> {
    await this.#publish({ topic, payload: state, qos: 1, retain: true })
  }

  async #publish(message: OutgoingMessage): Promise<void> {
    const { hub, log } = this.#options
    try {
      await hub.publish(message)
    } catch (error) {
      const repeats = this.#repeats.admit('publish')
      if (repeats !== undefined)
        log.warn(
          { topic: message.topic, reason: reasonOf(error), ...repeats },
          'sensor message not published',
        )
    }
  }
}

/** Where it stands in the file makes no difference. */
function isSame(a: Sensor, b: Sensor | undefined): boolean {
  return b !== undefined && JSON.stringify({ ...a, place: 0 }) === JSON.stringify({ ...b, place: 0 })
}
