// Damselfly beside mosquitto, in the same run; docs/performance.md tells what is measured.
//   npm run bench -- [main] [access] [broker [SCENARIO…]] [--quick | --smoke] [--pairs N] [--ours COMMAND] [--json FILE] [--docs]
//   main      publish → handler, against mosquitto with a paho script
//   access    what an access control list costs
//   broker    the broker alone, against mosquitto; the scenarios that are named, or all
//   --pairs   how often each of them is measured on both sides, in place of its own number
//   --ours    a shell's command that starts another broker in Damselfly's place (systems/brokers.mjs)
//   --docs    puts the tables into docs/performance.md, between their markers
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { benchAccess } from './broker/access-cost.mjs'
import { benchBroker, scenarioNames } from './broker/broker.mjs'
import { describeMachine, machineLine } from './machine.mjs'
import { mainJob } from './main-job/main-job.mjs'
import { intoPage } from './page.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean' },
    smoke: { type: 'boolean' },
    pairs: { type: 'string' },
    ours: { type: 'string' },
    json: { type: 'string' },
    docs: { type: 'boolean' },
  },
})
const plan = options.smoke ? 'smoke' : options.quick ? 'quick' : 'full'
const parts = ['main', 'access', 'broker']
const names = positionals.filter((word) => !parts.includes(word))
for (const name of names)
  if (!scenarioNames.includes(name))
    throw new Error(`no scenario ${name}; there are ${parts.join(', ')}, ${scenarioNames.join(', ')}`)

const machine = await describeMachine()
const pairs = options.pairs === undefined ? undefined : wholeNumber(options.pairs)
const result = { machine }
if (positionals.length === 0 || positionals.includes('main')) {
  result.main = await mainJob(plan)
  await show('bench', result.main.text)
}
if (positionals.length === 0 || positionals.includes('broker') || names.length > 0) {
  result.broker = await benchBroker({ plan, names, pairs, command: options.ours })
  await show('broker bench', result.broker.text)
}
if (positionals.length === 0 || positionals.includes('access')) {
  result.access = await benchAccess({ plan, pairs })
  await show('access bench', result.access.text)
}
if (options.json !== undefined) await writeFile(options.json, JSON.stringify(result, null, 2))

async function show(marker, text) {
  const said = `${machineLine(machine)}\n${text}`
  console.log(`\n${said}`)
  if (options.docs) await intoPage(marker, said)
}

function wholeNumber(text) {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--pairs ${text}: not a whole number above 0`)
  return Number(text)
}
