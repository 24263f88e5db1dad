import { ownerKey } from './owner.ts'
import type { Session } from './session.ts'

/** Sessions whose clients are away, the one that has been away longest first, and how many of them each owner has. */
export class AwaySessions implements Iterable<Session> {
  /** With the owner that each is counted for: a later one may come from elsewhere. */
  readonly #owners = new Map<Session, string>()
  readonly #byOwner = new Map<string, Set<Session>>()

  get size(): number {
    return this.#owners.size
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#owners.keys()
  }

  /** It is away from now on, and has been for the shortest time. */
  add(session: Session): void {
    this.delete(session)
    const owner = ownerKey(session.owner)
    this.#owners.set(session, owner)
    const others = this.#byOwner.get(owner)
    if (others === undefined) this.#byOwner.set(owner, new Set([session]))
    else others.add(session)
  }

  delete(session: Session): void {
    const owner = this.#owners.get(session)
    if (owner === undefined) return
    this.#owners.delete(session)
    const others = this.#byOwner.get(owner)
    others?.delete(session)
    if (others?.size === 0) this.#byOwner.delete(owner)
  }

  /** Of the owner who has most, the one that has been away longest; of owners with as many likewise. */
  get oldestOfMost(): Session | undefined {
    let most = 0
    let found: Session | undefined
    for (const sessions of this.#byOwner.values()) {
      if (sessions.size < most) continue
      const [oldest] = sessions
      const isLonger = found === undefined || (oldest?.disconnectedAtMs ?? 0) < found.disconnectedAtMs
      if (sessions.size > most || isLonger) found = oldest
      most = sessions.size
    }
    return found
  }
}
