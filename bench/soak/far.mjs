// The broker at the other end of the bridge, a real mosquitto, its clients, and what may happen to it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cableTo } from '../bridge/cable.mjs'
import { CrashClient } from '../crash/client.mjs'
import { freePort } from '../systems/support.mjs'
import { Steady } from './steady.mjs'

const everyMs = 500
/** In this time it has handed on and written down what it had. */
const settleMs = 3_000

export class Far {
  /** Where the bridge connects to. */
  port
  #folder
  #ownPort
  #cable
  #child
  #reader
  #publisher
  #near
  #ledger
  #isOn = true
  #running

  static async start(folder, ledger) {
    const far = new Far()
    far.#folder = join(folder, 'far')
    far.#ledger = ledger
    await mkdir(far.#folder, { mode: 0o700 })
    far.#ownPort = await freePort()
    const lines = [
      `listener ${far.#ownPort} 127.0.0.1`,
      'allow_anonymous true',
      `user ${userInfo().username}`,
      'max_queued_messages 0',
      // @NOTE with 0 mosquitto 2.0 publishes again after its restart what it had released before: QoS 2 comes twice
      'max_inflight_messages 1000',
      'persistence true',
      `persistence_location ${far.#folder}/`,
      'autosave_on_changes true',
      'autosave_interval 1',
      'log_type error',
    ]
    await writeFile(join(far.#folder, 'mosquitto.conf'), `${lines.join('\n')}\n`)
    await far.#begin()
    far.#cable = await cableTo(far.#ownPort)
    far.port = far.#cable.port
    return far
  }

  /** @param port of the daemon */
  async meet(port) {
    this.#ledger.reader('far', { qos: 2, covers: (topic) => topic.startsWith('bridge/out/') })
    this.#reader = new Steady('far-reader', 4, this.#ownPort, {}, [['bridge/out/#', 2]])
    this.#reader.client.onMessage = (topic, payload) => this.#ledger.heard('far', topic, Number(payload))
    this.#publisher = new Steady('far-publisher', 4, this.#ownPort)
    this.#near = new Steady('near-publisher', 5, port)
    for (const { client } of [this.#publisher, this.#near]) {
      client.onAcknowledged = ({ topic, number }) => this.#ledger.acknowledged(topic, number)
      client.onRefused = ({ topic, number }) => this.#ledger.unsure(topic, number)
    }
    await Promise.all([this.#reader, this.#publisher, this.#near].map((client) => client.start()))
  }

  get clients() {
    return [this.#reader, this.#publisher, this.#near]
  }

  run() {
    this.#running = (async () => {
      for (let turn = 0; this.#isOn; turn++) {
        const qos = 1 + (turn % 2)
        this.#publish(this.#near, `bridge/out/${qos}`, qos)
        this.#publish(this.#publisher, `bridge/in/${qos}`, qos)
        await sleep(everyMs)
      }
    })()
  }

  async end() {
    this.#isOn = false
    await this.#running
  }

  unanswered() {
    return this.#near.client.outgoing.size + this.#publisher.client.outgoing.size
  }

  async cut(ms) {
    this.#cable.cut()
    await sleep(ms)
    this.#cable.mend()
  }

  /** It is there, and says nothing. */
  async freeze(ms) {
    this.#child.kill('SIGSTOP')
    await sleep(ms)
    this.#child.kill('SIGCONT')
  }

  /** Stopped by its service, or killed: then when it has written down (SIGUSR1) what it acknowledged, which it does later. */
  async leave(ms, isKilled) {
    if (isKilled) {
      this.#isPaused = true
      this.#cable.cut()
      await sleep(settleMs)
      this.#child.kill('SIGUSR1')
      await sleep(settleMs)
    }
    this.#child.kill(isKilled ? 'SIGKILL' : 'SIGTERM')
    await once(this.#child, 'exit')
    await sleep(ms)
    await this.#begin()
    this.#isPaused = false
    this.#cable.mend()
  }

  stop() {
    for (const client of this.clients) client?.stop()
    this.#child.kill('SIGCONT')
    this.#child.kill('SIGTERM')
    this.#cable.close()
  }

  #isPaused = false

  #publish(publisher, topic, qos) {
    const { client } = publisher
    if (this.#isPaused && publisher === this.#publisher) return
    if (!publisher.isConnected || client.outgoing.size > 50) return
    const number = this.#ledger.next(topic, qos)
    client.publish(topic, `${number}`, qos).number = number
  }

  async #begin() {
    const child = spawn('mosquitto', ['-c', join(this.#folder, 'mosquitto.conf')], { stdio: 'ignore' })
    const end = () => child.kill('SIGKILL')
    process.once('exit', end)
    child.once('exit', () => process.off('exit', end))
    this.#child = child
    for (;;) {
      const probe = new CrashClient('probe', 4, this.#ownPort)
      try {
        await probe.connect({ isClean: true })
        return probe.drop()
      } catch {
        if (child.exitCode !== null) throw new Error('mosquitto does not start')
        await sleep(50)
      }
    }
  }
}
