// One measurement: a load on one system, what it cost there, and how long the messages were under way.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { publishOnce } from '../mqtt-wire.mjs'
import { cpuNs, openWindow, untilQuiet } from '../process-cost.mjs'
import { percentile } from '../statistics.mjs'

const load = join(import.meta.dirname, 'load.mjs')

/**
 * Publish → handler. Every message counts as handled when the handler has noted it; what is missing at the end
 * is told as lost.
 */
export async function measureHandler(
  system,
  { rate, seconds, count = Math.round(rate * seconds), qos },
  folder,
) {
  const cost = await underLoad(system, { topic: 'bench/in', rate, count, qos })
  const latenciesMs = (await report(system, folder)).map((ns) => ns / 1e6).sort()
  return {
    ...cost,
    lost: count - latenciesMs.length,
    p50Ms: percentile(latenciesMs, 50),
    p99Ms: percentile(latenciesMs, 99),
  }
}

/** What the system takes while nobody says anything, in microseconds of CPU time a second. */
export async function idleCpuUs(system, seconds) {
  const before = await cpuNs(system.pids)
  await sleep(seconds * 1_000)
  return ((await cpuNs(system.pids)) - before) / 1e3 / seconds
}

async function underLoad(system, options) {
  const child = fork(load, [JSON.stringify({ port: system.port, ...options })])
  const exit = once(child, 'exit') // it may be gone before anybody waits for that
  const next = async () => {
    const [answer] = await Promise.race([once(child, 'message'), exit.then(failed)])
    return answer
  }
  await next()
  const close = await openWindow(system.pids)
  child.send('go')
  const { tookMs, lateMs } = await next()
  await untilQuiet(system.pids)
  child.send('end')
  const { acknowledged, cpuNs: loadNs } = await next()
  const window = await close(loadNs)
  await exit
  return {
    cpuUs: window.cpuNs / 1e3 / options.count,
    sentPerSecond: (options.count * 1_000) / tookMs,
    lateMs,
    unacknowledged: options.qos === 0 ? 0 : options.count - acknowledged,
    others: window.others,
    steal: window.steal,
  }
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
