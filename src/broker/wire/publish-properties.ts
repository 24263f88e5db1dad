import { ProtocolError } from './protocol-error.ts'
import { reasonCode } from './reason-codes.ts'
import { isStrictUtf8 } from './utf8.ts'

/** What a server must know of the properties of a PUBLISH or a will; the others travel as they are. */
export class PublishProperties {
  /** 0 for none. */
  topicAlias = 0
  /** Where the Topic Alias stands in the bytes, its identifier included, to cut it out; -1 for none. */
  aliasAt = -1
  aliasEnd = -1
  /** Seconds; -1 for none. */
  messageExpiryInterval = -1
  /** Where its four bytes begin; -1 for none. */
  expiryAt = -1
  /** Of a will: seconds. */
  willDelayInterval = 0
  /** Where the Will Delay Interval stands, its identifier included; -1 for none. */
  delayAt = -1
  delayEnd = -1
}

/**
 * Checks the properties of a PUBLISH from a client, `start` behind their length, and notes what matters in `found`.
 * Allocates nothing. Malformed is what cannot be read or does not belong there; a protocol error what comes twice or has a wrong value.
 * A Topic Alias of 0 throws with 0x94 [MQTT-3.3.2-8]; whether a greater one is too great is up to the connection.
 */
export function scanPublishProperties(
  bytes: Uint8Array,
  start: number,
  end: number,
  found: PublishProperties,
): void {
  scan(bytes, start, end, found, false)
}

/**
 * The same for properties that were taken before, without their length: where their Message Expiry Interval is, and
 * how long. One object for all: read it at once.
 */
export function expiryIn(
  properties: Uint8Array,
): Pick<PublishProperties, 'messageExpiryInterval' | 'expiryAt'> {
  scan(properties, 0, properties.length, taken, false)
  return taken
}

const taken = new PublishProperties()

/** The same for the properties of a will. */
export function scanWillProperties(
  bytes: Uint8Array,
  start: number,
  end: number,
  found: PublishProperties,
): void {
  scan(bytes, start, end, found, true)
}

function scan(
  bytes: Uint8Array,
  start: number,
  end: number,
  found: PublishProperties,
  isWill: boolean,
): void {
  clear(found)
  let seen = 0
  let at = start
  while (at < end) {
    const idAt = at
    const id = bytes[at++] as number
    if (id === 38) {
      at = textEnd(bytes, textEnd(bytes, at, end), end)
      continue
    }
    switch (id) {
      case 1:
        seen = once(seen, 1 << 1, id)
        if (at >= end) throw cutOff(id)
        if ((bytes[at] as number) > 1) throw protocolError(id, 'may be 0 or 1')
        at += 1
        break
      case 2:
        seen = once(seen, 1 << 2, id)
        found.messageExpiryInterval = u32(bytes, at, end, id)
        found.expiryAt = at
        at += 4
        break
      case 3:
        seen = once(seen, 1 << 3, id)
        at = textEnd(bytes, at, end)
        break
      case 8: {
        seen = once(seen, 1 << 8, id)
        const from = at
        at = textEnd(bytes, at, end)
        checkTopic(bytes, from + 2, at)
        break
      }
      case 9:
        seen = once(seen, 1 << 9, id)
        at = dataEnd(bytes, at, end, id)
        break
      case 24:
        if (!isWill) throw unknown(id)
        seen = once(seen, 1 << 24, id)
        found.willDelayInterval = u32(bytes, at, end, id)
        at += 4
        found.delayAt = idAt
        found.delayEnd = at
        break
      case 35: {
        if (isWill) throw unknown(id)
        seen = once(seen, 1 << 0, id)
        if (end - at < 2) throw cutOff(id)
        const alias = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
        if (alias === 0)
          throw new ProtocolError(reasonCode.topicAliasInvalid, 'property 35 (Topic Alias) of a message is 0') // [MQTT-3.3.2-8]
        at += 2
        found.topicAlias = alias
        found.aliasAt = idAt
        found.aliasEnd = at
        break
      }
      case 11:
        if (!isWill) throw protocolError(id, 'does not come from clients') // [MQTT-3.3.4-6]
        throw unknown(id)
      default:
        throw unknown(id)
    }
  }
}

/** @returns the identifiers seen, this one's bit among them */
function once(seen: number, bit: number, id: number): number {
  if ((seen & bit) !== 0) throw protocolError(id, 'comes twice')
  return seen | bit
}

function clear(found: PublishProperties): void {
  found.topicAlias = 0
  found.aliasAt = -1
  found.aliasEnd = -1
  found.messageExpiryInterval = -1
  found.expiryAt = -1
  found.willDelayInterval = 0
  found.delayAt = -1
  found.delayEnd = -1
}

/** Checks a text with its length before it. @returns where it ends */
function textEnd(bytes: Uint8Array, at: number, end: number): number {
  const from = at + 2
  if (from > end) throw cutOff(0)
  const to = from + (((bytes[at] as number) << 8) | (bytes[at + 1] as number))
  if (to > end) throw cutOff(0)
  if (!isStrictUtf8(bytes, from, to))
    throw new ProtocolError(reasonCode.malformedPacket, 'a property is not UTF-8 or has U+0000')
  return to
}

function dataEnd(bytes: Uint8Array, at: number, end: number, id: number): number {
  const from = at + 2
  if (from > end) throw cutOff(id)
  const to = from + (((bytes[at] as number) << 8) | (bytes[at + 1] as number))
  if (to > end) throw cutOff(id)
  return to
}

/** A Response Topic is a topic: no wildcards [MQTT-3.3.2-14], not empty [MQTT-4.7.3-1]. */
function checkTopic(bytes: Uint8Array, from: number, to: number): void {
  if (from === to) throw protocolError(8, 'is empty')
  for (let at = from; at < to; at++) {
    const byte = bytes[at]
    if (byte === 0x23 || byte === 0x2b) throw protocolError(8, 'has a wildcard')
  }
}

function u32(bytes: Uint8Array, at: number, end: number, id: number): number {
  if (end - at < 4) throw cutOff(id)
  return (
    (bytes[at] as number) * 0x100_0000 +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
  )
}

function cutOff(id: number): ProtocolError {
  const which = id === 0 ? 'a text in them' : `property ${id}`
  return new ProtocolError(reasonCode.malformedPacket, `the properties end before ${which} does`)
}

function unknown(id: number): ProtocolError {
  return new ProtocolError(reasonCode.malformedPacket, `property ${id} does not belong to a message`)
}

function protocolError(id: number, what: string): ProtocolError {
  return new ProtocolError(reasonCode.protocolError, `property ${id} of a message ${what}`)
}
