import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BrokerView } from '../core/broker-view.ts'
import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Hub } from '../core/ports.ts'
import { linesOf } from './lines.ts'
import { clientLines, clientsLines, topicsLines } from './long-answers.ts'
import type { PinReports } from './pin-reports.ts'
import {
  type ControlAnswer,
  type ControlRequest,
  type DaemonStatus,
  type ErrorAnswer,
  protocolVersion,
  type ReloadOutcome,
} from './protocol.ts'
import { requestOf } from './requests.ts'
import { type TopicRoom, TopicWatch } from './topic-watch.ts'
import type { TraceHub } from './trace-hub.ts'

/** A pin that changes more often than this is told with the state that it has then. */
const pinIntervalMs = 100

/** How often those who watch topics are told what has changed. */
const topicsIntervalMs = 1_000

/** What can be asked for. */
export interface ControlHouse {
  readonly name: string
  readonly counters: Counters
  readonly pins: PinReports
  readonly trace: TraceHub
  readonly hub: Hub
  /** Undefined where the broker is elsewhere. */
  readonly view: BrokerView | undefined
  /** For all connections. */
  readonly topicRoom: TopicRoom
  /** Whether one more connection may watch. */
  mayWatch(): boolean
  status(): DaemonStatus
  /** Reads the configuration again. Never throws. */
  reload(): Promise<ReloadOutcome>
}

/**
 * One connection to the control socket. A reader that does not keep up costs `limits.controlBacklogBytesMax` at most:
 * requests wait until their predecessors' answers are read, of a pin only the latest state is told, and of a trace
 * what has no room is left out and counted.
 */
export class Connection {
  readonly #socket: Socket
  readonly #house: ControlHouse
  readonly #changedPins = new Set<string>()
  #unwatchPins: (() => void) | undefined
  #unwatchTrace: (() => void) | undefined
  #unwatchTopics: (() => void) | undefined
  #pinTimer: NodeJS.Timeout | undefined
  #dropped = 0
  #onRoom: (() => void)[] = []

