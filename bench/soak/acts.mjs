// What the house does: rules that answer, programs, a webhook that is slow and fails, rows, pins and pulses, wills. Each
// act is something published that must have an effect; what a fault was near of is not judged, for rules make no promise then.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { CrashClient } from '../crash/client.mjs'
import { connectPacket } from '../mqtt-wire.mjs'
import { Steady } from './steady.mjs'

const lateMs = 20_000
const stateTopics = 5
const heapTopic = '$SYS/broker/heap/current'

/** What is done how often, and the topic on which its effect is heard. */
const acts = {
  echo: { everyMs: 500, topic: 'house/echo', effect: 'house/echoed', lateMs: 5_000 },
  exec: { everyMs: 10_000, topic: 'house/exec', effect: 'house/executed' },
  webhook: { everyMs: 5_000, topic: 'house/hook', effect: 'house/hooked', mayFail: true },
  will: { everyMs: 20_000, effect: 'house/will' },
  bell: { everyMs: 15_000, effect: 'damselfly/soak/pins/lamp' },
}

export class Acts {
  /** By name: how many were done, and how many of those that were judged had no effect. */
  counts = Object.fromEntries(
    Object.keys(acts).map((name) => [name, { done: 0, effects: 0, judged: 0, without: 0, delaysMs: [] }]),
  )
  /** In words. */
  failures = []
  readings = 0
  pulses = 0
  pulsesCounted = 0
  /** Of the daemon, as it tells every ten seconds. */
  heapBytes
  hook = { requests: 0, failed: 0, isDown: false }
  #pending = new Map()
  #house
  #isQuietSince
  #hand
  #isOn = true
  #loops = []
  #server
  #states = new Map()

  constructor(isQuietSince) {
    this.#isQuietSince = isQuietSince
  }

  /** The webhook, which the house must know. @returns its address */
  async openHook() {
    this.#server = createServer((request, response) => this.#answer(request, response)).listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${this.#server.address().port}/hook`
  }

