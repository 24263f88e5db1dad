import { createHash } from 'node:crypto'
import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import { cut } from './log-fields.ts'

/** Three takeovers of one client id within this time are a fight: a device that comes back does so once. */
const fightMs = 10_000
const firstDelayMs = 1_000
const delayMsMax = 8_000
/** So long after its last takeover a fight is over. */
const quietMs = 60_000
/** Characters of a client id that is its own key; of a longer one it is a digest. */
const keyCharsMax = 100

/** For the log line of a fight. */
export const fightMessage = 'two clients use one client id'

const remedy =
  'give each client an id of its own; if it is one device, its connection is lost again and again'

/** What to do with the newcomer when a client takes over the session of one that is still connected [MQTT-3.1.4-3]. */
export interface Takeover {
  /** How long its CONNECT is to wait before it is handled. */
  readonly delayMs: number
  readonly isFight: boolean
  /** Of a fight: what the log line says under `fightMessage`. */
  readonly fields?: Readonly<Record<string, unknown>>
}

const harmless: Takeover = { delayMs: 0, isFight: false }

interface History {
  lastMs: number
  /** The takeover before the last one. */
  beforeLastMs: number
  /** How long the last takeover waited; 0 while there is no fight. */
  delayMs: number
}

/**
 * Two clients with one id take the session from each other as fast as they connect. The third takeover within ten seconds
 * waits a second, each next one twice as long, at most 8 s, until there has been none for a minute. Who gives up while
 * it waits has taken nothing over, and makes nobody wait longer.
 * At most `takeoversRemembered` ids are remembered.
 */
export class Evictions {
  readonly #counters: Counters
  /** By client id, the one whose takeover is longest ago first. */
  readonly #histories = new Map<string, History>()

  constructor(counters: Counters) {
    this.#counters = counters
  }

  /**
   * A client asks for the session of one that is connected: what is to be done with it.
   * @param address of the newcomer
   * @param otherAddress of the one that it would evict
   * @param nowMs of a clock that does not go back
   */
  look(clientId: string, address: string, otherAddress: string, nowMs: number): Takeover {
    const before = this.#histories.get(keyOf(clientId))
    const delayMs = before === undefined ? 0 : nextDelayMs(before, nowMs)
    if (delayMs === 0) return harmless
    const fields = cut({ client: clientId, address, otherAddress, delayMs, remedy })
    return { delayMs, isFight: true, fields }
  }

  /** It has taken the session over, after this delay. */
  note(clientId: string, delayMs: number, nowMs: number): void {
    const key = keyOf(clientId)
    const beforeLastMs = this.#histories.get(key)?.lastMs ?? Number.NEGATIVE_INFINITY
    this.#histories.delete(key)
    this.#histories.set(key, { lastMs: nowMs, beforeLastMs, delayMs })
    this.#forget()
  }

  #forget(): void {
    for (const oldest of this.#histories.keys()) {
      if (this.#histories.size <= limits.takeoversRemembered) return
      this.#counters.add('takeoversRemembered')
      this.#histories.delete(oldest)
    }
  }
}

function nextDelayMs({ lastMs, beforeLastMs, delayMs }: History, nowMs: number): number {
  if (delayMs > 0 && nowMs - lastMs < quietMs) return Math.min(delayMs * 2, delayMsMax)
  return nowMs - beforeLastMs <= fightMs ? firstDelayMs : 0
}

/** The protocol allows client ids of 65,535 bytes. */
function keyOf(clientId: string): string {
  if (clientId.length <= keyCharsMax) return clientId
  return createHash('sha256').update(clientId).digest('base64')
}
