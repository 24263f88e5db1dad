// The machine, and all who know what it has promised.
import { setTimeout as sleep } from 'node:timers/promises'
import { Witness } from '../../../bench/crash/witness.mjs'
import { dice } from './dice.mjs'
import { House } from './house.mjs'
import { Lifetimes } from './lifetimes.mjs'
import { Rows } from './rows.mjs'
import { Stock } from './stock.mjs'

const answerMsMax = 120_000
const loadMsMax = 10_000
const look = `
for i in $(seq 100); do systemctl is-active -q damselfly && break; sleep 0.2; done
systemctl show damselfly -p ActiveState -p SubState -p NRestarts
echo "kept: $(ls -A /var/lib/damselfly | tr '\\n' ' ')"
journalctl -b -o cat -u damselfly --no-pager | grep -E '"level":"?(50|60|error|fatal)|damaged|could not be read' | sed 's/^/complaint: /'
echo "replayed: $(journalctl -b -o cat -u 'systemd-fsck@*' --no-pager | grep -c 'recovering journal')"
echo "database: $(python3 /job/job/look.py)"`

export class World {
  house
  witness
  rows
  lifetimes
  random
  /** Names of users that were added, with the passwords. */
  users = []
  /** What is to be looked at after the cut, once the clients are back. */
  after = []
  #stock
  #drops = 0

  constructor({ stage, machine, seed, isLossy }) {
    this.random = dice(seed)
    this.house = new House(stage, machine)
    this.witness = new Witness({ place: this.house.place, random: this.random, isLossy })
    this.rows = new Rows(this.witness)
    this.lifetimes = new Lifetimes(this.witness)
    this.#stock = new Stock(this.witness)
  }

  /** A number from `from` to `to`. */
  between(from, to) {
    return from + this.random() * (to - from)
  }

  /** In the first boot after that of the installation. */
  async settle() {
    const { witness } = this
    await witness.connect()
    await witness.subscribe()
    await this.rows.subscribe()
    await this.lifetimes.subscribe()
    await this.#stock.fill()
    await this.house.ask('sync') // what the cuts are about comes after this, whatever the broker promises
  }

  /** Load by everybody, of messages so much longer. */
  async run(paddingBytes = 0) {
    await this.lifetimes.arrange()
    await this.rows.connect()
    this.rows.run()
    this.witness.run(paddingBytes)
  }

  /** Waits until a number of messages up to `max` are acknowledged, and a moment more. */
  async someAcknowledged(max) {
    const to = this.witness.acknowledged + this.between(0, max)
    for (const untilMs = performance.now() + loadMsMax; this.witness.acknowledged < to; await sleep(1))
      if (performance.now() > untilMs) break
    await sleep(this.between(0, 50))
  }

  /** One of the subscribers is away from now on. */
  dropOne() {
    const { subscribers } = this.witness
    subscribers[this.#drops++ % subscribers.length].client.drop()
  }

  async cut() {
    const gone = this.house.cut()
    this.witness.pause()
    this.rows.pause()
    await gone
    // what had come before it counts
    await sleep(20)
    this.witness.drop()
    this.rows.drop()
    this.lifetimes.drop()
  }

  /** Waits until it answers again, and looks at everything. @returns what was measured */
  async check() {
    const { witness } = this
    const begun = performance.now()
    await witness.untilAnswering(() => performance.now() > begun + answerMsMax)
    const answeredMs = performance.now() - begun
    const found = this.house.ask(look)
    await witness.checkRetained()
    await this.#stock.check()
    const replayed = this.#judge(await found)
    await this.#comeBack()
    return { answeredMs, replayed }
  }

  /** @returns how many file systems were not clean */
  #judge(text) {
    const { failures } = this.witness
    const one = (name) => text.match(new RegExp(`^${name}[=:] ?(.*)$`, 'm'))?.[1] ?? ''
    const state = `${one('ActiveState')} ${one('SubState')}, ${one('NRestarts')} restarts`
    if (state !== 'active running, 0 restarts') failures.push(`the service is ${state}`)
    if (one('kept').includes('damaged')) failures.push(`a store was set aside: ${one('kept')}`)
    for (const [line] of text.matchAll(/^complaint: .*$/gm)) failures.push(line)
    const database = one('database')
    if (database.startsWith('{')) this.rows.check(JSON.parse(database))
    else failures.push(`the database was not looked at: ${text}`)
    return Number(one('replayed'))
  }

  async #comeBack() {
    const { witness, users } = this
    for (const user of users) {
      const client = witness.client(`login-${user.name}`, 4)
      const failed = await client.connect({ isClean: true, user }).then(
        () => undefined,
        (error) => error.message,
      )
      if (failed !== undefined) witness.failures.push(`${user.name} cannot come in: ${failed}`)
      client.drop()
    }
    await witness.connect()
    for (const check of this.after.splice(0)) await check()
    await witness.allHeard()
    await this.lifetimes.check()
  }

  /** At the very end: what has waited all the time comes, too. */
  async end() {
    await this.#stock.end()
    await this.house.cut()
    this.witness.drop()
  }
}
