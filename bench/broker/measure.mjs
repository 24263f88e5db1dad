// One side of one scenario: a broker, a load on it, what it cost.
import { once } from 'node:events'
import { join } from 'node:path'
import { openWindow, untilQuiet } from '../process-cost.mjs'
import { processors, spawnOn } from '../systems/support.mjs'

const program = join(import.meta.dirname, 'load.mjs')

/**
 * What a scenario's driver does to the broker: CPU time of the broker and of the load for each unit (a message that
 * was delivered, a connection), and units a second. @returns figures; `lost` and `surplus` should be 0
 */
export async function measureCost(broker, { file, driver }, params) {
  const load = await startLoad(broker, file, driver, params)
  const close = await openWindow([broker.pid])
  const { tookMs, loadNs, units } = await load.run()
  await untilQuiet([broker.pid])
  const window = await close(loadNs)
  const { expected, delivered, unacknowledged = 0 } = await load.end()
  return {
    cpuUs: window.cpuNs / 1e3 / units,
    perSecond: (units * 1_000) / tookMs,
    loadUs: loadNs / 1e3 / units,
    lost: Math.max(0, expected - delivered) + unacknowledged,
    surplus: Math.max(0, delivered - expected),
    others: window.others,
    steal: window.steal,
  }
}

/** A load that waits for `run`, which gives the driver's figures; `end` gives its counts, and ends it. */
export async function startLoad(broker, file, driver, params) {
  const argv = [program, file, driver, `${broker.port}`, `${broker.pid}`, JSON.stringify(params)]
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc']
  const child = spawnOn(processors.load, process.execPath, argv, { stdio })
  const exit = once(child, 'exit').then(([code]) => {
    throw new Error(`the load ${driver} ended with ${code}`)
  })
  exit.catch(() => {})
  const next = async () => (await Promise.race([once(child, 'message'), exit]))[0]
  await next()
  return {
    run: () => {
      child.send('go')
      return next()
    },
    end: async () => {
      child.send('end')
      const counts = await next()
      await exit.catch(() => {})
      return counts
    },
  }
}
