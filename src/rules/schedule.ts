import type { Cron } from 'croner'
import type { Trigger } from '../core/rule.ts'

/** A process that was busy may be so late; who is later than that was overtaken by the clock. */
const lateMsMax = 60_000

/**
 * Starts the timer of an `every:` or `at:` rule. `every: 5s` fires five seconds from now, then every five,
 * without drift; `at:` follows the clock in local time, through changes of it: a moment that it jumps over is not made up
 * for.
 * @returns ends the timer
 */
export async function schedule(trigger: Trigger, onTick: () => void): Promise<() => void> {
  if (trigger.kind === 'every') {
    const timer = setInterval(onTick, trigger.everyMs)
    return () => clearInterval(timer)
  }
  if (trigger.kind === 'at') {
    const { Cron } = await import('croner')
    const job = new Cron(trigger.cron, () => {
      if (isDue(job, Date.now())) onTick()
    })
    return () => job.stop()
  }
  return () => {}
}

/** Whether one of its moments was now, or a little ago. @param nowMs since 1970 */
export function isDue(job: Pick<Cron, 'nextRun'>, nowMs: number): boolean {
  const moment = job.nextRun(new Date(nowMs - lateMsMax))
  return moment !== null && moment.getTime() <= nowMs
}
