import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until the condition holds; fails with what was waited for when it does not within `withinMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const deadlineMs = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${withinMs} ms in vain: ${what}`)
    await sleep(10)
  }
}
