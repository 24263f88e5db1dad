import { randomUUID } from 'node:crypto'
import type { Aedes } from 'aedes'
import { bridgeOfSession } from '../core/bridge.ts'
import type { Counters } from '../core/counters.ts'
import { limitFields } from '../core/limit-keys.ts'
import { type LimitName, limits } from '../core/limits.ts'
import type { OpenListener } from '../core/listener.ts'
import { networkOf } from '../core/network.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { BridgeLoops } from './bridge-loops.ts'
import { type Connection, type Ending, pauseReason } from './connection.ts'
import type { ConnectionHouse, Unanswered } from './connection-house.ts'
import type { Doorkeeper, Party } from './doorkeeper.ts'
import { FairShare } from './fair-share.ts'
import type { Ledger } from './journal/ledger.ts'
import { cut } from './log-fields.ts'
import { MemoryBudget } from './memory-budget.ts'
import { ownerKey } from './owner.ts'
import type { RetainedStore } from './retained-store.ts'
import type { Router } from './router.ts'
import type { Session } from './session.ts'
import type { DroppedMessage } from './session-house.ts'
import type { ProtocolError } from './wire/protocol-error.ts'

/** How long publishers wait for their acknowledgements at most when memory is short: it may stay so. */
const withheldMsMax = 1_000

/** How long retained messages are looked for in one turn of the event loop, for all sessions together. */
const feedMs = 2

/** A ledger that says when something was kept, and when nothing can be. */
export interface KeptLedger extends Ledger {
  onKept: () => void
  onBarred: () => void
}

export interface HouseParts {
  readonly aedes: Aedes
  readonly router: Router
  readonly retained: RetainedStore
  readonly ledger: KeptLedger
  readonly doorkeeper: Doorkeeper
  readonly counters: Counters
  readonly log: Logger
  readonly onEnded: (connection: Connection, ending: Ending) => void
}

/** What connections and sessions share: the clock, whose turn it is, and who waits for what. */
export class House implements ConnectionHouse {
  readonly instance: string = randomUUID()
  readonly hub: Aedes
  readonly router: Router
  readonly retained: RetainedStore
  readonly ledger: Ledger
  readonly doorkeeper: Doorkeeper
  readonly counters: Counters
  readonly budget: MemoryBudget
  readonly loops: BridgeLoops
  readonly subscriptionBytes = new FairShare()
  openListeners: readonly OpenListener[] = []
  #turn = 0
  #isTurnArmed = false
  readonly #parts: HouseParts
  readonly #repeats = new Repeats()
  #waitingForTurn: Connection[] = []
  #waitingForStore = new Set<Connection>()
  readonly #withheld = new Set<Connection>()
  #afterKept: { readonly batch: number; readonly run: () => void }[] = []
  readonly #toPump = new Set<Session>()
  readonly #toFeed = new Set<Session>()
  /** What those hold that have not been answered yet; the oldest first. */
  readonly #unanswered = new Map<Unanswered, number>()
  #unansweredBytes = 0
  #withheldTimer: NodeJS.Timeout | undefined

  constructor(parts: HouseParts) {
    this.#parts = parts
    this.hub = parts.aedes
    this.router = parts.router
    this.retained = parts.retained
    this.ledger = parts.ledger
    this.doorkeeper = parts.doorkeeper
    this.counters = parts.counters
    this.loops = new BridgeLoops({ ...parts, instance: this.instance })
    this.budget = new MemoryBudget(
      () => this.#pressed(),
      () => this.#relieve(),
    )
    parts.ledger.onKept = () => this.#kept()
    parts.ledger.onBarred = () => this.#barred()
  }

  currentTurn(): number {
    if (!this.#isTurnArmed) {
      this.#isTurnArmed = true
      setImmediate(this.#endTurn)
    }
    return this.#turn
  }

  nextTurn(connection: Connection): void {
    this.#waitingForTurn.push(connection)
  }

  wake(connection: Connection): void {
    this.#waitingForStore.add(connection)
  }

  whenKept(run: () => void): void {
    if (this.ledger.isBarred) run()
    else this.#afterKept.push({ batch: this.ledger.open, run })
  }

  withhold(connection: Connection): void {
    this.#withheld.add(connection)
    this.#withheldTimer ??= setTimeout(() => this.#relieve(), withheldMsMax).unref()
  }

  holdUnanswered(who: Unanswered, bytes: number): void {
    this.#unansweredBytes += bytes - (this.#unanswered.get(who) ?? 0)
    if (bytes === 0) this.#unanswered.delete(who)
    else this.#unanswered.set(who, bytes)
    if (this.#unansweredBytes <= limits.unansweredBytesMax) return
    let [largest, most] = [who, 0]
    for (const [other, held] of this.#unanswered) if (held > most) [largest, most] = [other, held]
    largest.turnAway('unansweredBytesMax', 'too many bytes wait before CONNECT')
  }

  pumpSoon(session: Session): void {
    this.#toPump.add(session)
  }

  pumpAll(): void {
    if (this.#toPump.size === 0) return
    for (const session of this.#toPump) {
      this.#toPump.delete(session)
      session.pump()
    }
  }

  feedSoon(session: Session): void {
    this.#toFeed.add(session)
    this.currentTurn() // it ends soon
  }

  dropped(session: Session, bound: LimitName, which: DroppedMessage = 'the oldest'): void {
    this.counters.add(bound)
    this.counters.add('messages.dropped')
    session.droppedMessages++
    const repeats = this.#repeats.admit(`dropped ${session.clientId}`)
    if (repeats === undefined) return
    const bridge = bridgeOfSession(session.clientId)
    this.#parts.log.warn(
      cut({
        ...(bridge === undefined ? { client: session.clientId } : { bridge }),
        ...limitFields(bound),
        which,
        dropped: session.droppedMessages,
        waiting: session.queuedMessages,
        ...repeats,
      }),
      bridge === undefined
        ? 'messages dropped: too many wait for a client'
        : 'messages dropped: too many wait for a bridge',
    )
  }

  droppedUnreadable(messages: number, session?: Session): void {
    if (messages === 0) return
    this.counters.add('messages.unreadable', messages)
    this.counters.add('messages.dropped', messages)
    const repeats = this.#repeats.admit(
      session === undefined ? 'unreadable' : `unreadable ${session.clientId}`,
    )
    if (repeats !== undefined)
      this.#parts.log.info(
        cut({ ...(session && { client: session.clientId }), messages, ...repeats }),
        'messages dropped: who waited for them may not read them any more',
      )
  }

  endedForAnother({ clientId, queuedMessages }: Session, owner: Party, guest: Party): void {
    const repeats = this.#repeats.admit(`another ${clientId}`)
    const fields = { client: clientId, address: guest.address, owner: owner.user, user: guest.user }
    // two of one name are known elsewhere each
    const ways = owner.user === guest.user && { ownerListener: owner.listener, listener: guest.listener }
    if (repeats !== undefined)
      this.#parts.log.warn(
        cut({ ...fields, ...ways, messages: queuedMessages, ...repeats }),
        'session ended: another user connected with its client id',
      )
  }

