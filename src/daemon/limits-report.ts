import type { Counters } from '../core/counters.ts'
import { settingOf } from '../core/limit-keys.ts'
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
    if (reached.length > 0) log.warn(reportOf(reached), 'limits were reached in the last minute')
  }
  const timer = setInterval(report, intervalMs).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** How often each was reached, and which keys of `.env` would change that. */
function reportOf(reached: readonly (readonly [limit: string, count: number])[]): object {
  const settings = reached.map(([limit]) => settingOf(limit)).filter((key) => key !== undefined)
  const counts = Object.fromEntries(reached)
  return settings.length === 0 ? counts : { ...counts, settings: settings.join(', ') }
}
