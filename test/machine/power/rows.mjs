// Rows that a rule stores, with word of each that is committed. docs/actions.md promises that the database is whole after a
// power cut, and that the last rows may be missing: so many of those that word came of are counted.

const windowMessages = 4
const topic = 'rows/house'

export class Rows {
  /** Rows that word came of. */
  committed = 0
  /** Those of them that are gone. */
  lost = 0
  #witness
  #source
  #listener
  #count = 0
  #isRunning = false
  /** Word came, and it was not looked yet. */
  #told = new Set()
  #judged = new Set()
  /** What the last look found, and the last row that was sent before it. */
  #seen = new Set()
  #seenTo = 0

  constructor(witness) {
    this.#witness = witness
    this.#source = witness.client('rows-source', 5)
    this.#source.onAcknowledged = () => setImmediate(() => this.#fill())
    this.#listener = witness.client('rows-listener', 4)
    this.#listener.onMessage = (_topic, payload) => this.#told.add(Number(payload))
  }

  async subscribe() {
    await this.#listener.connect()
    await this.#listener.subscribe('rowed/#', 1)
    this.#listener.drop()
  }

  async connect() {
    await this.#listener.connect()
    await this.#source.connect()
  }

  run() {
    this.#isRunning = true
    this.#fill()
  }

  pause() {
    this.#isRunning = false
  }

  /** What had no answer is forgotten: a row that is sent again could be taken for one that was kept. */
  drop() {
    this.#source.drop()
    this.#source.outgoing.clear()
    this.#listener.drop()
  }

  #fill() {
    while (this.#isRunning && this.#source.isConnected && this.#source.outgoing.size < windowMessages)
      this.#source.publish(topic, `${++this.#count}`, 1)
  }

  /** @param found what look.py has found, before anybody was back */
  check({ integrity, rows }) {
    if (integrity !== 'ok') this.#witness.broken('others', `the database: ${integrity}`)
    const present = new Set()
    for (const [from, to] of rows[topic] ?? []) for (let n = from; n <= to; n++) present.add(n)
    for (const number of this.#seen)
      if (!present.has(number))
        this.#witness.broken('others', `row ${number}, which was there after an earlier cut, is gone`)
    // word of a row may come after the cut that it went with
    for (const number of this.#told) this.#judge(number, number > this.#seenTo ? present : this.#seen)
    this.#told.clear()
    this.#seen = present
    this.#seenTo = this.#count
  }

  /** A row may be missing if all that were written after it are. */
  #judge(number, present) {
    if (this.#judged.has(number)) return
    this.#judged.add(number)
    this.committed++
    if (present.has(number)) return
    this.lost++
    const last = Math.max(0, ...present)
    if (number < last) this.#witness.broken('others', `row ${number} is gone, and row ${last} is there`)
  }
}
