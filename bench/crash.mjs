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
import { CrashClient } from './crash-client.mjs'
import { freePort } from './systems/support.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { durability: { type: 'string' }, 'load-ms': { type: 'string', default: '400' } },
})
const rounds = Number(positionals[0] ?? 200)
const loadMsMax = Number(options['load-ms'])
if (!Number.isSafeInteger(rounds) || rounds < 1)
  throw new Error(`ROUNDS is ${positionals[0]}: a number is needed`)

const publishersCount = 6
const windowMessages = 20
const statesEach = 5
const startMsMax = 20_000
const quietMsMax = 30_000

const main = join(import.meta.dirname, '../dist/main.js')
const folder = await mkdtemp(join(tmpdir(), 'damselfly-crash-'))
const port = await freePort()
const failures = []
let messages = 0
let daemon
/** What it has said last. */
let output = ''

/** What each state topic may hold: the last acknowledged value and all that were sent after it. */
const states = new Map()
const publishers = []
const subscribers = []

for (let index = 0; index < publishersCount; index++) {
  const client = new CrashClient(`publisher-${index}`, index % 2 === 0 ? 4 : 5, port)
  const publisher = { client, counts: new Map(), isRunning: false }
  client.onAcknowledged = (message) => acknowledged(publisher, message)
  publishers.push(publisher)
}
for (const [index, { level, qos }] of [
  { level: 4, qos: 1 },
  { level: 5, qos: 2 },
  { level: 4, qos: 2 },
  { level: 5, qos: 1 },
].entries()) {
  const client = new CrashClient(`subscriber-${index}`, level, port)
  const subscriber = { client, qos, last: new Map() }
  client.onMessage = (topic, payload, qosOfMessage) => heard(subscriber, topic, Number(payload), qosOfMessage)
  subscribers.push(subscriber)
}

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
console.log(`${failures.length === 0 ? 'PASS' : 'FAIL'}: ${rounds} rounds, ${messages} messages acknowledged`)
process.exit(failures.length === 0 ? 0 : 1)

function hasEnded() {
  return daemon.exitCode !== null || daemon.signalCode !== null
}

