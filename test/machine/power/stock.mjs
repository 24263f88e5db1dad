// A big store: states that nobody changes, and as many messages that wait for a session which is never there, until the end.
import { setTimeout as sleep } from 'node:timers/promises'

const count = 1_000
const windowMessages = 50
const waitMsMax = 60_000
const padding = 'x'.repeat(2_000)

export class Stock {
  #witness
  #hermit
  #heard = []
  #isThere = false

  constructor(witness) {
    this.#witness = witness
    this.#hermit = witness.client('hermit', 5)
    this.#hermit.onMessage = (_topic, payload) => this.#heard.push(Number.parseInt(payload, 10))
  }

  async fill() {
    await this.#hermit.connect()
    await this.#hermit.subscribe('stock/#', 2)
    this.#hermit.drop()
    const keeper = this.#witness.client('keeper', 4)
    await keeper.connect()
    for (let number = 1; number <= count; number++) {
      keeper.publish(`stock/${number}`, `${number} ${padding}`, 2, { isRetained: true })
      while (keeper.outgoing.size >= windowMessages) await sleep(5)
    }
    while (keeper.outgoing.size > 0) await sleep(5)
    keeper.drop()
    this.#isThere = true
  }

  async check() {
    if (!this.#isThere) return
    const found = new Set()
    const probe = this.#witness.client('probe-stock', 4)
    probe.onMessage = (topic, payload) => {
      if (topic === `stock/${Number.parseInt(payload, 10)}` && payload.endsWith(padding)) found.add(topic)
    }
    await probe.connect({ isClean: true })
    await probe.subscribe('stock/#', 0)
    await quiet(() => found.size === count)
    probe.drop()
    if (found.size !== count) this.#witness.broken('others', `of ${count} states ${found.size} are retained`)
  }

  /** The session comes for what waits. */
  async end() {
    await this.#hermit.connect()
    await quiet(() => this.#heard.length >= count)
    await sleep(500)
    this.#hermit.drop()
    const isRight = this.#heard.length === count && this.#heard.every((number, index) => number === index + 1)
    if (!isRight)
      this.#witness.broken(
        'others',
        `of ${count} messages that waited ${this.#heard.length} came, or out of order`,
      )
  }
}

async function quiet(isDone) {
  for (const untilMs = performance.now() + waitMsMax; !isDone() && performance.now() < untilMs; )
    await sleep(10)
}
