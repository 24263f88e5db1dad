import { setTimeout as sleep } from 'node:timers/promises'
import type { IPublishPacket, MqttClient } from 'mqtt'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Door } from '../moving/move.ts'
import { type Credentials, connectTo, shownDoor } from './import-doors.ts'
import type { ImportStore } from './import-store.ts'

export interface CopyOptions {
  readonly door: Door
  readonly credentials: Credentials | undefined
  readonly store: ImportStore
  /** `max_queued_messages` of the broker; 0 for no bound, and 1,000 unless told. */
  readonly queueMessagesMax?: number | undefined
  /** How long to wait for a count of the broker's that agrees with what was read; not at all unless told. */
  readonly countWaitMs?: number
}

/** On their way into the store at one time: our own broker allows a hundred to a client. */
const windowMessages = 50
/** @NOTE mosquitto drops what does not fit into its queue for a client: 1,000 messages, or what its owner has set. */
const usualQueueMessages = 1_000
const quietMs = 1_000
const closeTimeoutMs = 10_000

/**
 * Copies the retained messages of a running broker, and goes on with each that changes until that broker ends or `close`.
 *
 * @NOTE QoS 0 is asked for first: of QoS 1 and 2 mosquitto 2 sends no more than 1,020 for one filter, and drops the others
 * without a word. With which QoS each was published is asked topic by topic afterwards.
 */
export class RetainedCopy {
  /** Topics that have a retained message, as far as it may be read. */
  readonly topics = new Set<string>()
  /** Whether what changes meanwhile is seen: MQTT 5 tells what is published to be retained, MQTT 3.1.1 does not. */
  readonly isFollowing: boolean
  /** Retained messages that were left because there are `retainedMessagesMax` already. */
  beyondBound = 0
  readonly #options: CopyOptions
  readonly #live: MqttClient
  /** What the broker says, its own below `$SYS` and all. */
  #counted: number | undefined
  /** Topics below `$SYS` that have a retained message. */
  readonly #system = new Set<string>()
  /** Topics that have changed since: what is read of them is old. */
  readonly #changed = new Set<string>()
  #onTheWay = 0
  #puts = 0
  readonly #waiting: (() => void)[] = []
  #failure: Error | undefined

  private constructor(options: CopyOptions, live: MqttClient, isFollowing: boolean) {
    this.#options = options
    this.#live = live
    this.isFollowing = isFollowing
  }

  /**
   * Copies what there is, and follows it from then on.
   * @throws DamselflyError `BROKER_UNREACHABLE`, `CONNECTION_REFUSED`, `SUBSCRIPTION_REFUSED`, `STORE_FAILED`
   */
  static async begin(options: CopyOptions): Promise<RetainedCopy> {
    const { client, isMqtt5 } = await connectAny(options)
    const copy = new RetainedCopy(options, client, isMqtt5)
    try {
      if (isMqtt5) await copy.#follow()
      await copy.#readAll()
      return copy
    } catch (cause) {
      client.end(true)
      if (cause instanceof DamselflyError) throw cause
      const message = `${shownDoor(options.door)}: the connection ended while retained messages were read: ${reasonOf(cause)}`
      throw new DamselflyError('BROKER_UNREACHABLE', message, { cause })
    }
  }

  /** Retained messages that the broker says it has, its own below `$SYS` left out; undefined when it does not say. */
  get countOfBroker(): number | undefined {
    return this.#counted === undefined ? undefined : Math.max(0, this.#counted - this.#system.size)
  }

