// What processes cost, by /proc: see proc_pid_schedstat, proc_pid_smaps and proc_stat in section 5 of the manual.
import { readdir, readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** User and system time of these processes and all their threads so far, in nanoseconds. */
export async function cpuNs(pids) {
  const all = await Promise.all(
    pids.map(async (pid) => (await readdir(`/proc/${pid}/task`)).map((tid) => [pid, tid])),
  )
  const times = await Promise.all(all.flat().map(([pid, tid]) => threadNs(pid, tid)))
  return times.reduce((sum, ns) => sum + ns, 0)
}

// /proc/PID/stat counts in ticks of 10 ms, which is the work of a hundred messages
async function threadNs(pid, tid) {
  const text = await readFile(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').catch((error) => {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return '0' // the thread has ended meanwhile
    throw error
  })
  return Number(text.split(' ')[0])
}

/** Resident and proportional memory of these processes together, in megabytes of 10⁶ bytes. */
export async function memoryMb(pids) {
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/smaps_rollup`, 'utf8')))
  const sum = (key) =>
    texts.reduce((kb, text) => kb + Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)[1]), 0)
  return { rss: (sum('Rss') * 1_024) / 1e6, pss: (sum('Pss') * 1_024) / 1e6 }
}

/** Busy and stolen time of the whole machine so far, in nanoseconds, to within 10 ms. */
export async function machineNs() {
  const [, ...ticks] = (await readFile('/proc/stat', 'utf8')).split('\n', 1)[0].split(/\s+/)
  const [user, nice, system, , , irq, softirq, steal] = ticks.map(Number)
  const nsPerTick = 1e7
  return { busy: (user + nice + system + irq + softirq) * nsPerTick, steal: steal * nsPerTick }
}

/**
 * What these processes cost from now on.
 * @returns a function to call with the CPU time of the load in the meantime: { cpuNs, tookNs } of the processes, and
 *   of the machine's processors what was used by none of ours (`others`) and what its host took (`steal`), 0 to 1
 */
export async function openWindow(pids) {
  const before = await snapshot(pids)
  return async (loadNs) => {
    const { ns, machine, benchNs, atNs } = await snapshot(pids)
    const tookNs = Number(atNs - before.atNs)
    const cpuNs = ns - before.ns
    const ours = cpuNs + loadNs + (benchNs - before.benchNs)
    const share = (taken) => Math.max(0, taken) / (tookNs * cpus().length)
    return {
      cpuNs,
      tookNs,
      others: share(machine.busy - before.machine.busy - ours),
      steal: share(machine.steal - before.machine.steal),
    }
  }
}

/** Waits until what is left in queues has been worked off, 20 s at most. */
export async function untilQuiet(pids) {
  const turnMs = 50
  const quietNs = 2e6
  let before = await cpuNs(pids)
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += turnMs) {
    await sleep(turnMs)
    const now = await cpuNs(pids)
    if (now - before < quietNs) return
    before = now
  }
}

async function snapshot(pids) {
  const { user, system } = process.cpuUsage()
  const [ns, machine] = await Promise.all([cpuNs(pids), machineNs()])
  return { ns, machine, benchNs: (user + system) * 1_000, atNs: process.hrtime.bigint() }
}
