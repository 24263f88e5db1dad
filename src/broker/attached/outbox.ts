import type { Counters } from '../../core/counters.ts'
import { limits } from '../../core/limits.ts'
import type { OutgoingMessage, QoS } from '../../core/message.ts'
import type { Logger } from '../../core/ports.ts'
import { Repeats } from '../../core/repeats.ts'

/** A message that breaks the connection so often in a row is not sent once more. */
const breaksMax = 5
/** Stands for what a message needs beside topic and payload. */
const bytesPerMessage = 64
/** How often it looks whether the oldest on its way is stuck. */
const lookMs = 5_000

/** A message on its way to the broker. */
export interface OutboxMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly chain: readonly string[]
  /** The packet id that it had on an earlier connection. */
  readonly againAs?: number | undefined
}

export interface OutboxParts {
  readonly counters: Counters
  readonly log: Logger
  /** A clock that never goes back; the process's own unless told. */
  readonly nowMs?: () => number
}

/** Sends one message; `done` resolves when it is acknowledged. */
export type Send = (message: OutboxMessage) => { readonly id: number; readonly done: Promise<void> }

interface Entry extends OutboxMessage {
  qos: QoS
  againAs: number | undefined
  readonly addedAtMs: number
  /** How often in a row it was the first to be acknowledged when the broker closed the connection. */
  breaks: number
}

/**
 * What we have published and the broker has not acknowledged yet, in order. It takes messages always, sends while
 * there is a connection, and sends again what an earlier connection left unacknowledged.
 *
 * A message of QoS 0 that has to wait becomes one of QoS 1: its reader may come back later than we do.
 * At most `linkMessagesMax` messages and `linkBytesMax` bytes wait; beyond it the oldest is dropped. What has waited
 * longer than `linkWaitMsMax` is dropped, for nobody expects that command any more; but what is retained is a state.
 */
export class Outbox {
  readonly #counters: Counters
  readonly #log: Logger
  readonly #nowMs: () => number
  readonly #repeats = new Repeats()
  #waiting = new Map<number, Entry>()
  #inflight = new Map<number, Entry>()
  #number = 0
  #bytes = 0
  #send: Send | undefined
  #onStuck = (): void => {}
  /** When the oldest on its way became the oldest. */
  #oldestSinceMs = 0
  #look: NodeJS.Timeout | undefined
  #hasLostState = false
  #onIdle: (() => void)[] = []

  constructor(parts: OutboxParts) {
    this.#counters = parts.counters
    this.#log = parts.log
    this.#nowMs = parts.nowMs ?? (() => performance.now())
  }

  /** Messages that are not acknowledged yet. */
  get size(): number {
    return this.#waiting.size + this.#inflight.size
  }

  /** Takes a message; the payload is copied. */
  add({ topic, payload, qos = 0, retain = false, chain = [] }: OutgoingMessage): void {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : Uint8Array.from(payload)
    const entry: Entry = {
      topic,
      payload: bytes,
      qos: this.#send === undefined ? raised(qos) : qos,
      retain,
      chain,
      againAs: undefined,
      addedAtMs: this.#nowMs(),
      breaks: 0,
    }
    this.#waiting.set(this.#number++, entry)
    this.#bytes += sizeOf(entry)
    this.#keepBounds()
    this.#pump()
  }

  /**
   * There is a connection: sends what waits, in order, and from now on what is added.
   * @param onStuck called when the oldest on its way has not been acknowledged for `linkAckMsMax`, perhaps repeatedly
   */
  open(send: Send, onStuck: () => void): void {
    this.#send = send
    this.#onStuck = onStuck
    this.#look = setInterval(() => this.#pump(), lookMs).unref()
    this.#pump()
  }

