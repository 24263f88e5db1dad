// The broker beside mosquitto: each scenario in pairs, both sides started anew, ratios taken within a pair.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brokers } from '../systems/brokers.mjs'
import { durable } from './durable.mjs'
import { flows } from './flows.mjs'
import { idle } from './idle.mjs'
import { measureCost } from './measure.mjs'
import { pingPongs } from './ping-pong.mjs'
import { rates } from './rate.mjs'
import { slowReaders } from './readers.mjs'
import { reportOf } from './report.mjs'
import { retained } from './retained.mjs'
import { storms } from './storm.mjs'

/**
 * A scenario, which has
 * - `name` on the command line; `pairs` of measurements, five unless told; `settings` of both brokers (systems/brokers.mjs)
 * - `params(plan)`: what its load is given with the plan 'full', 'quick' or 'smoke'
 * - either `title`, `file` and `driver` (load.mjs): what a message or a connection costs, with how many times cheaper it
 *   must be (`target`), how many times as many a second (`targetPerSecond`), or that the load sets the pace (`isPaced`)
 * - or `measure(broker, params, folder)`, which returns figures, and `facts` about them: { figure, label, unit }
 *   and what it must not be above (`max`) or below (`min(ours, theirs)`)
 */
const scenarios = [
  ...flows,
  ...retained,
  ...storms,
  ...rates,
  ...idle,
  ...durable,
  ...slowReaders,
  ...pingPongs,
]

const onDisk = join(import.meta.dirname, '../../.build')

export const scenarioNames = scenarios.map(({ name }) => name)

/** @param names of scenarios; none for all. @returns { results, text } */
export async function benchBroker({ plan, names, pairs, command }) {
  const chosen = scenarios.filter(({ name }) => names.length === 0 || names.includes(name))
  const runs = plan === 'smoke' ? sharedRuns(brokers(command)) : freshRuns(brokers(command))
  const results = []
  try {
    for (const scenario of chosen) {
      const count = pairs ?? { full: scenario.pairs ?? 5, quick: 2, smoke: 1 }[plan]
      const measured = []
      for (let number = 0; number < count; number++) {
        console.error(`${scenario.name}: pair ${number + 1} of ${count}`)
        measured.push(await measurePair(scenario, plan, runs, number))
      }
      results.push({ scenario, pairs: measured })
    }
  } finally {
    await runs.end()
  }
  return { results, text: reportOf(results) }
}

async function measurePair(scenario, plan, runs, number) {
  const measure = (side) =>
    runs.run(side, scenario, (broker, folder) => {
      const params = scenario.params(plan)
      return scenario.measure === undefined
        ? measureCost(broker, scenario, params)
        : scenario.measure(broker, params, folder)
    })
  const sides = number % 2 === 0 ? ['damselfly', 'mosquitto'] : ['mosquitto', 'damselfly']
  if (plan === 'smoke')
    return Object.fromEntries(await Promise.all(sides.map(async (side) => [side, await measure(side)])))
  const pair = {}
  for (const side of sides) pair[side] = await measure(side)
  return pair
}

/** A broker for each measurement. */
function freshRuns(starts) {
  return {
    run: async (side, { settings, isOnDisk }, use) => {
      if (isOnDisk) await mkdir(onDisk, { recursive: true })
      const folder = await mkdtemp(join(isOnDisk ? onDisk : tmpdir(), 'damselfly-bench-'))
      try {
        const broker = await starts[side](folder, settings)
        try {
          return await use(broker, folder)
        } finally {
          await broker.stop()
        }
      } finally {
        await rm(folder, { recursive: true })
      }
    },
    end: () => {},
  }
}

/** One broker for all measurements with the same settings: enough to see that the bench works. */
function sharedRuns(starts) {
  const running = new Map()
  return {
    run: async (side, { settings }, use) => {
      const key = `${side} ${JSON.stringify(settings)}`
      if (!running.has(key)) {
        const folder = await mkdtemp(join(tmpdir(), 'damselfly-bench-'))
        running.set(key, { folder, broker: await starts[side](folder, settings) })
      }
      const { broker, folder } = running.get(key)
      return use(broker, folder)
    },
    end: async () => {
      for (const { broker, folder } of running.values()) {
        await broker.stop()
        await rm(folder, { recursive: true })
      }
    },
  }
}
