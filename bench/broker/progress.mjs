// Waiting for a number that grows, and not for ever.
import { setTimeout as sleep } from 'node:timers/promises'

const stallMs = 5_000

/**
 * @param value gives the number
 * @param goal at which it is `done`; so it is when nothing has changed for five seconds
 * @returns { look, done }: to be called when the number may have grown, and what it brings about
 */
export function progress(value, goal) {
  const waiting = new AbortController()
  return {
    look: () => {
      if (value() >= goal) waiting.abort()
    },
    done: untilStalled(value, goal, waiting.signal),
  }
}

async function untilStalled(value, goal, signal) {
  for (let before = -1; !signal.aborted; ) {
    const now = value()
    if (now >= goal || now === before) return
    before = now
    await sleep(stallMs, undefined, { signal }).catch(() => {})
  }
}
