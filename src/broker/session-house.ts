import type { Aedes } from 'aedes'
import type { LimitName } from '../core/limits.ts'
import type { BridgeLoops } from './bridge-loops.ts'
import type { Doorkeeper, Party } from './doorkeeper.ts'
import type { FairShare } from './fair-share.ts'
import type { Ledger } from './journal/ledger.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { RetainedStore } from './retained-store.ts'
import type { Session } from './session.ts'

/** What all sessions share. */
export interface SessionHouse {
  readonly hub: Pick<Aedes, 'subscribe' | 'unsubscribe'>
  readonly ledger: Ledger
  readonly retained: RetainedStore
  readonly budget: MemoryBudget
  readonly doorkeeper: Pick<Doorkeeper, 'hasLists' | 'hasSameList' | 'mayRead'>
  readonly loops: BridgeLoops
  /** What the subscriptions of all sessions take, about. */
  readonly subscriptionBytes: FairShare
  /** A message that waited for a session was dropped, for this bound was reached. */
  dropped(session: Session, bound: LimitName): void
  /** Messages that waited for sessions were dropped: those sessions may not read them any more. */
  droppedUnreadable(messages: number, session?: Session): void
  /** A session ends, for its client identifier belongs to a client of another user's now. */
  endedForAnother(session: Session, owner: Party, guest: Party): void
  /** A session ends, for there are too many whose clients are away, and its owner has most of them. */
  endedForRoom(session: Session): void
  /** The time of a session was up, and messages waited in it. */
  expired(session: Session): void
  /** Calls the session's `pump` at the end of what is being done now, once. */
  pumpSoon(session: Session): void
  /** Calls the session's `feed` in one of the next turns of the event loop, once. */
  feedSoon(session: Session): void
}
