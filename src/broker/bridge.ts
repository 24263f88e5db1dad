import { connect as connectTcp } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BridgeAddress, Bridge as BridgeSettings, BridgeState } from '../core/bridge.ts'
import { reasonOf } from '../core/errors.ts'
import { isSystemTopic } from '../core/topics.ts'
import type { LinkFailure } from './attached/link-failure.ts'
import { LinkTale } from './attached/link-tale.ts'
import type { BridgeConnection } from './bridge-connection.ts'
import { goingBack, idle, stopped } from './bridge-failure.ts'
import { BridgeLink, type BridgeLinkParts } from './bridge-link.ts'
import { BridgeTopics } from './bridge-topics.ts'
import type { AedesHub } from './hub.ts'

export interface BridgePace {
  /** How long a broker may take from the attempt to CONNACK. */
  readonly connectMs: number
  /** How long it may take to answer our subscriptions. */
  readonly answerMs: number
  /** A connection that stood so long was no failure: the pauses begin anew. */
  readonly steadyMs: number
  /** How often it is looked whether the first address answers, while another one serves. */
  readonly firstMs: number
  /** How long the stop waits until what is left has been acknowledged. */
  readonly stopMs: number
}

export interface BridgeParts
  extends Pick<BridgeLinkParts, 'house' | 'sessions' | 'counters' | 'log' | 'subscribed'> {
  readonly settings: BridgeSettings
  readonly hub: Pick<AedesHub, 'publish' | 'publishSystem'>
  readonly pace: BridgePace
}

/** One bridge: connects, and connects again for as long as it is open. What it promises stands in `docs/bridges.md`. */
export class Bridge {
  readonly settings: BridgeSettings
  readonly #parts: BridgeParts
  readonly #link: BridgeLink
  readonly #tale: LinkTale
  readonly #closing = new AbortController()
  #work: Promise<void> | undefined
  /** Of the address that is used, or tried next. */
  #index = 0
  #pauseMs = 0
  /** What was said last on the notification topic. */
  #told: string | undefined
  /** Wakes a lazy bridge. */
  #wake: () => void = () => {}

