import assert from 'node:assert/strict'
import type { QoS } from '#src/core/message.js'
import type { Line, SessionWorld } from './session-world.js'
import { connectBytes, packet, prefixed, properties, u16, u32, type WirePacket } from './wire-client.js'

/** A message that a client published. */
export interface Sent {
  readonly number: number
  /** Who published it: order holds for messages of one publisher. */
  readonly from: string
  readonly topic: string
  readonly qos: QoS
  /** Whether PUBACK or PUBREC has come: from then on it must not be lost. */
  isAcknowledged: boolean
}

/** What a session is to get of a message. */
export interface Expected {
  readonly sent: Sent
  readonly qos: QoS
  /** Whether a crash may have taken it. */
  mayBeLost: boolean
  /** Whether a crash may have taken what was known of its delivery. */
  mayRepeat: boolean
}

/** A message on its way to the client: what PUBLISH said. */
interface Incoming {
  readonly id: number
  readonly number: number
  readonly qos: QoS
}

interface Outgoing {
  readonly sent: Sent
  isReleased: boolean
}

const idsOf = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const

/**
 * A client and what its session must do, by the book: it checks each packet as it comes, and remembers across
 * connections what a client remembers.
 */
export class ModelClient {
  readonly id: string
  /** Whether the broker has a session for it. */
  hasSession = false
  isDurable = false
  /** Granted QoS by filter. */
  readonly subscriptions = new Map<string, QoS>()
  /** By message number. */
  readonly expected = new Map<number, Expected>()
  /** Numbers in the order in which they came first, and those of QoS 2 when they were passed on. */
  readonly heard: Expected[] = []
  line: Line | undefined
  receiveMaximum = 0
  connack: { readonly isPresent: boolean; readonly code: number } | undefined
  readonly outgoing = new Map<number, Outgoing>()
  /** What this connection has not answered finally. */
  readonly unanswered = new Map<number, Incoming>()
  /** Answers that are due, and may be given late or never. */
  readonly due: { readonly kind: 'puback' | 'pubrec' | 'pubcomp'; readonly id: number }[] = []
  suback: number | undefined
  unsuback: number | undefined
  isStuck = false
  /** Whether the broker may have sent what this client has not seen, or knows no more. */
  isVague = false
  /** Identifiers that messages of this session have had, as long as they are in flight. */
  readonly #inflight = new Map<number, Incoming>()
  /** Of QoS 2, received and not released [MQTT-4.3.3-9]. */
  readonly #received = new Set<number>()
  /** The connection whose place this one took. */
  #taken: Line | undefined
  #isV5 = false
  #nextId = 1

  constructor(id: string) {
    this.id = id
  }

  get isConnected(): boolean {
    return this.line !== undefined
  }

  connect(
    world: SessionWorld,
    fields: { isV5: boolean; clean: boolean; isDurable: boolean; window: number },
    windowOfAll: number,
  ): void {
    const { isV5, clean, isDurable, window } = fields
    this.#taken = this.line
    this.lose(false)
    this.#isV5 = isV5
    this.receiveMaximum = isV5 ? Math.min(window, windowOfAll) : windowOfAll
    this.connack = undefined
    if (!isV5 && clean !== !isDurable) throw new Error('before MQTT 5 a clean session is a short one')
    if (clean) this.forget()
    this.isDurable = isDurable
    const line = world.connect()
    this.line = line
    const more = isV5
      ? {
          properties: Buffer.concat(
            [[17], u32(isDurable ? 0xffff_ffff : 0), [33], u16(window)].map(Buffer.from),
          ),
        }
      : {}
    line.say(connectBytes({ level: isV5 ? 5 : 4, clean, clientId: this.id, ...more }))
  }

  /** The connection is gone; so is the session, when it is a short one. */
  lose(isLost = true): void {
    if (isLost) this.line?.destroy()
    this.line = undefined
    this.unanswered.clear()
    this.due.length = 0
    this.isVague ||= this.isStuck
    this.isStuck = false
    for (const [id, { isReleased, sent }] of this.outgoing)
      if (!isReleased && sent.qos === 1) this.outgoing.delete(id) // this client does not insist
    if (!this.isDurable) this.forget()
  }

  /** The broker has no session for it any more. */
  forget(): void {
    this.hasSession = false
    this.isDurable = false
    this.subscriptions.clear()
    this.expected.clear()
    this.heard.length = 0
    this.#inflight.clear()
    this.#received.clear()
    this.outgoing.clear()
  }