  /** Waits until the broker has ended the connection, as it does when it stops, and until all is in the store. */
  async finish(): Promise<void> {
    const { promise, stop } = closed(this.#live)
    if (this.isFollowing && this.#live.connected) await promise
    stop()
    await untilQuiet(() => this.#puts, Number.POSITIVE_INFINITY, 200) // what was read before the end came
    await this.close()
  }

  /** Ends it; what has been read is in the store. @throws DamselflyError `STORE_FAILED` */
  async close(): Promise<void> {
    this.#live.end(true)
    while (this.#onTheWay > 0) await this.#admitted(1)
    if (this.#failure !== undefined)
      throw new DamselflyError(
        'STORE_FAILED',
        `a retained message could not be stored: ${this.#failure.message}`,
        {
          cause: this.#failure,
        },
      )
  }

  async #follow(): Promise<void> {
    this.#live.handleMessage = (packet, done) => {
      if (!packet.retain) return done()
      this.#changed.add(packet.topic)
      void this.#put(packet).then(() => done())
    }
    // not 2: a broker that stops in the middle of that handshake would leave us without the message
    await subscribe(this.#live, ['#'], { qos: 1, rh: 2, rap: true })
  }

  async #readAll(): Promise<void> {
    const { client } = await connectAny(this.#options)
    try {
      const put = (packet: IPublishPacket): Promise<void> | undefined =>
        this.#changed.has(packet.topic) ? undefined : this.#put(packet)
      let take = put
      client.handleMessage = (packet, done) => {
        if (packet.topic.startsWith('$')) {
          this.#system.add(packet.topic) // also without RETAIN: mosquitto keeps all of them
          if (packet.topic === '$SYS/broker/retained messages/count') this.#counted = Number(packet.payload)
          return done()
        }
        if (!packet.retain) return done()
        void Promise.resolve(take(packet)).then(() => done())
      }
      await subscribe(client, ['#'], { qos: 0 })
      await client.unsubscribeAsync('#') // its answer comes after what was retained
      await this.#askForSystem(client)
      let seen = new Set<string>()
      take = (packet) => {
        seen.add(packet.topic)
        return packet.qos === 0 ? undefined : put(packet)
      }
      const topics = [...this.topics]
      const atOnce = Math.max(1, Math.floor((this.#options.queueMessagesMax || usualQueueMessages) / 2))
      for (let at = 0; at < topics.length; at += atOnce) {
        const some = topics.slice(at, at + atOnce)
        seen = new Set()
        await subscribe(client, some, { qos: 2 })
        await untilQuiet(() => seen.size, some.length)
      }
      await this.#awaitCount()
    } finally {
      client.end(true)
    }
  }

  /** @NOTE mosquitto counts once in `sys_interval`, and first before it has published all of its own topics. */
  async #awaitCount(): Promise<void> {
    const untilMs = performance.now() + (this.#options.countWaitMs ?? 0)
    const agrees = (): boolean =>
      this.#counted !== undefined && this.#counted - this.#system.size === this.topics.size + this.beyondBound
    while (!agrees() && performance.now() < untilMs) await sleep(50)
  }

  /** Who may not read below `$SYS` is not told how many there are. */
  async #askForSystem(client: MqttClient): Promise<void> {
    try {
      await subscribe(client, ['$SYS/#'], { qos: 0 })
      await client.unsubscribeAsync('x') // its answer comes after what was retained
    } catch (error) {
      if (!(error instanceof DamselflyError)) throw error
    }
  }

  async #put({ topic, payload, qos, properties }: IPublishPacket): Promise<void> {
    if (payload.length === 0) this.topics.delete(topic)
    else if (!this.topics.has(topic) && this.topics.size >= limits.retainedMessagesMax) {
      this.beyondBound++
      return
    } else this.topics.add(topic)
    await this.#admitted(windowMessages)
    this.#onTheWay++
    this.#puts++
    const {
      contentType,
      correlationData,
      messageExpiryInterval,
      payloadFormatIndicator,
      responseTopic,
      userProperties,
    } = properties ?? {}
    const kept = Object.entries({
      contentType,
      correlationData,
      messageExpiryInterval,
      payloadFormatIndicator,
      responseTopic,
      userProperties,
    }).filter(([, value]) => value !== undefined)
    this.#options.store.client.publish(
      topic,
      payload,
      { qos, retain: true, properties: Object.fromEntries(kept) },
      (error) => {
        this.#onTheWay--
        if (error) this.#failure ??= error
        for (const goOn of this.#waiting.splice(0)) goOn()
      },
    )
  }

  /** Waits until fewer than `count` are on their way. */
  async #admitted(count: number): Promise<void> {
    while (this.#onTheWay >= count) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

/** The end of a connection, which is waited for only so long. */
function closed(client: MqttClient): { readonly promise: Promise<void>; stop(): void } {
  let stop = (): void => {}
  const promise = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, closeTimeoutMs)
    stop = () => {
      clearTimeout(timer)
      resolve()
    }
    client.once('close', stop)
  })
  return { promise, stop: () => stop() }
}

/** By MQTT 5 where the broker speaks it. */
async function connectAny({
  door,
  credentials,
}: CopyOptions): Promise<{ client: MqttClient; isMqtt5: boolean }> {
  try {
    return { client: await connectTo(door, credentials, 5), isMqtt5: true }
  } catch (error) {
    const code = (error as { cause?: { code?: unknown } }).cause?.code
    if (code !== 1 && code !== 0x84) throw error // unacceptable protocol version
    return { client: await connectTo(door, credentials, 4), isMqtt5: false }
  }
}

async function subscribe(
  client: MqttClient,
  filters: string[],
  options: { readonly qos: 0 | 1 | 2; readonly rh?: 2; readonly rap?: true },
): Promise<void> {
  let granted: readonly { readonly qos: number }[]
  try {
    granted = await client.subscribeAsync(filters, options)
  } catch (cause) {
    throw refused(filters, cause)
  }
  if (granted.length > 0 && granted.every(({ qos }) => qos >= 0x80)) throw refused(filters)
}

function refused([filter = '']: readonly string[], cause?: unknown): DamselflyError {
  return new DamselflyError(
    'SUBSCRIPTION_REFUSED',
    `${filter} may not be subscribed to; give --username and --password of somebody who may read everything`,
    { cause },
  )
}

/** Until so many have come, or for so long no more. */
export async function untilQuiet(count: () => number, wanted: number, forMs = quietMs): Promise<void> {
  let before = count()
  let sinceMs = performance.now()
  while (before < wanted && performance.now() - sinceMs < forMs) {
    await sleep(5)
    const now = count()
    if (now !== before) sinceMs = performance.now()
    before = now
  }
}
