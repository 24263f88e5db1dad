import { readFile } from 'node:fs/promises'
import { reasonOf } from '../core/errors.ts'
import type { HomeAssistantSettings } from '../core/home-assistant.ts'
import type { Message } from '../core/message.ts'
import type { Pin, Sensor } from '../core/pin.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { type TelemetryField, type TelemetryKind, telemetryKindOf } from '../core/telemetry.ts'
import { componentsOf, configTopic, deviceMessage, type Teller, toldIn } from './device.ts'
import { telemetryFields, telemetryKey } from './sensor-components.ts'

export interface HomeAssistantOptions {
  readonly hub: Hub
  /** Damselfly's name. */
  readonly name: string
  readonly version: string
  readonly log: Logger
  /** A file that says what the machine is; the Raspberry Pi's unless told. */
  readonly modelFile?: string
  /** How long Home Assistant is left alone when it has shown itself: it has much to do then. 1000 unless told. */
  readonly waitMs?: number
}

/** What there is to tell of. */
export interface ToldHouse {
  readonly homeAssistant: HomeAssistantSettings
  readonly pins: readonly Pin[]
  readonly sensors: readonly Sensor[]
  readonly telemetry: { readonly kinds: readonly TelemetryKind[] } | undefined
}

/**
 * Tells Home Assistant what there is: one retained message on `PREFIX/device/ID/config` for all pins, sensors and the
 * telemetry; anew when one of them changes, and when Home Assistant says `online` on `PREFIX/status`.
 *
 * With `auto` that begins when it has said so for the first time. The broker remembers it: where our message is
 * retained already, we go on telling.
 */
export class HomeAssistant {
  readonly #options: HomeAssistantOptions
  readonly #repeats = new Repeats()
  #house: ToldHouse | undefined
  #model: string | undefined
  /** What the machine has told of itself since the start. */
  #fields: readonly TelemetryField[] = []
  /** Whether Home Assistant has shown itself, or was told of us. */
  #isSeen = false
  /** The platforms of what it was told of, by key. */
  #told: ReadonlyMap<string, string> = new Map()
  #message = ''
  #changes: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #unsubscribe = (): void => {}
  #stopFollowing = (): void => {}
  #isClosed = false

  constructor(options: HomeAssistantOptions) {
    this.#options = options
  }

  /** Tells, if it is wanted. Waits for the broker only where that is in this process. */
  async start(house: ToldHouse): Promise<void> {
    const { hub, modelFile = '/proc/device-tree/model' } = this.#options
    // the kernel ends the text with a zero
    const model = await readFile(modelFile, 'utf8').catch(() => '')
    this.#model = model.replaceAll('\0', '').trim() || undefined
    this.#stopFollowing = hub.remote?.onRenewed(() => void this.#inTurn(true)) ?? this.#stopFollowing
    const done = this.apply(house)
    if (hub.remote === undefined) await done
  }

  /** Tells of these instead, as far as something is different. Never rejects. */
  async apply(house: ToldHouse): Promise<void> {
    const before = this.#house
    this.#house = house
    const { mode, prefix } = house.homeAssistant
    if (before?.homeAssistant.prefix !== prefix) this.#move(before, prefix)
    else if (before.homeAssistant.mode !== mode) this.#follow()
    await this.#inTurn()
  }

