// Damselfly beside mosquitto with a paho script, in the same run; docs/performance.md tells what is measured.
//   npm run bench -- [--quick | --smoke] [--json FILE] [--docs]
// --docs puts the table into docs/performance.md, between its markers.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine, machineLine } from './machine.mjs'
import { plans } from './plan.mjs'
import { runRound } from './round.mjs'
import { noiseOf, rowsOf, tableOf } from './table.mjs'

const page = join(import.meta.dirname, '../docs/performance.md')
const [begin, end] = ['<!-- bench: begin -->\n', '<!-- bench: end -->']

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    smoke: { type: 'boolean' },
    json: { type: 'string' },
    docs: { type: 'boolean' },
  },
})
const plan = plans[options.smoke ? 'smoke' : options.quick ? 'quick' : 'full']
const machine = await describeMachine()
const rounds = await runRounds()
const rows = rowsOf(rounds)
const text = [
  machineLine(machine),
  `${plan.rounds} rounds, medians; in brackets the lowest and the highest ratio of a round.`,
  ...noiseOf(rounds),
].join('\n')
const result = `${text}\n\n${tableOf(rows)}\n`
console.log(`\n${result}`)
if (options.json !== undefined)
  await writeFile(options.json, JSON.stringify({ machine, plan, rounds, rows }, null, 2))
if (options.docs) await intoPage(result)

async function runRounds() {
  const rounds = []
  for (let number = 0; number < plan.rounds; number++) {
    console.error(`round ${number + 1} of ${plan.rounds}`)
    const folder = await mkdtemp(join(tmpdir(), 'damselfly-bench-'))
    try {
      rounds.push(await runRound(plan, number, folder))
    } finally {
      await rm(folder, { recursive: true })
    }
  }
  return rounds
}

async function intoPage(result) {
  const [before, rest] = (await readFile(page, 'utf8')).split(begin)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error(`${page}: the markers ${begin}${end} are not there`)
  await writeFile(page, `${before}${begin}${result}${end}${after}`)
}
