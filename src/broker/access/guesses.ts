import type { Counters } from '../../core/counters.ts'
import { limits } from '../../core/limits.ts'
import { networkOf } from '../../core/network.ts'
import { nameDigest } from './digest.ts'

/** So many may be wrong before refusals wait: people mistype. */
const freeGuesses = 5
const firstDelayMs = 250
const delayMsMax = 4_000
/** So long after its last wrong guess a guesser begins anew. */
const quietMs = 600_000

/** What a wrong guess leads to. */
export interface GuessOutcome {
  /** How long the refusal is to wait. */
  readonly delayMs: number
  /** Wrong ones in a row from its address, this one included. */
  readonly fromAddress: number
  /** Likewise at its name, from wherever. */
  readonly atName: number
  /** Whether refusals wait from this one on, for its address or for its name. */
  readonly beginsFor: 'address' | 'name' | undefined
}

interface Series {
  count: number
  lastMs: number
}

/**
 * Slows down who guesses passwords: after five wrong ones from an address (a /64 in IPv6), or at a name, the refusal waits a
 * quarter of a second, and then twice as long each time, at most 4 s, until there has been no wrong one for ten minutes. It is about
 * refusals alone: a right password never waits for it. At most `guessersRemembered` addresses and as many names are remembered.
 */
export class Guesses {
  readonly #counters: Counters
  /** The one that was quiet longest first. */
  readonly #byAddress = new Map<string, Series>()
  readonly #byName = new Map<string, Series>()

  constructor(counters: Counters) {
    this.#counters = counters
  }

  /** @param nowMs of a clock that does not go back */
  wrong(address: string, name: string, nowMs: number): GuessOutcome {
    this.#counters.add('passwords.wrong')
    const fromAddress = this.#count(this.#byAddress, networkOf(address), nowMs)
    const atName = this.#count(this.#byName, nameDigest(name).toString('base64'), nowMs)
    const delayMs = Math.max(delayOf(fromAddress), delayOf(atName))
    const begins = freeGuesses + 1
    const beginsFor = fromAddress === begins ? 'address' : atName === begins ? 'name' : undefined
    return { delayMs, fromAddress, atName, beginsFor }
  }

  #count(all: Map<string, Series>, key: string, nowMs: number): number {
    const before = all.get(key)
    const isOver = before === undefined || nowMs - before.lastMs > quietMs
    const count = isOver ? 1 : before.count + 1
    all.delete(key)
    all.set(key, { count, lastMs: nowMs })
    for (const oldest of all.keys()) {
      if (all.size <= limits.guessersRemembered) break
      this.#counters.add('guessersRemembered')
      all.delete(oldest)
    }
    return count
  }
}

function delayOf(count: number): number {
  const beyond = count - freeGuesses
  return beyond <= 0 ? 0 : Math.min(firstDelayMs * 2 ** (beyond - 1), delayMsMax)
}
