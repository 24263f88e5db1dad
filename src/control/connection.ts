import type { Socket } from 'node:net'
import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import { filterProblem } from '../core/topics.ts'
import { linesOf } from './lines.ts'
import type { PinReports } from './pin-reports.ts'
import {
  type ControlAnswer,
  type ControlRequest,
  type DaemonStatus,
  type ErrorAnswer,
  protocolVersion,
} from './protocol.ts'
import type { TraceHub } from './trace-hub.ts'

/** A pin that changes more often than this is told with the state that it has then. */
const pinIntervalMs = 100

/** What can be asked for. */
export interface ControlHouse {
  readonly name: string
  readonly counters: Counters
  readonly pins: PinReports
  readonly trace: TraceHub
  /** Whether one more connection may watch. */
  mayWatch(): boolean
  status(): DaemonStatus
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
  #pinTimer: NodeJS.Timeout | undefined
  #dropped = 0
  #onRoom: (() => void) | undefined

  constructor(socket: Socket, house: ControlHouse) {
    this.#socket = socket
    this.#house = house
    socket.on('error', () => {}) // 'close' follows
    socket.on('drain', () => this.#hasRoom())
    socket.once('close', () => {
      this.#endWatches()
      this.#onRoom?.()
    })
  }

  get isWatching(): boolean {
    return this.#unwatchPins !== undefined || this.#unwatchTrace !== undefined
  }

  /** Answers until the other side says no more; that ends what it watches, too. */
  async serve(): Promise<void> {
    const socket = this.#socket
    // left alone at its end, the socket still sends the last answer
    const requests = linesOf(socket.iterator({ destroyOnReturn: false }), limits.controlLineBytesMax)
    try {
      for await (const request of requests) {
        this.#answer(request)
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

  #answer(line: string | undefined): void {
    if (line === undefined) {
      this.#house.counters.add('controlLineBytesMax')
      return this.#say(
        mistake('REQUEST_TOO_LONG', `a request has at most ${limits.controlLineBytesMax} bytes`),
      )
    }
    const request = requestOf(line)
    if (typeof request === 'string') return this.#say(mistake('REQUEST_INVALID', request))
    if ('get' in request) {
      if (request.get === 'status') this.#say({ protocol: protocolVersion, status: this.#house.status() })
      else this.#say({ protocol: protocolVersion, pins: this.#house.pins.all() })
    } else if (!this.isWatching && !this.#house.mayWatch()) {
      const message = `${limits.controlWatchersMax} connections watch already; end one of them`
      this.#house.counters.add('controlWatchersMax')
      this.#say(mistake('TOO_MANY_CONNECTIONS', message))
    } else if (request.watch === 'pins') this.#watchPins()
    else this.#watchTrace(request.filter ?? '#')
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

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRoom = resolve
    })
  }

  #hasRoom(): void {
    this.#tellDropped()
    this.#tellPins()
    this.#onRoom?.()
  }

  #endWatches(): void {
    this.#unwatchPins?.()
    this.#unwatchTrace?.()
    this.#unwatchPins = undefined
    this.#unwatchTrace = undefined
    clearTimeout(this.#pinTimer)
    // nothing of it may follow the end of the socket
    this.#changedPins.clear()
    this.#dropped = 0
  }
}

/** The error that somebody is told. */
function mistake(code: ErrorAnswer['error']['code'], message: string): ErrorAnswer {
  return { error: { code, message } }
}

const known =
  'known are {"get":"status"}, {"get":"pins"}, {"watch":"pins"} and {"watch":"trace","filter":"home/#"}'

/** The request in a line, or what is wrong with it. */
function requestOf(line: string): ControlRequest | string {
  let request: unknown
  try {
    request = JSON.parse(line)
  } catch {
    return `a request is one JSON object on one line; ${known}`
  }
  if (typeof request !== 'object' || request === null) return `a request is a JSON object; ${known}`
  const { get, watch, filter, protocol } = request as Record<string, unknown>
  if (protocol !== undefined && protocol !== protocolVersion) return `this is protocol ${protocolVersion}`
  if ((get === 'status' || get === 'pins') && watch === undefined) return { get }
  if (get === undefined && watch === 'pins') return { watch }
  if (get !== undefined || watch !== 'trace') return known
  if (filter === undefined) return { watch }
  const problem = typeof filter === 'string' ? filterProblem(filter) : 'it is no text'
  if (problem !== undefined) return `"filter" is no topic filter: ${problem}`
  return { watch, filter: filter as string }
}