  /** The broker has forgotten what its store had not kept. */
  crashed(): void {
    this.isVague = true
    for (const expected of this.expected.values()) {
      expected.mayBeLost ||= !expected.sent.isAcknowledged
      expected.mayRepeat ||= expected.qos === 1
    }
    // of QoS 1 it may have forgotten identifiers; those of QoS 2 are kept before they are used
    for (const [id, { qos }] of this.#inflight) if (qos === 1) this.#inflight.delete(id)
    // what it may never have heard of is not sent again: the model would not know to whom it goes
    for (const [id, { isReleased }] of this.outgoing) if (!isReleased) this.outgoing.delete(id)
    this.lose()
  }

  publish(sent: Sent): void {
    const { topic, qos, number } = sent
    const body = [prefixed(topic)]
    if (qos > 0) {
      while (this.outgoing.has(this.#nextId)) this.#nextId = (this.#nextId % 65_535) + 1
      this.outgoing.set(this.#nextId, { sent, isReleased: false })
      body.push(u16(this.#nextId))
      this.#nextId = (this.#nextId % 65_535) + 1
    }
    this.line?.say(packet(0x30 | (qos << 1), ...body, this.#isV5 ? [0] : [], `${number}`))
  }

  subscribe(filter: string, qos: QoS): void {
    this.suback = undefined
    this.line?.say(packet(0x82, u16(9), this.#isV5 ? [0] : [], prefixed(filter), qos))
  }

  unsubscribe(filter: string): void {
    this.unsuback = undefined
    this.line?.say(packet(0xa2, u16(9), this.#isV5 ? [0] : [], prefixed(filter)))
  }

  /** DISCONNECT, with a session that ends at once in MQTT 5 when told. */
  leave(endsSession: boolean): void {
    const isEnding = endsSession && this.#isV5
    this.line?.say(isEnding ? packet(0xe0, 0, properties(17, u32(0))) : packet(0xe0))
    if (isEnding) this.isDurable = false
  }

  /** Answers a message of an earlier connection before it is sent again. */
  answerEarly(): void {
    for (const [id, { qos }] of this.#inflight) {
      if (this.unanswered.has(id) || this.due.some((answer) => answer.id === id)) continue
      this.line?.say(packet(qos === 1 ? idsOf.puback : idsOf.pubrec, u16(id)))
      if (qos === 1) this.#inflight.delete(id)
      return
    }
  }

  /** An answer to nothing, or of the wrong kind. */
  answerWrongly(kind: keyof typeof idsOf, wrongId: number): void {
    const id = (this.isVague || this.isStuck) && !this.#inflight.has(wrongId) ? 60_000 + wrongId : wrongId
    const message = this.#inflight.get(id)
    // what the broker may take for the right answer is no wrong one
    if (message !== undefined && kind !== 'pubrel' && (message.qos === 1) === (kind === 'puback')) return
    if (kind === 'pubrel' && this.outgoing.has(id)) return
    this.line?.say(packet(idsOf[kind], u16(id)))
  }

  answer(index: number, isRefused = false): void {
    const [answer] = this.due.splice(index % Math.max(this.due.length, 1), 1)
    if (answer === undefined) return
    const { kind, id } = answer
    const refuses = isRefused && this.#isV5 && kind === 'pubrec' && this.#inflight.has(id)
    this.line?.say(packet(idsOf[kind], u16(id), refuses ? [0x80] : []))
    if (kind === 'puback' || kind === 'pubcomp' || refuses) {
      this.unanswered.delete(id)
      this.#inflight.delete(id)
      this.#received.delete(id)
    }
  }

  /** Looks at what has come. */
  read(): void {
    const { line } = this
    if (line === undefined) return
    for (let next = line.packets.shift(); next !== undefined; next = line.packets.shift()) this.#take(next)
    if (!line.isClosed) return
    assert.ok(this.isStuck, `${this.id}: disconnected`)
    this.lose()
  }

  #take({ type, flags, body }: WirePacket): void {
    if (type !== 2 && type !== 14) assert.ok(this.connack, `${this.id}: something goes before CONNACK`)
    const id = body.length >= 2 ? body.readUInt16BE(0) : 0
    switch (type) {
      case 2:
        return this.#welcomed({ isPresent: body[0] === 1, code: body[1] as number })
      case 3:
        return this.#publish(flags, body)
      case 4: {
        assert.ok(this.outgoing.has(id), 'PUBACK for nothing')
        this.#acknowledged(id)
        this.outgoing.delete(id)
        return
      }
      case 5: {
        const message = this.outgoing.get(id)
        if (message === undefined) return
        this.#acknowledged(id)
        message.isReleased = true
        this.line?.say(packet(0x62, u16(id)))
        return
      }
      case 6: {
        assert.equal(flags, 2, 'PUBREL')
        // else it was asked for by a PUBREC that was wrong
        if (this.#inflight.get(id)?.qos !== 2 && !(this.isVague && !this.#inflight.has(id))) return
        if (body.length > 2 && body[2] === 0x92) return // to a PUBREC of nothing
        this.#received.delete(id)
        this.due.push({ kind: 'pubcomp', id })
        return
      }
      case 7:
        if (this.outgoing.get(id)?.isReleased) this.outgoing.delete(id) // else it answers a wrong PUBREL
        return
      case 9:
        this.suback = body.at(-1) as number
        return
      case 11:
        this.unsuback = 0
        return
      case 14:
        return
      default:
        assert.fail(`${this.id}: a packet of type ${type}`)
    }
  }

  #acknowledged(id: number): void {
    const message = this.outgoing.get(id)
    if (message !== undefined) message.sent.isAcknowledged = true
  }

  #welcomed(connack: { readonly isPresent: boolean; readonly code: number }): void {
    assert.equal(connack.code, 0, 'CONNACK')
    assert.equal(connack.isPresent, this.hasSession, `${this.id}: session present`) // [MQTT-3.2.2-2]
    this.#taken?.loosen() // who reads nothing is not closed at once
    if (this.#taken !== undefined) assert.ok(this.#taken.isClosed, `${this.id}: taken over`) // [MQTT-3.1.4-3]
    this.#taken = undefined
    this.connack = connack
    this.hasSession = true
    // [MQTT-4.4.0-1]: the client sends again what was not acknowledged
    for (const [id, { sent, isReleased }] of this.outgoing)
      this.line?.say(
        isReleased
          ? packet(0x62, u16(id))
          : packet(
              0x38 | (sent.qos << 1),
              prefixed(sent.topic),
              u16(id),
              this.#isV5 ? [0] : [],
              `${sent.number}`,
            ),
      )
  }

  #publish(flags: number, body: Buffer): void {
    const qos = ((flags >> 1) & 3) as QoS
    const isDup = (flags & 8) !== 0
    const topicEnd = 2 + body.readUInt16BE(0)
    const topic = body.toString('utf8', 2, topicEnd)
    const id = qos > 0 ? body.readUInt16BE(topicEnd) : 0
    const payload = body.subarray(topicEnd + (qos > 0 ? 2 : 0) + (this.#isV5 ? 1 : 0))
    const number = Number(payload.toString())
    const what = `${this.id}: message ${number} on ${topic}, QoS ${qos}, id ${id}, dup ${isDup}`
    const expected = this.expected.get(number)
    assert.ok(expected, `${what}: it is not for this client`)
    assert.deepEqual([topic, qos], [expected.sent.topic, expected.qos], what)
    if (qos === 0) {
      assert.equal(isDup, false, what)
      this.#hear(expected, what)
      return
    }
    this.#checkIdentifier(id, number, isDup, what)
    assert.ok(!this.unanswered.has(id), `${what}: its identifier is in use on this connection`)
    const incoming = { id, number, qos }
    this.unanswered.set(id, incoming)
    assert.ok(
      this.unanswered.size <= this.receiveMaximum,
      `${what}: the window of ${this.receiveMaximum} is passed`,
    )
    this.#inflight.set(id, incoming)
    this.due.push({ kind: qos === 1 ? 'puback' : 'pubrec', id })
    if (qos === 2) {
      if (this.#received.has(id)) return
      this.#received.add(id)
      this.#hear(expected, what)
    } else if (!this.heard.includes(expected)) this.#hear(expected, what)
    else assert.ok(isDup || expected.mayRepeat, `${what}: again, without DUP`)
  }

  #checkIdentifier(id: number, number: number, isDup: boolean, what: string): void {
    const before = this.#inflight.get(id)
    if (before !== undefined) {
      assert.equal(before.number, number, `${what}: the identifier is that of message ${before.number}`)
      assert.ok(isDup, `${what}: sent again without DUP`) // [MQTT-3.3.1-1]
      return
    }
    const other = [...this.#inflight.values()].find((incoming) => incoming.number === number)
    assert.equal(other, undefined, `${what}: it had the identifier ${other?.id} before`) // [MQTT-4.4.0-1]
    if (isDup) assert.ok(this.isVague, `${what}: DUP, and was never sent`)
  }

  #hear(expected: Expected, what: string): void {
    assert.ok(!this.heard.includes(expected), `${what}: it comes a second time`)
    for (const { sent, qos } of this.heard) {
      if (qos !== expected.qos || sent.from !== expected.sent.from || sent.topic !== expected.sent.topic)
        continue
      assert.ok(sent.number < expected.sent.number, `${what}: ${sent.number} came before it`) // [MQTT-4.6.0-6]
    }
    this.heard.push(expected)
  }
}