  constructor(parts: BridgeParts) {
    this.#parts = parts
    this.settings = parts.settings
    this.#link = new BridgeLink({
      ...parts,
      ...parts.pace,
      topics: new BridgeTopics(parts.settings),
      onOpen: (connection) => this.#opened(connection),
      onWaiting: () => this.#wake(),
    })
    this.#tale = new LinkTale({
      log: parts.log,
      onChange: () => {},
      steadyMs: 60_000,
      words: {
        fields: { bridge: parts.settings.name },
        connected: 'bridge connected',
        refused: 'bridge refused: trying again now and then',
        lost:
          parts.settings.start.kind === 'once' ? 'bridge lost: it starts once' : 'bridge lost, trying again',
        unreached: 'bridge not connected yet, trying again',
      },
    })
  }

  /** At the other broker, as far as is known. */
  get subscribed(): ReadonlySet<string> {
    return this.#link.subscribed
  }

  get state(): BridgeState {
    const queued = this.#link.session?.unfinishedMessages ?? 0
    return { name: this.settings.name, url: this.#address.url, ...this.#tale.state, queued }
  }

  /** Begins to connect; messages for it are kept since it was made. Once. */
  start(): void {
    this.#work = this.#run()
  }

  /** Ends the connection. `isForGood`: the other broker need not remember us; what waits here is up to the caller. */
  async close(isForGood: boolean): Promise<void> {
    const { stopMs } = this.#parts.pace
    const untilMs = performance.now() + stopMs
    const isBusy = (): boolean =>
      this.#link.connection?.isReady === true && (this.#link.session?.unfinishedMessages ?? 0) > 0
    while (!isForGood && isBusy() && performance.now() < untilMs) await sleep(10)
    this.#takeLeave(stopped, isForGood)
    this.#closing.abort()
    this.#wake()
    await this.#work
    this.#link.close()
    this.#tale.close()
    this.#tellHere(isForGood ? '' : '0')
  }

  get #address(): BridgeAddress {
    return this.settings.addresses[this.#index] as BridgeAddress
  }

  async #run(): Promise<void> {
    const { start } = this.settings
    const { signal } = this.#closing
    this.#tellHere('0')
    while (!signal.aborted) {
      if (start.kind === 'lazy') await this.#messages(start.threshold)
      if (signal.aborted) return
      const address = this.#address
      const beganMs = performance.now()
      const { failure, wasOpen } = await this.#link.connect(address, signal)
      this.#tellHere('0')
      if (signal.aborted) return
      if (failure === idle) {
        this.#tale.rests(idle.reason)
        continue
      }
      this.#tale.failed(address, failure)
      if (start.kind === 'once' && wasOpen) return
      if (wasOpen && performance.now() - beganMs >= this.#parts.pace.steadyMs) this.#pauseMs = 0
      if (this.#nextAddress(failure, wasOpen)) continue
      await sleep(this.#nextPauseMs(failure), undefined, { signal }).catch(() => {})
    }
  }

  /** @returns whether it may be tried at once: another one has answered since all of them were tried */
  #nextAddress(failure: LinkFailure, wasOpen: boolean): boolean {
    const { addresses, isRoundRobin } = this.settings
    const isBack = failure === goingBack || (wasOpen && !isRoundRobin && this.#index > 0)
    this.#index = isBack ? 0 : (this.#index + 1) % addresses.length
    return isBack || this.#index > 0
  }

  /** Grows from the one bound to the other by chance, so that not all come back at the same moment. */
  #nextPauseMs({ isRefusal }: LinkFailure): number {
    const { minMs, maxMs } = this.settings.retry
    const mostMs = Math.max(this.#pauseMs * 3, minMs)
    this.#pauseMs = Math.min(maxMs, minMs + Math.random() * (mostMs - minMs))
    return isRefusal === true ? maxMs : this.#pauseMs
  }

  #opened(connection: BridgeConnection): void {
    const { notifications, start, isRoundRobin } = this.settings
    this.#tale.connected(this.#address, this.#link.session?.unfinishedMessages ?? 0)
    this.#tellHere('1')
    if (notifications?.isLocalOnly === false) connection.tell(notifications.topic, '1')
    if (start.kind === 'lazy') this.#endWhenIdle(connection, start.idleMs)
    if (this.#index > 0 && !isRoundRobin) this.#watchFirst(connection)
  }

  /** Resolves when so many messages wait, or when it closes. */
  async #messages(threshold: number): Promise<void> {
    while (!this.#closing.signal.aborted && (this.#link.session?.queuedMessages ?? 0) < threshold)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
  }

  #endWhenIdle(connection: BridgeConnection, idleMs: number): void {
    const clock = setInterval(
      () => {
        const isIdle = performance.now() - connection.lastMessageMs >= idleMs
        if (isIdle && this.#link.session?.unfinishedMessages === 0) this.#takeLeave(idle, false)
      },
      Math.max(idleMs / 10, 10),
    ).unref()
    void connection.ended.then(() => clearInterval(clock))
  }

  /** Goes back to the first address when it answers. */
  #watchFirst(connection: BridgeConnection): void {
    const [{ host, port }] = this.settings.addresses as [BridgeAddress]
    const clock = setInterval(() => {
      const socket = connectTcp({ host, port, timeout: this.#parts.pace.connectMs })
      socket.once('connect', () => this.#takeLeave(goingBack, false))
      for (const event of ['connect', 'error', 'timeout']) socket.once(event, () => socket.destroy())
    }, this.#parts.pace.firstMs).unref()
    void connection.ended.then(() => clearInterval(clock))
  }

  #takeLeave(cause: LinkFailure, isForGood: boolean): void {
    const { connection, subscribed } = this.#link
    const { notifications } = this.settings
    if (connection === undefined) return
    if (connection.isReady) {
      if (notifications?.isLocalOnly === false) connection.tell(notifications.topic, '0')
      if (isForGood && subscribed.size > 0) void connection.unsubscribe([...subscribed])
    }
    connection.leave(cause, isForGood)
  }

  /** Says on the notification topic of this broker how it is: 1, 0, or nothing for a bridge that is no more. */
  #tellHere(payload: '1' | '0' | ''): void {
    const { notifications } = this.settings
    if (notifications === undefined || this.#told === payload) return
    this.#told = payload
    const { topic } = notifications
    if (isSystemTopic(topic)) return this.#parts.hub.publishSystem(topic, payload)
    this.#parts.hub.publish({ topic, payload, retain: true, qos: 1 }).catch((error) => {
      this.#parts.log.warn({ topic, reason: reasonOf(error) }, 'bridge: notification not published')
    })
  }
}
