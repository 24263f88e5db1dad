import type { Aedes } from 'aedes'
import type { Counters } from '../core/counters.ts'
import type { LimitName } from '../core/limits.ts'
import type { OpenListener } from '../core/listener.ts'
import type { Connection, Ending } from './connection.ts'
import type { Doorkeeper } from './doorkeeper.ts'
import type { Router } from './router.ts'
import type { SessionHouse } from './session-house.ts'
import type { ProtocolError } from './wire/protocol-error.ts'

/** Somebody who has not been answered yet, and can be turned away. */
export interface Unanswered {
  turnAway(bound: LimitName, reason: string): void
}

/** What all connections share. */
export interface ConnectionHouse extends SessionHouse {
  readonly hub: Pick<Aedes, 'publish' | 'subscribe' | 'unsubscribe'>
  /** What this broker is called by those that bridge to it, as long as it runs. */
  readonly instance: string
  readonly router: Router
  readonly doorkeeper: Doorkeeper
  readonly counters: Counters
  /** Every way in, to tell who came to the wrong one. */
  readonly openListeners: readonly OpenListener[]
  /** The number of the present turn of the event loop, of those in which something was read. */
  currentTurn(): number
  /** Calls `resume` when the present turn is over. */
  nextTurn(connection: Connection): void
  /** Calls `release` when the store has kept the batch that takes records now. */
  wake(connection: Connection): void
  /**
   * Runs something when the batch that takes records now is kept, and at once while nothing can be: of a client that is let
   * in nothing is promised by that.
   */
  whenKept(run: () => void): void
  /** Calls `relieve` when there is memory again, or after a while. */
  withhold(connection: Connection): void
  /** One who has not been answered holds so many bytes. The one that holds most may be turned away for it. */
  holdUnanswered(who: Unanswered, bytes: number): void
  /** Pumps the sessions that `pumpSoon` was called for. */
  pumpAll(): void
  ended(connection: Connection, ending: Ending): void
  /** The first packet is one that we do not take. */
  refused(connection: Connection, error: ProtocolError): void
  /** An error of our own while a packet was handled. */
  failed(connection: Connection, error: unknown): void
}
