import { createHash } from 'node:crypto'
import type { Counters } from '../../core/counters.ts'
import { limits } from '../../core/limits.ts'

/** How long until a message of ours that has not come back is taken for lost. */
const lostAfterMs = 60_000

interface Echo {
  readonly chain: readonly string[]
  readonly sentAtMs: number
}

/**
 * Knows messages of ours again when the broker sends them back: MQTT 3.1.1 says neither who published a message
 * nor which rules led to it, and a loop can be cut only by who knows that. Two messages are the same when topic and
 * payload are. At most `linkEchoesMax` are remembered, for a minute; then the oldest is forgotten, and comes back as
 * a stranger's.
 */
export class OwnEchoes {
  readonly #counters: Counters
  readonly #nowMs: () => number
  readonly #expected = new Map<string, Echo[]>()
  #size = 0

  constructor(counters: Counters, nowMs: () => number = () => performance.now()) {
    this.#counters = counters
    this.#nowMs = nowMs
  }

  /** To be called when the message is sent. */
  expect(topic: string, payload: Uint8Array, chain: readonly string[]): void {
    const key = keyOf(topic, payload)
    const echoes = this.#expected.get(key) ?? []
    echoes.push({ chain, sentAtMs: this.#nowMs() })
    this.#size++
    this.#expected.delete(key) // the one that was sent last stands last
    this.#expected.set(key, echoes)
    while (this.#size > limits.linkEchoesMax) {
      this.#counters.add('linkEchoesMax')
      this.#forgetOldest()
    }
  }

  /** The rules that led to the message if it is one of ours, else undefined. */
  take(topic: string, payload: Uint8Array): readonly string[] | undefined {
    if (this.#size === 0) return undefined
    const key = keyOf(topic, payload)
    const echoes = this.#expected.get(key)
    if (echoes === undefined) return undefined
    const aliveSinceMs = this.#nowMs() - lostAfterMs
    for (;;) {
      const echo = echoes.shift()
      if (echo === undefined) break
      this.#size--
      if (echoes.length === 0) this.#expected.delete(key)
      if (echo.sentAtMs >= aliveSinceMs) return echo.chain
    }
    return undefined
  }

  #forgetOldest(): void {
    for (const [key, echoes] of this.#expected) {
      echoes.shift()
      this.#size--
      if (echoes.length === 0) this.#expected.delete(key)
      return
    }
  }
}

/** Of one size, whatever the message's is. */
function keyOf(topic: string, payload: Uint8Array): string {
  return createHash('sha1').update(topic).update('\0').update(payload).digest('base64')
}
