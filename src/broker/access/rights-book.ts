import type { AccessList, AclSubject, OwnIdentity } from '../../core/access.ts'
import { limits } from '../../core/limits.ts'
import { ownClientId } from '../../core/message.ts'
import type { DecisionMemory } from './decision-memory.ts'
import { LineSet } from './line-set.ts'
import { Rights } from './rights.ts'
import type { Who } from './template.ts'

/** An access control list, made ready to be asked. */
export class RightsBook {
  readonly #list: AccessList
  readonly #memory: DecisionMemory
  readonly #anonymous = new LineSet()
  readonly #everyone = new LineSet()
  readonly #users = new Map<string, LineSet>()
  readonly #groups = new Map<string, LineSet>()
  /** The groups of each user. */
  readonly #memberships = new Map<string, LineSet[]>()
  /** Rights of users whose client identifier does not matter. */
  readonly #shared = new Map<string | undefined, Rights>()
  readonly #hasClientIds: boolean

  constructor(list: AccessList, memory: DecisionMemory) {
    this.#list = list
    this.#memory = memory
    for (const line of list.lines) this.#setOf(line.subject).add(line)
    for (const [group, members] of list.groups) {
      const lines = this.#groups.get(group)
      if (lines === undefined) continue
      for (const member of members)
        this.#memberships.set(member, [...(this.#memberships.get(member) ?? []), lines])
    }
    this.#hasClientIds = this.#everyone.templates.some(({ usesClient }) => usesClient)
  }

  /** What a client may do; the same object for clients of one user where their identifiers do not matter. */
  rightsOf({ user, clientId }: Who): Rights {
    if (this.#hasClientIds) return this.#make({ user, clientId })
    const known = this.#shared.get(user)
    if (known !== undefined) return known
    // who has them keeps them
    if (this.#shared.size >= limits.connectionsMax) this.#shared.clear()
    const rights = this.#make({ user, clientId: '' })
    this.#shared.set(user, rights)
    return rights
  }

  /** What one of our own parts may do; undefined when the list has no section for it: everything. */
  rightsOfIdentity(identity: OwnIdentity): Rights | undefined {
    const own = this.#users.get(identity)
    if (own === undefined) return undefined
    return new Rights(
      this.#list.file,
      { user: identity, clientId: ownClientId },
      [own, this.#everyone],
      this.#memory,
    )
  }

  /** Whether lines with `%u` or `%c` say nothing to this client, for its name or identifier would be a wildcard there. */
  isUnfit(who: Who): boolean {
    return this.#everyone.templates.some((template) => template.isUnfitFor(who))
  }

  #make(who: Who): Rights {
    return new Rights(this.#list.file, who, this.#setsOf(who.user), this.#memory)
  }

  #setsOf(user: string | undefined): readonly LineSet[] {
    if (user === undefined) return [this.#anonymous, this.#everyone]
    // a certificate may name somebody like this, and be none of ours
    const own = user.startsWith('$') ? undefined : this.#users.get(user)
    return [...(own === undefined ? [] : [own]), ...(this.#memberships.get(user) ?? []), this.#everyone]
  }

  #setOf(subject: AclSubject): LineSet {
    switch (subject.kind) {
      case 'anonymous':
        return this.#anonymous
      case 'everyone':
        return this.#everyone
      case 'user':
        return setIn(this.#users, subject.name)
      case 'group':
        return setIn(this.#groups, subject.name)
    }
  }
}

function setIn(sets: Map<string, LineSet>, name: string): LineSet {
  let set = sets.get(name)
  if (set === undefined) {
    set = new LineSet()
    sets.set(name, set)
  }
  return set
}
