import { setTimeout as sleep } from 'node:timers/promises'
import type { Counters } from '../../core/counters.ts'
import { limits } from '../../core/limits.ts'
import type { BrokerDoor, DoorSettings, DoorState, Logger } from '../../core/ports.ts'
import { isSameBroker, type RemoteBroker, shownUrl } from '../../core/remote-broker.ts'
import { AttachedHub } from './attached-hub.ts'
import { type Link, type LinkOptions, openLink } from './link.ts'
import { failureOf, type LinkFailure } from './link-failure.ts'
import { LinkTale } from './link-tale.ts'
import { PacketIds } from './packet-ids.ts'

export interface AttachedBrokerOptions {
  readonly broker: RemoteBroker
  /** Damselfly's name: the client id is `damselfly-NAME`. */
  readonly name: string
  readonly log: Logger
  readonly counters: Counters
  /** What the broker publishes, retained, when the connection breaks. */
  readonly will: { readonly topic: string; readonly payload: string }
  /** Called when it is connected, when it is not any more, and when the reason for that changes. */
  readonly onChange: () => void
  /** Changed by tests only. */
  readonly pace?: Partial<LinkPace>
  /** A clock that never goes back; the process's own unless told. */
  readonly nowMs?: () => number
  /** A file of certificates that `mqtts:` brokers may be signed by; the system's unless told. */
  readonly authorities?: string
}

export interface LinkPace {
  /** A silent broker is noticed after one and a half of these. */
  readonly keepAliveS: number
  /** The first pause before another attempt; the next ones grow to `retryMsMax`. */
  readonly retryMsMin: number
  readonly retryMsMax: number
  /** The pause after a refusal, which only a person can change. */
  readonly refusedMs: number
  /** How long the start waits for the first answer. */
  readonly startMs: number
  /** How long the stop waits until what is left has been acknowledged. */
  readonly stopMs: number
  /** How long the broker may take to answer our subscriptions. */
  readonly answerMs: number
  /**
   * A connection that the broker ends sooner may have been taken over by another client with our id; of those that
   * end sooner only the first few are told.
   */
  readonly shortMs: number
  /** A connection that ends sooner counts as a failed attempt: the pauses grow. */
  readonly steadyMs: number
}

const usualPace: LinkPace = {
  keepAliveS: 15,
  retryMsMin: 1_000,
  retryMsMax: 10_000,
  refusedMs: 30_000,
  startMs: 2_000,
  stopMs: 2_000,
  answerMs: 10_000,
  shortMs: 60_000,
  steadyMs: 10_000,
}

const stopped: LinkFailure = { reason: 'stopped' }
const mute: LinkFailure = { reason: 'it does not answer subscriptions' }

/** So many short connections in a row are no accident. */
const shortMax = 3

const takenOver = (clientId: string): LinkFailure => ({
  reason: `it ends the connection again and again: another client seems to have our id ${clientId}`,
  remedy: 'set another NAME in the .env of one of the two',
  isRefusal: true,
})

/**
 * The door to a broker elsewhere: connects, and connects again for as long as it is open. What it promises about
 * messages stands in `docs/attach.md`.
 *
 * The session at the broker lasts as long as this process: what was published before it began is not obeyed, for a door
 * must not open because the Pi rebooted; nor is what the broker has kept for longer than `linkWaitMsMax`.
 */
export class AttachedBroker implements BrokerDoor {
  readonly hub: AttachedHub
  readonly #options: AttachedBrokerOptions
  readonly #pace: LinkPace
  readonly #packetIds = new PacketIds()
  readonly #tale: LinkTale
  readonly #closing = new AbortController()
  readonly #nowMs: () => number
  #broker: RemoteBroker
  #link: Link | undefined
  #work: Promise<void> | undefined
  /** Ends the attempt or the pause that is under way. */
  #interrupt = new AbortController()
  /** The session at the broker is to be thrown away first. */
  #isFreshDue = true
  #lostAtMs = 0
  #shortInARow = 0
  #failedInARow = 0

  constructor(options: AttachedBrokerOptions) {
    this.#options = options
    this.#broker = options.broker
    this.#pace = { ...usualPace, ...options.pace }
    this.#nowMs = options.nowMs ?? (() => performance.now())
    this.hub = new AttachedHub(options)
    this.#tale = new LinkTale({ ...options, steadyMs: this.#pace.shortMs })
  }

  /** The broker there says what we may do. */
  hubFor(): AttachedHub {
    return this.hub
  }

