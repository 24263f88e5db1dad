// A client for brokers that crash: MQTT 3.1.1 or 5, with a session that outlives everything. It remembers what the protocol
// makes a client remember, insists on what was not acknowledged, and complains about what must not come.
import { once } from 'node:events'
import { createConnection } from 'node:net'

const ackDelayMsMax = 4
const answerMsMax = 30_000
const connectMsMax = 1_000
/** Packet identifiers come round soon, as they do in the long run: one that was given back must be free. */
const packetIdMax = 64
const neverSeconds = 0xffff_ffff

export class CrashClient {
  id
  /** Messages on their way to the broker, by packet identifier. */
  outgoing = new Map()
  /** Called with each message, QoS 2 once. */
  onMessage = () => {}
  /** Called when the broker has promised to keep a message. */
  onAcknowledged = () => {}
  /** Called when the broker has not kept the session, or what was to be kept is refused. */
  onBroken = (what) => {
    throw new Error(what)
  }
  #level
  #place
  #socket
  #bytes = Buffer.alloc(0)
  #nextId = 1
  #received = new Set()
  /** Whether the broker has one; undefined while it cannot be known, for it ended before it answered. */
  #hasSession = false
  #acks = []
  #ackTimer
  #waiting = []

  /** @param place `host` and `port` of the broker */
  constructor(id, level, place) {
    this.id = id
    this.#level = level
    this.#place = place
  }

  get isConnected() {
    return this.#socket !== undefined
  }

  /**
   * Resolves when CONNACK has come; what was not acknowledged has been sent again then.
   * @param expirySeconds of the session: MQTT 5
   * @param will          `topic` and `payload`, of QoS 2
   */
  async connect({ isClean = false, expirySeconds = neverSeconds, will, user } = {}) {
    await this.#open()
    const isV5 = this.#level === 5
    const none = isV5 ? [Buffer.from([0])] : []
    const flags = (isClean ? 2 : 0) | (will === undefined ? 0 : 0x14) | (user === undefined ? 0 : 0xc0)
    const wanted = isClean ? [Buffer.from([0])] : [Buffer.from([5, 17]), number32(expirySeconds)]
    const parts = [
      text('MQTT'),
      Buffer.from([this.#level, flags, 0, 0]),
      ...(isV5 ? wanted : []),
      text(this.id),
    ]
    if (will !== undefined) parts.push(...none, text(will.topic), text(will.payload))
    if (user !== undefined) parts.push(text(user.name), text(user.password))
    this.#send(0x10, ...parts)
    const answer = await this.#answer(2).catch((error) => {
      if (this.#hasSession === false && !isClean) this.#hasSession = undefined
      throw error
    })
    if (answer[1] !== 0) throw new Error(`${this.id}: CONNACK ${answer[1]}`)
    const isPresent = answer[0] === 1
    if (this.#hasSession !== undefined && isPresent !== this.#hasSession) {
      this.#received.clear()
      this.onBroken(`${this.id}: the session is ${isPresent ? '' : 'not '}there`)
    }
    this.#hasSession = !isClean
    for (const [id, message] of this.outgoing) this.#resend(id, message)
    return isPresent
  }

  async subscribe(filter, qos) {
    this.#send(0x82, number(1), ...this.#noProperties, text(filter), Buffer.from([qos]))
    const answer = await this.#answer(9)
    if (answer.at(-1) !== qos) throw new Error(`${this.id}: SUBACK ${answer.at(-1)}`)
  }

  async unsubscribe(filter) {
    this.#send(0xa2, number(1), ...this.#noProperties, text(filter))
    await this.#answer(11)
  }

  /** @param expirySeconds of the message: MQTT 5 */
  publish(topic, payload, qos, { isRetained = false, expirySeconds } = {}) {
    const message = { topic, payload, qos, isRetained, expirySeconds, isReleased: false }
    while (this.outgoing.has(this.#nextId)) this.#nextId = (this.#nextId % packetIdMax) + 1
    const id = this.#nextId
    this.#nextId = (id % packetIdMax) + 1
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

  #publish(id, { topic, payload, qos, isRetained, expirySeconds }, dup) {
    const first = 0x30 | dup | (qos << 1) | (isRetained ? 1 : 0)
    const properties =
      expirySeconds === undefined ? this.#noProperties : [Buffer.from([5, 2]), number32(expirySeconds)]
    this.#send(first, text(topic), number(id), ...properties, Buffer.from(payload))
  }

  get #noProperties() {
    return this.#level === 5 ? [Buffer.from([0])] : []
  }

  async #open() {
    const socket = createConnection({ ...this.#place, noDelay: true })
    socket.on('error', () => {})
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(connectMsMax) })
    } catch (error) {
      socket.destroy()
      throw error
    }
    this.#socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('close', () => this.#lost(socket))
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
    if ((type === 4 || type === 5) && body.length > 2 && body[2] >= 0x80) {
      this.outgoing.delete(id)
      this.onBroken(`${this.id}: a message was refused with 0x${body[2].toString(16)}`)
    } else if (type === 4) {
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
    // the only property that comes is the expiry interval: one byte tells how long they are
    const payload = body.toString('utf8', this.#level === 5 ? at + 1 + body[at] : at)
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

function number32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function text(value) {
  const bytes = Buffer.from(value)
  return Buffer.concat([number(bytes.length), bytes])
}
