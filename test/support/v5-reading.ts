import assert from 'node:assert/strict'
import type { QoS } from './v5-packets.js'
import { type Kind, type Properties, propertyNames, propertyTable } from './v5-property.js'
import type { WirePacket } from './wire-client.js'

/** An application message as it came. */
export interface Heard {
  readonly topic: string
  readonly payload: string
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  /** Packet Identifier; 0 with QoS 0. */
  readonly id: number
  readonly properties: Properties
}

export interface Ack {
  readonly id: number
  readonly code: number
  readonly properties: Properties
}

export interface Codes {
  readonly id: number
  readonly codes: readonly number[]
  readonly properties: Properties
}

export interface Ending {
  readonly code: number
  readonly properties: Properties
}

export interface Connack extends Ending {
  readonly isSessionPresent: boolean
}

/** What a server may send. */
export interface Said {
  CONNACK: Connack
  PUBLISH: Heard
  PUBACK: Ack
  PUBREC: Ack
  PUBREL: Ack
  PUBCOMP: Ack
  SUBACK: Codes
  UNSUBACK: Codes
  PINGRESP: Record<string, never>
  DISCONNECT: Ending
  AUTH: Ending
}

const types: Readonly<Record<number, keyof Said>> = {
  2: 'CONNACK',
  3: 'PUBLISH',
  4: 'PUBACK',
  5: 'PUBREC',
  6: 'PUBREL',
  7: 'PUBCOMP',
  9: 'SUBACK',
  11: 'UNSUBACK',
  13: 'PINGRESP',
  14: 'DISCONNECT',
  15: 'AUTH',
}

/** Reason codes that a server may put into each packet: the tables of chapter 3. */
const reasonCodes: Readonly<Partial<Record<keyof Said, readonly number[]>>> = {
  CONNACK: [
    0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a,
    0x9b, 0x9c, 0x9d, 0x9f,
  ],
  PUBACK: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  PUBREC: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  PUBREL: [0, 0x92],
  PUBCOMP: [0, 0x92],
  SUBACK: [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  UNSUBACK: [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  DISCONNECT: [
    0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
    0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  AUTH: [0, 0x18],
}

/**
 * What a packet of the server says. Strict: reserved bits, reason codes that the standard does not list,
 * properties that stand twice or in the wrong packet, and bytes left over fail the test.
 */
export function read({ type, flags, body }: WirePacket): [name: keyof Said, said: Said[keyof Said]] {
  const name = types[type]
  assert.ok(name !== undefined, `a server sends no packet of type ${type}`)
  if (name !== 'PUBLISH') assert.equal(flags, name === 'PUBREL' ? 2 : 0, `the flags of ${name}`)
  return [name, readBody(name, flags, new Reader(name, body))]
}

function readBody(name: keyof Said, flags: number, from: Reader): Said[keyof Said] {
  switch (name) {
    case 'PUBLISH':
      return readPublish(flags, from)
    case 'CONNACK': {
      const acknowledge = from.byte()
      assert.equal(acknowledge & 0xfe, 0, 'reserved Connect Acknowledge Flags')
      const code = from.reasonCode()
      return { isSessionPresent: acknowledge === 1, code, properties: from.properties(), ...from.end() }
    }
    case 'SUBACK':
    case 'UNSUBACK': {
      const id = from.two()
      const properties = from.properties()
      const codes: number[] = []
      while (from.left > 0) codes.push(from.reasonCode())
      return { id, codes, properties }
    }
    case 'PINGRESP':
      return from.end()
    case 'DISCONNECT':
    case 'AUTH': {
      const code = from.left > 0 ? from.reasonCode() : 0
      return { code, properties: from.left > 0 ? from.properties() : {}, ...from.end() }
    }
    default: {
      const id = from.two()
      const code = from.left > 0 ? from.reasonCode() : 0
      return { id, code, properties: from.left > 0 ? from.properties() : {}, ...from.end() }
    }
  }
}

function readPublish(flags: number, from: Reader): Heard {
  const qos = ((flags >> 1) & 3) as QoS
  assert.ok((qos as number) !== 3, 'a PUBLISH of QoS 3')
  const topic = from.prefixed().toString()
  const id = qos === 0 ? 0 : from.two()
  if (qos > 0) assert.notEqual(id, 0, 'Packet Identifier 0')
  const properties = from.properties()
  const payload = from.take(from.left).toString()
  return { topic, payload, qos, retain: (flags & 1) !== 0, dup: (flags & 8) !== 0, id, properties }
}

class Reader {
  readonly #packet: keyof Said
  readonly #bytes: Buffer
  #at = 0

  constructor(name: keyof Said, all: Buffer) {
    this.#packet = name
    this.#bytes = all
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(length: number): Buffer {
    assert.ok(length <= this.left, `${this.#packet} is too short`)
    const taken = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return taken
  }

  byte(): number {
    return this.take(1)[0] as number
  }

  two(): number {
    return this.take(2).readUInt16BE()
  }

  prefixed(): Buffer {
    return this.take(this.two())
  }

  varint(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte()
      value += (byte & 127) * factor
      if (byte >= 128) continue
      assert.ok(byte > 0 || factor === 1, 'a Variable Byte Integer of more bytes than it needs')
      return value
    }
  }

  reasonCode(): number {
    const code = this.byte()
    const allowed = reasonCodes[this.#packet]?.includes(code)
    assert.ok(allowed, `reason code 0x${code.toString(16)} in ${this.#packet}`)
    return code
  }

  end(): Record<string, never> {
    assert.equal(this.left, 0, `bytes left over in ${this.#packet}`)
    return {}
  }

  properties(): Properties {
    const length = this.varint()
    assert.ok(length <= this.left, `the properties of ${this.#packet} are longer than it`)
    const left = this.left - length
    const found: Partial<Record<keyof Properties, unknown>> = {}
    while (this.left > left) {
      const id = this.varint()
      const name = propertyNames.find((one) => propertyTable[one][0] === id)
      assert.ok(name !== undefined, `property 0x${id.toString(16)} in ${this.#packet}`)
      const [, kind, fromServer] = propertyTable[name]
      assert.ok(fromServer.split(' ').includes(this.#packet), `${name} in ${this.#packet}`)
      const value = this.#value(kind)
      const isList = kind === 'pair' || kind === 'varint'
      assert.ok(isList || !(name in found), `${name} twice in ${this.#packet}`)
      found[name] = isList ? [...((found[name] as unknown[]) ?? []), value] : value
    }
    assert.equal(this.left, left, `the properties of ${this.#packet} are longer than their length`)
    return found as Properties
  }

  #value(kind: Kind): unknown {
    if (kind === 'pair') return [this.prefixed().toString(), this.prefixed().toString()]
    if (kind === 'text') return this.prefixed().toString()
    if (kind === 'binary') return Buffer.from(this.prefixed())
    if (kind === 'byte') return this.byte()
    if (kind === 'two') return this.two()
    return kind === 'four' ? this.take(4).readUInt32BE() : this.varint()
  }
}
