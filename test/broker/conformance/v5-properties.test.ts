import assert from 'node:assert/strict'
import {
  bytes,
  type Case,
  chapter,
  type Properties,
  packet,
  prefixed,
  props,
  rawConnect,
  u16,
  withLength,
} from '../../support/conformance-v5.js'

/** Each property once, with a value that is right. */
const each: Readonly<Required<Properties>> = {
  payloadFormat: 0,
  messageExpiry: 60,
  contentType: 'text',
  responseTopic: 'answer',
  correlationData: Buffer.from('7'),
  subscriptionIdentifiers: [1],
  sessionExpiry: 60,
  assignedClientId: 'a',
  serverKeepAlive: 60,
  authenticationMethod: 'method',
  authenticationData: Buffer.from('data'),
  requestProblemInformation: 1,
  willDelay: 1,
  requestResponseInformation: 1,
  responseInformation: 'info',
  serverReference: 'there',
  reasonString: 'why',
  receiveMaximum: 10,
  topicAliasMaximum: 10,
  topicAlias: 1,
  maximumQos: 1,
  retainAvailable: 1,
  userProperties: [['a', 'b']],
  maximumPacketSize: 1000,
  wildcardsAvailable: 1,
  subscriptionIdentifiersAvailable: 1,
  sharedAvailable: 1,
}

type Name = keyof Properties
const all = Object.keys(each) as Name[]
const one = (name: Name): Buffer => props({ [name]: each[name] })

const message: readonly Name[] = [
  'payloadFormat',
  'messageExpiry',
  'contentType',
  'responseTopic',
  'correlationData',
  'userProperties',
]

interface Place5 {
  /** What a client may put into it. */
  readonly allowed: readonly Name[]
  readonly isConnect?: boolean
  readonly bytes: (block: Uint8Array) => Buffer
}

/** The packets of a client that have properties: table 2-4. */
const packets: Readonly<Record<string, Place5>> = {
  CONNECT: {
    allowed: [
      'sessionExpiry',
      'authenticationMethod',
      'authenticationData',
      'requestProblemInformation',
      'requestResponseInformation',
      'receiveMaximum',
      'topicAliasMaximum',
      'userProperties',
      'maximumPacketSize',
    ],
    isConnect: true,
    bytes: (block) => rawConnect({ properties: block }),
  },
  'the will': {
    allowed: [...message, 'willDelay'],
    isConnect: true,
    bytes: (block) =>
      rawConnect({ flags: 6, payload: [prefixed(''), block, prefixed('topic'), prefixed('gone')] }),
  },
  PUBLISH: {
    // a Subscription Identifier may stand in a PUBLISH, but not in a client's [MQTT-3.3.4-6]
    allowed: [...message, 'topicAlias', 'subscriptionIdentifiers'],
    bytes: (block) => packet(0x30, prefixed('topic'), block, 'payload'),
  },
  PUBACK: { allowed: ['reasonString', 'userProperties'], bytes: (block) => packet(0x40, u16(1), 0, block) },
  PUBREC: { allowed: ['reasonString', 'userProperties'], bytes: (block) => packet(0x50, u16(1), 0, block) },
  PUBREL: { allowed: ['reasonString', 'userProperties'], bytes: (block) => packet(0x62, u16(1), 0, block) },
  PUBCOMP: { allowed: ['reasonString', 'userProperties'], bytes: (block) => packet(0x70, u16(1), 0, block) },
  SUBSCRIBE: {
    allowed: ['subscriptionIdentifiers', 'userProperties'],
    bytes: (block) => packet(0x82, u16(1), block, prefixed('topic'), 0),
  },
  UNSUBSCRIBE: {
    allowed: ['userProperties'],
    bytes: (block) => packet(0xa2, u16(1), block, prefixed('topic')),
  },
  DISCONNECT: {
    allowed: ['sessionExpiry', 'reasonString', 'userProperties', 'serverReference'],
    bytes: (block) => packet(0xe0, 0, block),
  },
}

