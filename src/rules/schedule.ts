import type { Trigger } from '../core/rule.ts'

/**
 * Starts the timer of an `every:` or `at:` rule. `every: 5s` fires five seconds from now, then every five,
 * without drift; `at:` follows the clock in local time, through changes of it.
 * @returns ends the timer
 */
export async function schedule(trigger: Trigger, onTick: () => void): Promise<() => void> {
  if (trigger.kind === 'every') {
    const timer = setInterval(onTick, trigger.everyMs)
    return () => clearInterval(timer)
  }
  if (trigger.kind === 'at') {
    const { Cron } = await import('croner')
    const job = new Cron(trigger.cron, onTick)
    return () => job.stop()
  }
  return () => {}
}