  get state(): DoorState {
    return { addresses: [], pending: [], link: { url: shownUrl(this.#broker), ...this.#tale.state } }
  }

  /** Begins to connect. Resolves at the first answer, or after a short while without one; never rejects. */
  async open(): Promise<void> {
    this.#work = this.#run()
    const end = new AbortController()
    const wait = sleep(this.#pace.startMs, undefined, { signal: end.signal }).catch(() => {})
    await Promise.race([this.#tale.firstAnswer, wait])
    end.abort()
  }

  /** Moves to another broker, or comes back as another user. */
  async apply({ remote }: DoorSettings): Promise<void> {
    if (remote === undefined || isSameBroker(remote, this.#broker)) return
    this.#broker = remote
    this.#isFreshDue = true
    this.#failedInARow = 0
    await this.#leave()
    this.#interrupt.abort()
  }

  async settle(): Promise<void> {}

  async close(): Promise<void> {
    this.hub.close()
    if (this.#link !== undefined) {
      const end = new AbortController()
      const wait = sleep(this.#pace.stopMs, undefined, { signal: end.signal }).catch(() => {})
      await Promise.race([this.hub.outbox.idle(), wait])
      end.abort()
    }
    this.#closing.abort()
    await this.#link?.end(stopped)
    this.#interrupt.abort()
    await this.#work
    this.#tale.close()
    const messages = this.hub.outbox.size
    if (messages > 0) this.#options.log.warn({ messages }, 'messages for the broker are lost')
  }

  /** Says what the will would say, leaves no subscription behind, and goes. */
  async #leave(): Promise<void> {
    const link = this.#link
    if (link === undefined) return
    const { topic, payload } = this.#options.will
    const { done } = link.publish({ topic, payload: Buffer.from(payload), qos: 1, retain: true })
    const farewell = Promise.all([done, this.hub.leave()]).catch(() => {}) // the connection has ended
    await Promise.race([farewell, link.ended, sleep(this.#pace.stopMs, undefined, { ref: false })])
    this.hub.lose(false) // what waits is for the next one
    await link.end({ reason: 'the settings have changed' })
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#interrupt = new AbortController()
      const failure = await this.#connectOnce()
      if (this.#closing.signal.aborted) return
      if (!this.#interrupt.signal.aborted) this.#tale.failed(this.#broker, failure)
      await sleep(this.#pauseMs(failure), undefined, { signal: this.#interrupt.signal }).catch(() => {})
    }
  }

  /** One connection, from the attempt to its end. @returns why it failed, or ended */
  async #connectOnce(): Promise<LinkFailure> {
    const broker = this.#broker
    let link: Link
    try {
      await this.#forgetIfDue(broker)
      link = await openLink({ ...this.#linkOptions(broker), isClean: false, will: this.#options.will })
    } catch (error) {
      this.#failedInARow++
      this.#shortInARow = 0
      const cause = (error as Error).cause as LinkFailure | undefined
      return cause ?? failureOf(error)
    }
    if (!this.#interrupt.signal.aborted) return await this.#serve(broker, link)
    await link.end(stopped)
    return stopped
  }

  async #serve(broker: RemoteBroker, link: Link): Promise<LinkFailure> {
    const sinceMs = this.#nowMs()
    this.#link = link
    const late = setTimeout(() => link.break(mute), this.#pace.answerMs)
    const opened = this.hub.open(link).then(
      () => this.#tale.connected(broker, this.hub.outbox.size),
      (error) => link.break(failureOf(error)), // most often it has ended already
    )
    opened.finally(() => clearTimeout(late))
    const failure = await link.ended
    await opened
    this.#link = undefined
    this.#lostAtMs = this.#nowMs()
    if (failure.limit !== undefined) this.#options.counters.add(failure.limit)
    const { isByPeer = false } = failure
    const isSuspect = this.hub.lose(isByPeer) // then it is about what we sent
    const stoodMs = this.#lostAtMs - sinceMs
    const isShort = isByPeer && !isSuspect && stoodMs < this.#pace.shortMs
    this.#shortInARow = isShort ? this.#shortInARow + 1 : 0
    this.#failedInARow = stoodMs < this.#pace.steadyMs ? this.#failedInARow + 1 : 0
    return this.#shortInARow < shortMax ? failure : takenOver(this.#clientId)
  }

  /** Makes the broker forget what it has kept for us. */
  async #forgetIfDue(broker: RemoteBroker): Promise<void> {
    const awayMs = this.#nowMs() - this.#lostAtMs
    if (!this.#isFreshDue && awayMs <= limits.linkWaitMsMax) return
    const link = await openLink({ ...this.#linkOptions(broker), isClean: true })
    await link.end(stopped)
    this.hub.forget()
    if (broker === this.#broker) this.#isFreshDue = false
  }

  #linkOptions(broker: RemoteBroker): Omit<LinkOptions, 'isClean' | 'will'> {
    const { authorities } = this.#options
    return {
      broker,
      clientId: this.#clientId,
      keepAliveS: this.#pace.keepAliveS,
      packetIds: this.#packetIds,
      signal: this.#interrupt.signal,
      ...(authorities === undefined ? {} : { authorities }),
      onMessage: (message) => this.hub.receive(message),
    }
  }

  get #clientId(): string {
    return `damselfly-${this.#options.name}`
  }

  #pauseMs(failure: LinkFailure): number {
    const { retryMsMin, retryMsMax, refusedMs } = this.#pace
    const grownMs = Math.min(retryMsMin * 2 ** Math.max(this.#failedInARow - 1, 0), retryMsMax)
    // not all the clients of a broker at the moment when it comes back
    return (failure.isRefusal === true ? refusedMs : grownMs) * (0.75 + Math.random() / 4)
  }
}
