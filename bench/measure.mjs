// One measurement: a load on one system, what it cost there, and how long the messages were under way.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { publishOnce } from './mqtt-wire.mjs'
import { cpuNs, machineNs, shareOfMachine } from './process-cost.mjs'

const load = join(import.meta.dirname, 'load.mjs')

/**
 * Publish → handler. Every message counts as handled when the handler has noted it; what is missing at the end
 * is told as lost.
 */
export async function measureHandler(system, { rate, seconds, qos }, folder) {
  const count = Math.round(rate * seconds)
  const cost = await underLoad(system, system.pids, {
    topic: 'bench/in',
    rate,
    count,
    qos,
    subscribes: false,
  })
  const latenciesMs = (await report(system, folder)).map((ns) => ns / 1e6).sort()
  return {
    ...cost,
    lost: count - latenciesMs.length,
    p50Ms: percentile(latenciesMs, 50),
    p99Ms: percentile(latenciesMs, 99),
  }
}

/** Publish → another client: the broker's own work, without any handler. QoS 0. */
export async function measureBroker(system, { rate, seconds }) {
  const count = Math.round(rate * seconds)
  const options = { topic: 'bench/through', rate, count, qos: 0, subscribes: true }
  const cost = await underLoad(system, system.brokerPids, options)
  return { ...cost, lost: count - cost.delivered }
}

/** What the system takes while nobody says anything, in microseconds of CPU time a second. */
export async function idleCpuUs(system, seconds) {
  const before = await cpuNs(system.pids)
  await sleep(seconds * 1_000)
  return ((await cpuNs(system.pids)) - before) / 1e3 / seconds
}

async function underLoad(system, pids, options) {
  const child = fork(load, [JSON.stringify({ port: system.port, ...options })])
  const next = async () => {
    const [answer] = await Promise.race([once(child, 'message'), once(child, 'exit').then(failed)])
    return answer
  }
  await next()
  const before = await snapshot(pids)
  child.send('go')
  const { tookMs, lateMs } = await next()
  const own = await untilQuiet(pids)
  const after = await snapshot(pids)
  child.send('end')
  const { acknowledged, delivered, cpuNs: loadNs } = await next()
  await once(child, 'exit')

  const tookNs = Number(after.atNs - before.atNs)
  const ours = own - before.ns + loadNs + (after.benchNs - before.benchNs)
  return {
    cpuUs: (own - before.ns) / 1e3 / options.count,
    cores: (own - before.ns) / tookNs,
    sentPerSecond: (options.count * 1_000) / tookMs,
    lateMs,
    unacknowledged: options.qos === 0 ? 0 : options.count - acknowledged,
    delivered,
    others: shareOfMachine(after.machine.busy - before.machine.busy - ours, tookNs),
    steal: shareOfMachine(after.machine.steal - before.machine.steal, tookNs),
  }
}

async function snapshot(pids) {
  const { user, system } = process.cpuUsage()
  const [ns, machine] = await Promise.all([cpuNs(pids), machineNs()])
  return { ns, machine, benchNs: (user + system) * 1_000, atNs: process.hrtime.bigint() }
}

/** Waits until what is left in queues has been worked off. @returns the CPU time then */
async function untilQuiet(pids) {
  const turnMs = 50
  const quietNs = 2e6
  let before = await cpuNs(pids)
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += turnMs) {
    await sleep(turnMs)
    const now = await cpuNs(pids)
    if (now - before < quietNs) return now
    before = now
  }
  return before
}

/** Asks the handler for what it has noted since it was asked last: nanoseconds. */
async function report(system, folder) {
  const file = join(folder, 'report')
  await publishOnce(system.port, 'bench/report', file)
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 10) {
    if (await exists(file)) {
      const bytes = await readFile(file)
      await rm(file)
      return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    }
    await sleep(10)
  }
  throw new Error(`${system.name}: the handler has not answered`)
}

function exists(file) {
  return access(file).then(
    () => true,
    () => false,
  )
}

function failed([code]) {
  throw new Error(`the load ended with ${code}`)
}

/** The nearest rank. */
function percentile(sorted, percent) {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]
}
