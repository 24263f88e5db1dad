// The client's half of the codec, for round trips: what a client writes, and how it reads what the server wrote.
import assert from 'node:assert/strict'
import {
  type Properties,
  type PropertyBearer,
  readProperties,
  writeProperties,
} from '#src/broker/wire/properties.js'
import { ProtocolError } from '#src/broker/wire/protocol-error.js'
import { Reader } from '#src/broker/wire/reader.js'
import type { Subscribe, Unsubscribe } from '#src/broker/wire/subscribe.js'
import { bytes, prefixed, u16, varint } from './wire-client.js'

/** What follows the fixed header. */
export function bodyOf(packet: Buffer): Buffer {
  const reader = new Reader().reset(packet, 1, packet.length)
  const size = reader.varint()
  assert.equal(reader.rest, size, 'the remaining length')
  return packet.subarray(reader.at)
}

/** Properties without their length. */
export function blockOf(properties: Properties): Buffer {
  const block = writeProperties(properties)
  const reader = new Reader().reset(block, 0, block.length)
  const size = reader.varint()
  assert.equal(reader.rest, size, 'the property length')
  return block.subarray(reader.at)
}

/** A block without its length, put into words. */
export function readBlock(block: Uint8Array, bearer: PropertyBearer): Properties {
  const all = bytes(varint(block.length), block)
  const reader = new Reader().reset(all, 0, all.length)
  const properties = readProperties(reader, bearer)
  reader.finish()
  return properties
}

export function subscribeBody(subscribe: Subscribe, isV5: boolean, properties: Properties = {}): Buffer {
  const { subscriptionIdentifier: identifier } = subscribe
  const all = identifier === 0 ? properties : { ...properties, subscriptionIdentifiers: [identifier] }
  const requests = subscribe.requests.map(({ filter, qos, noLocal, retainAsPublished, retainHandling }) =>
    bytes(prefixed(filter), qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4)),
  )
  return bytes(u16(subscribe.packetId), isV5 ? writeProperties(all) : [], ...requests)
}

export function unsubscribeBody(
  unsubscribe: Unsubscribe,
  isV5: boolean,
  properties: Properties = {},
): Buffer {
  return bytes(
    u16(unsubscribe.packetId),
    isV5 ? writeProperties(properties) : [],
    ...unsubscribe.filters.map(prefixed),
  )
}

export interface ReadAnswer {
  readonly first: number
  /** 0 where the packet has none. */
  readonly packetId: number
  readonly codes: readonly number[]
  readonly properties: Properties
}

/** SUBACK or UNSUBACK as a client reads it. */
export function readSubscribed(packet: Buffer, bearer: 'suback' | 'unsuback', isV5: boolean): ReadAnswer {
  const body = bodyOf(packet)
  const reader = new Reader().reset(body, 0, body.length)
  const packetId = reader.u16()
  const properties = isV5 ? readProperties(reader, bearer) : {}
  return { first: packet[0] as number, packetId, codes: [...body.subarray(reader.at)], properties }
}

/** CONNACK of MQTT 5 as a client reads it. */
export function readConnack(packet: Buffer): { flags: number; code: number; properties: Properties } {
  const body = bodyOf(packet)
  const reader = new Reader().reset(body, 0, body.length)
  const [flags, code] = [reader.u8(), reader.u8()]
  const properties = readProperties(reader, 'connack')
  reader.finish()
  return { flags, code, properties }
}

/** What `assert.throws` wants to see: a ProtocolError with that code. */
export function refusal(code: number): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ProtocolError, String(error))
    assert.equal(error.reasonCode, code, `${error.message}: 0x${error.reasonCode.toString(16)}`)
    assert.ok(error.message.length > 10)
    return true
  }
}

/**
 * Runs a decoder on the bytes where they stand among others of two kinds: it must not see any of those.
 * Both runs must end the same; what the first returned or threw comes out.
 */
export function among<Result>(
  body: Uint8Array,
  decode: (all: Buffer, start: number, end: number) => Result,
): Result {
  const outcomes = [0x00, 0xff].map((byte) => {
    const all = Buffer.concat([Buffer.alloc(37, byte), body, Buffer.alloc(300, byte)])
    try {
      return { result: decode(all, 37, 37 + body.length) }
    } catch (error) {
      return { error }
    }
  })
  const [outcome, other] = outcomes
  assert.deepEqual(outcome, other, 'bytes outside have been looked at')
  if (outcome?.error !== undefined) throw outcome.error
  return outcome?.result as Result
}
