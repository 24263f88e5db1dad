import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Route } from './route.ts'

/** What a route costs beside its topic and its targets, its place in the cache included: measured with Node 20. */
const overheadBytes = 400

/** Topics that came are noted in so many bits, and forgotten when a quarter of these is set. */
const notedBits = 1 << 18

/**
 * The routes of topics by the characters of their UTF-8 bytes, at most `routeBytesMax` bytes of them. What goes is one
 * that was not used for a while: a hand goes round, and passes over those that were since it last came by. A route is
 * remembered from the second time on that its topic comes: there may be many that come once.
 */
export class RouteCache {
  readonly #counters: Counters
  readonly #routes = new Map<string, Route>()
  #hand = this.#routes.entries()
  #bytes = 0
  readonly #noted = new Int32Array(notedBits / 32)
  #notedCount = 0

  constructor(counters: Counters) {
    this.#counters = counters
  }

  get(key: string): Route | undefined {
    return this.#routes.get(key)
  }

  /** @returns whether it is remembered */
  add(key: string, route: Route): boolean {
    if (!this.#note(key)) return false
    this.#routes.set(key, route)
    this.resize(route)
    return true
  }

  /** Says that the targets of a route have changed. */
  resize(route: Route): void {
    this.#bytes -= route.size
    route.size = sizeOf(route)
    this.#bytes += route.size
    while (this.#bytes > limits.routeBytesMax && this.#routes.size > 1) this.#evict(route)
  }

  /** @returns whether the topic has come before; now and then that is said of one that has not, which does no harm */
  #note(key: string): boolean {
    let hash = 0
    for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0
    const bit = Math.imul(hash, 0x9e3779b1) >>> 14
    const before = this.#noted[bit >>> 5] as number
    const after = before | (1 << (bit & 31))
    if (after === before) return true
    if (++this.#notedCount > notedBits / 4) {
      this.#noted.fill(0)
      this.#notedCount = 0
    }
    this.#noted[bit >>> 5] = after
    return false
  }

  #evict(except: Route): void {
    for (;;) {
      const step = this.#hand.next()
      if (step.done) {
        this.#hand = this.#routes.entries()
        continue
      }
      const [key, route] = step.value
      if (route === except) continue
      if (route.wasUsed) {
        route.wasUsed = false
        continue
      }
      this.#routes.delete(key)
      this.#bytes -= route.size
      route.clear()
      return this.#counters.add('routeBytesMax')
    }
  }
}

function sizeOf(route: Route): number {
  const { topicLength, targets, shares, listeners } = route
  let bytes = overheadBytes + 2 * topicLength + 8 * (targets.length + shares.length + listeners.length)
  for (const { isFolded, identifiers } of targets) if (isFolded) bytes += 150 + 8 * identifiers.length
  return bytes
}
