// Messages when they are due, to a fraction of a millisecond.
import { setImmediate as turn } from 'node:timers/promises'

/**
 * Calls `send(from, to)` with the numbers of the messages that are due; more than 1,000 a second go in bundles,
 * one each millisecond, and what has come is read meanwhile.
 * @returns how long it took, and by how much the latest call was late
 */
export async function paced(rate, count, send) {
  const bell = new Int32Array(new SharedArrayBuffer(4))
  const lookMs = rate > 1_000 ? 0.2 : Number.POSITIVE_INFINITY
  const perBundle = Math.max(1, Math.round(rate / 1_000))
  const bundleMs = (perBundle * 1_000) / rate
  const begunMs = performance.now()
  let lateMs = 0
  let sent = 0
  for (let dueMs = begunMs; sent < count; dueMs += bundleMs) {
    for (let waitMs = dueMs - performance.now(); waitMs > 0; waitMs = dueMs - performance.now()) {
      Atomics.wait(bell, 0, 0, Math.min(waitMs, lookMs)) // @NOTE Node's timers know whole milliseconds only
      await turn()
    }
    lateMs = Math.max(lateMs, performance.now() - dueMs)
    const to = Math.min(count, sent + perBundle)
    await send(sent, to)
    sent = to
    await turn()
  }
  return { tookMs: performance.now() - begunMs, lateMs }
}
