import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { filterProblem, topicProblem } from '../core/topics.ts'
import { type Access, judge, type Verdict } from './access.ts'
import { cut } from './log-fields.ts'

/** A client at the door, and as long as it stays. */
export interface Guest {
  readonly clientId: string
  /** As people write it. */
  readonly address: string
  /** As CONNECT says it: a claim. */
  readonly username: string | undefined
  /** Who it is, once it has been let in; undefined: nobody by name. */
  readonly user?: string | undefined
  /** Wanted by `mayConnect` alone: who keeps a guest keeps it without. */
  readonly password?: Uint8Array | undefined
  /** What `mayStay` knows the password by. */
  readonly passwordDigest?: Uint8Array | undefined
  /** Whether it comes from this machine. */
  readonly isLocal: boolean
  /** The name of the listener that it came to. */
  readonly listener?: string
  /** The user that its certificate names: it is that user, and needs no password. */
  readonly certificateUser?: string | undefined
}

/** Why a client may not publish or subscribe. */
export interface Refusal {
  /** Of MQTT 5: 0x87 not authorized, 0x8F topic filter invalid, 0x90 topic name invalid. */
  readonly reasonCode: 0x87 | 0x8f | 0x90
  readonly reason: string
}

/** What was refused, as the log says it. */
type Refused = 'client refused' | 'publish refused' | 'subscription refused'

const counterOf = {
  'client refused': 'clients.refused',
  'publish refused': 'publishes.refused',
  'subscription refused': 'subscriptions.refused',
} as const

const ownTopic: Refusal = { reasonCode: 0x87, reason: 'topics below $SYS are the broker’s own' }

export interface DoorkeeperOptions {
  readonly access: Access
  readonly log: Logger
  readonly counters: Counters
  /** `performance.now` unless told. */
  readonly nowMs?: () => number
}

/**
 * Who may connect, publish and subscribe. Each answer is given at once; a no is counted, and logged unless one like it
 * was within ten seconds. Passwords are never logged, nor user names, for people type a password there by mistake.
 */
export class Doorkeeper {
  readonly #log: Logger
  readonly #counters: Counters
  readonly #repeats: Repeats
  #access: Access
  #epoch = 0

  constructor({ access, log, counters, nowMs }: DoorkeeperOptions) {
    this.#access = access
    this.#log = log
    this.#counters = counters
    this.#repeats = new Repeats(nowMs)
  }

  /** Another one when answers given before may be wrong now. */
  get epoch(): number {
    return this.#epoch
  }

  /** What holds from now on. Who is connected is to be asked about again, with `mayStay`. */
  setAccess(access: Access): void {
    this.#access = access
    this.#epoch++
  }

  /** About a guest who was let in: whether that still holds. Neither counted nor logged. */
  mayStay(guest: Guest): Verdict {
    return judge(this.#access, guest)
  }

  /** About a CONNECT whose client id is final. */
  mayConnect(guest: Guest): Verdict {
    const verdict = judge(this.#access, guest)
    if (!verdict.isAllowed)
      this.#refuse('client refused', guest, { reason: verdict.reason, remedy: verdict.remedy })
    return verdict
  }

  /** About one PUBLISH, or a will. @returns why not; undefined when it may */
  mayPublish(guest: Guest, topic: string): Refusal | undefined {
    const refusal =
      topic.startsWith('$SYS') && topic !== connectionState(guest.clientId)
        ? ownTopic
        : refusalOf(0x90, topicProblem(topic, limits.topicLevelsMax))
    if (refusal !== undefined) this.#refuse('publish refused', guest, { topic, reason: refusal.reason })
    return refusal
  }

  /**
   * About one filter of a SUBSCRIBE; of a shared subscription what follows the share's name.
   * @returns why not; undefined when it may
   */
  maySubscribe(guest: Guest, filter: string): Refusal | undefined {
    const refusal = refusalOf(0x8f, filterProblem(filter, limits.topicLevelsMax))
    if (refusal !== undefined) this.#refuse('subscription refused', guest, { filter, reason: refusal.reason })
    return refusal
  }

  /**
   * Logs that somebody was turned away for a reason that another part has found and counted: a bound, a broken packet.
   * Of the same address and reason one line in ten seconds, the others counted in it; long fields are cut.
   */
  logRefusal(fields: RefusalFields, what: Refused = 'client refused'): void {
    // not by client id: a peer may take another one each time
    const repeats = this.#repeats.admit(`${what} ${fields.address} ${fields.reason}`)
    if (repeats !== undefined) this.#log.warn({ ...cut({ ...fields }), ...repeats }, what)
  }

  #refuse(what: Refused, { clientId, address }: Guest, fields: Readonly<RefusalDetails>): void {
    this.#counters.add(counterOf[what])
    this.logRefusal({ client: clientId, address, ...fields }, what)
  }
}

interface RefusalDetails {
  readonly reason: string
  /** What the owner can do about it. */
  readonly remedy?: string
  readonly topic?: string
  readonly filter?: string
}

/** What a line about a refusal says; more may stand in it. */
export interface RefusalFields extends RefusalDetails {
  /** Unknown before CONNECT. */
  readonly client?: string
  readonly address: string
  readonly [more: string]: string | number | undefined
}

/** Where a bridge to this broker tells whether it is connected, as mosquitto's do: that of its own client id. */
export function connectionState(clientId: string): string {
  return `$SYS/broker/connection/${clientId}/state`
}

function refusalOf(reasonCode: 0x8f | 0x90, reason: string | undefined): Refusal | undefined {
  return reason === undefined ? undefined : { reasonCode, reason }
}
