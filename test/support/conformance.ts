import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ownClientId } from '#src/core/message.js'
import { isOurs, runChapter, startTarget, type TargetOptions } from './conformance-target.js'
import {
  type Bytes,
  bytes,
  type ConnectFields,
  connectBytes,
  packet,
  prefixed,
  u16,
  varint,
  WireClient,
  type WirePacket,
} from './wire-client.js'

export type QoS = 0 | 1 | 2

/** One test's place at the broker. */
export interface Place {
  /** Stands in no other test's client ids and topics, so that tests share a broker. */
  readonly name: string
  /** A TCP connection without CONNECT. */
  open(): Promise<Peer>
  /** A client whose CONNECT was accepted: MQTT 3.1.1 and a clean session unless told. */
  connect(fields?: ConnectFields): Promise<Peer>
}

export type Case = (place: Place) => Promise<void>

/** The tests of one chapter, each with its title, at the same time against one broker. */
export function chapter(title: string, cases: Readonly<Record<string, Case>>): void {
  runChapter(title, cases, placeAt)
}

/** One test with a broker of its own. */
export function alone(title: string, run: Case, options: TargetOptions = {}): void {
  test(title, async (context) => run(placeAt(context, await startTarget(context, options))))
}

let places = 0

function placeAt(context: TestContext, port: number): Place {
  places += 1
  const open = async () => new Peer(await WireClient.connect(context, port))
  return {
    name: `p${places}`,
    open,
    async connect(fields = {}) {
      const peer = await open()
      peer.send(connectBytes(fields))
      const { type, body } = await peer.next()
      assert.deepEqual([type, body[1]], [2, 0], 'a CONNACK with return code 0')
      peer.isSessionPresent = body[0] === 1
      return peer
    },
  }
}

/** An application message as it came. */
export interface Heard {
  readonly topic: string
  readonly payload: string
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  /** Packet Identifier; 0 with QoS 0. */
  readonly id: number
}

export interface PublishFields {
  readonly qos?: QoS
  readonly retain?: boolean
  readonly dup?: boolean
  readonly id?: number
}

let markers = 0

/** A client that says and hears packets of MQTT 3.1 and 3.1.1. It acknowledges only what it is told to. */
export class Peer {
  readonly #wire: WireClient
  #stash: WirePacket[] = []
  #nextId = 1
  isSessionPresent = false

  constructor(wire: WireClient) {
    this.#wire = wire
  }

  send(...parts: readonly Bytes[]): void {
    this.#wire.send(...parts)
  }

  /** The next packet, whichever it is. */
  async next(): Promise<WirePacket> {
    return this.#stash.shift() ?? this.#wire.next()
  }

  /** The next packet of this type; what comes before it is heard later. */
  async take(type: number): Promise<WirePacket> {
    const stashed = this.#stash.findIndex((one) => one.type === type)
    if (stashed >= 0) return this.#stash.splice(stashed, 1)[0] as WirePacket
    for (;;) {
      const one = await this.#wire.next()
      if (one.type === type) return one
      this.#stash.push(one)
    }
  }

  /** The next packet is this one, byte for byte. */
  async expect(expected: Uint8Array): Promise<void> {
    const { type, flags, body } = await this.next()
    assert.equal(packet((type << 4) | flags, body).toString('hex'), Buffer.from(expected).toString('hex'))
  }

