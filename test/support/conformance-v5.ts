import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { isOurs, runChapter, type TargetOptions } from './conformance-target.js'
import {
  ackBytes,
  type ConnectFields,
  connectBytes,
  disconnectBytes,
  type PublishFields,
  pingreq,
  publishBytes,
  type QoS,
  type SubscribeOptions,
  subscribeBytes,
  unsubscribeBytes,
} from './v5-packets.js'
import type { Properties } from './v5-property.js'
import { type Connack, type Heard, read, type Said } from './v5-reading.js'
import { type Bytes, WireClient, type WirePacket } from './wire-client.js'

export { isOurs } from './conformance-target.js'
export * from './v5-packets.js'
export { type Properties, props } from './v5-property.js'
export type { Heard } from './v5-reading.js'
export { bytes, packet, prefixed, properties as withLength, u16, u32, varint } from './wire-client.js'

/** No CONNACK at all. */
export const silence = -1

/** One test's place at the broker. */
export interface Place {
  /** Stands in no other test's client ids and topics, so that tests share a broker. */
  readonly name: string
  /** A TCP connection without CONNECT. */
  open(): Promise<Peer>
  /** A client whose CONNECT was accepted; Clean Start and an id of its own unless told. */
  connect(fields?: ConnectFields): Promise<Peer>
}

export type Case = (place: Place) => Promise<void>

/** The tests of one chapter, each with its title, at the same time against one broker. */
export function chapter(
  title: string,
  cases: Readonly<Record<string, Case>>,
  options: TargetOptions = {},
): void {
  runChapter(title, cases, placeAt, options)
}

let places = 0

function placeAt(context: TestContext, port: number): Place {
  places += 1
  const name = `p${places}`
  let clients = 0
  const open = async () => new Peer(await WireClient.connect(context, port))
  return {
    name,
    open,
    async connect(fields = {}) {
      const clientId = `${name}c${++clients}`
      const peer = await open()
      peer.send(connectBytes({ clientId, ...fields }))
      const connack = await peer.take('CONNACK')
      assert.equal(connack.code, 0, 'the reason code of CONNACK')
      peer.connack = connack
      return peer
    },
  }
}

let markers = 0

/** A client that says and hears packets of MQTT 5.0. It acknowledges only what it is told to. */
export class Peer {
  connack: Connack = { isSessionPresent: false, code: 0, properties: {} }
  readonly #wire: WireClient
  #stash: [keyof Said, Said[keyof Said]][] = []
  #nextId = 1000
  /** Bytes of the largest packet that came, with a fixed header of two bytes. */
  largestBytes = 0

  constructor(wire: WireClient) {
    this.#wire = wire
  }

  get isClosed(): boolean {
    return this.#wire.isClosed
  }

  send(...parts: readonly Bytes[]): void {
    this.#wire.send(...parts)
  }

  /** The next packet, which is of this type. */
  async next<Name extends keyof Said>(name: Name): Promise<Said[Name]> {
    const [found, said] = this.#stash.shift() ?? this.#read(await this.#wire.next())
    assert.equal(found, name, `${found} ${JSON.stringify(said)} instead of ${name}`)
    return said as Said[Name]
  }

  /** The next packet of this type; what comes before it is heard later. */
  async take<Name extends keyof Said>(name: Name): Promise<Said[Name]> {
    const stashed = this.#stash.findIndex(([found]) => found === name)
    if (stashed >= 0) return this.#stash.splice(stashed, 1)[0]?.[1] as Said[Name]
    for (;;) {
      const one = this.#read(await this.#wire.next())
      if (one[0] === name) return one[1] as Said[Name]
      this.#stash.push(one)
    }
  }

  /**
   * The broker says why, and closes the connection.
   * @NOTE The standard demands only that it is closed [MQTT-4.13.1-1]: more is not asked of mosquitto.
   */
  async expectDisconnect(...codes: readonly number[]): Promise<void> {
    await this.closed()
    const heard = this.heard()
    if (!isOurs) return
    const [first, ...others] = heard
    assert.ok(
      first?.[0] === 'DISCONNECT' && others.length === 0,
      `DISCONNECT and nothing else: ${JSON.stringify(heard)}`,
    )
    const { code } = first[1] as Said['DISCONNECT']
    assert.ok(codes.includes(code), `reason code 0x${code.toString(16)} of DISCONNECT`)
  }

