import type { BrokerFigures } from '../core/broker-view.ts'

export interface SystemTopicsParts {
  readonly publish: (topic: string, payload: string) => void
  readonly figures: () => BrokerFigures
  /** What stands in `$SYS/broker/version`. */
  readonly version: string
}

type Figure = (figures: BrokerFigures) => number

/** The names of mosquitto 2, below `$SYS/broker/`; mosquitto(8), "Broker Status". */
const counts: readonly (readonly [name: string, figure: Figure])[] = [
  ['clients/total', ({ clientsConnected, clientsDisconnected }) => clientsConnected + clientsDisconnected],
  ['clients/maximum', ({ clientsMaximum }) => clientsMaximum],
  ['clients/inactive', ({ clientsDisconnected }) => clientsDisconnected],
  ['clients/disconnected', ({ clientsDisconnected }) => clientsDisconnected],
  ['clients/active', ({ clientsConnected }) => clientsConnected],
  ['clients/connected', ({ clientsConnected }) => clientsConnected],
  ['clients/expired', ({ clientsExpired }) => clientsExpired],
  ['messages/received', ({ packetsReceived }) => packetsReceived],
  ['messages/sent', ({ packetsSent }) => packetsSent],
  ['messages/stored', storedMessages],
  ['store/messages/count', storedMessages],
  ['store/messages/refused', ({ messagesUnkept }) => messagesUnkept],
  ['store/messages/bytes', ({ retainedBytes, queuedBytes }) => retainedBytes + queuedBytes],
  ['publish/messages/received', ({ publishesReceived }) => publishesReceived],
  ['publish/messages/sent', ({ publishesSent }) => publishesSent],
  ['publish/messages/dropped', ({ messagesDropped }) => messagesDropped],
  ['publish/bytes/received', ({ publishBytesReceived }) => publishBytesReceived],
  ['publish/bytes/sent', ({ publishBytesSent }) => publishBytesSent],
  ['bytes/received', ({ bytesReceived }) => bytesReceived],
  ['bytes/sent', ({ bytesSent }) => bytesSent],
  ['subscriptions/count', ({ subscriptions }) => subscriptions],
  ['shared_subscriptions/count', ({ sharedSubscriptions }) => sharedSubscriptions],
  ['retained messages/count', ({ retainedMessages }) => retainedMessages],
]

/** What is told as so many a minute, below `$SYS/broker/load/`. */
const loads: readonly (readonly [name: string, figure: Figure])[] = [
  ['messages/received', ({ packetsReceived }) => packetsReceived],
  ['messages/sent', ({ packetsSent }) => packetsSent],
  ['publish/received', ({ publishesReceived }) => publishesReceived],
  ['publish/sent', ({ publishesSent }) => publishesSent],
  ['publish/dropped', ({ messagesDropped }) => messagesDropped],
  ['bytes/received', ({ bytesReceived }) => bytesReceived],
  ['bytes/sent', ({ bytesSent }) => bytesSent],
  ['sockets', ({ socketsOpened }) => socketsOpened],
  ['connections', ({ connects }) => connects],
]

const windows = [
  ['1min', 60],
  ['5min', 300],
  ['15min', 900],
] as const

/**
 * What the broker tells of itself below `$SYS/broker/`, with mosquitto's names and in its words. A value that is as it
 * was is not told again. `tick` is to be called more often than the interval is long.
 */
export class SystemTopics {
  readonly #parts: SystemTopicsParts
  #intervalMs = 0
  #toldAtMs = 0
  /** The payload of each topic, as it was told. */
  readonly #told = new Map<string, string>()
  /** By topic, so many a minute. */
  readonly #loads = new Map<string, number>()
  #before: BrokerFigures | undefined
  #heapMaximum = 0

  constructor(parts: SystemTopicsParts) {
    this.#parts = parts
  }

  /** How often it is told, 0 for never: then what stands there is cleared. The first time is now. */
  setInterval(intervalMs: number, nowMs: number): void {
    const wasOff = this.#intervalMs === 0
    this.#intervalMs = intervalMs
    if (intervalMs === 0) this.#clear()
    else if (wasOff) {
      this.#tell('version', `damselfly version ${this.#parts.version}`)
      this.#tellAll(nowMs)
    }
  }

  tick(nowMs: number): void {
    if (this.#intervalMs > 0 && nowMs - this.#toldAtMs >= this.#intervalMs) this.#tellAll(nowMs)
  }

  #tellAll(nowMs: number): void {
    const figures = this.#parts.figures()
    const seconds = (nowMs - this.#toldAtMs) / 1_000
    this.#toldAtMs = nowMs
    this.#tell('uptime', `${figures.uptimeSeconds} seconds`)
    for (const [name, figure] of counts) this.#tell(name, String(figure(figures)))
    const before = this.#before
    for (const [name, figure] of loads) {
      const perMinute = before === undefined ? 0 : ((figure(figures) - figure(before)) * 60) / seconds
      for (const [window, windowSeconds] of windows)
        this.#tellLoad(`load/${name}/${window}`, perMinute, Math.exp(-seconds / windowSeconds))
    }
    this.#before = figures
    const { heapUsed, external } = process.memoryUsage()
    this.#heapMaximum = Math.max(this.#heapMaximum, heapUsed + external)
    this.#tell('heap/current', String(heapUsed + external))
    this.#tell('heap/maximum', String(this.#heapMaximum))
  }

  /** The mean that the kernel makes of its load, and mosquitto of its loads: `persistence` is what stays of the old one. */
  #tellLoad(name: string, perMinute: number, persistence: number): void {
    const load = perMinute + persistence * ((this.#loads.get(name) ?? 0) - perMinute)
    this.#loads.set(name, load)
    this.#tell(name, load.toFixed(2))
  }

  #tell(name: string, payload: string): void {
    if (this.#told.get(name) === payload) return
    this.#told.set(name, payload)
    this.#parts.publish(`$SYS/broker/${name}`, payload)
  }

  #clear(): void {
    for (const name of this.#told.keys()) this.#parts.publish(`$SYS/broker/${name}`, '')
    this.#told.clear()
    this.#loads.clear()
    this.#before = undefined
  }
}

function storedMessages({ retainedMessages, queuedMessages }: BrokerFigures): number {
  return retainedMessages + queuedMessages
}
