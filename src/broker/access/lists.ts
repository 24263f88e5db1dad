import type { AccessList, OwnIdentity } from '../../core/access.ts'
import { bridgeOfSession } from '../../core/bridge.ts'
import type { Counters } from '../../core/counters.ts'
import { mainListener } from '../../core/listener.ts'
import { DecisionMemory } from './decision-memory.ts'
import type { Rights } from './rights.ts'
import { RightsBook } from './rights-book.ts'
import type { Who } from './template.ts'

interface Listed {
  /** Undefined: everybody may do everything. */
  readonly acl?: AccessList | undefined
}

/** Which list holds where. */
export interface ListsByListener extends Listed {
  readonly listeners?: ReadonlyMap<string, Listed>
}

/** Who asks, and where it came in. */
export interface Asker extends Pick<Who, 'clientId'> {
  readonly user?: string | undefined
  readonly listener?: string
}

/** The lists of all listeners, as they are until the next reload, and the rights that were looked up in them. */
export class AccessLists {
  readonly #terms: ListsByListener
  readonly #books = new Map<AccessList, RightsBook>()
  readonly #rights = new WeakMap<Asker, Rights | 'everything'>()

  constructor(terms: ListsByListener, counters: Counters) {
    this.#terms = terms
    const memory = new DecisionMemory(counters)
    for (const { acl } of [terms, ...(terms.listeners?.values() ?? [])])
      if (acl !== undefined && !this.#books.has(acl)) this.#books.set(acl, new RightsBook(acl, memory))
  }

  get isEmpty(): boolean {
    return this.#books.size === 0
  }

  /** The list that holds at a listener; of one that is no more, that of the main one. Undefined: everything is allowed. */
  listOf(listener: string | undefined): AccessList | undefined {
    const { listeners } = this.#terms
    return (listeners?.get(listener ?? mainListener) ?? listeners?.get(mainListener) ?? this.#terms).acl
  }

  /** What a client may do; undefined: everything. Quick for an object that has asked before. */
  rightsOf(asker: Asker): Rights | undefined {
    if (this.isEmpty) return undefined
    let rights = this.#rights.get(asker)
    if (rights === undefined) {
      const { clientId, user } = asker
      // what a bridge of ours may do, its own topics say
      const book = bridgeOfSession(clientId) === undefined ? this.#bookOf(asker.listener) : undefined
      rights = book?.rightsOf({ clientId, user }) ?? 'everything'
      this.#rights.set(asker, rights)
    }
    return rights === 'everything' ? undefined : rights
  }

  /** What one of our own parts may do, by the list of the main listener; undefined: everything. */
  rightsOfIdentity(identity: OwnIdentity): Rights | undefined {
    return this.#bookOf(mainListener)?.rightsOfIdentity(identity)
  }

  /** Whether lines with `%u` or `%c` do not hold for a client, for its name or identifier fits into none. */
  isUnfit({ clientId, user, listener }: Asker): boolean {
    return this.#bookOf(listener)?.isUnfit({ clientId, user }) === true
  }

  #bookOf(listener: string | undefined): RightsBook | undefined {
    const list = this.listOf(listener)
    return list === undefined ? undefined : (this.#books.get(list) as RightsBook)
  }
}
