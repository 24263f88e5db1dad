import type { PasswordHash, User } from '../../core/access.ts'
import type { Counters } from '../../core/counters.ts'
import { limits } from '../../core/limits.ts'
import { networkOf } from '../../core/network.ts'
import { claimDigest } from './digest.ts'
import { FairQueue } from './fair-queue.ts'
import { fits } from './fits.ts'
import { hashTextOf } from './users.ts'

/** Node has four threads for this and for the disk: the store must not wait for passwords. */
const atOnceMax = 2

/** A client says that it is somebody. */
export interface Claim {
  readonly name: string
  /** Undefined when there is no user of that name. */
  readonly user: User | undefined
  /** Looked at in its place then, so that nobody learns by the time it takes which names there are. */
  readonly standIn: PasswordHash
  readonly password: Uint8Array
  readonly address: string
  /** Whether the client has gone: then nothing is done for it any more. */
  readonly isGone: () => boolean
}

/** `busy`: too many wait. `failed`: it could not be found out, see `onFailure`. */
export type Finding = 'right' | 'wrong' | 'busy' | 'failed'

interface Waiting {
  readonly claim: Claim
  readonly owner: string
  readonly settle: (finding: Finding) => void
}

const hasGone = ({ claim }: Waiting): boolean => claim.isGone()

/**
 * Verifies passwords beside the event loop: two at a time, one of each address (of each /64 in IPv6), the addresses in
 * turn, and of one address the newest first. At most `passwordChecksMax` wait; of too many the address that has most of them
 * loses its oldest. The last
 * `passwordsRemembered` that were right are known again at once, as long as their user's hash is the same.
 */
export class Passwords {
  readonly #counters: Counters
  readonly #onFailure: (error: unknown) => void
  readonly #queue = new FairQueue<Waiting>()
  readonly #running = new Set<string>()
  /** The hash that a name and a password fitted, by the digest of both; the one used last at the end. */
  readonly #right = new Map<string, string>()

  constructor(counters: Counters, onFailure: (error: unknown) => void) {
    this.#counters = counters
    this.#onFailure = onFailure
  }

  /** What is known or quickly found is said at once. The promise for a client that has gone is never settled. */
  check(claim: Claim): Finding | Promise<Finding> {
    if (this.#isKnown(claim)) return 'right'
    if ((claim.user?.password ?? claim.standIn).kind === 'sha512')
      return this.#note(claim, this.#fits(claim) as boolean)
    return new Promise((settle) => {
      const owner = networkOf(claim.address)
      this.#queue.drop(hasGone) // it may hold much
      this.#queue.push(owner, { claim, owner, settle })
      this.#goOn()
      while (this.#queue.size > limits.passwordChecksMax) {
        this.#counters.add('passwordChecksMax')
        this.#queue.takeFromLongest()?.settle('busy')
      }
    })
  }

  #goOn(): void {
    while (this.#running.size < atOnceMax) {
      const next = this.#queue.take(this.#running)
      if (next === undefined) return
      if (next.claim.isGone()) continue
      // another connection with the same name and password may have been first
      if (this.#isKnown(next.claim)) next.settle('right')
      else void this.#verify(next)
    }
  }

  async #verify({ claim, owner, settle }: Waiting): Promise<void> {
    this.#running.add(owner)
    let finding: Finding = 'failed'
    try {
      finding = this.#note(claim, await this.#fits(claim))
    } catch (error) {
      this.#onFailure(error)
    }
    this.#running.delete(owner)
    settle(finding)
    this.#goOn()
  }

  #fits({ user, standIn, password }: Claim): boolean | Promise<boolean> {
    this.#counters.add('passwords.verified')
    return fits(user?.password ?? standIn, password)
  }

  #isKnown({ name, user, password }: Claim): boolean {
    if (user === undefined || this.#right.size === 0) return false
    const digest = claimDigest(name, password)
    if (this.#right.get(digest) !== hashTextOf(user)) return false
    this.#remember(digest, hashTextOf(user))
    return true
  }

  #note({ name, user, password }: Claim, isFitting: boolean): Finding {
    if (user === undefined || !isFitting) return 'wrong'
    this.#remember(claimDigest(name, password), hashTextOf(user))
    return 'right'
  }

  #remember(digest: string, hash: string): void {
    this.#right.delete(digest)
    this.#right.set(digest, hash)
    for (const oldest of this.#right.keys()) {
      if (this.#right.size <= limits.passwordsRemembered) return
      this.#counters.add('passwordsRemembered')
      this.#right.delete(oldest)
    }
  }
}
