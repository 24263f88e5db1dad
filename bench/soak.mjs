// Ten thousand idle connections, and a thousand clients that misbehave and vanish, again and again. It passes when
// the daemon is still there, has kept every idle connection, answers, and has not grown.
//   npm run soak -- [MINUTES] [--idle N] [--vandals N] [--ours COMMAND]
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Client } from './broker/client.mjs'
import { startLoad } from './broker/measure.mjs'
import { publishPacket } from './mqtt-wire.mjs'
import { memoryMb } from './process-cost.mjs'
import { number, percentile, spread } from './statistics.mjs'
import { brokers } from './systems/brokers.mjs'

/** Memory at the end beside that after the first minute (of a short run, the first fifth): a heap is never twice the same. */
const growth = { factor: 1.1, mb: 10 }
/** In less time a heap has not found its size: memory is told then, and not judged. */
const judgedMinutes = 5
const answerMsMax = 5_000

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    idle: { type: 'string', default: '10000' },
    vandals: { type: 'string', default: '1000' },
    ours: { type: 'string' },
  },
})
const seconds = 60 * Number(positionals[0] ?? 10)
if (!(seconds > 0)) throw new Error(`${positionals[0]}: how many minutes?`)
const idle = Number(options.idle)
const env = { MAX_CONNECTIONS: idle + 2 * Number(options.vandals) + 100 }

const folder = await mkdtemp(join(tmpdir(), 'damselfly-soak-'))
try {
  const broker = await brokers(options.ours).damselfly(folder, { env })
  try {
    process.exitCode = (await soak(broker)) ? 0 : 1
  } finally {
    await broker.stop()
  }
} finally {
  await rm(folder, { recursive: true })
}

async function soak(broker) {
  const at = (name) => join(import.meta.dirname, name)
  const fdsBefore = await openFds(broker.pid)
  const crowd = await startLoad(broker, at('broker/idle.mjs'), 'crowd', { count: idle })
  const vandals = await startLoad(broker, at('soak/vandals.mjs'), 'vandals', {
    count: Number(options.vandals),
    seconds,
  })
  const watch = await watching(broker)
  const firstSeconds = Math.min(60, seconds / 5)
  const first = sleep(firstSeconds * 1_000).then(() => watch.memoryMb())
  const { done, early } = await vandals.run()
  await vandals.end()
  const worked = watch.delays()
  const firstMb = await first
  await sleep(Math.min(60, seconds) * 1_000) // what the last of them left is put away
  const isThere = await isAlive(broker.pid)
  const lastMb = watch.memoryMb()
  const strangers = isThere ? (await openFds(broker.pid)) - fdsBefore - idle : 0
  const unanswered = await watch.stop()
  await crowd.run()
  const { ended } = await crowd.end()

  const total = Object.values(done).reduce((sum, count) => sum + count, 0)
  console.log(
    `\n${total.toLocaleString('en')} clients misbehaved and vanished, ${early} before they were connected:`,
  )
  for (const [way, count] of Object.entries(done)) console.log(`  ${`${count}`.padStart(7)}  ${way}`)
  console.log(
    `a message there and back meanwhile: median ${number(worked.p50Ms)} ms, p99 ${number(worked.p99Ms)} ms\n`,
  )
  const mayBeMb = firstMb * growth.factor + growth.mb
  return [
    say(isThere, 'the daemon has not crashed'),
    say(ended === 0, `${idle - ended} of ${idle} idle connections were held`),
    say(unanswered === 0, `every message came back within ${answerMsMax} ms (${unanswered} did not)`),
    judgeMemory(
      lastMb <= mayBeMb,
      `resident memory ${number(lastMb)} MB, ${number(firstMb)} MB after the first ${number(firstSeconds)} s`,
    ),
    say(
      strangers < 20,
      `${strangers} more files and sockets are open than before, the idle connections aside`,
    ),
  ].every((isGood) => isGood)
}

function say(isGood, sentence) {
  console.log(`${isGood ? 'PASS' : 'FAIL'}: ${sentence}`)
  return isGood
}

function judgeMemory(isGood, sentence) {
  if (seconds >= 60 * judgedMinutes) return say(isGood, sentence)
  console.log(`${sentence}; judged from ${judgedMinutes} minutes on`)
  return true
}

/** Looks at memory each second, and sends itself a message ten times a second. */
async function watching(broker) {
  const client = await Client.open(broker.port, 'soak-watch')
  await client.subscribe(['watch'], 0)
  const ping = publishPacket('watch', 'x')
  const stopping = new AbortController()
  const memory = []
  const delaysMs = []
  let unanswered = 0
  const nap = (ms) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => {})
  const pinging = (async () => {
    while (!stopping.signal.aborted) {
      const begunMs = performance.now()
      client.socket.write(ping)
      const isAnswered = await Promise.race([
        client.answer(3).then(
          () => true,
          () => false,
        ),
        sleep(answerMsMax, false),
      ])
      if (isAnswered) delaysMs.push(performance.now() - begunMs)
      else unanswered++
      await nap(100)
    }
  })()
  const sampling = (async () => {
    for (let count = 0; !stopping.signal.aborted; count++) {
      if (!(await isAlive(broker.pid))) return
      memory.push((await memoryMb([broker.pid])).rss)
      if (count % 30 === 0)
        console.log(
          `${count} s: ${number(memory.at(-1))} MB resident, ${await openFds(broker.pid)} files and sockets`,
        )
      await nap(1_000)
    }
  })()
  return {
    /** The median of the last ten seconds. */
    memoryMb: () => spread(memory.slice(-10)).median,
    delays: () => {
      const sorted = [...delaysMs].sort((a, b) => a - b)
      return { p50Ms: percentile(sorted, 50), p99Ms: percentile(sorted, 99) }
    },
    /** @returns how many messages did not come back in time */
    stop: async () => {
      stopping.abort()
      await Promise.all([pinging, sampling])
      client.close()
      return unanswered
    },
  }
}

/** @NOTE a process that has ended and was not waited for has no descriptors, but a folder in /proc. */
async function isAlive(pid) {
  return openFds(pid).then(
    (count) => count > 0,
    () => false,
  )
}

async function openFds(pid) {
  return (await readdir(`/proc/${pid}/fd`)).length
}
