import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeAuth, decodeDisconnect, readAck } from '#src/broker/wire/acknowledgements.js'
import { decodeConnect } from '#src/broker/wire/connect.js'
import { encodeDisconnect } from '#src/broker/wire/encode.js'
import { writeProperties } from '#src/broker/wire/properties.js'
import { ProtocolError } from '#src/broker/wire/protocol-error.js'
import { decodeSubscribe, decodeUnsubscribe } from '#src/broker/wire/subscribe.js'
import { damaged, data, propertiesOf, text, topic } from '../../support/wire-arbitraries.js'
import { bytes, connectBytes, u16 } from '../../support/wire-client.js'
import { among, blockOf, bodyOf, subscribeBody, unsubscribeBody } from '../../support/wire-packets.js'

const plain = { qos: 1, noLocal: false, retainAsPublished: true, retainHandling: 2 } as const

const connects = fc
  .tuple(fc.constantFrom(3, 4, 5), text, topic, data, propertiesOf('connect'), propertiesOf('will'))
  .map(([level, name, willTopic, payload, properties, ofWill]) =>
    bodyOf(
      connectBytes({
        level,
        clientId: name,
        username: name,
        password: payload,
        properties: blockOf(properties),
        will: { topic: willTopic, payload, properties: blockOf(ofWill) },
      }),
    ),
  )
const filters = fc.array(text, { minLength: 1, maxLength: 4 })
const subscribes = fc
  .tuple(filters, fc.boolean(), propertiesOf('subscribe'))
  .map(([some, isV5, properties]) => {
    const requests = some.map((filter) => ({ ...plain, filter }))
    return subscribeBody({ packetId: 1, subscriptionIdentifier: 0, requests }, isV5, properties)
  })
const unsubscribes = fc
  .tuple(filters, fc.boolean(), propertiesOf('unsubscribe'))
  .map(([some, isV5, properties]) => unsubscribeBody({ packetId: 1, filters: some }, isV5, properties))
const acks = propertiesOf('puback').map((properties) => bytes(u16(77), 0x10, writeProperties(properties)))
const disconnects = propertiesOf('disconnect').map((properties) => bodyOf(encodeDisconnect(4, properties)))
const auths = propertiesOf('auth').map((properties) => bytes(0x18, writeProperties(properties)))

const decoders = {
  CONNECT: [connects, decodeConnect],
  SUBSCRIBE: [
    subscribes,
    (all: Buffer, start: number, end: number) => decodeSubscribe(all, start, end, true),
  ],
  UNSUBSCRIBE: [
    unsubscribes,
    (all: Buffer, start: number, end: number) => decodeUnsubscribe(all, start, end, false),
  ],
  PUBACK: [acks, (all: Buffer, start: number, end: number) => readAck(4, all, start, end, true)],
  DISCONNECT: [
    disconnects,
    (all: Buffer, start: number, end: number) => decodeDisconnect(all, start, end, true),
  ],
  AUTH: [auths, decodeAuth],
} as const

for (const [name, [packets, decode]] of Object.entries(decoders)) {
  test(`${name} of random bytes, cut anywhere, or damaged is read or refused, within its bytes`, () => {
    const cut = fc.tuple(packets, fc.nat(), fc.nat()).map(([packet, a, b]) => {
      const [from, to] = [a % (packet.length + 1), b % (packet.length + 1)]
      return packet.subarray(Math.min(from, to), Math.max(from, to))
    })
    const noise = fc.uint8Array({ maxLength: 60 })
    fc.assert(
      fc.property(fc.oneof(packets, damaged(packets), cut, noise), (body) => {
        try {
          among(body, decode as (all: Buffer, start: number, end: number) => unknown)
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error))
          assert.ok([0x81, 0x82, 0x84, 0x85, 0x90].includes(error.reasonCode))
        }
      }),
      { numRuns: 500 },
    )
  })
}
