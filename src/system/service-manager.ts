import type { Logger, ServiceManager, ServiceState } from '../core/ports.ts'
import { openUnixDatagram, type UnixDatagram } from './unix-datagram.ts'

/** What systemd puts into the environment of a unit's process; sd_notify(3), sd_watchdog_enabled(3). */
export interface ServiceEnvironment {
  readonly NOTIFY_SOCKET?: string | undefined
  readonly WATCHDOG_USEC?: string | undefined
  readonly WATCHDOG_PID?: string | undefined
}

/**
 * The service manager that started this process. Outside systemd (no `NOTIFY_SOCKET`) it is absent, and
 * loads nothing. Never throws: a socket that cannot be used is logged once, and the manager is absent.
 */
export async function findServiceManager(
  environment: ServiceEnvironment,
  log: Logger,
): Promise<ServiceManager> {
  const socket = environment.NOTIFY_SOCKET
  if (socket === undefined || socket === '') return absent
  try {
    return new Systemd(await openUnixDatagram(socket), watchdogMsOf(environment), log)
  } catch (err) {
    log.error({ err }, 'systemd cannot be notified')
    return absent
  }
}

const absent: ServiceManager = {
  isPresent: false,
  watchdogMs: undefined,
  notify() {},
}

/** Undefined too when the watchdog is meant for another process, as for one that exec replaced. */
function watchdogMsOf({ WATCHDOG_USEC, WATCHDOG_PID }: ServiceEnvironment): number | undefined {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid)) return undefined
  const ms = Number(WATCHDOG_USEC ?? '') / 1_000
  return Number.isFinite(ms) && ms > 0 ? ms : undefined
}

const retryMs = 100

class Systemd implements ServiceManager {
  readonly isPresent = true
  readonly watchdogMs: number | undefined
  readonly #socket: UnixDatagram
  readonly #log: Logger
  /** What could not be sent yet, the newest of each kind: systemd wants to know how it is, not how it was. */
  readonly #unsent = new Map<'state' | 'status', string>()
  #retry: NodeJS.Timeout | undefined
  #hasFailed = false

  constructor(socket: UnixDatagram, watchdogMs: number | undefined, log: Logger) {
    this.#socket = socket
    this.watchdogMs = watchdogMs
    this.#log = log
  }

  notify(state: ServiceState): void {
    if (state.kind === 'watchdog') {
      this.#send('WATCHDOG=1') // one that finds no room is lost: the next is as good
      return
    }
    this.#unsent.set(state.kind === 'status' ? 'status' : 'state', textOf(state))
    this.#flush()
  }

  #flush(): void {
    clearTimeout(this.#retry)
    for (const [slot, text] of this.#unsent) {
      if (!this.#send(text)) {
        this.#retry = setTimeout(() => this.#flush(), retryMs).unref()
        return
      }
      this.#unsent.delete(slot)
    }
  }

  /** False only when it is worth another try. */
  #send(text: string): boolean {
    try {
      return this.#socket.send(text)
    } catch (err) {
      if (!this.#hasFailed) this.#log.error({ err }, 'systemd cannot be notified')
      this.#hasFailed = true
      return true
    }
  }
}

function textOf(state: Exclude<ServiceState, { kind: 'watchdog' }>): string {
  switch (state.kind) {
    case 'starting':
      return `EXTEND_TIMEOUT_USEC=${state.forMs * 1_000}`
    case 'ready':
      return `READY=1\n${statusLine(state.status)}`
    case 'reloading':
      // on Linux hrtime is CLOCK_MONOTONIC, as systemd asks
      return `RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`
    case 'stopping':
      return 'STOPPING=1'
    case 'status':
      return statusLine(state.status)
  }
}

/** One assignment a line: a line break in it would begin another one. */
function statusLine(status: string): string {
  return `STATUS=${status.replaceAll(/\s+/g, ' ').trim()}`
}
