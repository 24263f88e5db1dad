/**
 * The clock that lifetimes are measured with. A Raspberry Pi has no clock of its own: it starts with a time of the past, and
 * is set right by the network some time after, in one step, which must not end sessions and messages.
 */

/** The wall clock when the process started. */
export const startedAtMs = Math.round(Date.now() - performance.now())

/** Smaller differences between the two clocks are none: the wall clock was not set. */
const stepMsMin = 1_000

/** Milliseconds since 1970 as the wall clock told them when the process started; whole, and never set back or forth. */
export function steadyMs(): number {
  return startedAtMs + Math.floor(performance.now())
}

/**
 * A time of the steady clock as the wall clock tells it now: what is written down is read by a later process, whose steady
 * clock begins with the wall clock.
 */
export function wallMs(atMs: number): number {
  const aheadMs = Date.now() - steadyMs()
  return Math.abs(aheadMs) < stepMsMin ? atMs : Math.max(atMs + aheadMs, 1)
}
