import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import { networkOf } from '../core/network.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { Guesses } from './access/guesses.ts'
import { type Finding, Passwords } from './access/passwords.ts'
import { hashTextOf, standInFor } from './access/users.ts'
import { type Access, type Applicant, judge, openQuestion, type Verdict } from './access.ts'

/** A client at the entrance, and where from. */
export interface Newcomer extends Applicant {
  readonly address: string
}

export interface EntranceParts {
  /** As it is when it is called. */
  readonly access: () => Access
  readonly log: Logger
  readonly counters: Counters
  readonly nowMs: () => number
}

/** Finds out who comes in: verifies passwords where that takes work, and slows down who guesses them. */
export class Entrance {
  readonly #parts: EntranceParts
  readonly #passwords: Passwords
  readonly #guesses: Guesses
  readonly #repeats: Repeats

  constructor(parts: EntranceParts) {
    const { log, counters, nowMs } = parts
    this.#parts = parts
    this.#repeats = new Repeats(nowMs)
    this.#guesses = new Guesses(counters)
    this.#passwords = new Passwords(counters, (error) => {
      const repeats = this.#repeats.admit('password check failed')
      if (repeats !== undefined)
        log.error({ reason: reasonOf(error), ...repeats }, 'a password could not be verified')
    })
  }

  /**
   * About one CONNECT: at once, unless a password has to be verified.
   * @param isGone whether the client has gone meanwhile: then the promise may stay open for ever
   */
  ask(newcomer: Newcomer, isGone: () => boolean): Verdict | Promise<Verdict> {
    const access = this.#parts.access()
    const question = openQuestion(access, newcomer)
    const standIn = question && standInFor(question.users, question.name)
    const first = judge(access, newcomer)
    // whoever is refused for another reason shows no password to anybody
    const isOpen = first.isAllowed || first.reasonCode === 0x86
    if (question === undefined || standIn === undefined || !isOpen) return this.#answer(newcomer, first)
    const { address } = newcomer
    const hash = question.user && hashTextOf(question.user)
    const settle = (finding: Finding): Verdict | Promise<Verdict> => {
      if (finding === 'busy' || finding === 'failed') return unsettled[finding]
      const now = openQuestion(this.#parts.access(), newcomer)
      // the settings may have changed meanwhile, and what was found out says nothing of the new ones
      if ((now?.user && hashTextOf(now.user)) !== hash) return this.ask(newcomer, isGone)
      const verifiedHash = finding === 'right' ? hash : undefined
      return this.#answer(newcomer, judge(this.#parts.access(), { ...newcomer, verifiedHash }))
    }
    const finding = this.#passwords.check({ ...question, standIn, address, isGone })
    return finding instanceof Promise ? finding.then(settle) : settle(finding)
  }

  #answer({ address, username }: Newcomer, verdict: Verdict): Verdict {
    if (verdict.isAllowed || verdict.reasonCode !== 0x86 || username === undefined) return verdict
    const { knownUser: user } = verdict
    const outcome = this.#guesses.wrong(address, username, this.#parts.nowMs())
    const { delayMs, fromAddress, atName, beginsFor } = outcome
    // @NOTE a name that is nobody's may be a password in the wrong field: the line says only where it comes from
    const isTold = beginsFor === 'address' || (beginsFor === 'name' && user !== undefined)
    const repeats = isTold
      ? this.#repeats.admit(`guesses ${beginsFor} ${beginsFor === 'name' ? user : networkOf(address)}`)
      : undefined
    if (repeats !== undefined) {
      const fields = { ...(user !== undefined && { user }), address, fromAddress, atName, ...repeats }
      this.#parts.log.warn(fields, guessMessage[beginsFor ?? 'address'])
    }
    return delayMs === 0 ? verdict : { ...verdict, delayMs }
  }
}

const guessMessage = {
  address: 'many wrong passwords from one address: its refusals are slowed down',
  name: 'many wrong passwords for one user: refusals are slowed down',
} as const

const unsettled: Readonly<Record<'busy' | 'failed', Verdict>> = {
  busy: {
    isAllowed: false,
    reasonCode: 0x89,
    reason: 'too many passwords wait to be verified',
    remedy: 'it may come again; many wrong ones come from its address if this goes on',
  },
  failed: {
    isAllowed: false,
    reasonCode: 0x88,
    reason: 'the password could not be verified',
    remedy: 'see the error in the log; damselfly user passwd NAME keeps the password in another form',
  },
}
