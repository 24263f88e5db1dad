// A client for what is killed: MQTT 3.1.1 or 5, with a session that outlives everything. It remembers what the protocol
// makes a client remember, insists on what was not acknowledged, and complains about what must not come.
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { PublishTopics, topicAliasMaximum } from '../topic-aliases.mjs'

const ackDelayMsMax = 4
const answerMsMax = 30_000
const connectMsMax = 1_000
const neverSeconds = 0xffff_ffff

export class CrashClient {
  id
  /** Messages on their way to the broker, by packet identifier. */
  outgoing = new Map()
  /** Called with each message, QoS 2 once. */
  onMessage = () => {}
  /** Called when the broker has promised to keep a message. */
  onAcknowledged = () => {}
  /** Called when the broker of MQTT 5 has refused to, with its reason code. */
  onRefused = (_message, code) =>
    this.onBroken(`${this.id}: a message was refused with 0x${code.toString(16)}`)
  /** Called when the broker has not kept the session, or has one that it should not have. */
  onBroken = (what) => {
    throw new Error(what)
  }
  /** Called when a connection has ended, whoever has ended it. */
  onLost = () => {}
  #level
  #open
  #options
  #topics = new PublishTopics(0)
  #namesOf = new PublishTopics(0)
  #socket
  #isAccepted = false
  #bytes = Buffer.alloc(0)
  #nextId = 1
  #received = new Set()
  /** Whether the broker has one; undefined while it cannot be known, for it ended before it answered. */
  #hasSession = false
  #acks = []
  #ackTimer
  #waiting = []

  /**
   * @param where          a port of loopback, `host` and `port`, or what gives a connected stream
   * @param options.user     `name` and `password`
   * @param options.aliases  topic aliases that are used in both directions, with MQTT 5
   * @param options.packetIdMax with few packet identifiers they come round soon, as they do in the long run: one that was
   *                         given back must be free. There must be more than messages on their way
   */
  constructor(id, level, where, options = {}) {
    this.id = id
    this.#level = level
    const place = typeof where === 'number' ? { host: '127.0.0.1', port: where } : where
    this.#open = typeof place === 'function' ? place : () => tcp(place)
    this.#options = { aliases: 0, packetIdMax: 65_535, ...options }
  }

  /** Whether CONNACK has come, and what was on its way has been sent again. */
  get isConnected() {
    return this.#isAccepted
  }

