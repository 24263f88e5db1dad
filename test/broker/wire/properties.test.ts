import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Properties,
  type PropertyBearer,
  readProperties,
  writeProperties,
} from '#src/broker/wire/properties.js'
import { ProtocolError } from '#src/broker/wire/protocol-error.js'
import { Reader } from '#src/broker/wire/reader.js'
import { damaged, propertiesOf } from '../../support/wire-arbitraries.js'
import { bytes, varint } from '../../support/wire-client.js'
import { among, refusal } from '../../support/wire-packets.js'

const read = (block: Uint8Array, bearer: PropertyBearer): Properties =>
  among(block, (all, start, end) => {
    const reader = new Reader().reset(all, start, end)
    const properties = readProperties(reader, bearer)
    reader.finish()
    return properties
  })
const readHex = (hex: string, bearer: PropertyBearer) => {
  const block = Buffer.from(hex, 'hex')
  return read(bytes(varint(block.length), block), bearer)
}

const bearers: readonly PropertyBearer[] = [
  'connect',
  'connack',
  'publish',
  'will',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'subscribe',
  'suback',
  'unsubscribe',
  'unsuback',
  'disconnect',
  'auth',
]
const reasoned = 'connack puback pubrec pubrel pubcomp suback unsuback disconnect auth'

/** MQTT 5 table 2-4: a value, its bytes, and which packets carry it. */
const rows: readonly (readonly [properties: Properties, hex: string, bearers: string])[] = [
  [{ payloadFormatIndicator: 1 }, '0101', 'publish will'],
  [{ payloadFormatIndicator: 0 }, '0100', 'publish will'],
  [{ messageExpiryInterval: 0x01020304 }, '0201020304', 'publish will'],
  [{ messageExpiryInterval: 0 }, '0200000000', 'publish will'],
  [{ contentType: 'ü' }, '030002c3bc', 'publish will'],
  [{ responseTopic: 'a/b' }, '080003612f62', 'publish will'],
  [{ correlationData: Buffer.of(0, 255) }, '09000200ff', 'publish will'],
  [{ subscriptionIdentifiers: [268_435_455] }, '0bffffff7f', 'publish subscribe'],
  [{ sessionExpiryInterval: 0xffff_ffff }, '11ffffffff', 'connect connack disconnect'],
  [{ assignedClientIdentifier: 'id' }, '1200026964', 'connack'],
  [{ serverKeepAlive: 60 }, '13003c', 'connack'],
  [{ authenticationMethod: 'm' }, '1500016d', 'connect connack auth'],
  [{ authenticationData: Buffer.of(1) }, '16000101', 'connect connack auth'],
  [{ requestProblemInformation: false }, '1700', 'connect'],
  [{ willDelayInterval: 5 }, '1800000005', 'will'],
  [{ requestResponseInformation: true }, '1901', 'connect'],
  [{ responseInformation: 'r' }, '1a000172', 'connack'],
  [{ serverReference: 's' }, '1c000173', 'connack disconnect'],
  [{ reasonString: 'no' }, '1f00026e6f', reasoned],
  [{ receiveMaximum: 65_535 }, '21ffff', 'connect connack'],
  [{ receiveMaximum: 1 }, '210001', 'connect connack'],
  [{ topicAliasMaximum: 0 }, '220000', 'connect connack'],
  [{ topicAlias: 258 }, '230102', 'publish'],
  [{ maximumQos: 1 }, '2401', 'connack'],
  [{ retainAvailable: true }, '2501', 'connack'],
  [{ userProperties: [['a', 'b']] }, '26000161000162', bearers.join(' ')],
  [
    {
      userProperties: [
        ['a', ''],
        ['a', ''],
      ],
    },
    '260001610000260001610000',
    bearers.join(' '),
  ],
  [{ maximumPacketSize: 1 }, '2700000001', 'connect connack'],
  [{ wildcardSubscriptionAvailable: true }, '2801', 'connack'],
  [{ subscriptionIdentifierAvailable: false }, '2900', 'connack'],
  [{ sharedSubscriptionAvailable: true }, '2a01', 'connack'],
]

for (const [properties, hex, carriers] of rows) {
  const name = `${Object.keys(properties)[0]} (${hex})`
  test(`${name} is written as it is read`, () => {
    const block = Buffer.from(hex, 'hex')
    assert.deepEqual(writeProperties(properties), bytes(block.length, block))
  })
  for (const bearer of bearers) {
    if (carriers.split(' ').includes(bearer))
      test(`${name} is read from ${bearer}`, () => assert.deepEqual(readHex(hex, bearer), properties))
    else
      test(`${name} makes ${bearer} malformed, which does not carry it`, () =>
        assert.throws(() => readHex(hex, bearer), refusal(0x81)))
  }
  if (properties.userProperties === undefined) {
    const bearer = carriers.split(' ')[0] as PropertyBearer
    const repeated = bearer === 'publish' && properties.subscriptionIdentifiers !== undefined
    if (!repeated)
      test(`${name} twice is a protocol error`, () =>
        assert.throws(() => readHex(hex + hex, bearer), refusal(0x82)))
  }
  test(`${name} is malformed when its last byte is missing`, () => {
    const bearer = carriers.split(' ')[0] as PropertyBearer
    assert.throws(() => readHex(hex.slice(0, -2), bearer), refusal(0x81))
  })
}

