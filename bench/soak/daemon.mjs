// The daemon and what systemd is to it: started again a second after any end, with `safe` in between.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../mqtt-wire.mjs'
import { serviceArgv } from '../systems/damselfly.mjs'

const restartMs = 1_000 // RestartSec=
const startMsMax = 60_000 // TimeoutStartSec=
const stopMsMax = 20_000 // TimeoutStopSec=

export class Daemon {
  /** { pid, startedMs, startMs, endedBy } of each process. */
  lives = []
  /** Ends that nobody has asked for, in words. */
  crashes = []
  #folder
  #port
  #child
  #log
  #isStopping = false
  #expected = false
  #running = Promise.resolve()
  #onStart

  /** @param onStart is called with each life, when its doors are open */
  constructor(folder, port, onStart) {
    this.#folder = folder
    this.#port = port
    this.#onStart = onStart
  }

  /** Undefined while there is none. */
  get pid() {
    return this.#child?.pid
  }

  async start() {
    this.#log = await open(join(this.#folder, 'log'), 'a')
    await this.#begin()
  }

  /** kill -9. Resolves when the next one has opened its doors. */
  async kill() {
    const number = this.lives.length
    this.#expected = true
    this.#child?.kill('SIGKILL')
    const untilMs = performance.now() + startMsMax
    while (this.lives.length === number) {
      if (performance.now() > untilMs) throw new Error('the daemon has not come back')
      await sleep(50)
    }
  }

  freeze() {
    this.#child?.kill('SIGSTOP')
  }

  thaw() {
    this.#child?.kill('SIGCONT')
  }

  reload() {
    this.#child?.kill('SIGHUP')
  }

  /** As `systemctl stop`. @returns how long it took, undefined when it had to be killed */
  async stop() {
    this.#isStopping = true
    const child = this.#child
    if (child !== undefined) {
      child.kill('SIGCONT')
      child.kill('SIGTERM')
    }
    const begunMs = performance.now()
    const timer = setTimeout(() => child?.kill('SIGKILL'), stopMsMax)
    await this.#running
    clearTimeout(timer)
    await this.#log.close()
    const tookMs = performance.now() - begunMs
    return tookMs < stopMsMax ? tookMs : undefined
  }

  async #begin() {
    const begunMs = performance.now()
    const child = this.#spawn(serviceArgv)
    this.#child = child
    this.#running = this.#keep(child)
    while ((await connect(this.#port, 'soak-first').catch(() => undefined))?.destroy() === undefined) {
      if (performance.now() - begunMs > startMsMax) throw new Error('the daemon does not start')
      if (this.#child !== child) return // its successor tells
      await sleep(20)
    }
    const startMs = performance.now() - begunMs
    const life = { number: this.lives.length + 1, pid: child.pid, startedMs: performance.now(), startMs }
    this.lives.push(life)
    this.#onStart(life)
  }

  async #keep(child) {
    const [code, signal] = await once(child, 'exit')
    this.#child = undefined
    if (this.#isStopping) return
    if (!this.#expected) this.crashes.push(`the daemon has ended by itself, with ${signal ?? code}`)
    this.#expected = false
    await once(this.#spawn([...serviceArgv.slice(0, -1), 'safe']), 'exit')
    await sleep(restartMs)
    if (!this.#isStopping) this.#begin().catch((error) => this.crashes.push(error.message))
  }

  #spawn(argv) {
    const stdio = ['ignore', this.#log.fd, this.#log.fd]
    const child = spawn(process.execPath, argv, { cwd: this.#folder, stdio })
    const end = () => child.kill('SIGKILL')
    process.once('exit', end)
    child.once('exit', () => process.off('exit', end))
    return child
  }
}