  /**
   * Resolves when CONNACK has come; what was not acknowledged has been sent again then.
   * @param expirySeconds of the session: MQTT 5
   * @param will          `topic` and `payload`, of QoS 2
   * @returns whether the session was there
   */
  async connect({
    isClean = false,
    expirySeconds = isClean ? 0 : neverSeconds,
    will,
    user = this.#options.user,
  } = {}) {
    const socket = await this.#open()
    socket.on('error', () => {})
    if (socket.destroyed) throw new Error(`${this.id}: connection lost`)
    this.#socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('close', () => this.#lost(socket))
    const { aliases } = this.#options
    this.#namesOf = new PublishTopics(aliases)
    const flags = (isClean ? 2 : 0) | (will === undefined ? 0 : 0x14) | (user === undefined ? 0 : 0xc0)
    const parts = [text('MQTT'), Buffer.from([this.#level, flags, 0, 0])]
    parts.push(this.#connectProperties(expirySeconds), text(this.id))
    if (will !== undefined) parts.push(this.#noProperties, text(will.topic), text(will.payload))
    if (user !== undefined) parts.push(text(user.name), text(user.password))
    this.#send(0x10, ...parts)
    const answer = await this.#answer(2).catch((error) => {
      if (this.#hasSession === false && !isClean) this.#hasSession = undefined
      throw error
    })
    if (answer[1] !== 0) {
      socket.destroy()
      throw new Error(`${this.id}: CONNACK ${answer[1]}`)
    }
    this.#topics = new PublishTopics(Math.min(aliases, topicAliasMaximum(answer)))
    const isPresent = answer[0] === 1
    if (this.#hasSession !== undefined && isPresent !== this.#hasSession) {
      this.#received.clear()
      this.onBroken(`${this.id}: the session is ${isPresent ? '' : 'not '}there`)
    }
    this.#hasSession = !isClean
    for (const [id, message] of this.outgoing) this.#resend(id, message)
    this.#isAccepted = true
    return isPresent
  }

  #connectProperties(expirySeconds) {
    if (this.#level !== 5) return Buffer.alloc(0)
    const { aliases } = this.#options
    const expiry = expirySeconds === 0 ? [] : [17, ...number32(expirySeconds)]
    const properties = [...expiry, ...(aliases === 0 ? [] : [34, ...number(aliases)])]
    return Buffer.from([properties.length, ...properties])
  }

  async subscribe(filter, qos) {
    this.#send(0x82, number(1), this.#noProperties, text(filter), Buffer.from([qos]))
    const answer = await this.#answer(9)
    if (answer.at(-1) !== qos) throw new Error(`${this.id}: SUBACK ${answer.at(-1)}`)
  }

  async unsubscribe(filter) {
    this.#send(0xa2, number(1), this.#noProperties, text(filter))
    await this.#answer(11)
  }

  /** @param expirySeconds of the message: MQTT 5 */
  publish(topic, payload, qos, { isRetained = false, expirySeconds } = {}) {
    const message = { topic, payload, qos, isRetained, expirySeconds, isReleased: false }
    const id = qos === 0 ? undefined : this.#freeId()
    if (id !== undefined) this.outgoing.set(id, message)
    this.#publish(id, message, 0)
    return message
  }

  #freeId() {
    const { packetIdMax } = this.#options
    if (this.outgoing.size >= packetIdMax) throw new Error(`${this.id}: no packet identifier is free`)
    while (this.outgoing.has(this.#nextId)) this.#nextId = (this.#nextId % packetIdMax) + 1
    const id = this.#nextId
    this.#nextId = (id % packetIdMax) + 1
    return id
  }

  /** Reads nothing more until `resume`. */
  pause() {
    this.#socket?.pause()
  }

  resume() {
    this.#socket?.resume()
  }

  /** With DISCONNECT. */
  leave() {
    this.#send(0xe0)
    const socket = this.#socket
    socket?.end()
    if (socket !== undefined) this.#lost(socket)
  }

  /** As if the cable were pulled. */
  drop() {
    this.#socket?.destroy()
    if (this.#socket !== undefined) this.#lost(this.#socket)
  }

  #lost(socket) {
    if (this.#socket !== socket) return
    this.#socket = undefined
    this.#isAccepted = false
    this.#bytes = Buffer.alloc(0)
    this.#acks = []
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${this.id}: connection lost`))
    this.onLost()
  }

  #resend(id, message) {
    if (message.isReleased) this.#send(0x62, number(id))
    else this.#publish(id, message, 8)
  }

  #publish(id, { topic, payload, qos, isRetained, expirySeconds }, dup) {
    const first = 0x30 | dup | (qos << 1) | (isRetained ? 1 : 0)
    const packetId = qos === 0 ? Buffer.alloc(0) : number(id)
    if (this.#level !== 5) return this.#send(first, text(topic), packetId, Buffer.from(payload))
    const expiry = expirySeconds === undefined ? [] : [2, ...number32(expirySeconds)]
    const { name, properties } = this.#topics.shorten(topic)
    const block = Buffer.from([properties.length + expiry.length, ...properties, ...expiry])
    this.#send(first, text(name), packetId, block, Buffer.from(payload))
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
    const isRefused = (type === 4 || type === 5) && body.length > 2 && body[2] >= 0x80
    if (isRefused) {
      const message = this.outgoing.get(id)
      this.outgoing.delete(id)
      if (message !== undefined) this.onRefused(message, body[2])
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
    const name = body.toString('utf8', 2, topicEnd)
    const id = qos > 0 ? body.readUInt16BE(topicEnd) : 0
    const at = topicEnd + (qos > 0 ? 2 : 0)
    const { topic, from } =
      this.#level === 5 ? this.#namesOf.lengthen(name, body, at) : { topic: name, from: at }
    const payload = body.toString('utf8', from)
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

async function tcp(place) {
  const socket = createConnection({ ...place, noDelay: true })
  socket.on('error', () => {}) // 'close' follows
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(connectMsMax) })
  } catch (error) {
    socket.destroy()
    throw error
  }
  return socket
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
