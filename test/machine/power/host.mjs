// Cuts the power of the machine at random moments, and looks after each cut whether everything that was promised is so.
//   npm run test:machine -- power [--cuts 6] [--seed N] [--durability power|crash] [--kind KIND] [--keep FOLDER]
// Acknowledgements are noted here, outside the machine. With `crash` the broker promises less: what is lost is counted.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { end, promise } from '../proof.mjs'
import { shuffled } from './dice.mjs'
import { kinds } from './kinds.mjs'
import { World } from './world.mjs'

const cutMsMax = 120_000
const failuresTold = 30

export async function play({ stage, machine, args }) {
  const options = read(args)
  const world = new World({ stage, machine, ...options })
  const { witness, house } = world
  console.log(`${options.cuts} cuts, seed ${options.seed}, DURABILITY=${options.durability}`)
  const told = []
  try {
    await house.install(options.durability)
    house.start()
    await world.check()
    await world.settle()
    for (const [index, kind] of plan(options, world.random).entries()) {
      if (index > 0) house.start()
      if (kind !== 'start' && index > 0) tell(told, witness, await world.check())
      if (witness.failures.length > 0) break
      const before = witness.acknowledged
      const when = await soon(kinds[kind](world), kind)
      const counted = `${witness.acknowledged - before} acknowledged, ${witness.unanswered} on their way`
      told.push({ text: `cut ${index + 1}, ${when}`, counted })
    }
    if (witness.failures.length === 0) {
      house.start()
      tell(told, witness, await world.check())
      await world.end()
    }
  } catch (error) {
    witness.failures.push(error.stack)
  }
  const lastWords = witness.failures.length > 0 ? await house.lastWords() : ''
  await house.cut()
  conclude(options, world, told, lastWords)
}

/** A broker that has stopped to answer is a failure, too. */
async function soon(cut, kind) {
  const late = new AbortController()
  const never = sleep(cutMsMax, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${kind}: what the cut waits for does not come`)
  })
  try {
    return await Promise.race([cut, never])
  } finally {
    late.abort()
    never.catch(() => {})
  }
}

function read(args) {
  const { values } = parseArgs({
    args,
    options: {
      cuts: { type: 'string', default: '6' },
      seed: { type: 'string', default: `${Math.floor(Math.random() * 1e6)}` },
      durability: { type: 'string', default: 'power' },
      kind: { type: 'string' },
      keep: { type: 'string' },
    },
  })
  const { durability, kind, keep } = values
  if (kind !== undefined && !(kind in kinds)) throw new Error(`--kind is one of ${Object.keys(kinds)}`)
  return {
    ...{ durability, kind, keep, cuts: Number(values.cuts), seed: Number(values.seed) },
    isLossy: durability !== 'power',
  }
}

/** Each kind comes as often as the others, in any order; but there is nothing at the first cut that a start could lose. */
function plan({ cuts, kind }, random) {
  if (kind !== undefined)
    return Array.from({ length: cuts }, (_, index) => (index === 0 && kind === 'start' ? 'load' : kind))
  const all = []
  while (all.length < cuts) all.push(...shuffled(Object.keys(kinds), random))
  if (all[0] === 'start') all.push(all.shift())
  return all.slice(0, cuts)
}

/** One line a cut; of those in a row without a look between them the last one has what was measured. */
function tell(told, { failures }, { answeredMs, replayed }) {
  const isGood = failures.length === 0
  for (const [index, { text, counted }] of told.entries()) {
    const back = `answers ${(answeredMs / 1_000).toFixed(1)} s after, ${replayed} of 2 file systems replayed their journal`
    promise(text, isGood, index === told.length - 1 ? `${counted}; ${back}` : counted)
  }
  told.length = 0
}

function conclude({ cuts, seed, keep, isLossy }, { witness, rows, house }, told, lastWords) {
  const { failures, acknowledged, losses } = witness
  for (const { text } of told) console.log(`  ${text}`)
  for (const failure of failures.slice(0, failuresTold)) console.log(`  ${failure}`)
  if (failures.length > failuresTold) console.log(`  and ${failures.length - failuresTold} more`)
  if (failures.length > 0) {
    console.log(lastWords)
    if (keep !== undefined) house.keep(keep)
  }
  const all = `${cuts} cuts, seed ${seed}: of ${acknowledged} acknowledged messages`
  const isGood = failures.length === 0
  if (isLossy)
    promise(
      `${all} these are lost, as nothing else was promised; the store opens`,
      isGood,
      JSON.stringify(losses),
    )
  else promise(`${all} none is lost, and none of QoS 2 comes twice`, isGood)
  promise(`the database is whole, and has each of the ${rows.count} rows that were stored`, rows.isWhole)
  end()
}
