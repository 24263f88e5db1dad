import type { Counters } from '../core/counters.ts'
import { DamselflyError } from '../core/errors.ts'
import { Fifo } from '../core/fifo.ts'
import { limits } from '../core/limits.ts'
import { decodePayload, type QoS } from '../core/message.ts'
import { formatDuration } from '../core/units.ts'
import type { Arrival } from './connection.ts'

/** A message as a program gets it. */
export interface ReceivedMessage {
  readonly topic: string
  /** What the bytes mean: JSON where they are JSON, else text where they are UTF-8, else the bytes. */
  readonly payload: unknown
  /** The payload as it came. */
  readonly bytes: Uint8Array
  /** With which it came: that of its sender, but at most that of the registration. */
  readonly qos: QoS
  /** It had been there before the registration, or before the latest reconnection. */
  readonly retain: boolean
  /** When it arrived here. */
  readonly time: Date
}

type Kept = Omit<ReceivedMessage, 'payload'>

interface Waiter {
  readonly give: (message: ReceivedMessage) => void
  readonly fail: (reason: DamselflyError) => void
}

/** What waits in one registration: messages for readers, or readers for messages, never both. */
export class Inbox {
  readonly #filter: string
  readonly #counters: Counters
  readonly #messages = new Fifo<Kept>()
  /** A Set keeps the order and lets go of any member at once. */
  readonly #waiters = new Set<Waiter>()
  #bytes = 0
  #dropped = 0
  #failure: DamselflyError | undefined
  #registered: Promise<void> = Promise.resolve()

  constructor(filter: string, counters: Counters) {
    this.#filter = filter
    this.#counters = counters
  }

  /** Settles with the broker's answer to the registration. */
  get registered(): Promise<void> {
    return this.#registered
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  get size(): number {
    return this.#messages.size
  }

  get dropped(): number {
    return this.#dropped
  }

  /** The broker has been asked, for the first time or anew. */
  begin(registered: Promise<void>): void {
    this.#registered = registered
    this.#failure = undefined
  }

  /** Gives it to the reader that has waited longest, or keeps it. When it is full the oldest message goes. */
  add({ topic, bytes, qos, retain }: Arrival): void {
    const kept = { topic, bytes: ownCopy(bytes), qos, retain, time: new Date() }
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter)
      return waiter.give(decoded(kept))
    }
    const size = sizeOf(kept)
    if (size > limits.clientQueueBytesMax) return this.#countDrop('clientQueueBytesMax')
    while (this.#messages.size >= limits.clientQueueMessagesMax) this.#dropOldest('clientQueueMessagesMax')
    while (this.#bytes + size > limits.clientQueueBytesMax) this.#dropOldest('clientQueueBytesMax')
    this.#messages.push(kept)
    this.#bytes += size
  }

  /** All that waits, oldest first. @throws DamselflyError when nothing does, and nothing will come any more */
  take(): ReceivedMessage[] {
    if (this.size === 0 && this.#failure !== undefined) throw this.#failure
    const messages: ReceivedMessage[] = []
    for (let kept = this.#shift(); kept !== undefined; kept = this.#shift()) messages.push(decoded(kept))
    return messages
  }

  /** The oldest message, or the next one that comes. @throws DamselflyError `TIMED_OUT`, or why nothing will come */
  next(timeoutMs: number | undefined): Promise<ReceivedMessage> {
    const kept = this.#shift()
    if (kept !== undefined) return Promise.resolve(decoded(kept))
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      const settled = <Value>(settle: (value: Value) => void) => {
        return (value: Value): void => {
          clearTimeout(timer)
          settle(value)
        }
      }
      const waiter: Waiter = { give: settled(resolve), fail: settled(reject) }
      this.#waiters.add(waiter)
      if (timeoutMs === undefined) return
      timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        const within = formatDuration(timeoutMs)
        reject(new DamselflyError('TIMED_OUT', `no message on ${this.#filter} within ${within}`))
      }, timeoutMs)
    })
  }

  /** Nothing will come any more. Readers that wait are told; what is here can still be read. */
  fail(reason: DamselflyError): void {
    this.#failure = reason
    for (const waiter of this.#waiters) waiter.fail(reason)
    this.#waiters.clear()
  }

  /** As `fail`, and what is here is forgotten. */
  end(reason: DamselflyError): void {
    this.#messages.clear()
    this.#bytes = 0
    this.fail(reason)
  }

  #shift(): Kept | undefined {
    const kept = this.#messages.shift()
    if (kept !== undefined) this.#bytes -= sizeOf(kept)
    return kept
  }

  #dropOldest(limit: 'clientQueueMessagesMax' | 'clientQueueBytesMax'): void {
    this.#shift()
    this.#countDrop(limit)
  }

  #countDrop(limit: 'clientQueueMessagesMax' | 'clientQueueBytesMax'): void {
    this.#dropped++
    this.#counters.add(limit)
  }
}

function sizeOf({ topic, bytes }: Kept): number {
  return bytes.length + topic.length
}

/** Neither the chunk in which it came nor a pool is kept alive by it, and its `buffer` holds nothing else. */
function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

function decoded({ topic, bytes, qos, retain, time }: Kept): ReceivedMessage {
  return { topic, payload: decodePayload(bytes), bytes, qos, retain, time }
}
