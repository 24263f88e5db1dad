// What goes on while the disk is bad: messages of all QoS from clients of both versions, a rule, a pin. It is noted what
// was acknowledged, and how long QoS 0 took.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import mqtt from 'mqtt'

const everyMs = 100
const windowMax = 60
const level = () => readFileSync(`${process.env.PI}/sim_gpio17/value`, 'utf8').trim()

export function client(options = {}) {
  const client = mqtt.connect({ host: '127.0.0.1', protocolVersion: 5, reconnectPeriod: 500, ...options })
  client.on('error', () => {})
  return client
}

export class Load {
  /** Payloads of `kept/…` that were acknowledged, and those that were not (yet). */
  acknowledged = new Set()
  /** The last acknowledged payload of each retained topic. */
  retained = new Map()
  #codes = new Map()
  #open = new Map()
  #slowest = {}
  #next = 0
  #timers = []
  #since = new Map()

  async start() {
    this.v5 = client({ clientId: 'load5' })
    this.v3 = client({ clientId: 'load3', protocolVersion: 4 })
    this.reader = client({ clientId: 'reader' })
    await this.reader.subscribeAsync(['live', 'answer'])
    this.reader.on('message', (topic, payload) => this.#heard(topic, `${payload}`))
    this.#timers.push(setInterval(() => this.#step(), everyMs))
    // mosquitto's client, one process that sends a line a second with QoS 1
    this.mosquitto = spawn('mosquitto_pub', [
      '-i',
      'mosquitto',
      '-q',
      '1',
      '-t',
      'kept/mosquitto',
      '-l',
      '-d',
    ])
    let said = ''
    this.mosquitto.stdout.on('data', (text) => {
      said += text
    })
    this.mosquittoAcks = () => said.split('received PUBACK').length - 1
    this.mosquittoSent = 0
    this.#timers.push(
      setInterval(() => this.mosquitto.stdin.write(`mosquitto ${++this.mosquittoSent}\n`), 1_000),
    )
  }

  async stop() {
    for (const timer of this.#timers) clearInterval(timer)
    this.mosquitto.stdin.end()
  }

  /** What happened since this was asked last. */
  take() {
    for (const [key, since] of this.#since)
      this.#slow(key.startsWith('live') ? 'QoS 0' : 'rule', Date.now() - since)
    const taken = { codes: Object.fromEntries(this.#codes), slowest: this.#slowest }
    this.#codes = new Map()
    this.#slowest = {}
    return taken
  }

  /** Messages that must be kept and have no answer yet. */
  get unanswered() {
    return [...this.#open.values()].reduce((sum, open) => sum + open, 0)
  }

  #step() {
    const number = ++this.#next
    for (const [topic, payload] of [
      ['live', number],
      ['ask', number],
    ]) {
      this.#since.set(`${topic === 'ask' ? 'answer' : topic} ${number}`, Date.now())
      this.v5.publish(topic, String(payload))
    }
    this.v5.publish('log', String(number))
    this.#pin(number)
    this.#keep(this.v5, 'v5 QoS 1', 'kept/1', `a${number}`, { qos: 1 })
    this.#keep(this.v5, 'v5 QoS 2', 'kept/2', `b${number}`, { qos: 2 })
    if (number % 5 === 0) this.#keep(this.v3, 'v3 QoS 1', 'kept/3', `c${number}`, { qos: 1 })
    if (number % 5 === 1) this.#keep(this.v3, 'v3 QoS 2', 'kept/4', `d${number}`, { qos: 2 })
    if (number % 2 === 0)
      this.#keep(this.v5, 'v5 retained', `state/${number % 20}`, `e${number}`, { qos: 1, retain: true })
  }

  #pin(number) {
    if (number % 40 !== 0) return
    const wanted = (number / 40) % 2 === 0 ? '1' : '0'
    const begun = Date.now()
    this.v5.publish('home/lamp/set', wanted === '1' ? 'on' : 'off')
    const look = () => {
      const ms = Date.now() - begun
      if (level() === wanted) return this.#slow('pin', ms)
      if (ms > 3_500) return this.#slow('pin', Number.POSITIVE_INFINITY)
      setTimeout(look, 20)
    }
    look()
  }

  #heard(topic, payload) {
    const key = `${topic} ${payload}`
    const since = this.#since.get(key)
    if (since === undefined) return
    this.#since.delete(key)
    this.#slow(topic === 'live' ? 'QoS 0' : 'rule', Date.now() - since)
  }

  #slow(what, ms) {
    this.#slowest[what] = Math.max(this.#slowest[what] ?? 0, ms)
  }

  #keep(from, kind, topic, payload, options) {
    const open = this.#open.get(from) ?? 0
    if (open >= windowMax) return // MQTT.js does not keep to Receive Maximum
    this.#open.set(from, open + 1)
    from.publish(topic, payload, options, (error) => {
      this.#open.set(from, this.#open.get(from) - 1)
      const code = error?.code ?? 0
      const name = `${kind} ${code === 0 ? 'ok' : typeof code === 'number' ? `0x${code.toString(16)}` : code}`
      this.#codes.set(name, (this.#codes.get(name) ?? 0) + 1)
      if (error) return
      if (options.retain) this.retained.set(topic, payload)
      else this.acknowledged.add(payload)
    })
  }
}
