import type { Counters } from '../core/counters.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'

const intervalMs = 60_000

/** Says once a minute which bounds were reached since. Keeps no process alive. */
export function startLimitsReport(counters: Counters, log: Logger): Disposable {
  let told: Readonly<Record<string, number>> = {}
  const report = (): void => {
    const counted = counters.snapshot()
    const more = Object.keys(limits).map((name) => [name, (counted[name] ?? 0) - (told[name] ?? 0)] as const)
    const reached = more.filter(([, count]) => count > 0)
    told = counted
    if (reached.length > 0) log.warn(Object.fromEntries(reached), 'limits were reached in the last minute')
  }
  const timer = setInterval(report, intervalMs).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
