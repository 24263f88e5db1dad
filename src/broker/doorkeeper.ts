import type { OwnIdentity } from '../core/access.ts'
import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { filterProblem, isSystemTopic, systemTopicReason, topicProblem } from '../core/topics.ts'
import { AccessLists } from './access/lists.ts'
import type { Decision, Rights } from './access/rights.ts'
import { type Access, judge, type Verdict } from './access.ts'
import { Entrance } from './entrance.ts'
import { cut } from './log-fields.ts'
import { Refusals } from './refusals.ts'

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
  /** Likewise, of a user of the file: the hash that the password was verified against. */
  readonly verifiedHash?: string | undefined
  /** Whether it comes from this machine. */
  readonly isLocal: boolean
  /** The name of the listener that it came to. */
  readonly listener?: string
  /** The user that its certificate names: it is that user, and needs no password. */
  readonly certificateUser?: string | undefined
}

/** Whose rights are asked for: a guest, or, when its client is away, the owner of a session. */
export type Party = Pick<Guest, 'clientId' | 'address' | 'user' | 'listener'>

/** Why a client may not publish or subscribe. */
export interface Refusal {
  /** Of MQTT 5: 0x87 not authorized, 0x8F topic filter invalid, 0x90 topic name invalid. */
  readonly reasonCode: 0x87 | 0x8f | 0x90
  readonly reason: string
}

/** What was refused, as the log says it. */
type Refused =
  | 'client refused'
  | 'client connected without its will'
  | 'publish refused'
  | 'subscription refused'

const counterOf = {
  'client refused': 'clients.refused',
  'client connected without its will': 'wills.refused',
  'publish refused': 'publishes.refused',
  'subscription refused': 'subscriptions.refused',
} as const

const kindOf = {
  'client refused': 'client',
  'client connected without its will': 'publish',
  'publish refused': 'publish',
  'subscription refused': 'subscription',
} as const

const ownTopic: Refusal = { reasonCode: 0x87, reason: systemTopicReason }

export interface DoorkeeperOptions {
  readonly access: Access
  readonly log: Logger
  readonly counters: Counters
  /** `performance.now` unless told. */
  readonly nowMs?: () => number
}

/**
 * Who may connect, publish and subscribe. Each answer is given at once, but where a password has to be verified; a no is
 * counted, and logged unless one like it was within ten seconds. Passwords are never logged, nor names that are nobody's,
 * for people type a password there by mistake.
 */
export class Doorkeeper {
  /** Those of late, for whoever asks. */
  readonly refusals: Refusals
  readonly #log: Logger
  readonly #counters: Counters
  readonly #repeats: Repeats
  readonly #entrance: Entrance
  #access: Access
  #epoch = 0
  #lists: AccessLists

  constructor({ access, log, counters, nowMs = () => performance.now() }: DoorkeeperOptions) {
    this.#access = access
    this.#log = log
    this.#counters = counters
    this.refusals = new Refusals(counters)
    this.#repeats = new Repeats(nowMs)
    this.#entrance = new Entrance({ access: () => this.#access, log, counters, nowMs })
    this.#lists = new AccessLists(access, counters)
  }

  /** Another one when answers given before may be wrong now. */
  get epoch(): number {
    return this.#epoch
  }

  /** What holds from now on. Who is connected is to be asked about again, with `mayStay`. */
  setAccess(access: Access): void {
    this.#access = access
    this.#epoch++
    this.#lists = new AccessLists(access, this.#counters)
  }

  /** Whether there is a list at all that says who may publish and subscribe to what. */
  get hasLists(): boolean {
    return !this.#lists.isEmpty
  }

  /** Whether both listeners have the same list, or none. */
  hasSameList(one: string | undefined, other: string | undefined): boolean {
    return this.#lists.listOf(one) === this.#lists.listOf(other)
  }