  /** The broker closes the connection and has said nothing before. */
  async expectClosed(): Promise<void> {
    await this.#wire.closed()
    assert.deepEqual([...this.#stash, ...this.#wire.pending], [], 'it is closed without an answer')
  }

  /** The broker closes the connection, whatever it said before. */
  async closed(): Promise<void> {
    await this.#wire.closed()
  }

  get isClosed(): boolean {
    return this.#wire.isClosed
  }

  /** The broker reads and answers: the connection is whole, and nothing else came. */
  async expectAlive(): Promise<void> {
    this.send([0xc0, 0])
    await this.expect(bytes([0xd0, 0]))
  }

  /** Subscribes, and checks that this QoS was granted. Retained messages may come before or after. */
  async subscribe(filter: string | Uint8Array, qos: QoS = 0): Promise<void> {
    const id = this.#id()
    this.send(subscribeBytes(id, [filter, qos]))
    const { body } = await this.take(9)
    assert.deepEqual([...body], [id >> 8, id & 255, qos], 'SUBACK')
  }

  async unsubscribe(filter: string): Promise<void> {
    const id = this.#id()
    this.send(unsubscribeBytes(id, filter))
    const { body } = await this.take(11)
    assert.deepEqual([...body], [id >> 8, id & 255], 'UNSUBACK')
  }

  /** Publishes, and does all that its QoS asks for. */
  async publish(topic: string, payload: string | Uint8Array, fields: PublishFields = {}): Promise<void> {
    const { qos = 0 } = fields
    const id = qos === 0 ? 0 : (fields.id ?? this.#id())
    this.send(publishBytes(topic, payload, { ...fields, id }))
    if (qos === 1) assert.deepEqual([...(await this.take(4)).body], [id >> 8, id & 255], 'PUBACK')
    if (qos !== 2) return
    assert.deepEqual([...(await this.take(5)).body], [id >> 8, id & 255], 'PUBREC')
    this.send(pubrel(id))
    assert.deepEqual([...(await this.take(7)).body], [id >> 8, id & 255], 'PUBCOMP')
  }

  /** The next packet, which is a PUBLISH. It is not acknowledged. */
  async hear(): Promise<Heard> {
    const one = await this.next()
    assert.equal(one.type, 3, 'a PUBLISH')
    return heard(one)
  }

  /** The next message, with all that its QoS asks for. */
  async receive(): Promise<Heard> {
    const one = heard(await this.take(3))
    if (one.qos === 1) this.send(puback(one.id))
    if (one.qos !== 2) return one
    this.send(pubrec(one.id))
    assert.deepEqual([...(await this.take(6)).body], [one.id >> 8, one.id & 255], 'PUBREL')
    this.send(pubcomp(one.id))
    return one
  }

  /** The next message is this one; fields that are not named may be any. */
  async expectMessage(expected: Partial<Heard>): Promise<Heard> {
    const one = await this.receive()
    assert.deepEqual({ ...one, ...expected }, one)
    return one
  }

  /** All messages that were published until now and are still to come: one sent last is the last to arrive. */
  async everythingFrom(publisher: Peer, qos: QoS = 1): Promise<readonly Heard[]> {
    markers += 1
    const topic = `marker/${markers}`
    await this.subscribe(topic, qos)
    await publisher.publish(topic, 'marker', { qos })
    const messages: Heard[] = []
    for (;;) {
      const one = await this.receive()
      if (one.topic === topic) return messages
      messages.push(one)
    }
  }

  async expectNothingFrom(publisher: Peer, qos: QoS = 1): Promise<void> {
    assert.deepEqual(await this.everythingFrom(publisher, qos), [])
  }

  async disconnect(): Promise<void> {
    this.send([0xe0, 0])
    await this.#wire.closed()
  }

  /** The connection goes without DISCONNECT. */
  drop(): void {
    this.#wire.socket.destroy()
  }

  /** Reads nothing more from its socket, until `resume`. */
  pause(): void {
    this.#wire.socket.pause()
  }

  resume(): void {
    this.#wire.socket.resume()
  }

  /** Half-closes it: FIN, and nothing more. */
  end(): void {
    this.#wire.socket.end()
  }

  #id(): number {
    return this.#nextId++
  }
}

/** What a PUBLISH says. */
export function heard({ flags, body }: WirePacket): Heard {
  const topicEnd = 2 + body.readUInt16BE(0)
  const qos = ((flags >> 1) & 3) as QoS
  return {
    topic: body.toString('utf8', 2, topicEnd),
    payload: body.toString('utf8', topicEnd + (qos === 0 ? 0 : 2)),
    qos,
    retain: (flags & 1) !== 0,
    dup: (flags & 8) !== 0,
    id: qos === 0 ? 0 : body.readUInt16BE(topicEnd),
  }
}

export function publishBytes(
  topic: string | Uint8Array,
  payload: string | Uint8Array = '',
  { qos = 0, retain = false, dup = false, id = 1 }: PublishFields = {},
): Buffer {
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
  return packet(first, prefixed(topic), qos === 0 ? [] : u16(id), payload)
}

export function subscribeBytes(
  id: number,
  ...filters: readonly (readonly [string | Uint8Array, number])[]
): Buffer {
  return packet(0x82, u16(id), ...filters.flatMap(([filter, options]) => [prefixed(filter), options]))
}

export function unsubscribeBytes(id: number, ...filters: readonly (string | Uint8Array)[]): Buffer {
  return packet(0xa2, u16(id), ...filters.map(prefixed))
}

export const puback = (id: number): Buffer => packet(0x40, u16(id))
export const pubrec = (id: number): Buffer => packet(0x50, u16(id))
export const pubrel = (id: number): Buffer => packet(0x62, u16(id))
export const pubcomp = (id: number): Buffer => packet(0x70, u16(id))
export const suback = (id: number, ...codes: readonly number[]): Buffer => packet(0x90, u16(id), codes)
export const unsuback = (id: number): Buffer => packet(0xb0, u16(id))
export const connack = (isSessionPresent: boolean, code: number): Buffer =>
  bytes([0x20, 2, isSessionPresent ? 1 : 0, code])
export const pingreq: Buffer = bytes([0xc0, 0])

/** CONNECT whose fields need not agree with each other; `payload` is all after the keep alive. */
export function rawConnect(
  parts: {
    readonly name?: string
    readonly level?: number
    readonly flags?: number
    readonly keepAlive?: number
    readonly payload?: readonly Bytes[]
  } = {},
): Buffer {
  const { name = 'MQTT', level = 4, flags = 2, keepAlive = 0, payload = [prefixed('')] } = parts
  return packet(0x10, prefixed(name), level, flags, u16(keepAlive), ...payload)
}

export { bytes, connectBytes, isOurs, ownClientId, packet, prefixed, u16, varint }
