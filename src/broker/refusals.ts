import type { RefusalReport } from '../core/broker-view.ts'
import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import { detached } from './detached.ts'
import { shortened } from './log-fields.ts'

/** What is remembered of a refusal. */
export interface Refused {
  readonly client?: string | undefined
  readonly address: string
  readonly reason: string
  readonly topic?: string | undefined
  readonly filter?: string | undefined
}

/**
 * The last refusal of each client that was let in, and those of whoever was not. Each kind is bounded by
 * `limits.refusalsRemembered`; the oldest goes.
 */
export class Refusals {
  readonly #counters: Counters
  readonly #ofClients = new Map<string, RefusalReport>()
  /** By address, client identifier and reason. */
  readonly #atTheDoor = new Map<string, RefusalReport>()

  constructor(counters: Counters) {
    this.#counters = counters
  }

  /** `client`: it was not let in. */
  note(what: RefusalReport['what'], refused: Refused): void {
    const { client, address, reason } = refused
    if (what === 'client' || client === undefined) {
      // the reasons of a stranger may have numbers of its own in them: then they push out each other
      this.#put(this.#atTheDoor, `${address} ${shortened(client ?? '')} ${shortened(reason)}`, what, refused)
    } else this.#put(this.#ofClients, client, what, refused)
  }

  /** The last refusal of a client that was let in. */
  of(clientId: string): RefusalReport | undefined {
    return this.#ofClients.get(clientId)
  }

  /** Those of whoever was not let in, the latest last. */
  get atTheDoor(): readonly RefusalReport[] {
    return [...this.#atTheDoor.values()]
  }

  #put(known: Map<string, RefusalReport>, key: string, what: RefusalReport['what'], refused: Refused): void {
    const before = known.get(key)
    const { client, address, reason, topic, filter } = refused
    const isSame =
      before?.what === what &&
      before.reason === shortened(reason) &&
      before.topic === cutOrNothing(topic) &&
      before.filter === cutOrNothing(filter)
    if (before === undefined && known.size >= limits.refusalsRemembered) {
      this.#counters.add('refusalsRemembered')
      for (const oldest of known.keys()) {
        known.delete(oldest)
        break
      }
    }
    known.delete(key)
    known.set(before === undefined ? detached(key) : key, {
      what,
      at: new Date().toISOString(),
      ...(client === undefined ? {} : { client: shortened(client) }),
      address,
      ...(topic === undefined ? {} : { topic: shortened(topic) }),
      ...(filter === undefined ? {} : { filter: shortened(filter) }),
      reason: shortened(reason),
      count: isSame ? before.count + 1 : 1,
    })
  }
}

function cutOrNothing(text: string | undefined): string | undefined {
  return text === undefined ? undefined : shortened(text)
}
