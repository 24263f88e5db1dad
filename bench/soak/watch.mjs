// Looks at the daemon from outside, and asks it how it is, as dashboards do.
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from '../statistics.mjs'

const sampleMs = 10_000
const askMsMax = 5_000

export class Watch {
  /** { life, ms, mb, fds, threads } */
  samples = []
  /** { life, ms, storeBytes, databaseBytes, heapBytes, delayMs, counters } */
  reports = []
  /** Questions that were not answered well while there was no fault, in words. */
  silences = []
  asked = 0
  #daemon
  #house
  #dataDir
  #isQuietSince
  #idle
  #heapBytes
  #isOn = true
  #running

  /** @param idle how many connections the crowd holds: they are left out of the open files */
  constructor({ daemon, house, dataDir, isQuietSince, idle, heapBytes }) {
    this.#daemon = daemon
    this.#house = house
    this.#dataDir = dataDir
    this.#isQuietSince = isQuietSince
    this.#idle = idle
    this.#heapBytes = heapBytes
  }

  run() {
    this.#running = this.#go()
  }

  async stop() {
    this.#isOn = false
    await this.#running
  }

  /** Samples of the last life. */
  lastLife() {
    const life = this.#daemon.lives.length
    return this.samples.filter((sample) => sample.life === life)
  }

  async look() {
    const { pid, lives } = this.#daemon
    if (pid === undefined) return
    try {
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      const value = (key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)[1])
      const fds = (await readdir(`/proc/${pid}/fd`)).length - this.#idle()
      const mb = (value('VmRSS') * 1_024) / 1e6
      this.samples.push({ life: lives.length, ms: performance.now(), mb, fds, threads: value('Threads') })
    } catch {
      // it has ended at this moment
    }
  }

  async report() {
    const begunMs = performance.now()
    const [health, metrics, status] = await Promise.all([
      this.#http('/health'),
      this.#http('/metrics'),
      this.#status(),
    ])
    this.asked++
    const wasQuiet = this.#isQuietSince(begunMs - sampleMs)
    const isWell = health?.includes('"ok"') && metrics !== undefined && status !== undefined
    if (!isWell && wasQuiet) this.silences.push(`/health: ${health}, /metrics: ${metrics !== undefined}`)
    const metric = (name) =>
      Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics ?? '')?.[1] ?? Number.NaN)
    this.reports.push({
      life: this.#daemon.lives.length,
      ms: begunMs,
      storeBytes: await sizeOf(join(this.#dataDir, 'broker')),
      databaseBytes:
        (await sizeOf(join(this.#dataDir, 'damselfly.db'))) +
        (await sizeOf(join(this.#dataDir, 'damselfly.db-wal'))),
      delayMs: metric('damselfly_event_loop_delay_seconds\\{quantile="0.99"\\}') * 1_000,
      heapMb: this.#heapBytes() / 1e6,
      status,
    })
  }

  async #go() {
    for (let turn = 0; this.#isOn; turn++) {
      await this.look()
      if (turn % 2 === 0) await this.report()
      for (const untilMs = performance.now() + sampleMs; this.#isOn && performance.now() < untilMs; )
        await sleep(200)
    }
  }

  async #http(path) {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#house.http}${path}`, {
        signal: AbortSignal.timeout(askMsMax),
      })
      return await answer.text()
    } catch {
      return undefined
    }
  }

  async #status() {
    const socket = createConnection(this.#house.control)
    socket.on('error', () => {}) // no line comes then
    try {
      socket.setTimeout(askMsMax, () => socket.destroy(new Error('no answer')))
      socket.write('{"get":"status"}\n')
      const [line] = await once(createInterface(socket), 'line', { signal: AbortSignal.timeout(askMsMax) })
      return JSON.parse(line).status
    } catch {
      return undefined
    } finally {
      socket.destroy()
    }
  }
}

/** Of a file, or of all files in a folder. */
async function sizeOf(path) {
  try {
    const found = await stat(path)
    if (!found.isDirectory()) return found.size
    const sizes = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))))
    return sizes.reduce((sum, size) => sum + size, 0)
  } catch {
    return 0 // gone meanwhile
  }
}

/** @param delaysMs of questions and answers */
export function latency(delaysMs) {
  const sorted = [...delaysMs].sort((a, b) => a - b)
  return { p50Ms: percentile(sorted, 50), p99Ms: percentile(sorted, 99), maxMs: sorted.at(-1) }
}