  /** The machine tells these fields of its telemetry. */
  setTelemetry(fields: readonly TelemetryField[]): void {
    this.#fields = fields
    if (this.#house !== undefined) void this.#inTurn()
  }

  /** Tells no more; what was told stays, and `damselfly/NAME/status` says that nobody is there. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#unsubscribe()
    this.#stopFollowing()
  }

  /** Takes back what stands at the old place, and looks at the new one. */
  #move(before: ToldHouse | undefined, prefix: string): void {
    const old = before?.homeAssistant.prefix
    this.#changes = this.#changes.then(async () => {
      if (old !== undefined && this.#message !== '') await this.#publish(this.#topic(old), '')
      this.#told = new Map()
      this.#message = ''
      await this.#look(prefix)
    })
    this.#follow()
  }

  /** Hears Home Assistant where it is of interest: at a broker elsewhere all else would travel for nothing. */
  #follow(): void {
    this.#unsubscribe()
    this.#unsubscribe = (): void => {}
    const { mode, prefix } = this.#settings
    if (mode === 'off') return
    this.#unsubscribe = this.#options.hub.subscribe(`${prefix}/status`, (message) => this.#hear(message))
  }

  #hear({ payload }: Message): void {
    if (Buffer.from(payload).toString() !== 'online' || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#isSeen = true
      void this.#inTurn(true)
    }, this.#options.waitMs ?? 1_000)
  }

  /** What the broker keeps of us, and of Home Assistant. Never rejects. */
  async #look(prefix: string): Promise<void> {
    const { hub, log } = this.#options
    try {
      for await (const { payload } of hub.retained(this.#topic(prefix))) {
        const told = toldIn(Buffer.from(payload).toString())
        if (told === undefined) continue
        this.#told = told
        this.#message = Buffer.from(payload).toString()
        this.#isSeen = true
      }
      for await (const { payload } of hub.retained(`${prefix}/status`))
        if (Buffer.from(payload).toString() === 'online') this.#isSeen = true
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'not known what Home Assistant was told before')
    }
  }

  #inTurn(isAsked = false): Promise<void> {
    this.#changes = this.#changes.then(() => this.#tell(isAsked))
    return this.#changes
  }

  /**
   * @param isAsked also when nothing is different: Home Assistant asks, or the broker may have lost it.
   * Never rejects.
   */
  async #tell(isAsked: boolean): Promise<void> {
    const house = this.#house
    if (house === undefined || this.#isClosed) return
    const { mode, prefix } = house.homeAssistant
    const topic = this.#topic(prefix)
    const isWanted = mode === 'on' || (mode === 'auto' && this.#isSeen)
    const components = isWanted ? componentsOf(this.#parts(house), this.#options.name) : new Map()
    if (components.size === 0) {
      if (this.#message !== '' && (isWanted || mode === 'off')) await this.#take('', topic, new Map())
      return
    }
    // they stay in the message until the next one: who is away now has to be told as well
    const gone = new Map([...this.#told].filter(([key]) => !components.has(key)))
    const message = deviceMessage(components, gone, house.homeAssistant, this.#teller)
    if (message === this.#message && !isAsked) return
    await this.#take(message, topic, new Map([...components].map(([key, { p }]) => [key, p])))
  }

  /** A field that was told of before stays, as long as it is wanted: the machine may only need a while for it. */
  #parts({ homeAssistant: settings, pins, sensors, telemetry }: ToldHouse) {
    const fields = telemetryFields.filter(
      (field) =>
        telemetry?.kinds.includes(telemetryKindOf[field]) === true &&
        (this.#fields.includes(field) || this.#told.has(telemetryKey(field))),
    )
    return { settings, pins, sensors, telemetry: fields }
  }

  async #take(message: string, topic: string, told: ReadonlyMap<string, string>): Promise<void> {
    const isNew = message !== this.#message
    if (!(await this.#publish(topic, message))) return
    this.#message = message
    this.#told = told
    this.#isSeen ||= message !== '' // as the next process would find it
    if (message === '') this.#options.log.info({ topic }, 'Home Assistant is told that there is nothing')
    else if (isNew)
      this.#options.log.info({ topic, entities: told.size }, 'Home Assistant is told what there is')
  }

  async #publish(topic: string, payload: string): Promise<boolean> {
    try {
      await this.#options.hub.publish({ topic, payload, qos: 1, retain: true })
      return true
    } catch (error) {
      const repeats = this.#repeats.admit('publish')
      if (repeats !== undefined)
        this.#options.log.warn({ topic, reason: reasonOf(error), ...repeats }, 'Home Assistant not told')
      return false
    }
  }

  #topic(prefix: string): string {
    return configTopic(prefix, this.#options.name)
  }

  get #settings(): HomeAssistantSettings {
    const house = this.#house
    if (house === undefined) throw new Error('nothing to tell before start')
    return house.homeAssistant
  }

  get #teller(): Teller {
    return { name: this.#options.name, version: this.#options.version, model: this.#model }
  }
}
