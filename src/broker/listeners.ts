import { setTimeout as sleep } from 'node:timers/promises'
import type { OpenListener, WayIn } from '../core/listener.ts'
import type { ListenFailure } from './listen-failure.ts'
import { type Gatekeeper, Way } from './way.ts'

/** How long clients may take to read our last words. */
const lingerMs = 1_000

/**
 * Every way in. `apply` moves to another set of listeners and addresses and touches only what differs: clients of
 * those that stay notice nothing, unless their certificate is not trusted any more.
 */
export class Listeners {
  readonly #ways = new Map<string, Way>()
  readonly #house: Gatekeeper

  constructor(house: Gatekeeper) {
    this.#house = house
  }

  /** What is open, in the order in which it was given. */
  get open(): readonly OpenListener[] {
    return [...this.#ways.values()].map(({ state }) => state).filter(({ addresses }) => addresses.length > 0)
  }

  /**
   * Listens on exactly these addresses of these listeners. What fails is returned, and tried again at the next call;
   * the others are served. Clients of an address or a listener that is gone are disconnected. One call at a time.
   */
  async apply(wanted: readonly WayIn[]): Promise<readonly ListenFailure[]> {
    const before = new Map(this.#ways)
    this.#ways.clear()
    for (const { listener } of wanted) {
      const way = before.get(listener.name)
      const stays = way?.canBecome(listener) === true
      // all that go, first: another listener may take their port
      if (way !== undefined && !stays) await way.close()
      this.#ways.set(listener.name, stays ? way : new Way(listener, this.#house))
      before.delete(listener.name)
    }
    for (const way of before.values()) await way.close()
    const failures: ListenFailure[] = []
    for (const { listener, addresses } of wanted) {
      const way = this.#ways.get(listener.name) as Way
      const failure = await way.apply(listener)
      if (failure !== undefined) failures.push(failure)
      failures.push(...(await way.listen(addresses)))
    }
    return failures
  }

  /** Closes everything, when what was written last to clients has left, or a second has passed. */
  async close(): Promise<void> {
    const settled = Promise.all([...this.#ways.values()].map((way) => way.settle()))
    await Promise.race([settled, sleep(lingerMs, undefined, { ref: false })])
    await this.apply([])
  }
}
