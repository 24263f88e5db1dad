import type { Counters } from '../core/counters.ts'
import { type LimitName, limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'

const shownMax = 200
const allQueuesBytesMax = 128 * 1024 * 1024
/** How the store's keys begin under which messages wait: `outgoing:CLIENT:…`. */
const prefix = 'outgoing:'

interface Queue {
  messages: number
  bytes: number
}

/**
 * How much waits for the clients of persistent sessions. At most `sessionQueueMessagesMax` messages and
 * `sessionQueueBytesMax` bytes for one client, 128 MiB for all; one past it is not kept for that client.
 */
export class SessionQueues {
  readonly #log: Logger
  readonly #counters: Counters
  readonly #repeats = new Repeats()
  readonly #queues = new Map<string, Queue>()
  #bytes = 0

  constructor({ log, counters }: { readonly log: Logger; readonly counters: Counters }) {
    this.#log = log
    this.#counters = counters
  }

  /** Takes note of an entry of the store, if it is a message that waits. */
  found(key: string, bytes: number): void {
    if (!key.startsWith(prefix)) return
    const clientId = decodeURIComponent(key.slice(prefix.length, key.indexOf(':', prefix.length)))
    this.#count(clientId, bytes)
  }

  /** Whether one more message may wait for the client; if so, it counts from now on. */
  admits(clientId: string, bytes: number): boolean {
    const reached = this.#reached(clientId, bytes)
    if (reached === undefined) {
      this.#count(clientId, bytes)
      return true
    }
    this.#counters.add(reached)
    const repeats = this.#repeats.admit(clientId)
    if (repeats !== undefined)
      this.#log.warn(
        { client: clientId.slice(0, shownMax), limit: reached, ...repeats },
        'message not kept for a client: too much waits for it already',
      )
    return false
  }

  /** A message that waited has been delivered; without its size it counts as one of the average size. */
  left(clientId: string, size?: number): void {
    const queue = this.#queues.get(clientId)
    if (queue === undefined) return
    const gone = Math.min(size ?? queue.bytes / queue.messages, queue.bytes)
    queue.messages--
    if (queue.messages <= 0) return this.forget(clientId)
    queue.bytes -= gone
    this.#bytes -= gone
  }

  /** Nothing waits for this client any more. */
  forget(clientId: string): void {
    this.#bytes -= this.#queues.get(clientId)?.bytes ?? 0
    this.#queues.delete(clientId)
  }

  #reached(clientId: string, more: number): LimitName | undefined {
    const { messages, bytes } = this.#queues.get(clientId) ?? { messages: 0, bytes: 0 }
    if (messages >= limits.sessionQueueMessagesMax) return 'sessionQueueMessagesMax'
    if (bytes + more > limits.sessionQueueBytesMax) return 'sessionQueueBytesMax'
    return this.#bytes + more > allQueuesBytesMax ? 'memoryBytesMax' : undefined
  }

  #count(clientId: string, bytes: number): void {
    const queue = this.#queues.get(clientId) ?? { messages: 0, bytes: 0 }
    this.#queues.set(clientId, queue)
    queue.messages++
    queue.bytes += bytes
    this.#bytes += bytes
  }
}
