// Kills the broker with -9 at random moments under load of QoS 1 and 2, again and again, and checks after each new start
// that no acknowledged message is lost, that no message of QoS 2 comes twice, and that exactly what was retained is retained.
//   node bench/crash.mjs [ROUNDS] [--durability power|crash] [--load-ms 400]
// Without --durability the rounds take turns. Clients live through all rounds: their sessions go on.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Witness } from './crash/witness.mjs'
import { freePort } from './systems/support.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { durability: { type: 'string' }, 'load-ms': { type: 'string', default: '400' } },
})
const rounds = Number(positionals[0] ?? 200)
const loadMsMax = Number(options['load-ms'])
if (!Number.isSafeInteger(rounds) || rounds < 1)
  throw new Error(`ROUNDS is ${positionals[0]}: a number is needed`)

const startMsMax = 20_000

const main = join(import.meta.dirname, '../dist/main.js')
const folder = await mkdtemp(join(tmpdir(), 'damselfly-crash-'))
const port = await freePort()
const witness = new Witness({ place: { host: '127.0.0.1', port } })
const { failures, subscribers } = witness
let daemon
/** What it has said last. */
let output = ''

process.on('exit', () => daemon?.kill('SIGKILL'))
try {
  for (let round = 0; round <= rounds && failures.length === 0; round++) await play(round)
} catch (error) {
  failures.push(error.message)
} finally {
  if (daemon !== undefined && !hasEnded()) {
    daemon.kill('SIGKILL')
    await once(daemon, 'exit')
  }
  if (failures.length === 0) await rm(folder, { recursive: true })
}
for (const failure of failures) console.log(`  ${failure}`)
if (failures.length > 0) console.log(`${output}  the store is in ${folder}`)
console.log(
  `${failures.length === 0 ? 'PASS' : 'FAIL'}: ${rounds} rounds, ${witness.acknowledged} messages acknowledged`,
)
process.exit(failures.length === 0 ? 0 : 1)

function hasEnded() {
  return daemon.exitCode !== null || daemon.signalCode !== null
}

/** Starts, checks what the last crash has left, and, but for the last time, loads and kills. */
async function play(round) {
  const durability = options.durability ?? (round % 2 === 0 ? 'power' : 'crash')
  await start(durability)
  if (round > 0) await witness.checkRetained()
  await witness.connect()
  if (round === 0) await witness.subscribe()
  await witness.allHeard()
  if (failures.length > 0) failures.unshift(`after crash ${round}:`)
  if (round === rounds) return
  const before = witness.acknowledged
  const loadMs = 20 + Math.random() * loadMsMax
  witness.run()
  const sleeper = subscribers[round % subscribers.length]
  await sleep(loadMs * Math.random())
  sleeper.client.drop()
  await sleep(loadMs * Math.random())
  witness.pause()
  if (hasEnded()) throw new Error(`it ended by itself, with ${daemon.exitCode ?? daemon.signalCode}`)
  daemon.kill('SIGKILL')
  await once(daemon, 'exit')
  witness.drop()
  console.log(
    `round ${round + 1} of ${rounds} (${durability}): ${witness.acknowledged - before} acknowledged, ${witness.unanswered} on their way`,
  )
}

async function start(durability) {
  const env = [
    `PORT=${port}`,
    'BIND=loopback',
    'NAME=crash',
    'GPIO_CHIP=simulated',
    `DURABILITY=${durability}`,
    'MAX_QUEUED_MESSAGES=1000000',
    'MAX_QUEUED_BYTES=64MiB',
    'LOG_LEVEL=warn',
  ]
  await mkdir(join(folder, 'config'), { recursive: true })
  await writeFile(join(folder, 'config/damselfly.yaml'), '')
  await writeFile(join(folder, '.env'), `${env.join('\n')}\n`, { mode: 0o600 })
  daemon = spawn(process.execPath, [main, 'start'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  output = ''
  daemon.stdout.on('data', (chunk) => {
    output = (output + chunk).slice(-4_096)
  })
  const untilMs = performance.now() + startMsMax
  await witness.untilAnswering(() => hasEnded() || performance.now() > untilMs)
}
