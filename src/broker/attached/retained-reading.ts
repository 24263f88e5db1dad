import type { Counters } from '../../core/counters.ts'
import { limits } from '../../core/limits.ts'
import type { Message } from '../../core/message.ts'
import { matchesFilter } from '../../core/topics.ts'

/** How long nothing more must come until what is there is all. */
const quietMsMin = 250
/** On a slow line: so many round trips. A broker waits for our acknowledgements between what it sends. */
const quietRoundTrips = 3
/** Stands for what a message and its topic need beside their characters. */
const bytesPerMessage = 64

/**
 * Collects the retained messages for one filter as the broker sends them. It does not say which one is the last, so
 * the end is when nothing more has come for a while. Each topic comes once, however often the broker sends it. At most
 * `linkRetainedBytesMax` bytes are held: what waits to be read, and the topics that have come.
 */
export class RetainedReading {
  readonly #filter: string
  readonly #counters: Counters
  #found: Message[] = []
  #foundBytes = 0
  readonly #topics = new Set<string>()
  #topicsBytes = 0
  #lastAtMs = performance.now()
  #wake = (): void => {}

  constructor(filter: string, counters: Counters) {
    this.#filter = filter
    this.#counters = counters
  }

  /** Takes a message that came with the retain flag. */
  offer(message: Message): void {
    this.#lastAtMs = performance.now() // also one of another filter: they come in one go
    const { topic, payload } = message
    if (this.#topics.has(topic) || !matchesFilter(this.#filter, topic)) return
    const topicBytes = topic.length + bytesPerMessage
    if (this.#foundBytes + this.#topicsBytes + topicBytes + payload.length > limits.linkRetainedBytesMax) {
      this.#counters.add('linkRetainedBytesMax')
      return
    }
    this.#topics.add(topic)
    this.#topicsBytes += topicBytes
    this.#foundBytes += payload.length
    this.#found.push(message)
    this.#wake()
  }

  /**
   * What comes, until the broker has been quiet. @param askedAtMs when it was asked; the answer has just come
   */
  async *messages(askedAtMs: number): AsyncIterable<Message> {
    const nowMs = performance.now()
    const quietMs = Math.max(quietMsMin, quietRoundTrips * (nowMs - askedAtMs))
    this.#lastAtMs = nowMs
    for (;;) {
      const found = this.#found
      this.#found = []
      this.#foundBytes = 0
      yield* found
      if (this.#found.length > 0) continue
      const leftMs = this.#lastAtMs + quietMs - performance.now()
      if (leftMs <= 0) return
      await this.#wait(leftMs)
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