  constructor(socket: Socket, house: ControlHouse) {
    this.#socket = socket
    this.#house = house
    socket.on('error', () => {}) // 'close' follows
    socket.on('drain', () => this.#hasRoom())
    socket.once('close', () => {
      this.#endWatches()
      this.#goOn()
    })
  }

  get isWatching(): boolean {
    return (
      this.#unwatchPins !== undefined || this.#unwatchTrace !== undefined || this.#unwatchTopics !== undefined
    )
  }

  /** Answers until the other side says no more; that ends what it watches, too. */
  async serve(): Promise<void> {
    const socket = this.#socket
    // left alone at its end, the socket still sends the last answer
    const requests = linesOf(socket.iterator({ destroyOnReturn: false }), limits.controlLineBytesMax)
    try {
      for await (const request of requests) {
        await this.#answer(request)
        if (socket.writableNeedDrain) await this.#room()
      }
      this.#endWatches()
      socket.end()
    } finally {
      if (!socket.writableEnded) this.destroy()
    }
  }

  destroy(): void {
    this.#socket.destroy()
  }

  async #answer(line: string | undefined): Promise<void> {
    if (line === undefined) {
      this.#house.counters.add('controlLineBytesMax')
      return this.#say(
        mistake('REQUEST_TOO_LONG', `a request has at most ${limits.controlLineBytesMax} bytes`),
      )
    }
    const request = requestOf(line)
    if (typeof request === 'string') return this.#say(mistake('REQUEST_INVALID', request))
    if ('get' in request) await this.#tell(request)
    else if ('kick' in request) this.#kick(request)
    else if ('do' in request) this.#say({ protocol: protocolVersion, reload: await this.#house.reload() })
    else if (!this.isWatching && !this.#house.mayWatch()) {
      const message = `${limits.controlWatchersMax} connections watch already; end one of them`
      this.#house.counters.add('controlWatchersMax')
      this.#say(mistake('TOO_MANY_CONNECTIONS', message))
    } else if (request.watch === 'pins') this.#watchPins()
    else if (request.watch === 'topics') this.#watchTopics(request.filter ?? '#')
    else this.#watchTrace(request.filter ?? '#')
  }

  async #tell(request: Extract<ControlRequest, { readonly get: string }>): Promise<void> {
    const { view } = this.#house
    if (request.get === 'status') this.#say({ protocol: protocolVersion, status: this.#house.status() })
    else if (request.get === 'pins') this.#say({ protocol: protocolVersion, pins: this.#house.pins.all() })
    else if (view === undefined) this.#say(elsewhere)
    else if (request.get === 'clients') await this.#sayAll(clientsLines(view))
    else {
      const lines = clientLines(view, request.id)
      if (lines === undefined) this.#say(mistake('CLIENT_UNKNOWN', 'no client has this id'))
      else await this.#sayAll(lines)
    }
  }

  #kick({ kick, forget = false }: Extract<ControlRequest, { readonly kick: string }>): void {
    const { view } = this.#house
    if (view === undefined) return this.#say(elsewhere)
    this.#say({ protocol: protocolVersion, kicked: kick, outcome: view.kick(kick, forget) })
  }

  #watchTopics(filter: string): void {
    this.#unwatchTopics?.()
    const { hub, view, counters, topicRoom: room, name } = this.#house
    const isRetained = view && ((topic: string) => view.isRetained(topic))
    const watch = new TopicWatch({ hub, filter, room, counters, isRetained })
    this.#say({ protocol: protocolVersion, filter, name })
    let isTelling = false
    const tell = async (): Promise<void> => {
      if (isTelling || this.#socket.writableNeedDrain) return // what changes meanwhile is told then
      isTelling = true
      const changes = [...watch.changes()]
      if (changes.length > 0) await this.#sayAll(topicsLines(changes, watch.leftOut))
      isTelling = false
    }
    const timer = setInterval(() => void tell(), topicsIntervalMs)
    this.#unwatchTopics = () => {
      clearInterval(timer)
      watch.stop()
    }
    watch.start().then(tell, () => {}) // the broker stops; what comes is told all the same
  }

  #watchPins(): void {
    const { pins } = this.#house
    this.#say({ protocol: protocolVersion, pins: pins.all() })
    this.#unwatchPins ??= pins.watch((pin) => {
      this.#changedPins.add(pin)
      this.#tellPins()
    })
  }

  /** The first change at once, what follows at intervals, and nothing while there is no room. */
  #tellPins(): void {
    if (this.#pinTimer !== undefined || this.#changedPins.size === 0 || this.#socket.writableNeedDrain) return
    for (const name of this.#changedPins) {
      const pin = this.#house.pins.one(name)
      this.#say(pin === undefined ? { removed: name } : { pin })
    }
    this.#changedPins.clear()
    this.#pinTimer = setTimeout(() => {
      this.#pinTimer = undefined
      this.#tellPins()
    }, pinIntervalMs)
  }

  #watchTrace(filter: string): void {
    this.#unwatchTrace?.()
    this.#say({ protocol: protocolVersion, trace: filter, name: this.#house.name })
    this.#unwatchTrace = this.#house.trace.watch({ filter, offer: (line) => this.#offer(line) })
  }

  /** Sends a line that may be left out. */
  #offer(line: Buffer): boolean {
    if (this.#socket.writableLength + line.length > limits.controlBacklogBytesMax) {
      this.#house.counters.add('controlBacklogBytesMax')
      this.#dropped++
      return false
    }
    this.#tellDropped()
    this.#socket.write(line)
    return true
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return
    this.#say({ dropped: this.#dropped })
    this.#dropped = 0
  }

  /** Sends a line that is owed. */
  #say(answer: ControlAnswer): void {
    this.#socket.write(`${JSON.stringify(answer)}\n`)
  }

  /** Sends lines as fast as they are read, each in a turn of the event loop of its own. */
  async #sayAll(lines: Iterable<string>): Promise<void> {
    for (const line of lines) {
      if (this.#socket.destroyed || this.#socket.writableEnded) return
      this.#socket.write(`${line}\n`)
      if (this.#socket.writableNeedDrain) await this.#room()
      else await nextTurn()
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRoom.push(resolve)
    })
  }

  #hasRoom(): void {
    this.#tellDropped()
    this.#tellPins()
    this.#goOn()
  }

  #goOn(): void {
    for (const go of this.#onRoom.splice(0)) go()
  }

  #endWatches(): void {
    this.#unwatchPins?.()
    this.#unwatchTrace?.()
    this.#unwatchTopics?.()
    this.#unwatchPins = undefined
    this.#unwatchTrace = undefined
    this.#unwatchTopics = undefined
    clearTimeout(this.#pinTimer)
    // nothing of it may follow the end of the socket
    this.#changedPins.clear()
    this.#dropped = 0
  }
}

const elsewhere: ErrorAnswer = mistake(
  'BROKER_ELSEWHERE',
  'the broker is another one, which knows its clients; this Damselfly is a client of it',
)

/** The error that somebody is told. */
function mistake(code: ErrorAnswer['error']['code'], message: string): ErrorAnswer {
  return { error: { code, message } }
}