  endedForRoom({ clientId, owner }: Session): void {
    const repeats = this.#repeats.admit(`room ${ownerKey(owner)}`)
    if (repeats === undefined) return
    const { user, address } = owner ?? {}
    const fields = { client: clientId, ...(user === undefined ? { address } : { user }) }
    this.#parts.log.warn(
      { ...cut(fields), ...limitFields('sessionsMax'), ...repeats },
      'session ended: too many wait for clients that are away, most of them of one owner',
    )
  }

  expired({ clientId, queuedMessages }: Session): void {
    const repeats = this.#repeats.admit('session expired') // thousands may have left at one time
    if (repeats !== undefined)
      this.#parts.log.info(cut({ client: clientId, messages: queuedMessages, ...repeats }), 'session expired')
  }

  ended(connection: Connection, ending: Ending): void {
    this.#waitingForStore.delete(connection)
    this.#withheld.delete(connection)
    this.#parts.onEnded(connection, ending)
    this.pumpAll()
  }

  refused(connection: Connection, error: ProtocolError): void {
    this.counters.add('clients.refused')
    const { address } = connection
    this.doorkeeper.refusals.note('client', { address, reason: error.message })
    // not by its words: there are numbers of the client's in them
    const repeats = this.#repeats.admit(`refused ${networkOf(address)} ${error.reasonCode}`)
    if (repeats !== undefined)
      this.#parts.log.warn(cut({ address, reason: error.message, ...repeats }), 'client refused')
  }

  failed(connection: Connection, error: unknown): void {
    this.counters.add('connections.failed')
    this.#parts.log.error({ err: error, ...cut(connection.toFields()) }, 'packet could not be handled')
  }

  readonly #endTurn = (): void => {
    this.#isTurnArmed = false
    this.#turn++
    if (this.#waitingForTurn.length > 0) {
      const due = this.#waitingForTurn
      this.#waitingForTurn = []
      for (const connection of due) connection.resume(pauseReason.turn)
    }
    if (this.#toFeed.size > 0) this.#feed()
  }

  /** Whose time was not enough comes again after the others. */
  #feed(): void {
    const untilMs = performance.now() + feedMs
    for (const session of this.#toFeed) {
      this.#toFeed.delete(session)
      session.feed(untilMs)
      if (performance.now() > untilMs) break
    }
    if (this.#toFeed.size > 0) this.currentTurn()
  }

  #kept(): void {
    const { kept } = this.ledger
    if (this.#afterKept.length > 0) {
      const due = this.#afterKept
      this.#afterKept = due.filter(({ batch }) => batch > kept)
      for (const { batch, run } of due) if (batch <= kept) run()
    }
    const waiting = this.#waitingForStore
    if (waiting.size > 0) {
      this.#waitingForStore = new Set()
      for (const connection of waiting) connection.release()
    }
    this.pumpAll()
  }

  /** The disk takes nothing: who can be told is told, the others wait. */
  #barred(): void {
    const due = this.#afterKept
    this.#afterKept = []
    for (const { run } of due) run()
    for (const connection of [...this.#waitingForStore]) connection.refuseHeld()
    this.pumpAll()
  }

  #pressed(): void {
    this.counters.add('memoryBytesMax')
    const repeats = this.#repeats.admit('memory')
    if (repeats !== undefined)
      this.#parts.log.warn(
        { bytes: this.budget.bytes, ...limitFields('memoryBytesMax'), ...repeats },
        'memory is short: publishers wait, and the oldest messages for clients that are away are dropped',
      )
  }

  #relieve(): void {
    clearTimeout(this.#withheldTimer)
    this.#withheldTimer = undefined
    const waiting = [...this.#withheld]
    this.#withheld.clear()
    for (const connection of waiting) connection.relieve()
  }
}