const illFormed = Buffer.from([0xc3, 0x28])
const pair = (name: string | Uint8Array, value: string | Uint8Array) =>
  bytes(0x26, prefixed(name), prefixed(value))

/** Values that are refused; mosquitto 2.0.11 takes data without a method, and what no PUBLISH of a client may have. */
const wrongValues: Readonly<Record<string, readonly [where: string, block: Uint8Array, ...codes: number[]]>> =
  {
    'Receive Maximum 0': ['CONNECT', props({ receiveMaximum: 0 }), 0x82],
    'Maximum Packet Size 0': ['CONNECT', props({ maximumPacketSize: 0 }), 0x82],
    'Request Response Information 2': ['CONNECT', props({ requestResponseInformation: 2 }), 0x82],
    'Request Problem Information 2': ['CONNECT', props({ requestProblemInformation: 2 }), 0x82],
    'Authentication Data without a method': ['CONNECT', one('authenticationData'), 0x82],
    'a user property whose name is not UTF-8 [MQTT-1.5.7-1]': ['CONNECT', pair(illFormed, 'b'), 0x81],
    'a user property whose value is not UTF-8 [MQTT-1.5.7-1]': ['CONNECT', pair('a', illFormed), 0x81],
    'a user property of a will with U+0000 [MQTT-1.5.7-1]': ['the will', pair('a', 'b\0'), 0x81],
    'a will content type that is not UTF-8 [MQTT-3.3.2-19]': [
      'the will',
      props({ contentType: illFormed }),
      0x81,
    ],
    'a user property of a PUBLISH that is not UTF-8 [MQTT-1.5.7-1]': ['PUBLISH', pair('a', illFormed), 0x81],
    'a Content Type that is not UTF-8 [MQTT-3.3.2-19]': ['PUBLISH', props({ contentType: illFormed }), 0x81],
    'a Response Topic that is not UTF-8 [MQTT-3.3.2-13]': [
      'PUBLISH',
      props({ responseTopic: illFormed }),
      0x81,
    ],
    'a Response Topic with + [MQTT-3.3.2-14]': ['PUBLISH', props({ responseTopic: 'a/+' }), 0x81, 0x82, 0x90],
    'a Response Topic with # [MQTT-3.3.2-14]': ['PUBLISH', props({ responseTopic: '#' }), 0x81, 0x82, 0x90],
    'a Subscription Identifier of a client [MQTT-3.3.4-6]': ['PUBLISH', one('subscriptionIdentifiers'), 0x82],
    'Topic Alias 0 [MQTT-3.3.2-8]': ['PUBLISH', props({ topicAlias: 0 }), 0x94],
    'Subscription Identifier 0': ['SUBSCRIBE', props({ subscriptionIdentifiers: [0] }), 0x82],
    'two Subscription Identifiers': ['SUBSCRIBE', props({ subscriptionIdentifiers: [1, 2] }), 0x82],
    'a Subscription Identifier of more bytes than it needs [MQTT-1.5.5-1]': [
      'SUBSCRIBE',
      bytes([0x0b, 0x81, 0x00]),
      0x81,
      0x82,
    ],
    'a Subscription Identifier of five bytes': ['SUBSCRIBE', bytes([0x0b, 255, 255, 255, 255, 1]), 0x81],
    'a user property of an UNSUBSCRIBE that is not UTF-8': ['UNSUBSCRIBE', pair('a', illFormed), 0x81],
    'a Reason String that is not UTF-8': ['DISCONNECT', bytes(0x1f, prefixed(illFormed)), 0x81],
  }

