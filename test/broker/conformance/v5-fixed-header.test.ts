import {
  ackBytes,
  bytes,
  type Case,
  chapter,
  disconnectBytes,
  packet,
  pingreq,
  prefixed,
  publishBytes,
  subscribeBytes,
  unsubscribeBytes,
  withLength,
} from '../../support/conformance-v5.js'

/** The same packet with other flags. */
const flagged = (one: Buffer, flags: number) => bytes(((one[0] as number) & 0xf0) | flags, one.subarray(1))

/** mosquitto 2.0.11 looks at none but those of PUBREL, SUBSCRIBE, UNSUBSCRIBE and DISCONNECT. */
const fixedFlags: Readonly<Record<string, readonly [one: Buffer, right: number, tag: string]>> = {
  PUBACK: [ackBytes(0x40, 1), 0, '[MQTT-2.1.3-1]'],
  PUBREC: [ackBytes(0x50, 1), 0, '[MQTT-2.1.3-1]'],
  PUBREL: [ackBytes(0x62, 1), 2, '[MQTT-3.6.1-1]'],
  PUBCOMP: [ackBytes(0x70, 1), 0, '[MQTT-2.1.3-1]'],
  SUBSCRIBE: [subscribeBytes(1, [['a', 0]]), 2, '[MQTT-3.8.1-1]'],
  UNSUBSCRIBE: [unsubscribeBytes(1, 'a'), 2, '[MQTT-3.10.1-1]'],
  PINGREQ: [pingreq, 0, '[MQTT-2.1.3-1]'],
  DISCONNECT: [disconnectBytes(), 0, '[MQTT-3.14.1-1]'],
}

/** mosquitto 2.0.11 lets needless length bytes of a packet, and bytes after a PUBREC or PINGREQ, pass. */
const malformed: Readonly<Record<string, readonly [bytes: Buffer, ...codes: number[]]>> = {
  'packet type 0': [bytes([0x00, 0]), 0x81, 0x82],
  'a Remaining Length of five bytes [MQTT-1.5.5-1]': [bytes([0x30, 255, 255, 255, 255, 1]), 0x81, 0x95],
  'a Remaining Length of more bytes than it needs [MQTT-1.5.5-1]': [bytes([0xc0, 0x80, 0]), 0x81],
  'a Property Length of more bytes than it needs [MQTT-1.5.5-1]': [
    packet(0x30, prefixed('a'), [0x80, 0x00], 'x'),
    0x81,
  ],
  'a PUBLISH that ends within its topic': [packet(0x30, 0, 5, 'a'), 0x81],
  'a PUBLISH that ends after its topic [MQTT-2.2.2-1]': [packet(0x30, prefixed('a')), 0x81],
  'a PUBLISH of QoS 1 that ends before its packet id': [packet(0x32, prefixed('a')), 0x81],
  'a PUBACK of no bytes': [packet(0x40), 0x81],
  'a PUBACK of one byte': [packet(0x40, 1), 0x81],
  'a PUBREL of no bytes': [packet(0x62), 0x81],
  'a PUBREC with bytes after its properties': [packet(0x50, 0, 1, 0, 0, 9), 0x81],
  'a SUBSCRIBE without options': [packet(0x82, 0, 1, 0, prefixed('a')), 0x81],
  'an UNSUBSCRIBE that ends within its filter': [packet(0xa2, 0, 1, 0, 0, 5, 'a'), 0x81],
  'a PINGREQ with a payload': [packet(0xc0, 1), 0x81],
  'a DISCONNECT with bytes after its properties': [packet(0xe0, 0, 0, 1), 0x81],
}

/** What only a server sends; mosquitto ignores all but CONNACK. */
const fromServers: Readonly<Record<string, Buffer>> = {
  CONNACK: packet(0x20, 0, 0, 0),
  SUBACK: packet(0x90, 0, 1, 0, 0),
  UNSUBACK: packet(0xb0, 0, 1, 0, 0),
  PINGRESP: packet(0xd0),
}

const cases: Record<string, Case> = {}

for (const [name, [one, right, tag]] of Object.entries(fixedFlags))
  for (const wrong of [0, 1, 2, 4, 8, 15].filter((flags) => flags !== right))
    cases[`${name} with the flags ${wrong} is malformed ${tag}`] = async (place) => {
      const peer = await place.connect()
      peer.send(flagged(one, wrong))
      await peer.expectDisconnect(0x81)
    }

for (const [what, [one, ...codes]] of Object.entries(malformed))
  cases[`refused: ${what} [MQTT-4.13.1-1]`] = async (place) => {
    const peer = await place.connect()
    peer.send(one)
    await peer.expectDisconnect(...codes)
  }

for (const [name, one] of Object.entries(fromServers))
  cases[`a ${name} from a client is a protocol error [MQTT-4.13.1-1]`] = async (place) => {
    const peer = await place.connect()
    peer.send(one)
    await peer.expectDisconnect(0x82)
  }

chapter('the fixed header of MQTT 5.0', {
  ...cases,

  'an error of one client has no consequence for another [MQTT-4.13.2-1]': async (place) => {
    const other = await place.connect()
    await other.subscribe(place.name, { qos: 1 })
    const peer = await place.connect()
    peer.send(bytes([0x00, 0]))
    await peer.expectDisconnect(0x81, 0x82)
    await other.publish(place.name, 'x', { qos: 1 })
    await other.expectMessage({ payload: 'x' })
  },

  'what follows an error is not obeyed [MQTT-3.14.4-1] [MQTT-3.14.4-2]': async (place) => {
    const watcher = await place.connect()
    await watcher.subscribe(place.name)
    const peer = await place.connect()
    peer.send(
      publishBytes(place.name, 'before'),
      bytes([0x00, 0]),
      publishBytes(place.name, 'after'),
      pingreq,
    )
    await peer.expectDisconnect(0x81, 0x82)
    await watcher.expectMessage({ payload: 'before' })
    await watcher.expectNothingFrom(watcher, 0)
  },

  'several packets in one segment, and one in many, are the same [MQTT-4.2.0-1]': async (place) => {
    const peer = await place.connect()
    await peer.subscribe(place.name)
    const block = bytes(publishBytes(place.name, '1'), publishBytes(place.name, '2'), pingreq)
    for (const byte of block) {
      peer.send(byte)
      await new Promise(setImmediate)
    }
    await peer.expectMessage({ payload: '1' })
    await peer.expectMessage({ payload: '2' })
    await peer.next('PINGRESP')
    peer.send(block)
    await peer.expectMessage({ payload: '1' })
    await peer.expectMessage({ payload: '2' })
    await peer.next('PINGRESP')
  },

  'a request of HTTP, for a WebSocket too, closes the connection: there is no WebSocket listener': async (
    place,
  ) => {
    const peer = await place.open()
    peer.send('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n')
    await peer.closed()
  },

  'an empty Property Length is fine where properties may be [MQTT-2.2.2-1]': async (place) => {
    const peer = await place.connect()
    peer.send(packet(0x40, 0, 1, 0, withLength()), packet(0x30, prefixed('a'), withLength()))
    await peer.expectAlive()
  },
})
