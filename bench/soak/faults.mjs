// What goes wrong, when, and for how long. Each fault is told with its time; while one is on, and shortly after, nothing is
// expected that is promised only of quiet days.
import { setTimeout as sleep } from 'node:timers/promises'

/** After a fault's end the house needs a moment. */
const calmMs = 5_000

export class Faults {
  counts = new Map()
  #kinds
  #say
  #on = 0
  #lastEndMs = performance.now()
  #isOn = true
  #running

  /** @param kinds { name: what does it, and resolves when it is over; it may return how it went, in words } */
  constructor(say) {
    this.#say = say
  }

  /** Whether no fault was on from `ms` until now. */
  isQuietSince = (ms) => this.#on === 0 && this.#lastEndMs + calmMs < ms

  /**
   * Kills in the first quarter, so that the last life is long; every other kind by turns, until the end.
   * @param seconds of the whole run
   */
  run(kinds, seconds) {
    this.#kinds = kinds
    this.#running = this.#go(seconds)
  }

  /** Resolves when the last fault is over. */
  async end() {
    this.#isOn = false
    await this.#running
  }

  async inflict(name) {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
    this.#say(`fault: ${name}`)
    this.#on++
    const begunMs = performance.now()
    try {
      const how = await this.#kinds[name]()
      const seconds = ((performance.now() - begunMs) / 1_000).toFixed(1)
      this.#say(`over after ${seconds} s: ${name}${how === undefined ? '' : `: ${how}`}`)
    } finally {
      this.#on--
      this.#lastEndMs = performance.now()
    }
  }

  async #go(seconds) {
    const begunMs = performance.now()
    const passed = () => (performance.now() - begunMs) / 1_000
    // every three minutes, of a short run twice in its first quarter
    const killEvery = Math.min(180, seconds / 8)
    let nextKill = killEvery * 0.7
    let bag = []
    while (this.#isOn) {
      if (this.#kinds['kill -9'] !== undefined && nextKill < seconds / 4 && passed() >= nextKill) {
        nextKill += killEvery * (0.7 + Math.random() * 0.6)
        await this.inflict('kill -9')
      } else if (Object.keys(this.#kinds).some((name) => name !== 'kill -9')) {
        if (bag.length === 0) bag = shuffled(Object.keys(this.#kinds).filter((name) => name !== 'kill -9'))
        await this.inflict(bag.pop())
      }
      // quiet for a while, of a long run longer
      const untilMs =
        performance.now() + Math.min(45_000, (seconds * 1_000) / 20) * (0.7 + Math.random() * 0.6)
      while (this.#isOn && performance.now() < untilMs) await sleep(200)
    }
  }
}

function shuffled(values) {
  return values
    .map((value) => [Math.random(), value])
    .sort(([a], [b]) => a - b)
    .map(([, value]) => value)
}
