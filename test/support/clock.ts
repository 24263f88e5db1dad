import type { TestContext } from 'node:test'
import { startedAtMs } from '#src/core/steady-clock.js'

/** A clock that stands still until it is told to go on: timers, `Date` and `performance.now` go with it. */
export function simulatedClock(context: TestContext) {
  context.mock.timers.enable({
    apis: ['setTimeout', 'setInterval', 'Date'],
    now: new Date(2031, 4, 9, 21, 30).getTime(),
  })
  let nowMs = 1_000_000
  context.mock.method(performance, 'now', () => nowMs)
  return {
    /** Goes on for so long; timers fire in steps of at most a thousandth of it, or of a second. */
    advance(ms: number): void {
      const stepMs = Math.max(1_000, Math.ceil(ms / 1_000))
      for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
        const passedMs = Math.min(stepMs, leftMs)
        nowMs += passedMs
        context.mock.timers.tick(passedMs)
      }
    },
  }
}

/** Both the wall clock and the steady one stand at `nowMs` until `context.mock.timers` tick; timers go on as they are, unless named. */
export function standingClock(
  context: TestContext,
  nowMs: number,
  timers: readonly 'setInterval'[] = [],
): void {
  context.mock.timers.enable({ apis: ['Date', ...timers], now: nowMs })
  context.mock.method(performance, 'now', () => Date.now() - startedAtMs)
}
