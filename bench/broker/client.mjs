// A client that costs little: it looks at each frame's length and kind, makes no object of a message, and writes
// the answers to all that one read brought as one piece.
import { createConnection } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { connectPacket, disconnectPacket, subscribePacket } from '../mqtt-wire.mjs'

/** Reads of all clients go here: what is read is looked at before the next read. */
const readBuffer = Buffer.allocUnsafe(256 * 1_024)
/** No answer is longer than what it answers. */
const answers = Buffer.allocUnsafe(readBuffer.length * 2)
/** A message is known by this much of it: header, topic, packet id, the first bytes of its payload. */
const headBytesMax = 128

const kinds = { connack: 2, publish: 3, puback: 4, pubrec: 5, pubrel: 6, pubcomp: 7, suback: 9, pingresp: 13 }

export class Client {
  /** Messages received, and those of ours that are acknowledged to the end. */
  received = 0
  acknowledged = 0
  /** Called after each read with how many messages and acknowledgements it brought. */
  onRead = undefined
  /** Called with each message: the bytes, where its payload begins (MQTT 3.1.1), where the frame ends. */
  onMessage = undefined
  /** Whether the broker has ended the connection. */
  isEnded = false
  socket

  #expected
  #answerBytes = 0
  #head = undefined
  #headBytes = 0
  #skipBytes = 0

  /** @param options of CONNECT; `isSecure`: over TLS. @returns the client when CONNECT has been accepted */
  static async open(port, clientId, { isSecure = false, ...options } = {}) {
    const client = new Client()
    client.socket = isSecure ? client.#connectTls(port) : client.#connectTcp(port)
    client.socket.on('close', () => {
      client.isEnded = true
      client.#expected?.reject(new Error(`${clientId}: the broker has ended the connection`))
    })
    client.socket.on('error', () => {}) // 'close' follows
    const accepted = client.answer(kinds.connack)
    client.socket.write(connectPacket(clientId, options))
    await accepted
    return client
  }

  async subscribe(filters, qos, level) {
    const granted = this.answer(kinds.suback)
    this.socket.write(subscribePacket(filters, qos, level))
    await granted
  }

  /** The next packet of this kind; one is waited for at a time. */
  answer(kind) {
    return new Promise((resolve, reject) => {
      this.#expected = { kind, resolve, reject }
    })
  }

  /** With DISCONNECT, so that no will is published. */
  close() {
    this.socket.end(disconnectPacket)
  }

  #connectTcp(port) {
    const onread = { buffer: readBuffer, callback: (count) => this.#read(readBuffer, count) }
    return createConnection({ port, host: '127.0.0.1', noDelay: true, onread })
  }

  /** Whose certificate it is, is not looked at: that costs the load, and is no matter of the broker's. */
  #connectTls(port) {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    socket.setNoDelay(true)
    socket.on('data', (bytes) => this.#read(bytes, bytes.length))
    return socket
  }

  #read(bytes, count) {
    const received = this.received
    const acknowledged = this.acknowledged
    this.#scan(bytes, count)
    if (this.#answerBytes > 0) {
      this.socket.write(Buffer.from(answers.subarray(0, this.#answerBytes)))
      this.#answerBytes = 0
    }
    this.onRead?.(this.received - received, this.acknowledged - acknowledged)
    return true
  }

  #scan(bytes, count) {
    let at = Math.min(this.#skipBytes, count)
    this.#skipBytes -= at
    if (this.#headBytes > 0 && at < count) at = this.#finishHead(bytes, at, count)
    while (at < count) {
      const body = bodyAt(bytes, at, count)
      const end = body + frameLength
      if (body === 0 || Math.min(end, at + headBytesMax) > count) return this.#keep(bytes, at, count)
      this.#frame(bytes, at, body, end)
      at = end
    }
    if (at > count) this.#skipBytes = at - count
  }

  /** The beginning of a frame whose rest comes with the next read. */
  #keep(bytes, at, count) {
    this.#head ??= Buffer.allocUnsafe(headBytesMax)
    bytes.copy(this.#head, 0, at, count)
    this.#headBytes = count - at
  }

  /** @returns where the next frame begins */
  #finishHead(bytes, from, count) {
    const head = this.#head
    for (let at = from; at < count; ) {
      head[this.#headBytes++] = bytes[at++]
      const body = bodyAt(head, 0, this.#headBytes)
      const end = body + frameLength
      if (body === 0 || this.#headBytes < Math.min(end, headBytesMax)) continue
      const restBytes = end - this.#headBytes
      this.#headBytes = 0
      this.#frame(head, 0, body, end)
      return at + restBytes // beyond `count` it is skipped
    }
    return count
  }

  #frame(bytes, at, body, end) {
    const kind = bytes[at] >> 4
    if (kind === kinds.publish) this.#message(bytes, at, body, end)
    else if (kind === kinds.puback || kind === kinds.pubcomp) this.acknowledged++
    else if (kind === kinds.pubrec) this.#reply(0x62, bytes[body], bytes[body + 1])
    else if (kind === kinds.pubrel) this.#reply(0x70, bytes[body], bytes[body + 1])
    if (this.#expected?.kind === kind) this.#settle(kind, bytes[body + 1], bytes[end - 1])
  }

  #message(bytes, at, body, end) {
    this.received++
    const qos = (bytes[at] >> 1) & 3
    if (qos === 0 && this.onMessage === undefined) return
    const idAt = body + 2 + ((bytes[body] << 8) | bytes[body + 1])
    if (qos > 0) this.#reply(qos === 1 ? 0x40 : 0x50, bytes[idAt], bytes[idAt + 1])
    this.onMessage?.(bytes, qos > 0 ? idAt + 2 : idAt, end)
  }

  #settle(kind, connectCode, subscribeCode) {
    const { resolve, reject } = this.#expected
    this.#expected = undefined
    const isRefused =
      (kind === kinds.connack && connectCode !== 0) || (kind === kinds.suback && subscribeCode >= 0x80)
    if (isRefused) reject(new Error(`the broker refuses what was asked: packet of kind ${kind}`))
    else resolve()
  }

  #reply(first, idHigh, idLow) {
    answers[this.#answerBytes++] = first
    answers[this.#answerBytes++] = 2
    answers[this.#answerBytes++] = idHigh
    answers[this.#answerBytes++] = idLow
  }
}

/** Waits for the answer to a PINGREQ: what was sent before has been taken. */
export async function pinged(client) {
  const answered = client.answer(kinds.pingresp)
  client.socket.write(Buffer.from([0xc0, 0]))
  await answered
}

let frameLength = 0

/** Reads the length of the frame into `frameLength`. @returns where its body begins, 0 when that has not come yet */
function bodyAt(bytes, at, count) {
  frameLength = 0
  for (let next = at + 1, shift = 0; next < count; shift += 7) {
    const byte = bytes[next++]
    frameLength |= (byte & 127) << shift
    if (byte < 128) return next
  }
  return 0
}
