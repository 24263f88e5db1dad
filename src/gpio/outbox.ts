import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { OutgoingMessage } from '../core/message.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'

export interface PinOutboxOptions {
  readonly hub: Hub
  readonly log: Logger
  /** Gets `pinMessagesMax`: messages not published because the broker was too far behind. */
  readonly counters: Counters
}

/**
 * Publishes what pins have to say: one for all that speak of pins, so that `limits.pinMessagesMax` messages wait for
 * the broker at most. Nothing here throws; what fails is logged.
 */
export class PinOutbox {
  readonly #options: PinOutboxOptions
  readonly #repeats = new Repeats()
  readonly #sending = new Set<Promise<void>>()
  readonly #late = new Map<string, OutgoingMessage>()

  constructor(options: PinOutboxOptions) {
    this.#options = options
  }

  /** Beyond the bound the message is dropped and counted. */
  send(message: OutgoingMessage): void {
    if (!this.#isFull) {
      this.#publish(message)
      return
    }
    const { topic } = message
    this.#options.counters.add('pinMessagesMax')
    this.#warn('behind', { topic }, 'pin message not published: the broker is too far behind')
  }

  /**
   * Beyond the bound the message waits, and replaces the one of the same key that waits. There must be a bound to the
   * keys.
   */
  sendLatest(key: string, message: OutgoingMessage): void {
    this.#late.delete(key)
    if (this.#isFull) this.#late.set(key, message)
    else this.#publish(message)
  }

  /** Resolves when what was sent has been accepted. */
  async close(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending)
  }

  get #isFull(): boolean {
    return this.#sending.size >= limits.pinMessagesMax
  }

  #publish(message: OutgoingMessage): void {
    const sending = this.#options.hub
      .publish(message)
      .catch((error) =>
        this.#warn('publish', { topic: message.topic, reason: reasonOf(error) }, 'pin message not published'),
      )
      .finally(() => {
        this.#sending.delete(sending)
        this.#publishLate()
      })
    this.#sending.add(sending)
  }

  #publishLate(): void {
    const [late] = this.#late
    if (late === undefined) return
    const [key, message] = late
    this.#late.delete(key)
    this.#publish(message)
  }

  #warn(kind: string, fields: object, message: string): void {
    const repeats = this.#repeats.admit(kind)
    if (repeats !== undefined) this.#options.log.warn({ ...fields, ...repeats }, message)
  }
}
