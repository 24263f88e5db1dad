import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Message } from '../core/message.ts'
import type { Hub } from '../core/ports.ts'
import type { TopicReport } from './protocol.ts'
import { cut, excerptOf } from './trace-hub.ts'

/** A rate is a mean of about so long a time, the latest counting most. */
const smoothingS = 10

/** Topics that all watchers together have room for. */
export interface TopicRoom {
  taken: number
}

export interface TopicWatchOptions {
  readonly hub: Hub
  readonly filter: string
  readonly room: TopicRoom
  readonly counters: Counters
  /** Whether a message is retained for a topic; where nobody knows, what was retained at the beginning is marked. */
  readonly isRetained?: ((topic: string) => boolean) | undefined
}

interface Watched {
  messages: number
  /** When the rate was looked at last. */
  messagesBefore: number
  rate: number
  /** The beginning of the last payload. */
  payload: Uint8Array
  bytes: number
  qos: number
  client: string
  /** Of the last message since the watch began. */
  atMs: number | undefined
  isRetained: boolean
  isTold: boolean
}

/**
 * Follows the topics that match a filter, from `start` to `stop`: the last message of each, and how many come. Of all
 * watches together at most `limits.watchedTopicsMax`; messages of one more are only counted.
 */
export class TopicWatch {
  readonly #options: TopicWatchOptions
  readonly #topics = new Map<string, Watched>()
  readonly #startedAtMs = performance.now()
  #sampledAtMs = this.#startedAtMs
  #leftOut = 0
  #isStopped = false
  #unsubscribe: (() => void) | undefined

  constructor(options: TopicWatchOptions) {
    this.#options = options
  }

  /** Messages that came for topics without room. */
  get leftOut(): number {
    return this.#leftOut
  }

  /** Takes what comes from now on, and, meanwhile, what is retained. Rejects when that cannot be read. */
  async start(): Promise<void> {
    const { hub, filter } = this.#options
    this.#unsubscribe = hub.subscribe(filter, (message) => this.#take(message))
    for await (const message of hub.retained(filter)) {
      if (this.#isStopped) return
      const known = this.#topics.get(message.topic)
      if (known !== undefined) known.isRetained = true
      else {
        const watched = this.#add(message.topic)
        if (watched !== undefined) keep(watched, message, true)
      }
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#unsubscribe?.()
    this.#options.room.taken -= this.#topics.size
    this.#topics.clear()
  }

  /** What has changed since it was asked last, with rates as they are now. To be gone through soon. */
  *changes(): Iterable<TopicReport> {
    const nowMs = performance.now()
    const seconds = (nowMs - this.#sampledAtMs) / 1_000
    if (seconds <= 0) return
    this.#sampledAtMs = nowMs
    const ageS = (nowMs - this.#startedAtMs) / 1_000
    // at first the mean since the watch began
    const weight = Math.max(1 - Math.exp(-seconds / smoothingS), seconds / ageS)
    for (const [topic, watched] of this.#topics) {
      const before = rounded(watched.rate)
      const now = (watched.messages - watched.messagesBefore) / seconds
      watched.rate += weight * (now - watched.rate)
      watched.messagesBefore = watched.messages
      if (watched.isTold && rounded(watched.rate) === before) continue
      watched.isTold = true
      const isRetained = this.#options.isRetained?.(topic) ?? watched.isRetained
      yield reportOf(topic, watched, isRetained)
    }
  }

  #take(message: Message): void {
    const watched = this.#topics.get(message.topic) ?? this.#add(message.topic)
    if (watched === undefined) {
      this.#leftOut++
      return
    }
    keep(watched, message, watched.isRetained)
    watched.messages++
    watched.atMs = Date.now()
  }

  #add(topic: string): Watched | undefined {
    const { room, counters } = this.#options
    if (room.taken >= limits.watchedTopicsMax) {
      counters.add('watchedTopicsMax')
      return undefined
    }
    room.taken++
    const watched: Watched = {
      messages: 0,
      messagesBefore: 0,
      rate: 0,
      payload: new Uint8Array(0),
      bytes: 0,
      qos: 0,
      client: '',
      atMs: undefined,
      isRetained: false,
      isTold: false,
    }
    this.#topics.set(topic, watched)
    return watched
  }
}

function keep(watched: Watched, { payload, qos, client }: Message, isRetained: boolean): void {
  watched.payload = Uint8Array.prototype.slice.call(payload, 0, limits.tracePayloadBytesMax + 1) // a copy
  watched.bytes = payload.length
  watched.qos = qos
  watched.client = cut(client)
  watched.isRetained = isRetained
  watched.isTold = false
}

function reportOf(topic: string, watched: Watched, isRetained: boolean): TopicReport {
  const { messages, rate, payload, bytes, qos, client, atMs } = watched
  return {
    topic,
    messages,
    rate: rounded(rate),
    ...excerptOf(payload),
    bytes,
    qos,
    client,
    ...(atMs === undefined ? {} : { at: new Date(atMs).toISOString() }),
    isRetained,
  }
}

function rounded(rate: number): number {
  return Math.round(rate * 100) / 100
}
