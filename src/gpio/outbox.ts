import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { OutgoingMessage } from '../core/message.ts'
import type { Hub, Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'

export interface OutboxOptions {
  readonly hub: Hub
  readonly log: Logger
  /** Gets `pinMessagesMax`: messages not published because the broker was too far behind. */
  readonly counters: Counters
}

/** Publishes what pins have to say; `limits.pinMessagesMax` messages wait for the broker at most, more are dropped. */
export class Outbox {
  readonly #options: OutboxOptions
  readonly #repeats = new Repeats()
  readonly #sending = new Set<Promise<void>>()

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** Never throws; what fails is logged. */
  send(message: OutgoingMessage): void {
    const { hub, counters } = this.#options
    const { topic } = message
    if (this.#sending.size >= limits.pinMessagesMax) {
      counters.add('pinMessagesMax')
      this.#warn('behind', { topic }, 'pin message not published: the broker is too far behind')
      return
    }
    const sending = hub
      .publish(message)
      .catch((error) =>
        this.#warn('publish', { topic, reason: reasonOf(error) }, 'pin message not published'),
      )
      .finally(() => this.#sending.delete(sending))
    this.#sending.add(sending)
  }

  /** Resolves when what was sent has been accepted. */
  async close(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending)
  }

  #warn(kind: string, fields: object, message: string): void {
    const repeats = this.#repeats.admit(kind)
    if (repeats !== undefined) this.#options.log.warn({ ...fields, ...repeats }, message)
  }
}
