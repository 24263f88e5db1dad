import { reasonOf } from '../core/errors.ts'
import { type Message, ownClientId } from '../core/message.ts'
import type { Hub, Logger } from '../core/ports.ts'

/** Whether we are there, for everybody: `online` or `offline`, retained, on `damselfly/NAME/status`. */
export class Presence {
  readonly #hub: Hub
  readonly #topic: string
  readonly #log: Logger
  #end = (): void => {}

  constructor(hub: Hub, topic: string, log: Logger) {
    this.#hub = hub
    this.#topic = topic
    this.#log = log
  }

  /** Says `online`, and puts right what others claim. At a broker elsewhere each connection says it, by `tellOnline`. */
  async start(): Promise<void> {
    this.#end = this.#hub.subscribe(this.#topic, (message) => this.#check(message))
    if (this.#hub.remote === undefined) await this.#tell('online')
  }

  /** Never throws; a failure is logged. */
  tellOnline(): void {
    this.#tell('online').catch((error) => this.#log.warn({ reason: reasonOf(error) }, 'status not published'))
  }

  /** Says `offline`. */
  async close(): Promise<void> {
    this.#end()
    await this.#tell('offline')
  }

  #check({ client, payload }: Message): void {
    if (client !== ownClientId && Buffer.from(payload).toString() !== 'online') this.tellOnline()
  }

  #tell(payload: 'online' | 'offline'): Promise<void> {
    return this.#hub.publish({ topic: this.#topic, payload, qos: 1, retain: true })
  }
}
