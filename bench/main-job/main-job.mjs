// Damselfly beside mosquitto with a paho script, in the same run; docs/performance.md tells what is measured.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { plans } from './plan.mjs'
import { runRound } from './round.mjs'
import { noiseOf, rowsOf, tableOf } from './table.mjs'

/** @param planName of plan.mjs. @returns every figure, the table's rows, and the table with what is to be said of it */
export async function mainJob(planName) {
  const plan = plans[planName]
  const rounds = []
  for (let number = 0; number < plan.rounds; number++) {
    console.error(`main job: round ${number + 1} of ${plan.rounds}`)
    const folder = await mkdtemp(join(tmpdir(), 'damselfly-bench-'))
    try {
      rounds.push(await runRound(plan, number, folder))
    } finally {
      await rm(folder, { recursive: true })
    }
  }
  const rows = rowsOf(rounds)
  const text = [
    `${plan.rounds} rounds, medians; in brackets the lowest and the highest ratio of a round.`,
    ...noiseOf(rounds),
  ].join('\n')
  return { plan, rounds, rows, text: `${text}\n\n${tableOf(rows)}\n` }
}
