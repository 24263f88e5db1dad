// Clients that live through every crash of a broker, and remember what it has promised: publishers of QoS 1 and 2 and of
// retained states, and subscribers who must hear all of it, QoS 2 once. What is not so stands in `failures`.
import { setTimeout as sleep } from 'node:timers/promises'
import { CrashClient } from './client.mjs'

const publishersCount = 6
const windowMessages = 20
const packetIdMax = 64
const statesEach = 5
const quietMsMax = 30_000

export class Witness {
  failures = []
  /** Messages that the broker has acknowledged. */
  acknowledged = 0
  /** What was promised and is not so, where that is no failure. */
  losses = { messages: 0, repeats: 0, retained: 0, sessions: 0, others: 0 }
  subscribers = []
  #place
  #random
  #isLossy
  #padding = ''
  #publishers = []
  /** Who waits for the next acknowledgement, by QoS. */
  #awaited = new Map()
  /** What each state topic may hold: the last acknowledged value and all that were sent after it. */
  #states = new Map()

  /**
   * @param place   `host` and `port` of the broker
   * @param isLossy losses are counted, and are no failures: the broker has promised less
   */
  constructor({ place, random = Math.random, isLossy = false }) {
    this.#place = place
    this.#random = random
    this.#isLossy = isLossy
    for (let index = 0; index < publishersCount; index++) {
      const client = this.client(`publisher-${index}`, index % 2 === 0 ? 4 : 5)
      const publisher = { client, counts: new Map(), isRunning: false }
      client.onAcknowledged = (message) => this.#onAcknowledged(publisher, message)
      this.#publishers.push(publisher)
    }
    for (const [index, { level, qos }] of [
      { level: 4, qos: 1 },
      { level: 5, qos: 2 },
      { level: 4, qos: 2 },
      { level: 5, qos: 1 },
    ].entries()) {
      const client = this.client(`subscriber-${index}`, level)
      const subscriber = { client, qos, last: new Map() }
      client.onMessage = (topic, payload, qosOfMessage) =>
        this.#heard(subscriber, topic, Number.parseInt(payload, 10), qosOfMessage)
      this.subscribers.push(subscriber)
    }
  }