  get clients() {
    return [this.#hand]
  }

  async start(house) {
    this.#house = house
    const filters = Object.values(acts).map(({ effect }) => [effect, 0])
    this.#hand = new Steady('hand', 4, house.ways.tcp, {}, [
      ...filters,
      ['damselfly/soak/pins/meter', 0],
      [heapTopic, 0],
    ])
    this.#hand.client.onMessage = (topic, payload) => this.#hear(topic, payload)
    this.#hand.client.onAcknowledged = (message) => this.#settled(message)
    this.#hand.client.onRefused = (message) => this.#settled(message)
    await this.#hand.start()
  }

  run() {
    for (const [name, { everyMs }] of Object.entries(acts)) this.#loop(everyMs, () => this.#act(name))
    this.#loop(500, () => this.#pulse())
    this.#loop(1_000, () => this.#reading())
    this.#loop(2_000, () => this.#state())
  }

  async end() {
    this.#isOn = false
    await Promise.all(this.#loops)
  }

  stop() {
    this.#hand.stop()
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** What has waited too long for its effect. */
  judge() {
    const nowMs = performance.now()
    for (const [key, { name, ms }] of this.#pending) {
      const maxMs = acts[name].lateMs ?? lateMs
      if (nowMs - ms < maxMs) continue
      this.#pending.delete(key)
      if (!this.#isQuietSince(ms - 5_000)) continue
      const count = this.counts[name]
      count.judged++
      count.without++
      if (!acts[name].mayFail) this.failures.push(`${key} had no effect within ${maxMs} ms`)
    }
  }

  /** What is retained is the last that was acknowledged, or one after it. @returns sentences */
  async checkRetained() {
    const found = new Map()
    const probe = new CrashClient('retained-probe', 5, this.#house.port)
    probe.onMessage = (topic, payload) => found.set(topic, payload)
    // before the question: what is acknowledged meanwhile may have been retained after the answer
    const allowed = new Map(
      [...this.#states].map(([topic, values]) => [topic, values.map(({ value }) => value)]),
    )
    await probe.connect({ isClean: true })
    await probe.subscribe('house/state/#', 1)
    await sleep(1_000)
    probe.leave()
    const wrong = []
    for (const [topic, values] of allowed) {
      const later = this.#states.get(topic).map(({ value }) => value)
      if (![...values, ...later].includes(found.get(topic) ?? ''))
        wrong.push(`${topic} retains ${found.get(topic)}, and not one of ${values}`)
    }
    return wrong
  }

  #act(name) {
    const count = this.counts[name]
    const { client } = this.#hand
    if (!client.isConnected) return
    const number = ++count.done
    this.#pending.set(`${name} ${number}`, { name, ms: performance.now() })
    if (name === 'will') return this.#leaveWill(number)
    if (name === 'bell') return this.#ring()
    client.publish(acts[name].topic, `${number}`, 0)
  }

  #hear(topic, payload) {
    if (topic === 'damselfly/soak/pins/meter') {
      this.pulsesCounted = Number(payload)
      return
    }
    if (topic === heapTopic) {
      this.heapBytes = Number(payload)
      return
    }
    const name = Object.keys(acts).find((key) => acts[key].effect === topic)
    if (name === undefined || (name === 'bell' && payload !== 'on')) return
    const count = this.counts[name]
    // a lamp has no number: it is the last ring's
    const number = name === 'bell' ? count.done : Number(payload)
    const key = `${name} ${number}`
    const pending = this.#pending.get(key)
    if (pending === undefined) return
    this.#pending.delete(key)
    count.effects++
    if (!this.#isQuietSince(pending.ms - 5_000)) return
    count.judged++
    count.delaysMs.push(performance.now() - pending.ms)
  }

  async #leaveWill(number) {
    const socket = createConnection({ port: this.#house.port, host: '127.0.0.1' })
    socket.on('error', () => {}) // judged by its effect
    socket.write(connectPacket(`mortal-${number}`, { will: { topic: 'house/will', payload: `${number}` } }))
    await Promise.race([once(socket, 'data').catch(() => {}), sleep(5_000)])
    socket.destroy()
  }

  async #ring() {
    const { client } = this.#hand
    client.publish('damselfly/soak/pins/button/set', 'on', 0)
    await sleep(200)
    client.publish('damselfly/soak/pins/button/set', 'off', 0)
  }

  async #pulse() {
    const { client } = this.#hand
    if (!client.isConnected) return
    this.pulses++
    client.publish('damselfly/soak/pins/meter/set', 'on', 0)
    await sleep(200)
    client.publish('damselfly/soak/pins/meter/set', 'off', 0)
  }

  #reading() {
    if (!this.#hand.client.isConnected) return
    this.readings++
    this.#hand.client.publish('house/reading', `{"value":${this.readings}}`, 0)
  }

  #state() {
    const { client } = this.#hand
    if (!client.isConnected || client.outgoing.size > 20) return
    const topic = `house/state/${Math.floor(Math.random() * stateTopics)}`
    const values = this.#states.get(topic) ?? [{ value: '' }]
    this.#states.set(topic, values)
    const candidate = { value: `${performance.now()}` }
    values.push(candidate)
    client.publish(topic, candidate.value, 1, { isRetained: true }).candidate = candidate
  }

  /** What was before it cannot be retained any more. */
  #settled({ topic, candidate }) {
    const values = this.#states.get(topic)
    values?.splice(0, values.indexOf(candidate))
  }

  #loop(everyMs, act) {
    this.#loops.push(
      (async () => {
        while (this.#isOn) {
          for (const untilMs = performance.now() + everyMs; this.#isOn && performance.now() < untilMs; )
            await sleep(Math.min(everyMs, 250))
          if (this.#isOn) await act()
        }
      })(),
    )
  }

  /** Slow now and then, fails now and then. */
  async #answer(request, response) {
    this.hook.requests++
    const body = []
    for await (const chunk of request) body.push(chunk)
    const chance = Math.random()
    if (this.hook.isDown || chance < 0.05) return request.socket.destroy()
    if (chance < 0.2) {
      this.hook.failed++
      response.writeHead(503).end('busy')
      return
    }
    if (chance < 0.4) await sleep(Math.random() * 3_000)
    response.end(`${JSON.parse(Buffer.concat(body)).n}`)
  }
}
