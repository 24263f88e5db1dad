import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Connection } from './connection.ts'
import type { ProtocolLevel } from './wire/packet-types.ts'

export interface DelayedRefusal {
  readonly level: ProtocolLevel
  readonly reasonCode: number
  readonly reason: string
  readonly maximumPacketSize: number | undefined
}

interface Waiting {
  readonly refusal: DelayedRefusal
  readonly timer: NodeJS.Timeout
}

/** Refusals that wait, so that guessing takes time. Of more than `delayedRefusalsMax` the oldest is sent at once. */
export class DelayedRefusals {
  readonly #counters: Counters
  /** The oldest first. */
  readonly #waiting = new Map<Connection, Waiting>()

  constructor(counters: Counters) {
    this.#counters = counters
  }

  /** The connection is refused after this time; what it sends meanwhile is bounded. */
  add(connection: Connection, delayMs: number, refusal: DelayedRefusal): void {
    connection.attend(0)
    if (connection.isClosed) return
    const timer = setTimeout(() => this.#refuse(connection), delayMs).unref()
    this.#waiting.set(connection, { refusal, timer })
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= limits.delayedRefusalsMax) return
      this.#counters.add('delayedRefusalsMax')
      this.#refuse(oldest)
    }
  }

  /** The connection has ended. */
  drop(connection: Connection): void {
    const waiting = this.#waiting.get(connection)
    if (waiting === undefined) return
    clearTimeout(waiting.timer)
    this.#waiting.delete(connection)
  }

  #refuse(connection: Connection): void {
    const refusal = this.#waiting.get(connection)?.refusal
    this.drop(connection)
    if (refusal === undefined) return
    const { level, reasonCode, reason, maximumPacketSize } = refusal
    connection.refuse(level, reasonCode, reason, maximumPacketSize)
  }
}
