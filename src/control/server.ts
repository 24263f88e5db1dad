import { createServer, type Server, type Socket } from 'node:net'
import { errnoOf, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { listenAt } from '../core/socket-file.ts'
import { Connection, type ControlHouse } from './connection.ts'
import { PinReports, type PinSource } from './pin-reports.ts'

export interface ControlServerOptions extends Omit<ControlHouse, 'pins' | 'topicRoom' | 'mayWatch'> {
  /** Of the socket; absolute. */
  readonly path: string
  readonly pins: PinSource
  readonly log: Logger
}

/**
 * The control socket: lets those on this machine who may see how the daemon is. It tells; all that it does is to
 * disconnect a client, and to have the configuration read again. Use: `open` once, `close` once.
 */
export class ControlServer {
  readonly #options: ControlServerOptions
  readonly #house: ControlHouse
  readonly #pins: PinReports
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  readonly #failures = new Repeats()
  #removeFile: (() => Promise<void>) | undefined

  constructor(options: ControlServerOptions) {
    const { name, counters, trace, status, reload, hub, view } = options
    this.#options = options
    this.#pins = new PinReports(options.pins)
    const mayWatch = (): boolean => this.#watchers < limits.controlWatchersMax
    const topicRoom = { taken: 0 }
    this.#house = { name, counters, trace, status, reload, hub, view, topicRoom, pins: this.#pins, mayWatch }
    // who has said all it has to say may still wait for an answer
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
  }

  /** Never throws: a house without a control socket lives as well, and the log says why it has none. */
  async open(): Promise<void> {
    const { path, log } = this.#options
    this.#pins.start()
    try {
      this.#removeFile = await listenAt(this.#server, path)
      this.#server.on('error', (error) => this.#failed(error))
    } catch (error) {
      log.warn(
        { reason: reasonOf(error) },
        'no control socket: status, clients, topics, pins and trace will find nobody',
      )
    }
  }

  /** Takes nobody any more and leaves those who are there, at once. Never waits for a reader. */
  async close(): Promise<void> {
    this.#pins.stop()
    this.#server.close()
    for (const connection of this.#connections) connection.destroy()
    await this.#removeFile?.()
  }

  #accept(socket: Socket): void {
    this.#makeRoom()
    const connection = new Connection(socket, this.#house)
    this.#connections.add(connection)
    socket.once('close', () => this.#connections.delete(connection))
    connection.serve().catch((error) => {
      // whoever goes in the middle of something does no harm
      if (error !== socket.errored && errnoOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') this.#failed(error)
    })
  }

  get #watchers(): number {
    return [...this.#connections].filter(({ isWatching }) => isWatching).length
  }

  /** With all places taken, the oldest connection that watches nothing goes; there is one, for not all may watch. */
  #makeRoom(): void {
    if (this.#connections.size < limits.controlConnectionsMax) return
    this.#options.counters.add('controlConnectionsMax')
    for (const connection of this.#connections) {
      if (connection.isWatching) continue
      this.#connections.delete(connection)
      return connection.destroy()
    }
  }

  #failed(error: unknown): void {
    const repeats = this.#failures.admit(reasonOf(error))
    if (repeats !== undefined) this.#options.log.error({ err: error, ...repeats }, 'control socket failed')
  }
}
