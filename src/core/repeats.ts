import { limits } from './limits.ts'

const quietMs = 10_000
/** There may be a client id in it, of 65,535 bytes. */
const kindCharsMax = 200

/**
 * Keeps a failure that repeats from flooding the log: the first of a kind is to be logged, the next
 * ones within ten seconds only counted, and the line after that says how many there were.
 */
export class Repeats {
  readonly #seen = new Map<string, { sinceMs: number; more: number }>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  /**
   * @param kind what makes two failures the same, for example rule, step and error; of a longer one only the first
   *   200 characters count
   * @returns undefined when this one should stay silent; else fields for its log line: `unlogged`, how many like
   *   it went unlogged since the last line, if any did
   */
  admit(kind: string): { readonly unlogged?: number } | undefined {
    return this.#admit(kind.length <= kindCharsMax ? kind : detached(kind))
  }

  #admit(kind: string): { readonly unlogged?: number } | undefined {
    const nowMs = this.#nowMs()
    const seen = this.#seen.get(kind)
    if (seen !== undefined && nowMs - seen.sinceMs < quietMs) {
      seen.more++
      return undefined
    }
    this.#seen.delete(kind)
    this.#seen.set(kind, { sinceMs: nowMs, more: 0 })
    if (this.#seen.size > limits.repeatsRemembered) {
      for (const oldest of this.#seen.keys()) {
        this.#seen.delete(oldest)
        break
      }
    }
    return seen === undefined || seen.more === 0 ? {} : { unlogged: seen.more }
  }
}

/** Its beginning, which does not keep the whole in memory. */
function detached(kind: string): string {
  return Buffer.from(kind.slice(0, kindCharsMax), 'utf16le').toString('utf16le')
}