  /**
   * The broker refuses CONNECT with one of these codes, and closes the connection; `silence` among them allows
   * to close it without CONNACK.
   * @NOTE To say why is a MAY of the standard: more is not asked of mosquitto.
   */
  async expectRefused(...codes: readonly number[]): Promise<void> {
    await this.closed()
    const heard = this.heard()
    if (heard.length === 0 && (!isOurs || codes.includes(silence))) return
    const [first, ...others] = heard
    assert.ok(first?.[0] === 'CONNACK' && others.length === 0, `one CONNACK: ${JSON.stringify(heard)}`)
    const { code, isSessionPresent } = first[1] as Connack
    assert.equal(isSessionPresent, false)
    if (isOurs) assert.ok(codes.includes(code), `reason code 0x${code.toString(16)} of CONNACK`)
    else assert.ok(code >= 0x80)
  }

  /** This is no filter: SUBACK says 0x8F, or the connection ends: the standard leaves the choice. */
  async expectNoFilter(filter: string): Promise<void> {
    this.send(subscribeBytes(this.id(), [[filter, 0]]))
    const suback = await this.take('SUBACK').catch(() => undefined)
    if (suback === undefined) await this.expectDisconnect(0x81, 0x82, 0x8f)
    else assert.deepEqual(suback.codes, [0x8f])
  }

  async closed(): Promise<void> {
    await this.#wire.closed()
  }

  /** What came and was not taken. */
  heard(): [keyof Said, Said[keyof Said]][] {
    return [...this.#stash, ...this.#wire.pending.map((one) => this.#read(one))]
  }

  /** The broker reads and answers: the connection is whole, and nothing else came. */
  async expectAlive(): Promise<void> {
    this.send(pingreq)
    await this.next('PINGRESP')
  }

  /** Subscribes, and checks that this QoS was granted. Retained messages may come before or after. */
  async subscribe(filter: string, options: SubscribeOptions = {}, fields: Properties = {}): Promise<void> {
    const id = this.id()
    this.send(subscribeBytes(id, [[filter, options]], fields))
    const suback = await this.take('SUBACK')
    assert.deepEqual([suback.id, suback.codes], [id, [options.qos ?? 0]], 'SUBACK')
  }

  async unsubscribe(filter: string): Promise<number> {
    const id = this.id()
    this.send(unsubscribeBytes(id, filter))
    const { id: answered, codes } = await this.take('UNSUBACK')
    assert.deepEqual([answered, codes.length], [id, 1], 'UNSUBACK')
    return codes[0] as number
  }

  /** Publishes, and does all that its QoS asks for. */
  async publish(topic: string, payload: string | Uint8Array = '', fields: PublishFields = {}): Promise<void> {
    const { qos = 0 } = fields
    const id = qos === 0 ? 0 : (fields.id ?? this.id())
    this.send(publishBytes(topic, payload, { ...fields, id }))
    if (qos === 0) return
    const ack = await this.take(qos === 1 ? 'PUBACK' : 'PUBREC')
    assert.ok(ack.id === id && ack.code < 0x80, `${JSON.stringify(ack)} for ${id}`)
    if (qos === 1) return
    this.send(ackBytes(0x62, id))
    const { id: completed, code } = await this.take('PUBCOMP')
    assert.deepEqual([completed, code], [id, 0], 'PUBCOMP')
  }

  /** The next message, with all that its QoS asks for. */
  async receive(): Promise<Heard> {
    const one = await this.take('PUBLISH')
    if (one.qos === 1) this.send(ackBytes(0x40, one.id))
    if (one.qos !== 2) return one
    this.send(ackBytes(0x50, one.id))
    assert.equal((await this.take('PUBREL')).id, one.id)
    this.send(ackBytes(0x70, one.id))
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
    await this.subscribe(topic, { qos })
    await publisher.publish(topic, 'marker', { qos })
    const messages: Heard[] = []
    for (;;) {
      const one = await this.receive()
      if (one.topic === topic) break
      messages.push(one)
    }
    await this.unsubscribe(topic)
    return messages
  }

  async expectNothingFrom(publisher: Peer, qos: QoS = 1): Promise<void> {
    assert.deepEqual(await this.everythingFrom(publisher, qos), [])
  }

  async disconnect(code = 0, fields: Properties = {}): Promise<void> {
    this.send(disconnectBytes(code, fields))
    await this.#wire.closed()
  }

  /** The connection goes without DISCONNECT. */
  drop(): void {
    this.#wire.socket.destroy()
  }

  id(): number {
    return this.#nextId++
  }

  #read(one: WirePacket): [keyof Said, Said[keyof Said]] {
    this.largestBytes = Math.max(this.largestBytes, 2 + one.body.length)
    return read(one)
  }
}