  /** About a guest who was let in: whether that still holds. Neither counted nor logged. */
  mayStay(guest: Guest): Verdict {
    const verdict = judge(this.#access, guest)
    // what it may do hangs on who it is, and it would come in as somebody else now
    if (guest.user === undefined || !verdict.isAllowed || verdict.user === guest.user) return verdict
    const [reason, remedy] = ['its user is none any more', 'damselfly user add NAME makes one']
    return { isAllowed: false, reasonCode: 0x87, reason, remedy }
  }

  /**
   * About a CONNECT whose client id is final; a promise where a password has to be verified. That of a client that has
   * gone may never be kept. It never rejects.
   */
  mayConnect(guest: Guest, isGone: () => boolean = () => false): Verdict | Promise<Verdict> {
    const verdict = this.#entrance.ask(guest, isGone)
    return verdict instanceof Promise
      ? verdict.then((later) => this.#told(guest, later))
      : this.#told(guest, verdict)
  }

  #told(guest: Guest, verdict: Verdict): Verdict {
    if (verdict.isAllowed) return verdict
    const { reason, remedy, knownUser: user } = verdict
    this.#refuse('client refused', guest, { ...(user !== undefined && { user }), reason, remedy })
    return verdict
  }

  /** Tells the log, once, when the lines of the list that say `%u` and `%c` do not hold for a guest who was let in. */
  noteUnfit(guest: Guest): void {
    if (!this.#lists.isUnfit(guest)) return
    const { clientId, address, listener } = guest
    const repeats = this.#repeats.admit(`unfit ${address}`)
    const file = this.#lists.listOf(listener)?.file
    const remedy = 'give it a client id and a user name without +, # and /'
    if (repeats !== undefined)
      this.#log.warn(
        { ...cut({ client: clientId, address, file }), remedy, ...repeats },
        'pattern lines do not hold for a client: its name would be a wildcard',
      )
  }

  /**
   * About the will of a CONNECT. One that its client has no right to keeps it out in MQTT 5, which can tell it why. An older
   * one comes in, as with mosquitto, for it would only try again: that is told here, and `mayPublish` is to be asked when
   * the will is due.
   * @returns why it may not come in; undefined when it may
   */
  mayComeWithWill(party: Party, topic: string, level: number): Refusal | undefined {
    const refusal = this.#publishRefusal(party, topic)
    if (refusal === undefined) return undefined
    const { reasonCode } = refusal
    const reason = `its will: ${refusal.reason}`
    const list = refusal === ownTopic || reasonCode !== 0x87 ? undefined : this.#lists.listOf(party.listener)
    const remedy =
      list === undefined ? 'give its will another topic' : `let it write ${topic} in ${list.file}`
    const isIn = level < 5 && reasonCode === 0x87
    const what = isIn ? 'client connected without its will' : 'client refused'
    this.#refuse(what, party, { topic, reason, remedy })
    return isIn ? undefined : { reasonCode, reason }
  }

  /** About one PUBLISH, or a will that is due. @returns why not; undefined when it may */
  mayPublish(party: Party, topic: string): Refusal | undefined {
    const refusal = this.#publishRefusal(party, topic)
    if (refusal !== undefined) this.#refuse('publish refused', party, { topic, reason: refusal.reason })
    return refusal
  }

  /**
   * About one filter of a SUBSCRIBE; of a shared subscription what follows the share's name. One with wildcards may match
   * more than the client may read: ask `mayRead` for each topic.
   * @returns why not; undefined when it may
   */
  maySubscribe(party: Party, filter: string): Refusal | undefined {
    const refusal =
      refusalOf(0x8f, filterProblem(filter, limits.topicLevelsMax)) ?? this.#askRefusal(party, filter)
    if (refusal !== undefined) this.#refuse('subscription refused', party, { filter, reason: refusal.reason })
    return refusal
  }

  /** Whether a message with this topic may be delivered. Neither counted nor logged. */
  mayRead(party: Party, topic: string): boolean {
    return this.#lists.rightsOf(party)?.mayRead(topic) ?? true
  }

  /** What one of our own parts may do, by the list of the main listener; undefined: everything. */
  rightsOf(identity: OwnIdentity): Rights | undefined {
    return this.#lists.rightsOfIdentity(identity)
  }

  /**
   * Logs that somebody was turned away for a reason that another part has found and counted: a bound, a broken packet.
   * Of the same address and reason one line in ten seconds, the others counted in it; long fields are cut.
   */
  logRefusal(fields: RefusalFields, what: Refused = 'client refused'): void {
    this.refusals.note(kindOf[what], fields)
    // not by client id: a peer may take another one each time
    const repeats = this.#repeats.admit(`${what} ${fields.address} ${fields.reason}`)
    if (repeats !== undefined) this.#log.warn({ ...cut({ ...fields }), ...repeats }, what)
  }

  #publishRefusal(party: Party, topic: string): Refusal | undefined {
    if (isSystemTopic(topic) && topic !== connectionState(party.clientId)) return ownTopic
    const problem = refusalOf(0x90, topicProblem(topic, limits.topicLevelsMax))
    return problem ?? this.#writeRefusal(party, topic)
  }

  #writeRefusal(party: Party, topic: string): Refusal | undefined {
    const rights = this.#lists.rightsOf(party)
    if (rights === undefined || rights.mayWrite(topic)) return undefined
    return listRefusal(rights, rights.explainRefusal(topic))
  }

  #askRefusal(party: Party, filter: string): Refusal | undefined {
    const rights = this.#lists.rightsOf(party)
    const decision = rights?.explainFilter(filter)
    if (rights === undefined || decision === undefined || decision.isAllowed) return undefined
    return listRefusal(rights, decision)
  }

  #refuse(what: Refused, { clientId, address }: Party, fields: Readonly<RefusalDetails>): void {
    this.#counters.add(counterOf[what])
    this.logRefusal({ client: clientId, address, ...fields }, what)
  }
}

interface RefusalDetails {
  readonly reason: string
  /** What the owner can do about it. */
  readonly remedy?: string
  /** One of ours. */
  readonly user?: string
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

function listRefusal({ file }: Rights, { line }: Decision): Refusal {
  const reason = line === undefined ? `${file} does not allow it` : `${file}:${line.line} denies it`
  return { reasonCode: 0x87, reason }
}
