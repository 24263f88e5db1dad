import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Route } from './route.ts'

/** What a route costs beside its topic and its targets, its place in the cache included: measured with Node 20. */
const overheadBytes = 400

/**
 * The routes of topics by the characters of their UTF-8 bytes, at most `routeBytesMax` bytes of them. What goes is one
 * that was not used for a while: a hand goes round, and passes over those that were since it last came by.
 */
export class RouteCache {
  readonly #counters: Counters
  readonly #routes = new Map<string, Route>()
  #hand = this.#routes.entries()
  #bytes = 0

  constructor(counters: Counters) {
    this.#counters = counters
  }

  get(key: string): Route | undefined {
    return this.#routes.get(key)
  }

  add(key: string, route: Route): void {
    this.#routes.set(key, route)
    this.resize(route)
  }

  /** Says that the targets of a route have changed. */
  resize(route: Route): void {
    this.#bytes -= route.size
    route.size = sizeOf(route)
    this.#bytes += route.size
    while (this.#bytes > limits.routeBytesMax && this.#routes.size > 1) this.#evict(route)
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
  const { topicBytes, targets, shares, listeners } = route
  let bytes = overheadBytes + 2 * topicBytes.length + 8 * (targets.length + shares.length + listeners.length)
  for (const { isFolded, identifiers } of targets) if (isFolded) bytes += 150 + 8 * identifiers.length
  return bytes
}
