import type { Logger, ServiceManager } from '../core/ports.ts'
import { timerMsMax } from '../core/units.ts'

export interface WatchdogOptions {
  readonly manager: ServiceManager
  readonly log: Logger
  /**
   * Resolves when the house is well: a message that was published through the broker has come back.
   * The signal aborts when the watchdog ends.
   */
  probe(signal: AbortSignal): Promise<void>
}

/**
 * Tells the service manager that the process is well: at half the interval that it asks for, and each time
 * only after `probe` has resolved. Probes never overlap; one that fails or hangs sends nothing and is logged
 * once an outage, so that in the end the service manager restarts the process. Without a watchdog: nothing.
 * Dispose it to end it.
 */
export function startWatchdog({ manager, probe, log }: WatchdogOptions): Disposable {
  const { watchdogMs } = manager
  if (watchdogMs === undefined) return { [Symbol.dispose]() {} }
  const everyMs = Math.min(watchdogMs / 2, timerMsMax)
  const end = new AbortController()
  let isRunning = false
  let late: NodeJS.Timeout | undefined
  let isIll = false
  const fail = (fields: object) => {
    if (!isIll) log.error(fields, 'watchdog probe has not come back')
    isIll = true
  }
  const check = async (): Promise<void> => {
    if (isRunning) return
    isRunning = true
    const waitedMs = everyMs / 2 // told before the service manager ends the process
    late = setTimeout(() => fail({ waitedMs }), waitedMs)
    try {
      await probe(end.signal)
      if (end.signal.aborted) return
      manager.notify({ kind: 'watchdog' })
      if (isIll) log.info({}, 'watchdog probe comes back again')
      isIll = false
    } catch (err) {
      if (!end.signal.aborted) fail({ err })
    } finally {
      clearTimeout(late)
      isRunning = false
    }
  }
  const timer = setInterval(check, everyMs)
  return {
    [Symbol.dispose]() {
      end.abort()
      clearInterval(timer)
      clearTimeout(late)
    },
  }
}
