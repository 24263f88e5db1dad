import { limits } from '../core/limits.ts'
import type { Publication } from './publication.ts'
import type { Session } from './session.ts'

/** Before MQTT 5 a broker cannot say what it takes. mosquitto takes so many, and ends the connection at one more. */
const most = 20
/** A connection that ended sooner may have ended for what was sent. */
const soonMs = 10_000
/** After one that stood so long more may be sent at a time. */
const longMs = 60_000

/** How many messages may be on their way over a bridge, learnt from connections that the other broker has ended. */
export class BridgeWindow {
  #receiveMaximum = most
  /** The message that was first on its way when the other broker ended the connection, and how often in a row. */
  #suspect: { readonly order: number; readonly ends: number } | undefined

  /** What a broker before MQTT 5 is believed to take. */
  get receiveMaximum(): number {
    return this.#receiveMaximum
  }

  /** What may be on its way now: while a message is suspected it goes alone. */
  max(session: Session): number {
    if (this.#suspect === undefined) return Number.POSITIVE_INFINITY
    const oldest = session.oldestUnanswered
    if (oldest === undefined || oldest === this.#suspect.order) return 1
    this.#suspect = undefined
    return Number.POSITIVE_INFINITY
  }

  /**
   * The other broker has ended a connection. Some do when they do not like a message: one after which it did so each
   * time, `bridgeAttemptsMax` times, is given up.
   * @returns that message
   */
  ended(session: Session, stoodMs: number): Publication | undefined {
    const { unansweredMessages } = session
    if (stoodMs >= longMs) this.#receiveMaximum = Math.min(this.#receiveMaximum * 2, most)
    else if (stoodMs < soonMs && unansweredMessages > 1)
      this.#receiveMaximum = Math.max(1, Math.floor(Math.min(this.#receiveMaximum, unansweredMessages) / 2))
    const order = session.oldestUnanswered
    // those of QoS 2 that it has, and that are not released, may be why it takes no other
    if (order === undefined || session.isQos2Behind) return undefined
    const ends = order === this.#suspect?.order ? this.#suspect.ends + 1 : 1
    this.#suspect = { order, ends }
    if (ends < limits.bridgeAttemptsMax) return undefined
    this.#suspect = undefined
    return session.giveUpOldest()
  }
}
