import { reasonOf } from '../core/errors.ts'
import { type Message, type OutgoingMessage, ownClientId } from '../core/message.ts'
import { nearest } from '../core/nearest.ts'
import { commandWords, isOutput, type PinState, type PinValue } from '../core/pin.ts'
import { commandOf } from '../core/pin-order.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import type { PinBoard } from './board.ts'
import type { PinOutbox } from './outbox.ts'

const nameShownMax = 64

export interface PinTopicsOptions {
  readonly board: PinBoard
  readonly hub: Hub
  readonly outbox: Pick<PinOutbox, 'send' | 'sendLatest'>
  /** Damselfly's name: `damselfly/NAME/pins/PIN`. */
  readonly name: string
  readonly log: Logger
}

export interface PinTopics {
  /** Publishes the states as they are: the broker may have lost them. */
  tellStates(): void
  /** Publishes no more and obeys no more. */
  close(): void
}

/**
 * Puts the pins on the broker: each pin's state, retained, on `damselfly/NAME/pins/PIN`; commands on
 * `damselfly/NAME/pins/PIN/set`; an input's edges on its `publish` topic. Follows the board through reloads, and
 * clears the states of pins that exist no more. Close the board first, then this: so `on_stop` is told.
 *
 * A command's chain goes on with what follows from it. While the broker is too far behind, edges are dropped, and states
 * wait in the outbox, of which only the latest is sent.
 */
export async function startPinTopics(options: PinTopicsOptions): Promise<PinTopics> {
  const topics = new Topics(options)
  await topics.start()
  return topics
}

class Topics implements PinTopics {
  readonly #board: PinBoard
  readonly #hub: Hub
  readonly #log: Logger
  readonly #outbox: Pick<PinOutbox, 'send' | 'sendLatest'>
  readonly #prefix: string
  readonly #repeats = new Repeats()
  #ends: (() => void)[] = []

  constructor({ board, hub, outbox, name, log }: PinTopicsOptions) {
    this.#board = board
    this.#hub = hub
    this.#log = log
    this.#outbox = outbox
    this.#prefix = `damselfly/${name}/pins/`
  }

  async start(): Promise<void> {
    this.#ends = [
      this.#hub.subscribe(`${this.#prefix}+/set`, (message) => this.#obey(message)),
      this.#hub.subscribe(`${this.#prefix}+`, (message) => this.#repair(message)),
      this.#board.listen({
        onState: (pin, state, chain) => this.#publishState(pin, state, chain),
        onEdge: ({ publish }, state, chain) => this.#publishEdge(publish, state, chain),
        onRemoved: (pin) => this.#outbox.sendLatest(pin, this.#clearing(pin)),
      }),
    ]
    const clearing = this.#clearStates()
    // a broker elsewhere may be away for long
    if (this.#hub.remote === undefined) await clearing
  }

  tellStates(): void {
    for (const pin of this.#pinNames()) this.#publishState(pin, this.#board.state(pin), [])
  }

  close(): void {
    for (const end of this.#ends) end()
  }

  #publishState(pin: string, state: PinValue, chain: readonly string[]): void {
    this.#outbox.sendLatest(pin, { ...this.#clearing(pin), payload: String(state), chain })
  }

  /** An empty state takes the retained message away [MQTT-3.3.1-10]. */
  #clearing(pin: string): OutgoingMessage {
    return { topic: this.#prefix + pin, payload: '', qos: 1, retain: true }
  }

  #publishEdge(topic: string | undefined, state: PinState, chain: readonly string[]): void {
    if (topic !== undefined) this.#outbox.send({ topic, payload: state, qos: 1, chain })
  }

  #expected(name: string): string {
    if (this.#board.isCounter(name)) return 'a number: the total that the meter shows'
    const pin = this.#board.pins.find((pin) => pin.name === name)
    return pin !== undefined && isOutput(pin) ? commandWords(pin) : 'on, off or toggle'
  }

  /** Takes the states of pins away that exist no more. Never rejects. */
  async #clearStates(): Promise<void> {
    try {
      for await (const { topic } of this.#hub.retained(`${this.#prefix}+`)) {
        const pin = topic.slice(this.#prefix.length)
        if (!this.#pinNames().includes(pin)) this.#outbox.sendLatest(pin, this.#clearing(pin))
      }
    } catch (error) {
      this.#warn('retained', { reason: reasonOf(error) }, 'states of pins that exist no more are not cleared')
    }
  }

  #pinNames(): string[] {
    return this.#board.pins.map(({ name }) => name)
  }

  /** A state that a client has published is no state: the true one goes out again. */
  #repair({ topic, payload, client }: Message): void {
    if (client === ownClientId) return
    const pin = topic.slice(this.#prefix.length)
    const state = this.#pinNames().includes(pin) ? this.#board.state(pin) : undefined
    if (Buffer.from(payload).toString() === String(state ?? '')) return // true, whoever says it
    const remedy = `a command goes to ${this.#prefix}PIN/set`
    this.#warn(
      'state',
      { pin: pin.slice(0, nameShownMax), client, remedy },
      'pin state published by a client: corrected',
    )
    if (state !== undefined) this.#publishState(pin, state, [])
    else this.#outbox.send(this.#clearing(pin)) // clients can make up names without end: these do not wait
  }

  #obey({ topic, payload, client, chain }: Message): void {
    const pin = topic.slice(this.#prefix.length, -'/set'.length)
    if (!this.#pinNames().includes(pin)) {
      this.#refuseUnknown(pin.slice(0, nameShownMax), client)
      return
    }
    if (this.#board.isCounter(pin) && this.#align(pin, payload)) return
    const command = commandOf(payload)
    if (command === undefined) {
      const fields = { topic, client, bytes: payload.length, expected: this.#expected(pin) }
      this.#warn(`payload ${pin}`, fields, 'pin command not understood')
      return
    }
    try {
      if (this.#board.isOutput(pin)) this.#board.set(pin, command, { chain, by: byWhom(client) })
      else if (this.#board.isSimulatedInput(pin)) this.#board.simulate(pin, command, chain)
      else this.#warn(`input ${pin}`, { topic, client }, 'command for an input: only its wire can change it')
    } catch (error) {
      this.#warn(`failed ${pin}`, { topic, client, reason: reasonOf(error) }, 'pin command failed')
    }
  }

  /** A number for a counter is its new total. @returns whether it was one */
  #align(pin: string, payload: Uint8Array): boolean {
    const total = commandOf(payload)
    if (typeof total !== 'number') return false
    this.#board.align(pin, total)
    return true
  }

  // One kind for all unknown pins: their names are the client's, and without bound.
  #refuseUnknown(pin: string, client: string): void {
    const repeats = this.#repeats.admit('unknown')
    if (repeats === undefined) return
    const pins = this.#pinNames()
    this.#log.warn(
      { pin, client, nearest: nearest(pin, pins), pins, ...repeats },
      'command for an unknown pin',
    )
  }

  #warn(kind: string, fields: object, message: string): void {
    const repeats = this.#repeats.admit(kind)
    if (repeats !== undefined) this.#log.warn({ ...fields, ...repeats }, message)
  }
}

/** A broker elsewhere does not say who published. */
function byWhom(client: string): string {
  return client === '' ? 'a message' : `client ${client}`
}