  /**
   * The connection is gone. @param isByPeer the broker closed it, perhaps because of what we sent
   * @returns whether it may have been because of that: it had not acknowledged all
   */
  close(isByPeer: boolean): boolean {
    if (this.#send === undefined) return false
    this.#send = undefined
    clearInterval(this.#look)
    const [first] = this.#inflight.values()
    const isSuspect = isByPeer && first !== undefined && first.qos > 0
    if (isSuspect) first.breaks++
    // QoS 0 is sent once
    const again = [...this.#inflight].filter(([, { qos }]) => qos > 0)
    for (const entry of this.#inflight.values()) if (entry.qos === 0) this.#bytes -= sizeOf(entry)
    for (const entry of this.#waiting.values()) entry.qos = raised(entry.qos)
    this.#waiting = new Map([...again, ...this.#waiting])
    this.#inflight = new Map()
    if (isSuspect && first.breaks >= breaksMax) this.#dropBreaker(first)
    this.#tellIfIdle()
    return isSuspect
  }

  /** Resolves when all is acknowledged, or when the connection is gone. */
  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve()
    return new Promise((resolve) => this.#onIdle.push(resolve))
  }

  /** Whether a retained message was dropped since the last call: a state at the broker may be wrong. */
  takeLostState(): boolean {
    const hasLost = this.#hasLostState
    this.#hasLostState = false
    return hasLost
  }

  #pump(): void {
    const send = this.#send
    if (send === undefined) return
    const nowMs = this.#nowMs()
    if (this.#inflight.size > 0 && nowMs - this.#oldestSinceMs >= limits.linkAckMsMax) {
      this.#onStuck()
      return
    }
    for (const [number, entry] of this.#waiting) {
      if (this.#isLate(entry)) {
        this.#dropLate()
        continue
      }
      // after a break one by one, to see which one it is that the broker does not like
      const [first] = this.#inflight.values()
      const windowMax = (first ?? entry).breaks > 0 ? 1 : limits.linkInflightMax
      if (this.#inflight.size >= windowMax) return
      this.#waiting.delete(number)
      if (first === undefined) this.#oldestSinceMs = nowMs
      this.#inflight.set(number, entry)
      const { id, done } = send(entry)
      if (id !== 0) entry.againAs = id
      void done.then(() => this.#acknowledged(number, entry))
    }
  }

  #acknowledged(number: number, entry: Entry): void {
    if (this.#inflight.get(number) !== entry) return // of a connection that is gone
    const [oldest] = this.#inflight.keys()
    if (number === oldest) this.#oldestSinceMs = this.#nowMs()
    this.#inflight.delete(number)
    this.#bytes -= sizeOf(entry)
    this.#pump()
    this.#tellIfIdle()
  }

  #isIdle(): boolean {
    return this.size === 0 || this.#send === undefined
  }

  #tellIfIdle(): void {
    if (this.#isIdle()) for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  #keepBounds(): void {
    for (const [number, entry] of this.#waiting) {
      const isTooMany = this.size > limits.linkMessagesMax
      if (!isTooMany && this.#bytes <= limits.linkBytesMax) return
      this.#counters.add(isTooMany ? 'linkMessagesMax' : 'linkBytesMax')
      this.#drop(number, entry)
      const repeats = this.#repeats.admit('full')
      if (repeats !== undefined)
        this.#log.warn(
          { waiting: this.size, waitingBytes: this.#bytes, ...repeats },
          'too many messages wait for the broker: oldest dropped',
        )
    }
  }

  #dropLate(): void {
    let late = 0
    for (const [number, entry] of this.#waiting) {
      if (!this.#isLate(entry)) continue
      this.#counters.add('linkWaitMsMax')
      this.#drop(number, entry)
      late++
    }
    if (late > 0) this.#log.warn({ messages: late }, 'messages waited too long for the broker: dropped')
  }

  #isLate({ retain, addedAtMs }: Entry): boolean {
    return !retain && this.#nowMs() - addedAtMs >= limits.linkWaitMsMax
  }

  #dropBreaker(entry: Entry): void {
    for (const [number, other] of this.#waiting) if (other === entry) this.#drop(number, entry)
    this.#counters.add('link.refusedMessages')
    const { topic, payload, chain } = entry
    const fields = { topic: topic.slice(0, 200), bytes: payload.length, rules: chain }
    this.#log.error(fields, 'message dropped: the broker closes the connection each time when it gets it')
  }

  #drop(number: number, entry: Entry): void {
    this.#waiting.delete(number)
    this.#bytes -= sizeOf(entry)
    if (entry.retain) this.#hasLostState = true
  }
}

function raised(qos: QoS): QoS {
  return qos === 0 ? 1 : qos
}

function sizeOf({ topic, payload }: OutboxMessage): number {
  return topic.length + payload.length + bytesPerMessage
}
