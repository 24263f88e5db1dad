// The checked traffic: publishers and readers of every kind, all of whose messages are in the ledger.
import { setTimeout as sleep } from 'node:timers/promises'
import { password, users } from './house.mjs'
import { Steady } from './steady.mjs'

const windowMessages = 50
/** Messages a second of one publisher, on its topics in turn. */
const perSecond = 6
const bigEveryMs = 20_000
const bigBytes = 300_000
const awayEveryMs = 45_000
const awayMsMax = 40_000

/** level, way in, options of the client. */
const publishers = {
  kitchen: [5, 'tcp', { user: { name: users[0], password } }],
  garage: [5, 'tls', { aliases: 8 }],
  panel: [5, 'ws', { aliases: 2 }],
  program: [4, 'unix', {}],
  meter: [4, 'tcp', { user: { name: users[1], password } }],
}
/** The same, with the QoS of the subscription and whether it goes away and comes back. */
const readers = {
  steady: [4, 'tcp', {}, 2],
  alias: [5, 'tls', { aliases: 16 }, 2],
  phone: [5, 'ws', {}, 1, 'goes away'],
  attic: [4, 'unix', { user: { name: users[2], password } }, 2, 'goes away'],
  browser: [5, 'wss', {}, 2],
  slow: [5, 'tcp', {}, 2],
}
const members = { one: [5, 'tls', {}], two: [4, 'tcp', {}, 'goes away'], three: [5, 'ws', {}] }

export class Traffic {
  clients = []
  readers = new Map()
  #publishers = []
  #ledger
  #ways
  #isOn = true
  #turns = []

  constructor(ledger, ways) {
    this.#ledger = ledger
    this.#ways = ways
  }

  async start() {
    for (const [name, [level, way, options, qos, goesAway]] of Object.entries(readers)) {
      const filters = [
        ['house/load/#', qos],
        ['house/big/#', qos],
        ['bridge/in/#', qos],
      ]
      const reader = this.#reader(`reader-${name}`, name, level, way, options, filters)
      this.readers.set(name, reader)
      this.#ledger.reader(name, {
        qos,
        covers: (topic) => /^house\/(load|big)\/|^bridge\/in\//.test(topic),
        isThere: () => reader.isConnected,
      })
      if (goesAway) this.#turns.push(this.#comeAndGo(name, reader))
    }
    this.#ledger.reader('shared', {
      qos: 2,
      covers: (topic) => topic.startsWith('house/shared/'),
      isOrdered: false,
    })
    for (const [name, [level, way, options, goesAway]] of Object.entries(members)) {
      const filters = [['$share/cooks/house/shared/#', 2]]
      const member = this.#reader(`member-${name}`, 'shared', level, way, options, filters)
      if (goesAway) this.#turns.push(this.#comeAndGo('shared', member))
    }
    for (const [name, [level, way, options]] of Object.entries(publishers)) {
      const publisher = new Steady(`publisher-${name}`, level, this.#ways[way], options)
      this.clients.push(publisher)
      this.#publishers.push([name, publisher])
      publisher.client.onAcknowledged = ({ topic, number }) => this.#ledger.acknowledged(topic, number)
      publisher.client.onRefused = ({ topic, number }) => this.#ledger.unsure(topic, number)
    }
    await Promise.all(this.clients.map((client) => client.start()))
  }

  /** Begins to publish. */
  run() {
    for (const [name, publisher] of this.#publishers) this.#turns.push(this.#publish(name, publisher))
    this.#turns.push(this.#publishBig())
  }

  /** Nobody publishes any more, and who is away comes back. */
  async end() {
    this.#isOn = false
    await Promise.all(this.#turns)
  }

  /** Whether one of our publishers, which keep their order, publishes there, and no group shares it. */
  isOwn(topic) {
    return this.#publishers.some(([name]) => new RegExp(`^house/(load|big)/${name}/`).test(topic))
  }

  /** @returns how many messages have no answer yet */
  unanswered() {
    return this.#publishers.reduce((sum, [, { client }]) => sum + client.outgoing.size, 0)
  }

  stop() {
    for (const client of this.clients) client.stop()
  }

  /** Some publisher's cable, for a moment. */
  async pull() {
    const [, publisher] = this.#publishers[Math.floor(Math.random() * this.#publishers.length)]
    await publisher.away(500, false)
  }

  #reader(id, name, level, way, options, filters) {
    const reader = new Steady(id, level, this.#ways[way], options, filters)
    reader.client.onMessage = (topic, payload) => this.#hear(name, topic, payload, reader)
    this.clients.push(reader)
    return reader
  }

  #hear(name, topic, payload, reader) {
    const [number, bytes, rest = ''] = payload.split(' ', 3)
    if (bytes !== undefined && Number(bytes) !== rest.length)
      reader.complaints.push(`${name}: ${rest.length} bytes of ${bytes} on ${topic}`)
    this.#ledger.heard(name, topic, Number(number))
  }

  async #publish(name, publisher) {
    await sleep(Math.random() * 1_000)
    for (let turn = 0; this.#isOn; turn++) {
      if (publisher.isConnected && publisher.client.outgoing.size < windowMessages) {
        const kind = turn % 6 === 5 ? 'shared' : 'load'
        const qos = kind === 'shared' ? 1 + (turn % 12 === 5 ? 1 : 0) : turn % 3
        this.#send(publisher, `house/${kind}/${name}/${qos}`, qos)
      }
      await sleep(1_000 / perSecond)
    }
  }

  async #publishBig() {
    for (let turn = 0; this.#isOn; turn++) {
      const [name, publisher] = this.#publishers[turn % this.#publishers.length]
      const bytes = Math.floor(Math.random() * bigBytes)
      const qos = 1 + (turn % 2)
      if (publisher.isConnected)
        this.#send(publisher, `house/big/${name}/${qos}`, qos, `${bytes} ${'x'.repeat(bytes)}`)
      await this.#pause(bigEveryMs)
    }
  }

  #send({ client }, topic, qos, rest) {
    const number = this.#ledger.next(topic, qos)
    const payload = rest === undefined ? `${number}` : `${number} ${rest}`
    client.publish(topic, payload, qos).number = number
  }

  async #comeAndGo(name, reader) {
    while (this.#isOn) {
      await this.#pause(awayEveryMs * (0.5 + Math.random()))
      if (!this.#isOn) return
      this.#ledger.away(name)
      await reader.away(Math.random() * awayMsMax, Math.random() < 0.5)
      this.#ledger.away(name)
    }
  }

  /** Shorter when the traffic ends. */
  async #pause(ms) {
    for (const untilMs = performance.now() + ms; this.#isOn && performance.now() < untilMs; ) await sleep(200)
  }
}
