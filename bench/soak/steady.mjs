// A client that comes back whenever its connection has ended, until it is told to stay away.
import { setTimeout as sleep } from 'node:timers/promises'
import { CrashClient } from '../crash/client.mjs'

const startMsMax = 30_000
const pauseMs = () => 200 + Math.random() * 800

export class Steady {
  client
  reconnects = 0
  /** What a client should never see, in words. */
  complaints = []
  #filters
  #isWanted = true
  #isSubscribed = false

  /** @param filters [filter, qos], subscribed to once: the session keeps them */
  constructor(id, level, open, options = {}, filters = []) {
    this.client = new CrashClient(id, level, open, options)
    this.client.onLost = () => void this.#comeBack()
    this.#filters = filters
  }

  get isConnected() {
    return this.client.isConnected
  }

  /** The doors of a house do not open all at once. */
  async start() {
    for (const untilMs = performance.now() + startMsMax; !this.client.isConnected; await sleep(100)) {
      try {
        await this.#connect()
        return
      } catch (error) {
        if (performance.now() > untilMs) throw error
      }
    }
  }

  /** With DISCONNECT, or as if the cable were pulled, for so long. */
  async away(ms, isPolite) {
    if (!this.client.isConnected) return
    this.#isWanted = false
    if (isPolite) this.client.leave()
    else this.client.drop()
    await sleep(ms)
    this.#isWanted = true
    await this.#comeBack()
  }

  stop() {
    this.#isWanted = false
    if (this.client.isConnected) this.client.leave()
  }

  async #connect() {
    await this.client.connect()
    if (this.#isSubscribed) return
    for (const [filter, qos] of this.#filters) await this.client.subscribe(filter, qos)
    this.#isSubscribed = true
  }

  #coming = false
  async #comeBack() {
    if (this.#coming || !this.#isWanted) return
    this.#coming = true
    while (this.#isWanted && !this.client.isConnected) {
      await sleep(pauseMs())
      try {
        if (this.#isWanted) await this.#connect()
        this.reconnects++
      } catch (error) {
        if (/session is/.test(error.message)) this.complaints.push(error.message)
        this.client.drop()
      }
    }
    this.#coming = false
  }
}
