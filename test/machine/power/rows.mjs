// Rows that a rule stores, with word of each that is stored: docs/actions.md promises that such a row outlives a power cut.
const windowMessages = 4
const topic = 'rows/house'

export class Rows {
  isWhole = true
  #witness
  #source
  #listener
  #count = 0
  #isRunning = false
  /** Rows that word came of, and those that were found. */
  #stored = new Set()

  constructor(witness) {
    this.#witness = witness
    this.#source = witness.client('rows-source', 5)
    this.#source.onAcknowledged = () => setImmediate(() => this.#fill())
    this.#listener = witness.client('rows-listener', 4)
    this.#listener.onMessage = (_topic, payload) => this.#stored.add(Number(payload))
  }

  get count() {
    return this.#stored.size
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

  drop() {
    this.#source.drop()
    this.#listener.drop()
  }

  #fill() {
    while (this.#isRunning && this.#source.isConnected && this.#source.outgoing.size < windowMessages)
      this.#source.publish(topic, `${++this.#count}`, 1)
  }

  /** @param found what look.py has found */
  check({ integrity, rows }) {
    const present = new Set()
    for (const [from, to] of rows[topic] ?? []) for (let n = from; n <= to; n++) present.add(n)
    const lost = [...this.#stored].filter((number) => !present.has(number))
    if (integrity !== 'ok') this.#broken(`the database: ${integrity}`)
    if (lost.length > 0) this.#broken(`of ${this.count} rows ${lost.length} are gone, from ${lost[0]} on`)
    this.#stored = present
  }

  #broken(what) {
    this.isWhole = false
    this.#witness.failures.push(what)
  }
}