/** Starts, checks what the last crash has left, and, but for the last time, loads and kills. */
async function play(round) {
  const durability = options.durability ?? (round % 2 === 0 ? 'power' : 'crash')
  await start(durability)
  if (round > 0) await checkRetained()
  await Promise.all([...publishers, ...subscribers].map(({ client }) => client.connect()))
  if (round === 0) for (const { client, qos } of subscribers) await client.subscribe('load/#', qos)
  await allHeard(round)
  if (round === rounds) return
  const before = messages
  const loadMs = 20 + Math.random() * loadMsMax
  for (const publisher of publishers) run(publisher)
  const sleeper = subscribers[round % subscribers.length]
  await sleep(loadMs * Math.random())
  sleeper.client.drop()
  await sleep(loadMs * Math.random())
  for (const publisher of publishers) publisher.isRunning = false
  if (hasEnded()) throw new Error(`it ended by itself, with ${daemon.exitCode ?? daemon.signalCode}`)
  daemon.kill('SIGKILL')
  await once(daemon, 'exit')
  for (const { client } of [...publishers, ...subscribers]) client.drop()
  const unanswered = publishers.reduce((sum, { client }) => sum + client.outgoing.size, 0)
  console.log(
    `round ${round + 1} of ${rounds} (${durability}): ${messages - before} acknowledged, ${unanswered} on their way`,
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
  for (;;) {
    const probe = new CrashClient('probe', 4, port)
    try {
      await probe.connect(true)
      return probe.drop()
    } catch {
      if (hasEnded() || performance.now() > untilMs) throw new Error('it does not start')
      await sleep(20)
    }
  }
}

/** Keeps some messages on their way until it is told to stop. */
function run(publisher) {
  publisher.isRunning = true
  fill(publisher)
}

function fill(publisher) {
  const { client } = publisher
  while (publisher.isRunning && client.isConnected && client.outgoing.size < windowMessages) {
    const kind = Math.random()
    if (kind < 0.45) count(publisher, 1)
    else if (kind < 0.9) count(publisher, 2)
    else state(publisher)
  }
}

function count(publisher, qos) {
  const { client, counts } = publisher
  const topic = `load/${client.id}/${qos}`
  const value = (counts.get(topic) ?? 0) + 1
  counts.set(topic, value)
  client.publish(topic, `${value}`, qos, false)
}

function state(publisher) {
  const index = Math.floor(Math.random() * statesEach)
  const topic = `state/${publisher.client.id}/${index}`
  const count = (publisher.counts.get(topic) ?? 0) + 1
  publisher.counts.set(topic, count)
  const value = count % 7 === 0 ? '' : `${count}` // now and then it is cleared
  const candidates = states.get(topic) ?? [{ value: '' }]
  const candidate = { value }
  states.set(topic, candidates)
  candidates.push(candidate)
  // one QoS for each: of two that are sent again that of QoS 1 counts twice, and may come last
  const message = publisher.client.publish(topic, value, 1 + (index % 2), true)
  message.candidate = candidate
}

function acknowledged(publisher, { topic, candidate }) {
  messages++
  // what was before it cannot be any more
  const candidates = states.get(topic)
  candidates?.splice(0, candidates.indexOf(candidate))
  setImmediate(() => fill(publisher))
}

function heard({ client, qos, last }, topic, value, qosOfMessage) {
  const before = last.get(topic) ?? 0
  const where = `${client.id} on ${topic}`
  const mayRepeat = qosOfMessage === 1
  if (qosOfMessage !== Math.min(qos, Number(topic.at(-1)))) failures.push(`${where}: QoS ${qosOfMessage}`)
  if (value > before + 1) failures.push(`${where}: ${value} came after ${before}`)
  else if (value <= before && !mayRepeat) failures.push(`${where}: ${value} came again, after ${before}`)
  if (value > before) last.set(topic, value)
}

/** Waits until everything that was sent is acknowledged, and has reached everybody. */
async function allHeard(round) {
  const untilMs = performance.now() + quietMsMax
  let missing = 'nothing'
  for (;;) {
    missing = whatIsMissing()
    if (missing === undefined || failures.length > 0) return
    if (performance.now() > untilMs) break
    await sleep(5)
  }
  failures.push(`after crash ${round}: ${missing}`)
}

function whatIsMissing() {
  for (const { client, counts } of publishers) {
    if (client.outgoing.size > 0) return `${client.id} has no answer to ${client.outgoing.size} messages`
    for (const [topic, count] of counts) {
      if (!topic.startsWith('load/')) continue
      for (const { client: hearer, last } of subscribers) {
        const heard = last.get(topic) ?? 0
        if (heard !== count) return `${hearer.id} has heard ${heard} of ${count} on ${topic}`
      }
    }
  }
  return undefined
}

/** Before anybody who publishes is back. */
async function checkRetained() {
  const found = new Map()
  const probe = new CrashClient('probe', 4, port)
  probe.onMessage = (topic, payload) => found.set(topic, payload)
  await probe.connect(true)
  await probe.subscribe('state/#', 0)
  const certain = [...states].filter(([, candidates]) => candidates.every(({ value }) => value !== '')).length
  const untilMs = performance.now() + 5_000
  while (found.size < certain && performance.now() < untilMs) await sleep(5)
  await sleep(50) // one that should not be there
  probe.drop()
  for (const [topic, candidates] of states) {
    const value = found.get(topic) ?? ''
    const allowed = candidates.map((candidate) => candidate.value)
    if (!allowed.includes(value))
      failures.push(`${topic} retains "${value}", and not one of "${allowed.join('", "')}"`)
  }
  for (const topic of found.keys()) if (!states.has(topic)) failures.push(`${topic} is retained`)
}
