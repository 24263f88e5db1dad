// A client for the crash bench: MQTT 3.1.1 or 5, with a session that outlives everything. It remembers what the protocol
// makes a client remember, insists on what was not acknowledged, and complains about what must not come.
import { once } from 'node:events'
import { createConnection } from 'node:net'

const ackDelayMsMax = 4
const answerMsMax = 30_000

export class CrashClient {
  id
  /** Messages on their way to the broker, by packet identifier. */
  outgoing = new Map()
  /** Called with each message, QoS 2 once. */
  onMessage = () => {}
  /** Called when the broker has promised to keep a message. */
  onAcknowledged = () => {}
  #level
  #port
  #socket
  #bytes = Buffer.alloc(0)
  #nextId = 1
  #received = new Set()
  #hasSession = false
  #acks = []
  #ackTimer
  #waiting = []

  constructor(id, level, port) {
    this.id = id
    this.#level = level
    this.#port = port
  }

  get isConnected() {
    return this.#socket !== undefined
  }

  /** Resolves when CONNACK has come; what was not acknowledged has been sent again then. */
  async connect(isClean = false) {
    const socket = createConnection({ port: this.#port, host: '127.0.0.1', noDelay: true })
    socket.on('error', () => {})
    await once(socket, 'connect')
    this.#socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('close', () => this.#lost(socket))
    const isV5 = this.#level === 5
    const name = Buffer.concat([text('MQTT'), Buffer.from([this.#level, isClean ? 2 : 0, 0, 0])])
    const properties = isV5 ? [isClean ? 0 : 5, ...(isClean ? [] : [17, 255, 255, 255, 255])] : []
    this.#send(0x10, name, Buffer.from(properties), text(this.id))
    const answer = await this.#answer(2)
    if (answer[1] !== 0) throw new Error(`${this.id}: CONNACK ${answer[1]}`)
    const isPresent = answer[0] === 1
    if (isPresent !== this.#hasSession)
      throw new Error(`${this.id}: the session is ${isPresent ? '' : 'not '}there`)
    this.#hasSession = !isClean
    for (const [id, message] of this.outgoing) this.#resend(id, message)
  }

  async subscribe(filter, qos) {
    this.#send(0x82, number(1), this.#noProperties, text(filter), Buffer.from([qos]))
    const answer = await this.#answer(9)
    if (answer.at(-1) !== qos) throw new Error(`${this.id}: SUBACK ${answer.at(-1)}`)
  }

  publish(topic, payload, qos, isRetained) {
    const message = { topic, payload, qos, isRetained, isReleased: false }
    const id = this.#nextId
    this.#nextId = (id % 65_535) + 1
    this.outgoing.set(id, message)
    this.#publish(id, message, 0)
    return message
  }

  /** As if the cable were pulled. */
  drop() {
    this.#socket?.destroy()
    if (this.#socket !== undefined) this.#lost(this.#socket)
  }

  #lost(socket) {
    if (this.#socket !== socket) return
    this.#socket = undefined
    this.#bytes = Buffer.alloc(0)
    this.#acks = []
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${this.id}: connection lost`))
  }

  #resend(id, message) {
    if (message.isReleased) this.#send(0x62, number(id))
    else this.#publish(id, message, 8)
  }

  #publish(id, { topic, payload, qos, isRetained }, dup) {
    const first = 0x30 | dup | (qos << 1) | (isRetained ? 1 : 0)
    this.#send(first, text(topic), number(id), this.#noProperties, Buffer.from(payload))
  }

  get #noProperties() {
    return Buffer.from(this.#level === 5 ? [0] : [])
  }

  #answer(type) {
    return new Promise((resolve, reject) => {
      const fail = () => reject(new Error(`${this.id}: no packet of type ${type} came in ${answerMsMax} ms`))
      const timer = setTimeout(fail, answerMsMax)
      const settle = (how) => (value) => {
        clearTimeout(timer)
        how(value)
      }
      this.#waiting.push({ type, resolve: settle(resolve), reject: settle(reject) })
    })
  }

  #send(first, ...parts) {
    const body = Buffer.concat(parts)
    const length = []
    let rest = body.length
    do {
      length.push((rest % 128) | (rest > 127 ? 0x80 : 0))
      rest = Math.floor(rest / 128)
    } while (rest > 0)
    this.#socket?.write(Buffer.concat([Buffer.from([first, ...length]), body]))
  }

  #take(chunk) {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    let at = 0
    for (;;) {
      let length = 0
      let start = at + 1
      let shift = 0
      for (let more = true; more; shift += 7) {
        if (start >= this.#bytes.length) return this.#rest(at)
        const byte = this.#bytes[start++]
        length |= (byte & 127) << shift
        more = byte > 127
      }
      if (start + length > this.#bytes.length) return this.#rest(at)
      this.#packet(this.#bytes[at], this.#bytes.subarray(start, start + length))
      at = start + length
    }
  }

  #rest(at) {
    this.#bytes = this.#bytes.subarray(at)
  }

  #packet(first, body) {
    const type = first >> 4
    const id = body.length >= 2 ? body.readUInt16BE(0) : 0
    if (type === 3) return this.#message(first, body)
    if (type === 4) {
      this.#acknowledged(id)
      this.outgoing.delete(id)
    } else if (type === 5) {
      this.#acknowledged(id)
      this.#send(0x62, number(id))
    } else if (type === 6) {
      this.#received.delete(id)
      this.#acknowledge(0x70, id)
    } else if (type === 7) this.outgoing.delete(id)
    else {
      const index = this.#waiting.findIndex((waiting) => waiting.type === type)
      if (index !== -1) this.#waiting.splice(index, 1)[0].resolve(Buffer.from(body))
    }
  }

  #acknowledged(id) {
    const message = this.outgoing.get(id)
    if (message === undefined || message.isReleased) return
    message.isReleased = true
    this.onAcknowledged(message)
  }

  #message(first, body) {
    const qos = (first >> 1) & 3
    const topicEnd = 2 + body.readUInt16BE(0)
    const topic = body.toString('utf8', 2, topicEnd)
    const id = qos > 0 ? body.readUInt16BE(topicEnd) : 0
    const at = topicEnd + (qos > 0 ? 2 : 0)
    const payload = body.toString('utf8', this.#level === 5 ? at + 1 : at)
    if (qos === 2) {
      if (!this.#received.has(id)) {
        this.#received.add(id)
        this.onMessage(topic, payload, qos)
      }
      this.#acknowledge(0x50, id)
      return
    }
    this.onMessage(topic, payload, qos)
    if (qos === 1) this.#acknowledge(0x40, id)
  }

  /** A little later, so that some answers are always missing. */
  #acknowledge(first, id) {
    this.#acks.push([first, id])
    this.#ackTimer ??= setTimeout(() => {
      this.#ackTimer = undefined
      for (const [first, id] of this.#acks.splice(0)) this.#send(first, number(id))
    }, Math.random() * ackDelayMsMax)
  }
}

function number(value) {
  return Buffer.from([value >> 8, value & 255])
}

function text(value) {
  const bytes = Buffer.from(value)
  return Buffer.concat([number(bytes.length), bytes])
}