  /** One more client of the broker, which complains here. */
  client(id, level) {
    const client = new CrashClient(id, level, this.#place, { packetIdMax })
    client.onBroken = (what) => this.broken('sessions', what)
    return client
  }

  /** What was promised is not so. */
  broken(kind, what, count = 1) {
    if (this.#isLossy) this.losses[kind] += count
    else this.failures.push(what)
  }

  get #clients() {
    return [...this.#publishers, ...this.subscribers].map(({ client }) => client)
  }

  /** Messages that have no answer. */
  get unanswered() {
    return this.#publishers.reduce((sum, { client }) => sum + client.outgoing.size, 0)
  }

  /** Waits until the broker answers. @throws an Error when `isOver()` says that it never will */
  async untilAnswering(isOver) {
    for (;;) {
      const probe = this.client('probe', 4)
      try {
        await probe.connect({ isClean: true })
        return probe.drop()
      } catch {
        probe.drop()
        if (isOver()) throw new Error('it does not start')
        await sleep(20)
      }
    }
  }

  /** All at once, those who are not there. */
  async connect() {
    const absent = this.#clients.filter(({ isConnected }) => !isConnected)
    await Promise.all(absent.map((client) => client.connect()))
  }

  async subscribe() {
    for (const { client, qos } of this.subscribers) await client.subscribe('load/#', qos)
  }

  /** Keeps some messages on their way until `pause`, those of QoS 1 and 2 so much longer. */
  run(paddingBytes = 0) {
    this.#padding = paddingBytes === 0 ? '' : ` ${'x'.repeat(paddingBytes)}`
    for (const publisher of this.#publishers) {
      publisher.isRunning = true
      this.#fill(publisher)
    }
  }

  /** Resolves when the next message of this QoS is acknowledged: PUBACK or PUBREC. */
  async nextAcknowledged(qos) {
    await new Promise((resolve) => this.#awaited.set(qos, resolve))
    this.#awaited.delete(qos)
  }

  pause() {
    for (const publisher of this.#publishers) publisher.isRunning = false
  }

  /** As if all cables were pulled. */
  drop() {
    for (const client of this.#clients) client.drop()
  }

  #fill(publisher) {
    const { client } = publisher
    while (publisher.isRunning && client.isConnected && client.outgoing.size < windowMessages) {
      const kind = this.#random()
      if (kind < 0.45) this.#count(publisher, 1)
      else if (kind < 0.9) this.#count(publisher, 2)
      else this.#state(publisher)
    }
  }

  #count({ client, counts }, qos) {
    const topic = `load/${client.id}/${qos}`
    const value = (counts.get(topic) ?? 0) + 1
    counts.set(topic, value)
    client.publish(topic, `${value}${this.#padding}`, qos)
  }

  #state({ client, counts }) {
    const index = Math.floor(this.#random() * statesEach)
    const topic = `state/${client.id}/${index}`
    const count = (counts.get(topic) ?? 0) + 1
    counts.set(topic, count)
    // one QoS for each: of two that are sent again that of QoS 1 counts twice, and may come last
    this.retain(client, topic, count % 7 === 0 ? '' : `${count}`, 1 + (index % 2)) // now and then it is cleared
  }

  /** Publishes a state, and remembers it. @returns the message; `acknowledgedState` is to be told of its acknowledgement */
  retain(client, topic, value, qos) {
    const candidates = this.#states.get(topic) ?? [{ value: '' }]
    const candidate = { value }
    this.#states.set(topic, candidates)
    candidates.push(candidate)
    const message = client.publish(topic, value, qos, { isRetained: true })
    message.candidate = candidate
    return message
  }

  /** What was before it cannot be any more. */
  acknowledgedState({ topic, candidate }) {
    const candidates = this.#states.get(topic)
    candidates?.splice(0, candidates.indexOf(candidate))
  }

  #onAcknowledged(publisher, message) {
    this.acknowledged++
    this.acknowledgedState(message)
    this.#awaited.get(message.qos)?.(message)
    setImmediate(() => this.#fill(publisher))
  }

  #heard({ client, qos, last }, topic, value, qosOfMessage) {
    const before = last.get(topic) ?? 0
    const where = `${client.id} on ${topic}`
    const mayRepeat = qosOfMessage === 1
    if (qosOfMessage !== Math.min(qos, Number(topic.at(-1))))
      this.failures.push(`${where}: QoS ${qosOfMessage}`)
    if (value > before + 1)
      this.broken('messages', `${where}: ${value} came after ${before}`, value - before - 1)
    else if (value <= before && !mayRepeat)
      this.broken('repeats', `${where}: ${value} came again, after ${before}`)
    if (value > before) last.set(topic, value)
  }

  /** Waits until everything that was sent is acknowledged, and has reached everybody. */
  async allHeard() {
    if (this.#isLossy) this.#close()
    const untilMs = performance.now() + quietMsMax
    let missing = 'nothing'
    for (;;) {
      missing = this.#whatIsMissing()
      if (missing === undefined || this.failures.length > 0) return
      if (performance.now() > untilMs) break
      await sleep(5)
    }
    this.failures.push(missing)
  }

  /** One more on each topic: who has heard it has heard what was before it, or never will. */
  #close() {
    for (const publisher of this.#publishers)
      for (const qos of [1, 2])
        if (publisher.counts.has(`load/${publisher.client.id}/${qos}`)) this.#count(publisher, qos)
  }

  #whatIsMissing() {
    for (const { client, counts } of this.#publishers) {
      if (client.outgoing.size > 0) return `${client.id} has no answer to ${client.outgoing.size} messages`
      for (const [topic, count] of counts) {
        if (!topic.startsWith('load/')) continue
        for (const { client: hearer, last } of this.subscribers) {
          const heard = last.get(topic) ?? 0
          if (heard !== count) return `${hearer.id} has heard ${heard} of ${count} on ${topic}`
        }
      }
    }
    return undefined
  }

  /** Before anybody who publishes is back. */
  async checkRetained() {
    const found = new Map()
    const probe = this.client('probe', 4)
    probe.onMessage = (topic, payload) => found.set(topic, payload)
    await probe.connect({ isClean: true })
    await probe.subscribe('state/#', 0)
    const certain = [...this.#states].filter(([, candidates]) =>
      candidates.every(({ value }) => value !== ''),
    ).length
    const untilMs = performance.now() + 5_000
    while (found.size < certain && performance.now() < untilMs) await sleep(5)
    await sleep(50) // one that should not be there
    probe.drop()
    for (const [topic, candidates] of this.#states) {
      const value = found.get(topic) ?? ''
      const allowed = candidates.map((candidate) => candidate.value)
      if (allowed.includes(value)) continue
      this.broken('retained', `${topic} retains "${value}", and not one of "${allowed.join('", "')}"`)
      candidates.unshift({ value }) // to be counted once
    }
    for (const topic of found.keys()) if (!this.#states.has(topic)) this.failures.push(`${topic} is retained`)
  }
}
