// The books of the soak, kept outside the daemon: what was sent and acknowledged, and what came. Each topic is published
// to by one client, with one QoS, and its payloads are the numbers 1, 2, 3 …
//   QoS 1, 2   what was acknowledged must reach each reader; with QoS 2 once
//   QoS 0      what was sent must reach each reader that was connected, if no fault was on from before until after
import { Numbers } from './numbers.mjs'

/** How long a message of QoS 0 may take, and how long before it there must have been no fault. */
const aroundMs = 10_000

export class Ledger {
  #topics = new Map()
  #readers = new Map()
  #isQuietSince

  /** @param isQuietSince (ms) → whether no fault was on from then until now */
  constructor(isQuietSince) {
    this.#isQuietSince = isQuietSince
  }

  /**
   * @param qos the highest with which it receives; a group of shared subscriptions is one reader
   * @param covers which topics it is subscribed to
   * @param isThere whether it is connected, of one that goes away and comes back
   */
  reader(name, { qos, covers, isThere = () => true, isOrdered = true }) {
    this.#readers.set(name, { name, qos, covers, isThere, isOrdered, awayAtMs: 0 })
  }

  /** It was not connected at this moment: what has QoS 0 may have missed it. */
  away(reader) {
    this.#readers.get(reader).awayAtMs = performance.now()
  }

  /** @returns the next number on this topic, which is sent now */
  next(topic, qos) {
    const entry = this.#topic(topic, qos)
    const number = ++entry.sent
    if (qos === 0) this.#expectQuietly(entry, number)
    return number
  }

  acknowledged(topic, number) {
    const entry = this.#topics.get(topic)
    entry.acknowledged++
    const nowMs = performance.now()
    for (const reading of entry.readings) if (!reading.numbers.has(number)) reading.pending.set(number, nowMs)
  }

  /** Nobody has promised to keep it. It may come all the same. */
  unsure(topic, number) {
    const entry = this.#topics.get(topic)
    entry.unsure++
    for (const { numbers } of entry.readings) numbers.skip(number)
  }

  heard(name, topic, number) {
    const entry = this.#topics.get(topic)
    const reading = entry?.readings.find(({ reader }) => reader.name === name)
    if (reading === undefined || !(number >= 1 && number <= entry.sent)) {
      this.strange.push(`${name} has heard ${number} on ${topic}`)
      return
    }
    reading.received++
    if (reading.pending.delete(number)) reading.judged++
    if (!reading.numbers.see(number)) {
      reading.twice++
      if (reading.qos === 2) this.strange.push(`${name} has heard ${number} on ${topic} twice`)
    } else if (reading.reader.isOrdered && number < reading.last) reading.outOfOrder++
    reading.last = Math.max(reading.last, number)
  }

  /** Sentences about what should never have come. */
  strange = []

  /** To be called now and then: judges what was sent with QoS 0. */
  judge() {
    const nowMs = performance.now()
    for (const entry of this.#topics.values()) {
      if (entry.qos > 0) continue
      for (const reading of entry.readings) this.#judgeQuiet(reading, nowMs)
    }
  }

  /** Messages that were acknowledged longer ago than that, and have not come. Those of readers that are away are left out. */
  missing(olderThanMs = 0) {
    const untilMs = performance.now() - olderThanMs
    const found = []
    for (const { topic, qos, readings } of this.#topics.values()) {
      if (qos === 0) continue
      for (const { reader, pending } of readings) {
        if (olderThanMs > 0 && !reader.isThere()) continue
        const numbers = [...pending].filter(([, ms]) => ms <= untilMs).map(([number]) => number)
        if (numbers.length > 0) found.push({ reader: reader.name, topic, numbers })
      }
    }
    return found
  }

  /** Of each reader and publisher's topic with messages that were overtaken: how many. */
  overtaken() {
    return [...this.#topics.values()].flatMap(({ topic, readings }) =>
      readings
        .filter(({ outOfOrder }) => outOfOrder > 0)
        .map(({ reader, outOfOrder }) => ({ reader: reader.name, topic, outOfOrder })),
    )
  }

  /** Sums by QoS with which messages are published. */
  totals() {
    const of = (qos) => [...this.#topics.values()].filter((entry) => entry.qos === qos)
    return [0, 1, 2].map((qos) => {
      const entries = of(qos)
      const readings = entries.flatMap((entry) => entry.readings)
      const sum = (list, key) => list.reduce((total, entry) => total + entry[key], 0)
      const twice = (granted) =>
        sum(
          readings.filter((reading) => reading.qos === granted),
          'twice',
        )
      return {
        qos,
        sent: sum(entries, 'sent'),
        acknowledged: sum(entries, 'acknowledged'),
        unsure: sum(entries, 'unsure'),
        received: sum(readings, 'received'),
        pending: readings.reduce((total, { pending }) => total + pending.size, 0),
        lostQuietly: sum(readings, 'lostQuietly'),
        judged: sum(readings, 'judged'),
        again: twice(0) + twice(1),
        twice: twice(2),
        outOfOrder: sum(readings, 'outOfOrder'),
      }
    })
  }

  #topic(topic, qos) {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const readers = [...this.#readers.values()].filter(({ covers }) => covers(topic))
    const readings = readers.map((reader) => ({
      reader,
      qos: Math.min(qos, reader.qos),
      numbers: new Numbers(),
      pending: new Map(),
      received: 0,
      twice: 0,
      outOfOrder: 0,
      last: 0,
      judged: 0,
      lostQuietly: 0,
    }))
    const entry = { topic, qos, readings, sent: 0, acknowledged: 0, unsure: 0 }
    this.#topics.set(topic, entry)
    return entry
  }

  #expectQuietly({ readings }, number) {
    const nowMs = performance.now()
    for (const reading of readings) {
      if (reading.reader.isThere() && this.#isQuietSince(nowMs - aroundMs)) reading.pending.set(number, nowMs)
      else reading.numbers.skip(number)
    }
  }

  #judgeQuiet(reading, nowMs) {
    for (const [number, sentMs] of reading.pending) {
      if (nowMs - sentMs < aroundMs) return // the oldest is first
      reading.pending.delete(number)
      reading.numbers.skip(number)
      const wasThere = reading.reader.awayAtMs < sentMs - aroundMs
      if (wasThere && this.#isQuietSince(sentMs - aroundMs)) {
        reading.judged++
        reading.lostQuietly++
        this.lost.push(`${reading.reader.name} has not heard ${number} of QoS 0 in time`)
      }
    }
  }

  /** Sentences about what was lost with QoS 0 while there was no fault. */
  lost = []
}