const refused: readonly (readonly [title: string, hex: string, bearer: PropertyBearer, code: number])[] = [
  ['an identifier that is none', '7f', 'connect', 0x81],
  ['the identifier 0', '0000', 'connect', 0x81],
  ['an identifier in more bytes than it needs', 'a100ffff', 'connect', 0x81],
  ['an identifier of two bytes', '800101', 'connect', 0x81],
  ['Receive Maximum 0', '210000', 'connect', 0x82],
  ['Maximum Packet Size 0', '2700000000', 'connect', 0x82],
  ['Request Problem Information 2', '1702', 'connect', 0x82],
  ['Request Response Information 255', '19ff', 'connect', 0x82],
  ['Payload Format Indicator 2', '0102', 'publish', 0x82],
  ['Subscription Identifier 0', '0b00', 'subscribe', 0x82],
  ['two Subscription Identifiers in SUBSCRIBE', '0b010b02', 'subscribe', 0x82],
  ['a Subscription Identifier in more bytes than it needs [MQTT-1.5.5-1]', '0b8100', 'subscribe', 0x81],
  ['Topic Alias 0 [MQTT-3.3.2-8]', '230000', 'publish', 0x94],
  ['a Response Topic with + [MQTT-3.3.2-14]', '080003612f2b', 'publish', 0x82],
  ['a Response Topic with # [MQTT-3.3.2-14]', '08000123', 'will', 0x82],
  ['an empty Response Topic [MQTT-4.7.3-1]', '080000', 'publish', 0x82],
  ['a Reason String with U+0000 [MQTT-1.5.4-2]', '1f000100', 'puback', 0x81],
  ['a User Property whose name is not UTF-8 [MQTT-1.5.4-1]', '260001ff000161', 'connect', 0x81],
  ['a User Property whose value is not UTF-8 [MQTT-1.5.4-1]', '260001610001ff', 'connect', 0x81],
  ['a User Property without a value', '26000161', 'connect', 0x81],
]

for (const [title, hex, bearer, code] of refused) {
  test(`${bearer} with ${title} is refused with 0x${code.toString(16)}`, () => {
    assert.throws(() => readHex(hex, bearer), refusal(code))
  })
}

test('a PUBLISH to a client carries many Subscription Identifiers', () => {
  assert.deepEqual(readHex('0b010b02', 'publish'), { subscriptionIdentifiers: [1, 2] })
})

test('properties that end behind the packet are malformed', () => {
  assert.throws(() => read(Buffer.from('0721', 'hex'), 'connect'), refusal(0x81))
})

test('a property that ends behind the properties is malformed, though the packet goes on', () => {
  const packet = Buffer.from('022100ffffff', 'hex') // two bytes of properties, Receive Maximum needs three
  assert.throws(() => readProperties(new Reader().reset(packet, 0, packet.length), 'connect'), refusal(0x81))
})

test('what follows the properties is left to be read', () => {
  const packet = Buffer.from('0321000aabcd', 'hex')
  const reader = new Reader().reset(packet, 0, packet.length)
  assert.deepEqual(readProperties(reader, 'connect'), { receiveMaximum: 10 })
  assert.equal(reader.u16(), 0xabcd)
})

test('no properties are one byte', () => assert.deepEqual(writeProperties({}), Buffer.of(0)))

test('a text of 65,535 bytes can be written, and not one of 65,536', () => {
  const reasonString = 'a'.repeat(65_535)
  assert.deepEqual(read(writeProperties({ reasonString }), 'connack'), { reasonString })
  assert.throws(() => writeProperties({ reasonString: `${reasonString}a` }), RangeError)
})

for (const bearer of bearers) {
  test(`the properties of ${bearer} are read as they were written, and damaged ones never end otherwise than refused`, () => {
    const any = propertiesOf(bearer)
    fc.assert(
      fc.property(any, (properties) => {
        assert.deepEqual(read(writeProperties(properties), bearer), properties)
      }),
    )
    fc.assert(
      fc.property(damaged(any.map(writeProperties)), (block) => {
        try {
          read(block, bearer)
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error))
        }
      }),
    )
  })
}
