// A house under load for hours, to which everything happens that does happen to one: kills, frozen readers, vandals, a full
// disk, a bridge without its other end. The books are kept outside the daemon, and say what was lost.
//   npm run soak -- --hours N | --minutes N [--idle COUNT] [--json FILE] [--only FAULT,FAULT]
// It passes when nothing that was acknowledged is lost, nothing of QoS 2 came twice, memory is flat (soak/memory.mjs) and
// the daemon has always answered. Kills are in the first quarter, so that one life is long. A line each minute.
import { fork } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Acts } from './soak/acts.mjs'
import { Daemon } from './soak/daemon.mjs'
import { playedInNamespace, smallDisk } from './soak/disk.mjs'
import { Far } from './soak/far.mjs'
import { Faults } from './soak/faults.mjs'
import { startGuests } from './soak/guests.mjs'
import { buildHouse } from './soak/house.mjs'
import { kindsOf } from './soak/kinds.mjs'
import { Ledger } from './soak/ledger.mjs'
import { resultOf, verdicts } from './soak/result.mjs'
import { tableOf, verdictsOf } from './soak/table.mjs'
import { Traffic } from './soak/traffic.mjs'
import { Watch } from './soak/watch.mjs'

const { values: options } = parseArgs({
  options: {
    hours: { type: 'string' },
    minutes: { type: 'string' },
    idle: { type: 'string', default: '1000' },
    json: { type: 'string' },
    only: { type: 'string' },
  },
})
const seconds =
  options.hours === undefined ? 60 * Number(options.minutes ?? 10) : 3_600 * Number(options.hours)
if (!(seconds > 0)) throw new Error(`${options.hours ?? options.minutes}: how many hours, or minutes?`)
const idle = Number(options.idle)

/** Beside the crowd: the clients of the load, and vandals. */
const connectionsBeside = 2_000
/** How long what is missing at the end may still take. */
const settleMsMax = 120_000
const quietMs = 5_000

if (!(await playedInNamespace())) process.exitCode = (await play()) ? 0 : 1
// what else is open (programs, sockets) goes with this process
if (process.exitCode !== undefined) process.exit()

async function play() {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  const folder = await mkdtemp(join(tmpdir(), 'damselfly-soak-'))
  const world = await build(folder)
  if (!world.disk.canBeFilled) say('without the right to mount there is no full disk in this run')
  const begunMs = performance.now()
  await soak(world)
  const result = await resultOf(world, (performance.now() - begunMs) / 60_000)
  const sentences = verdicts(result, world)
  console.log(`\n${tableOf(result)}\n${verdictsOf(sentences)}`)
  const isGood = sentences.every(([good]) => good)
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify({ ...result, isGood }, null, 2)}\n`)
  await world.disk.unmount()
  if (isGood) await rm(folder, { recursive: true })
  else console.log(`the log of the daemon is in ${folder}`)
  return isGood
}

async function build(folder) {
  const faults = new Faults(say)
  const ledger = new Ledger(faults.isQuietSince)
  const disk = await smallDisk(folder)
  const acts = new Acts(faults.isQuietSince)
  const far = await Far.start(folder, ledger)
  const house = await buildHouse(folder, {
    dataDir: disk.folder,
    hook: await acts.openHook(),
    farPort: far.port,
    connectionsMax: idle + connectionsBeside,
  })
  const daemon = new Daemon(folder, house.port, ({ number, pid, startMs }) =>
    say(`life ${number}: process ${pid}, up in ${Math.round(startMs)} ms`),
  )
  await daemon.start()
  const traffic = new Traffic(ledger, house.ways)
  await traffic.start()
  await acts.start(house)
  await far.meet(house.port)
  const guests = await startGuests(house, ledger)
  const crowd = fork(join(import.meta.dirname, 'soak/crowd.mjs'), [`${house.port}`, `${idle}`])
  const counts = { vandals: 0, retainedWrong: [], crowd: { held: 0, lost: 0 } }
  crowd.on('message', (message) => {
    counts.crowd = message
  })
  const watch = new Watch({
    daemon,
    house,
    dataDir: disk.folder,
    isQuietSince: faults.isQuietSince,
    idle: () => counts.crowd.held,
    heapBytes: () => acts.heapBytes,
  })
  return {
    folder,
    faults,
    ledger,
    disk,
    acts,
    far,
    house,
    daemon,
    watch,
    traffic,
    guests,
    crowd,
    counts,
    idle,
  }
}

async function soak(world) {
  const { faults, ledger, acts, far, watch, traffic, guests, daemon } = world
  const loads = [traffic, acts, far, ...guests]
  while (world.counts.crowd.held < idle) await sleep(200)
  await sleep(quietMs)
  watch.run()
  for (const load of loads) load.run()
  faults.run(chosen(kindsOf(world, Math.min(1, seconds / 1_800), world.counts)), seconds)
  const untilMs = performance.now() + seconds * 1_000
  for (let minute = 1; performance.now() < untilMs && daemon.crashes.length < 20; minute++) {
    const nextMs = Math.min(untilMs, performance.now() + 60_000)
    while (performance.now() < nextMs) {
      await sleep(1_000)
      ledger.judge()
      acts.judge()
    }
    say(minuteOf(world, minute))
  }
  await faults.end()
  await Promise.all(loads.map((load) => load.end()))
  say('the load is over')
  await settle(world)
  world.counts.retainedWrong.push(...(await acts.checkRetained()))
  await watch.look()
  await watch.report()
  await watch.stop()
  const stopMs = await endOf(world, loads)
  world.stopMs = stopMs
}

/** All kinds, unless some are named. */
function chosen(kinds) {
  if (options.only === undefined) return kinds
  return Object.fromEntries(options.only.split(',').map((name) => [name, kinds[name]]))
}

/** Until everything that was acknowledged has come, and everything that can be is acknowledged. */
async function settle({ ledger, traffic, guests, far, acts, daemon }) {
  const untilMs = performance.now() + settleMsMax
  const unanswered = () => [traffic, far, ...guests].reduce((sum, load) => sum + load.unanswered(), 0)
  while (performance.now() < untilMs && daemon.crashes.length < 20) {
    ledger.judge()
    acts.judge()
    if (ledger.missing().length === 0 && unanswered() === 0) break
    await sleep(500)
  }
  await sleep(quietMs) // what comes twice
}

async function endOf({ daemon, crowd }, loads) {
  crowd.disconnect()
  for (const load of loads) load.stop()
  await sleep(1_000)
  return daemon.stop()
}

function minuteOf({ ledger, watch, daemon, counts }, minute) {
  const sums = ledger.totals()
  const sum = (key) => sums.reduce((total, row) => total + row[key], 0)
  const last = watch.samples.at(-1)
  const missing = ledger.missing(60_000)
  const parts = [
    `${minute} min`,
    `${sum('sent')} sent, ${sum('received')} received`,
    `${sum('pending')} under way`,
    `${sum('twice')} twice, ${sum('lostQuietly')} of QoS 0 lost`,
    `life ${daemon.lives.length}: ${last?.mb.toFixed(1)} MB, ${last?.fds} fds`,
    `${counts.crowd.held} idle`,
  ]
  const late = missing
    .slice(0, 3)
    .map(({ reader, topic, numbers }) => `${reader} has not ${topic} ${numbers[0]}`)
  if (late.length > 0) parts.push(`late: ${late.join('; ')}${missing.length > 3 ? ' …' : ''}`)
  return parts.join(' | ')
}

function say(sentence) {
  console.log(`${new Date().toISOString().slice(11, 19)} ${sentence}`)
}
