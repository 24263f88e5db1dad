// What ends by itself or is said of those who are gone: wills, sessions and messages that expire.
import { setTimeout as sleep } from 'node:timers/promises'

const waitMsMax = 15_000
const quietMs = 300

export class Lifetimes {
  #witness
  #mourner
  #patient
  #brief
  /** Clients with a will, and what the one says that they left last. */
  #mourned
  /** How often each will was heard. */
  #wills = new Map()
  #expected = new Set()
  #allowed = new Set()
  #heard = new Set()
  #count = 0

  constructor(witness) {
    this.#witness = witness
    this.#mourner = witness.client('mourner', 4)
    this.#mourner.onMessage = (_topic, will) => this.#wills.set(will, (this.#wills.get(will) ?? 0) + 1)
    this.#mourned = [4, 5].map((level) => witness.client(`mourned-${level}`, level))
    this.#patient = witness.client('patient', 5)
    this.#patient.onMessage = (topic) => this.#heard.add(topic)
    this.#brief = witness.client('brief', 5)
    this.#brief.onBroken = () => {} // its session is to be gone
  }

  async subscribe() {
    await this.#mourner.connect()
    await this.#mourner.subscribe('wills/#', 2)
    await this.#patient.connect()
    await this.#patient.subscribe('expiry/#', 1)
    this.#mourner.drop()
    this.#patient.drop()
  }

  /** Before a cut: all of this is to be there at the time of it. */
  async arrange() {
    const number = ++this.#count
    await this.#mourner.connect()
    for (const client of this.#mourned) {
      const will = `${client.id} ${number}`
      await client.connect({ will: { topic: `wills/${client.id}`, payload: will } })
      this.#expected.add(will)
    }
    await this.#brief.connect({ expirySeconds: 1 })
    this.#brief.publish(`expiry/${number}/short`, '', 1, { expirySeconds: 1 })
    this.#brief.publish(`expiry/${number}/long`, '', 1, { expirySeconds: 3_600 })
    await until(() => this.#brief.outgoing.size === 0)
  }

  /** The service is told to stop: it may publish wills, or not. */
  excuse() {
    for (const client of this.#mourned) {
      const will = `${client.id} ${this.#count}`
      this.#expected.delete(will)
      this.#allowed.add(will)
    }
  }

  drop() {
    for (const client of [this.#mourner, this.#patient, this.#brief, ...this.#mourned]) client.drop()
  }

  /** After it. */
  async check() {
    if (this.#count === 0) return
    const broken = (what) => this.#witness.broken('others', what)
    await this.#mourner.connect()
    await until(() => [...this.#expected].every((will) => this.#wills.has(will)))
    await sleep(quietMs)
    for (const will of this.#expected) {
      const times = this.#wills.get(will) ?? 0
      if (times === 1) continue
      broken(`the will of ${will} came ${times} times`)
      this.#expected.delete(will) // to be told once
      this.#allowed.add(will)
    }
    for (const [will, times] of this.#wills)
      if (!this.#expected.has(will) && !(this.#allowed.has(will) && times === 1))
        broken(`the will of ${will} came ${times} times`)
    if (await this.#brief.connect({ expirySeconds: 1 })) broken('a session of 1 s is there')
    await this.#patient.connect()
    await until(() => this.#heard.has(`expiry/${this.#count}/long`))
    await sleep(quietMs)
    if (!this.#heard.has(`expiry/${this.#count}/long`)) broken(`message ${this.#count} of 1 h has not come`)
    for (const topic of this.#heard) if (topic.endsWith('short')) broken(`${topic} has come`)
    this.#heard.clear()
    this.drop()
  }
}

async function until(isSo) {
  for (const untilMs = performance.now() + waitMsMax; !isSo() && performance.now() < untilMs; )
    await sleep(10)
}
