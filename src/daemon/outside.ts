import type { Settings } from '../config/settings.ts'
import type { DaemonStatus, ReloadOutcome } from '../control/protocol.ts'
import { ControlServer } from '../control/server.ts'
import type { TraceHub } from '../control/trace-hub.ts'
import type { Counters } from '../core/counters.ts'
import type { BrokerDoor } from '../core/ports.ts'
import type { PinBoard } from '../gpio/board.ts'
import type { Lan } from '../system/lan.ts'
import type { ProcessLog } from '../system/log.ts'
import { Mdns } from '../system/mdns.ts'
import { healthOf } from './health.ts'
import { HttpDoor } from './http-door.ts'
import { version } from './version.ts'

export interface OutsideParts {
  readonly broker: BrokerDoor
  /** Those in force. */
  readonly settings: () => Settings
  readonly status: () => DaemonStatus
  readonly reload: () => Promise<ReloadOutcome>
  readonly startedAt: Date
  readonly pins: PinBoard
  readonly trace: TraceHub
  readonly lan: Lan
  readonly log: ProcessLog
  readonly counters: Counters
}

/** What tells others of the house: mDNS, the control socket, and metrics and health over HTTP. */
export class Outside {
  readonly #parts: OutsideParts
  readonly #ends: (() => Promise<void>)[] = []
  #mdns: Mdns | undefined
  #http: HttpDoor | undefined

  constructor(parts: OutsideParts) {
    this.#parts = parts
  }

  /** @throws what is wrong with the control socket */
  async start(): Promise<void> {
    await this.#openMdns()
    await this.#openControl()
    await this.#openHttp()
  }

  /** Never throws. The control socket stays where it is. */
  async apply(settings: Settings): Promise<void> {
    await this.#http?.apply(settings.http)
    await this.#mdns?.apply(settings)
  }

  /** What was opened last goes first. Never throws. */
  async close(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) {
      try {
        await end()
      } catch (error) {
        this.#parts.log.error({ err: error }, 'stop went on after an error')
      }
    }
  }

  /** A broker elsewhere tells of itself. */
  async #openMdns(): Promise<void> {
    const { settings, lan, log, counters } = this.#parts
    if (settings().remote !== undefined) return
    const mdns = new Mdns({ lan, log, counters, version: version() })
    this.#mdns = mdns
    this.#ends.push(() => mdns[Symbol.asyncDispose]())
    await mdns.apply(settings())
  }

  async #openControl(): Promise<void> {
    const { broker, settings, status, reload, log, counters, pins, trace } = this.#parts
    const { controlSocket, name } = settings()
    const { hub, view } = broker
    const control = new ControlServer({
      path: controlSocket,
      hub,
      view,
      name,
      status,
      reload,
      log,
      counters,
      pins,
      trace,
    })
    this.#ends.push(() => control.close())
    await control.open()
  }

  async #openHttp(): Promise<void> {
    const { broker, settings, startedAt, lan, log, counters } = this.#parts
    const metrics = () => ({
      version: version(),
      name: settings().name,
      startedAt,
      figures: broker.view?.figures(),
      counters: counters.snapshot(),
    })
    const hostName = (): string => lan.identity.host
    const http = new HttpDoor({ metrics, health: () => healthOf(broker), hostName, counters, log }, log)
    this.#http = http
    this.#ends.push(() => http.close())
    await http.apply(settings().http)
  }
}
