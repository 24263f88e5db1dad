// One direction of a bridge: numbered messages go in on one side, and are counted on the other.
import { setTimeout as sleep } from 'node:timers/promises'
import { connectAsync } from 'mqtt'

const options = {
  host: '127.0.0.1',
  protocolVersion: 5,
  clean: false,
  properties: { sessionExpiryInterval: 3_600 },
  reconnectPeriod: 100,
}

/** A client that comes back with its session, whatever happens to its broker. */
export function client(port, clientId) {
  return connectAsync({ ...options, port, clientId })
}

/** Two thirds of the messages have QoS 1, one third QoS 2; each kind has a topic, and numbers from 1. */
export class Flow {
  constructor(name, publisher, subscriber) {
    this.name = name
    this.publisher = publisher
    this.subscriber = subscriber
    this.kinds = new Map(
      [1, 2].map((qos) => [qos, { qos, sent: 0, seen: new Set(), last: 0, late: 0, again: 0 }]),
    )
    this.isRunning = true
    subscriber.on('message', (topic, payload) => this.#take(topic, Number(payload)))
  }

  async begin() {
    await this.subscriber.subscribeAsync(`${this.name}/#`, { qos: 2 })
  }

  /** Publishes at this rate until `isRunning` is false. */
  async run(perSecond) {
    const begunMs = performance.now()
    for (let count = 0; this.isRunning; count++) {
      const kind = this.kinds.get(count % 3 === 2 ? 2 : 1)
      const number = ++kind.sent
      this.publisher.publish(`${this.name}/${kind.qos}`, `${number}`, { qos: kind.qos })
      const waitMs = begunMs + ((count + 1) * 1_000) / perSecond - performance.now()
      if (waitMs > 1) await sleep(waitMs)
    }
  }

  #take(topic, number) {
    const kind = this.kinds.get(Number(topic.at(-1)))
    if (kind === undefined) return
    if (kind.seen.has(number)) {
      kind.again++
      return
    }
    kind.seen.add(number)
    if (number < kind.last) kind.late++
    kind.last = Math.max(kind.last, number)
  }

  get missing() {
    let sum = 0
    for (const { sent, seen } of this.kinds.values()) sum += sent - seen.size
    return sum
  }

  rows() {
    return [...this.kinds.values()].map(({ qos, sent, seen, late, again }) => ({
      flow: this.name,
      qos,
      sent,
      received: seen.size,
      lost: sent - seen.size,
      outOfOrder: late,
      duplicates: again,
    }))
  }
}
