// What a soak has found, as figures, and what of it is good.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { judgeMemory } from './memory.mjs'
import { latency } from './watch.mjs'

const root = join(import.meta.dirname, '../..')
const strangersMax = 20
const shown = 5

export async function resultOf(world, minutes) {
  const { faults, ledger, acts, daemon, watch, traffic, far, counts, folder, stopMs } = world
  const life = daemon.lives.at(-1)
  const samples = watch.lastLife()
  const reports = watch.reports.filter((report) => report.life === life.number && report.status !== undefined)
  const clients = [...traffic.clients, ...far.clients, ...acts.clients]
  return {
    minutes,
    restarts: daemon.lives.length - 1,
    crashes: daemon.crashes,
    startMs: daemon.lives.map(({ startMs }) => startMs),
    stopMs,
    reconnects: clients.reduce((sum, client) => sum + client.reconnects, 0),
    complaints: clients.flatMap((client) => client.complaints),
    vandals: counts.vandals,
    crowd: counts.crowd,
    messages: ledger.totals(),
    lost: [...ledger.missing(), ...ledger.lost],
    strange: ledger.strange,
    overtaken: ledger.overtaken().filter(({ topic }) => traffic.isOwn(topic)),
    retainedWrong: counts.retainedWrong,
    acts: Object.fromEntries(
      Object.entries(acts.counts).map(([name, { delaysMs, ...act }]) => [
        name,
        { ...act, latency: delaysMs.length === 0 ? undefined : latency(delaysMs) },
      ]),
    ),
    actFailures: acts.failures,
    silences: watch.silences,
    readings: acts.readings,
    rows: await rowsIn(folder),
    pulses: acts.pulses,
    pulsesCounted: acts.pulsesCounted,
    hook: acts.hook,
    faults: Object.fromEntries(faults.counts),
    memory: judgeMemory(samples),
    latency: latency(acts.counts.echo.delaysMs),
    life: {
      number: life.number,
      minutes: (performance.now() - life.startedMs) / 60_000,
      fds: three(samples.map(({ fds }) => fds)),
      threads: three(samples.map(({ threads }) => threads)),
      heapMb: three(reports.map(({ heapMb }) => heapMb)),
      storeKb: three(reports.map(({ storeBytes }) => storeBytes / 1e3)),
      databaseKb: three(reports.map(({ databaseBytes }) => databaseBytes / 1e3)),
      delayMs: three(reports.map(({ delayMs }) => delayMs)),
      limits: reports.at(-1)?.status.limits ?? {},
    },
    samples: watch.samples,
  }
}

/** @returns [isGood, sentence] of each promise */
export function verdicts(result, { guests, idle }) {
  const { crashes, messages, lost, strange, memory, silences, life, crowd } = result
  const twice = messages.reduce((sum, row) => sum + row.twice, 0)
  const few = (list) =>
    list.length === 0
      ? ''
      : `: ${list.slice(0, shown).map(told).join('; ')}${list.length > shown ? ' …' : ''}`
  const strangers = life.fds[2] - life.fds[1]
  const echoes = result.actFailures
  return [
    [crashes.length === 0, `the daemon has not ended by itself${few(crashes)}`],
    [lost.length === 0, `what was acknowledged has come to ${guests.length + 8} readers${few(lost)}`],
    [twice === 0 && strange.length === 0, `nothing of QoS 2 came twice${few(strange)}`],
    [result.overtaken.length === 0, `no message of our own publishers was overtaken${few(result.overtaken)}`],
    [
      result.retainedWrong.length === 0,
      `what is retained is what was published last${few(result.retainedWrong)}`,
    ],
    [
      result.complaints.length === 0,
      `every session was there when its client came back${few(result.complaints)}`,
    ],
    [echoes.length === 0, `every rule, pin and will did what it should, no fault near${few(echoes)}`],
    [silences.length === 0, `the daemon has always answered, no fault near${few(silences)}`],
    [memory.isFlat, `memory is ${memory.isJudged ? 'flat' : 'not judged in so short a life'}`],
    [
      strangers <= strangersMax,
      `${strangers} more files and sockets are open at the end than in the middle of the last life, idle connections aside`,
    ],
    [
      crowd.held === idle && crowd.lost <= idle * (result.restarts + crashes.length),
      `${crowd.held} of ${idle} idle connections are held, ${crowd.lost} were lost with ${result.restarts} kills`,
    ],
    [result.stopMs !== undefined, `it stopped when it was asked to`],
  ]
}

function told(what) {
  if (typeof what === 'string') return what
  if (what.outOfOrder !== undefined) return `${what.reader} heard ${what.outOfOrder} on ${what.topic} late`
  return `${what.reader} has not heard ${what.numbers.slice(0, shown).join(', ')}${what.numbers.length > shown ? ' …' : ''} on ${what.topic}`
}

/** First, middle and last. */
function three(values) {
  const known = values.filter((value) => value !== undefined && !Number.isNaN(value))
  return [known[0], known[Math.floor(known.length / 2)], known.at(-1)]
}

/** Of the table that the rule writes to; after the end, as a person does it. */
async function rowsIn(folder) {
  const argv = [join(root, 'dist/main.js'), 'export', 'readings', '--format', 'csv']
  try {
    const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd: folder, maxBuffer: 1e9 })
    return stdout.trimEnd().split('\n').length - 1
  } catch (error) {
    return error.stderr
  }
}
