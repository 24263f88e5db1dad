// What the promises of the house are proved with beside ../service.mjs: lines of the chip.
import { readFileSync } from 'node:fs'

export * from '../service.mjs'

const folder = (line) => `${process.env.PI}/sim_gpio${line}`

/** What the line is now, driven by whoever holds it or pulled: '0' or '1'. */
export const level = (line) => readFileSync(`${folder(line)}/value`, 'utf8').trim()

/** Logs each change of a line, looked at every 20 ms. Times are in ms from now on. */
export function watchLevel(line) {
  const begin = Date.now()
  const changes = [{ atMs: 0, value: level(line) }]
  const timer = setInterval(() => {
    const value = level(line)
    if (value !== changes.at(-1).value) changes.push({ atMs: Date.now() - begin, value })
  }, 20)
  return {
    changes,
    text: () => `GPIO${line} ${changes.map(({ atMs, value }) => `${value} at ${atMs} ms`).join(', ')}`,
    stop: () => clearInterval(timer),
  }
}
