import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  decodeSubscribe,
  decodeUnsubscribe,
  type Subscribe,
  type SubscribeRequest,
} from '#src/broker/wire/subscribe.js'
import { packetId, propertiesOf, text } from '../../support/wire-arbitraries.js'
import { bytes, prefixed, u16 } from '../../support/wire-client.js'
import { among, refusal, subscribeBody, unsubscribeBody } from '../../support/wire-packets.js'

const subscribe = (body: Uint8Array, isV5: boolean) =>
  among(body, (all, start, end) => decodeSubscribe(all, start, end, isV5))
const unsubscribe = (body: Uint8Array, isV5: boolean) =>
  among(body, (all, start, end) => decodeUnsubscribe(all, start, end, isV5))

const plain: SubscribeRequest = {
  filter: 'a/b',
  qos: 0,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
}

/** Options byte of one filter, and what it means in MQTT 5. */
const options: readonly (readonly [hex: string, meaning: Partial<SubscribeRequest>])[] = [
  ['00', {}],
  ['01', { qos: 1 }],
  ['02', { qos: 2 }],
  ['04', { noLocal: true }],
  ['08', { retainAsPublished: true }],
  ['10', { retainHandling: 1 }],
  ['20', { retainHandling: 2 }],
  ['2e', { qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 }],
]

for (const [hex, meaning] of options) {
  const packet: Subscribe = { packetId: 10, subscriptionIdentifier: 0, requests: [{ ...plain, ...meaning }] }
  const body = Buffer.from(`000a000003612f62${hex}`, 'hex')
  test(`the options ${hex} of MQTT 5 are ${JSON.stringify(meaning)}`, () => {
    assert.deepEqual(subscribe(body, true), packet)
    assert.deepEqual(subscribeBody(packet, true), body)
  })
}

const refused: readonly (readonly [title: string, hex: string, isV5: boolean, code: number])[] = [
  ['packet identifier 0 [MQTT-2.2.1-3]', '00000000016100', true, 0x82],
  ['packet identifier 0 [MQTT-2.3.1-1] of 3.1.1', '000000016100', false, 0x82],
  ['no filter [MQTT-3.8.3-2]', '000100', true, 0x82],
  ['no filter [MQTT-3.8.3-3] of 3.1.1', '0001', false, 0x82],
  ['bit 7 of the options [MQTT-3.8.3-5]', '00010000016180', true, 0x81],
  ['bit 6 of the options [MQTT-3.8.3-5]', '00010000016140', true, 0x81],
  ['No Local in MQTT 3.1.1 [MQTT-3-8.3-4]', '000100016104', false, 0x81],
  ['QoS 3', '00010000016103', true, 0x82],
  ['QoS 3 in MQTT 3.1.1 [MQTT-3-8.3-4]', '000100016103', false, 0x82],
  ['Retain Handling 3', '00010000016130', true, 0x82],
  ['No Local on a shared subscription [MQTT-3.8.3-4]', '000100000a2473686172652f672f6104', true, 0x82],
  ['Subscription Identifier 0', '0001020b0000016100', true, 0x82],
  ['a filter that is not UTF-8 [MQTT-3.8.3-1]', '0001000001ff00', true, 0x81],
  ['a filter without options', '000100000161', true, 0x81],
  ['a second filter that is cut off', '00010000016100000261', true, 0x81],
  ['half a packet identifier', '00', true, 0x81],
  ['no properties at all [MQTT-2.2.2-1]', '0001', true, 0x81],
]

for (const [title, hex, isV5, code] of refused) {
  test(`SUBSCRIBE with ${title} is refused with 0x${code.toString(16)}`, () => {
    assert.throws(() => subscribe(Buffer.from(hex, 'hex'), isV5), refusal(code))
  })
}

const badUnsubscribes: readonly (readonly [title: string, hex: string, isV5: boolean, code: number])[] = [
  ['packet identifier 0 [MQTT-2.2.1-3]', '000000000161', true, 0x82],
  ['no filter [MQTT-3.10.3-2]', '000100', true, 0x82],
  ['no filter [MQTT-3.10.3-2] of 3.1.1', '0001', false, 0x82],
  ['a filter that is not UTF-8 [MQTT-3.10.3-1]', '0001000001c0', true, 0x81],
  ['a filter that is cut off', '000100000261', true, 0x81],
  ['a property that it does not carry', '0001020b01000161', true, 0x81],
]

for (const [title, hex, isV5, code] of badUnsubscribes) {
  test(`UNSUBSCRIBE with ${title} is refused with 0x${code.toString(16)}`, () => {
    assert.throws(() => unsubscribe(Buffer.from(hex, 'hex'), isV5), refusal(code))
  })
}

test('a filter that is no good is for SUBACK to answer, and no reason to end the connection', () => {
  for (const filter of ['', 'a/#/b', 'a+', '$share//a', 'a/'.repeat(200)]) {
    const packet = { packetId: 1, subscriptionIdentifier: 0, requests: [{ ...plain, filter }] }
    assert.deepEqual(subscribe(subscribeBody(packet, true), true), packet)
  }
})

test('a shared subscription without No Local is accepted', () => {
  const packet = { packetId: 1, subscriptionIdentifier: 7, requests: [{ ...plain, filter: '$share/g/a' }] }
  assert.deepEqual(subscribe(subscribeBody(packet, true), true), packet)
})

const request: fc.Arbitrary<SubscribeRequest> = fc.record(
  {
    filter: text.map((some) => some.replaceAll('$', 'S')),
    qos: fc.constantFrom(0, 1, 2),
    noLocal: fc.boolean(),
    retainAsPublished: fc.boolean(),
    retainHandling: fc.constantFrom(0, 1, 2),
  },
  { noNullPrototype: true },
)

test('SUBSCRIBE of MQTT 5 is read as it was written', () => {
  const identifier = fc.integer({ min: 0, max: 268_435_455 })
  const requests = fc.array(request, { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(packetId, identifier, requests, propertiesOf('unsubscribe'), (id, number, some, users) => {
      const packet = { packetId: id, subscriptionIdentifier: number, requests: some }
      assert.deepEqual(subscribe(subscribeBody(packet, true, users), true), packet)
    }),
  )
})

test('SUBSCRIBE of MQTT 3.1.1 is read as it was written', () => {
  const old = request.map(({ filter, qos }) => ({ ...plain, filter, qos }))
  fc.assert(
    fc.property(packetId, fc.array(old, { minLength: 1, maxLength: 5 }), (id, requests) => {
      const packet = { packetId: id, subscriptionIdentifier: 0, requests }
      assert.deepEqual(subscribe(subscribeBody(packet, false), false), packet)
    }),
  )
})

test('UNSUBSCRIBE is read as it was written', () => {
  const filters = fc.array(text, { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(packetId, filters, fc.boolean(), propertiesOf('unsubscribe'), (id, some, isV5, users) => {
      const packet = { packetId: id, filters: some }
      assert.deepEqual(unsubscribe(unsubscribeBody(packet, isV5, users), isV5), packet)
    }),
  )
})

test('each of a SUBSCRIBE’s filters is asked for, also the same one twice', () => {
  const one = bytes(prefixed('a'), 1)
  assert.equal(subscribe(bytes(u16(1), one, one, one), false).requests.length, 3)
})
