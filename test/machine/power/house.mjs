// The machine as its house has it: a disk with a journal for what the service keeps, one for its configuration. What a boot
// changes of the root file system is forgotten at the cut, so that only these two have to live through it.
import { execFileSync } from 'node:child_process'
import { readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { boot } from '../bed/machine.mjs'

const diskBytes = 192 * 1_048_576

export class House {
  /** Where the broker is, seen from here. */
  place = { host: '10.77.0.2', port: 1883 }
  #stage
  #machine
  #booted
  #asked = 0
  #output = ''

  constructor(stage, machine) {
    this.#stage = stage
    this.#machine = machine
  }

  get #disks() {
    return ['kept', 'settings'].map((name) => join(this.#stage, name))
  }

  /** What the machine has printed last, and the service. */
  async lastWords() {
    const journal = await this.ask('journalctl -b -o short-monotonic -u damselfly --no-pager -n 30').catch(
      (error) => error.message,
    )
    return `${this.#output}\n${journal}`
  }

  async install(durability) {
    for (const disk of this.#disks) {
      writeFileSync(disk, '')
      truncateSync(disk, diskBytes)
    }
    this.#boot({
      job: this.#machine.job,
      script: `job/install.sh ${durability}`,
      root: join(this.#stage, 'root'),
    })
    const code = await this.#booted.ended()
    await this.cut()
    if (code !== 0) throw new Error(`the first boot ended with ${code}:\n${this.#output}`)
  }

  start() {
    const root = join(this.#stage, 'root.now')
    execFileSync('cp', ['--sparse=always', join(this.#stage, 'root'), root])
    this.#asked = 0
    // it is found anew, by another hardware address
    execFileSync('ip', ['neighbour', 'flush', 'dev', 'tap0'])
    this.#boot({ job: undefined, script: 'job/boot.sh', root })
  }

  #boot(how) {
    this.#output = ''
    const print = (text) => {
      this.#output = (this.#output + text).slice(-20_000)
    }
    this.#booted = boot({ ...this.#machine, ...how, disks: this.#disks, print })
  }

  /** Has a shell script run there, after those before it. @returns what it printed */
  async ask(script, seconds = 60) {
    const booted = this.#booted
    const { host } = booted
    const number = this.#asked++
    writeFileSync(join(host, `asking.${number}`), `${script}\n`)
    renameSync(join(host, `asking.${number}`), join(host, `ask.${number}`))
    const answer = join(host, `answer.${number}`)
    for (const untilMs = performance.now() + seconds * 1_000; performance.now() < untilMs; await sleep(25)) {
      if (this.#booted !== booted) throw new Error('the power was cut')
      try {
        return readFileSync(answer, 'utf8')
      } catch (error) {
        if (error.code !== 'ENOENT') throw error
      }
    }
    throw new Error(`no answer came to: ${script}`)
  }

  /** Waits until watch.sh has seen something there. @returns whether it has */
  async seen(what, seconds = 60) {
    for (const untilMs = performance.now() + seconds * 1_000; performance.now() < untilMs; await sleep(2))
      if (this.#booted?.wire().includes(what)) return true
    return false
  }

  /** Takes the power away, unless it is gone. */
  async cut() {
    const booted = this.#booted
    if (booted === undefined) return
    this.#booted = undefined
    await booted.cut()
    booted.clear()
  }

  /** Copies of the disks, for whoever wants to look at them. */
  keep(folder) {
    execFileSync('cp', ['--sparse=always', ...this.#disks, folder])
  }
}