/** Blocks that no packet may have. */
const brokenBlocks: Readonly<Record<string, Buffer>> = {
  'a property that nobody knows': withLength(0x7f, 0),
  'a property identifier of two bytes': withLength([0xff, 0x7f], 0),
  'a property that is cut off': withLength(0x26, 0, 5, 'a'),
  'a text longer than the block': withLength(0x26, u16(1), 'a', u16(60_000), 'b'),
  'a block longer than the packet': bytes(100, one('userProperties')),
  'a block shorter than its property': bytes(3, one('userProperties')),
}

function refusal(where: string, block: Uint8Array, codes: readonly number[]): Case {
  const { isConnect = false, bytes: toBytes } = packets[where] as Place5
  return async (place) => {
    const peer = isConnect ? await place.open() : await place.connect()
    peer.send(toBytes(block))
    if (isConnect) await peer.expectRefused(...codes)
    else await peer.expectDisconnect(...codes)
  }
}

for (const [where, { allowed, isConnect }] of Object.entries(packets)) {
  const cases: Record<string, Case> = {}
  for (const name of all) {
    const isAllowed = allowed.includes(name)
    if (!isAllowed)
      cases[`${name} has no place in ${where} [MQTT-4.13.1-1]`] = refusal(
        where,
        withLength(one(name)),
        [0x81, 0x82],
      )
    else if (name !== 'userProperties')
      cases[`${name} stands in ${where} only once [MQTT-4.13.1-1]`] = refusal(
        where,
        // without a method its data is an error of its own
        withLength(name === 'authenticationData' ? one('authenticationMethod') : [], one(name), one(name)),
        [0x82],
      )
  }
  for (const [what, block] of Object.entries(brokenBlocks))
    cases[`${what} in ${where} is refused [MQTT-4.13.1-1]`] = refusal(where, block, [0x81, 0x82])
  if (isConnect !== true && where !== 'PUBLISH' && where !== 'DISCONNECT')
    cases[`user properties may stand in ${where} more than once, and again`] = async (place) => {
      const peer = await place.connect()
      const pairs = props({
        userProperties: [
          ['a', '1'],
          ['a', '1'],
          ['', ''],
        ],
      })
      peer.send(packets[where]?.bytes(withLength(pairs)) as Buffer)
      peer.send([0xc0, 0])
      await peer.take('PINGRESP')
    }
  chapter(`properties of MQTT 5.0 in ${where}`, cases)
}

chapter('values of properties in MQTT 5.0', {
  ...Object.fromEntries(
    Object.entries(wrongValues).map(([what, [where, block, ...codes]]): [string, Case] => [
      `refused: ${what} in ${where} [MQTT-4.13.1-1]`,
      refusal(where, withLength(block), codes),
    ]),
  ),

  'a CONNECT with all that it may say is accepted [MQTT-2.2.2-1]': async (place) => {
    const { sessionExpiry, receiveMaximum, topicAliasMaximum, maximumPacketSize } = each
    const peer = await place.connect({
      properties: {
        ...{ sessionExpiry, receiveMaximum, topicAliasMaximum, maximumPacketSize },
        requestProblemInformation: 0,
        requestResponseInformation: 1,
        userProperties: [
          ['a', 'b'],
          ['a', 'b'],
          ['', ''],
        ],
      },
      will: { topic: place.name, properties: Object.fromEntries(message.map((name) => [name, each[name]])) },
    })
    await peer.expectAlive()
  },

  'packets of the broker have a Property Length of zero when there is nothing to say [MQTT-2.2.2-1]': async (
    place,
  ) => {
    const peer = await place.connect()
    await peer.subscribe(place.name)
    await peer.publish(place.name, 'x')
    const { properties } = await peer.expectMessage({ payload: 'x' })
    assert.deepEqual(properties, {})
  },

  'the largest Subscription Identifier is 268,435,455': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(place.name, {}, { subscriptionIdentifiers: [268_435_455] })
    await peer.publish(place.name, 'x')
    await peer.expectMessage({ properties: { subscriptionIdentifiers: [268_435_455] } })
  },
})
