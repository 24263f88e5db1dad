import {
  bytes,
  type Case,
  chapter,
  connectBytes,
  disconnectBytes,
  type Place,
  packet,
  prefixed,
  props,
  publishBytes,
  subscribeBytes,
  u16,
  unsubscribeBytes,
  withLength,
} from '../../support/conformance-v5.js'

const illFormed: Readonly<Record<string, readonly number[]>> = {
  'a surrogate, U+D800': [0xed, 0xa0, 0x80],
  'a surrogate, U+DFFF': [0xed, 0xbf, 0xbf],
  'a pair of surrogates': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  'an overlong /': [0xc0, 0xaf],
  'an overlong U+0000': [0xc0, 0x80],
  'an overlong form of three bytes': [0xe0, 0x80, 0xaf],
  'a code point beyond U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'a byte that never occurs': [0x61, 0xff],
  'a byte that only continues': [0x80],
  'a character that is cut off': [0xe2, 0x82],
}

/** Where a client's texts stand; what ends the connection says 0x81 everywhere. */
const places: Readonly<Record<string, (text: Uint8Array) => Buffer>> = {
  'the topic of PUBLISH': (text) => publishBytes(text, 'x'),
  'the topic of PUBLISH, QoS 1': (text) => publishBytes(text, 'x', { qos: 1 }),
  'a filter of SUBSCRIBE': (text) => subscribeBytes(1, [[text, 0]]),
  'a filter of UNSUBSCRIBE': (text) => unsubscribeBytes(1, text),
  'a Response Topic': (text) => publishBytes('a', 'x', { properties: { responseTopic: text } }),
  'a Content Type': (text) => publishBytes('a', 'x', { properties: { contentType: text } }),
  'the name of a user property': (text) =>
    packet(0x30, prefixed('a'), withLength(0x26, prefixed(text), prefixed('b')), 'x'),
  'the value of a user property': (text) =>
    packet(0x30, prefixed('a'), withLength(0x26, prefixed('b'), prefixed(text)), 'x'),
  'a Reason String': (text) => packet(0x40, u16(1), 0, withLength(0x1f, prefixed(text))),
  'a Reason String of DISCONNECT': (text) => packet(0xe0, 4, withLength(0x1f, prefixed(text))),
}

const cases: Record<string, Case> = {}

for (const [where, toBytes] of Object.entries(places)) {
  for (const [what, text] of Object.entries(illFormed))
    cases[`${what} in ${where} closes the connection [MQTT-1.5.4-1]`] = refusal(toBytes(Buffer.from(text)))
  cases[`U+0000 in ${where} closes the connection [MQTT-1.5.4-2]`] = refusal(toBytes(bytes('a\0')))
}

function refusal(sent: Buffer): Case {
  return async (place: Place) => {
    const peer = await place.connect()
    peer.send(sent)
    await peer.expectDisconnect(0x81)
  }
}

chapter('texts of MQTT 5.0', {
  ...cases,

  ...Object.fromEntries(
    Object.entries(illFormed).map(([what, text]): [string, Case] => [
      `${what} in the client id is refused [MQTT-1.5.4-1] [MQTT-3.1.3-4]`,
      async (place) => {
        const peer = await place.open()
        peer.send(connectBytes({ clientId: Buffer.from(text) }))
        await peer.expectRefused(0x81, 0x85)
      },
    ]),
  ),

  'every character that is allowed arrives as it was sent [MQTT-1.5.4-1] [MQTT-1.5.7-1]': async (place) => {
    const peer = await place.connect()
    for (const text of ['ä', '€', '😀', '\u{10fffd}', '\ud7ff\ue000', 'a b', '퟿']) {
      await peer.subscribe(`${place.name}/${text}`)
      const properties = { contentType: text, responseTopic: text, userProperties: [[text, text]] as const }
      await peer.publish(`${place.name}/${text}`, text, { properties })
      await peer.expectMessage({ topic: `${place.name}/${text}`, payload: text, properties })
    }
  },

  'U+FEFF is a character like others, at the start too [MQTT-1.5.4-3]': async (place) => {
    const { name } = place
    const marked = `\ufeff${name}`
    const peer = await place.connect({ clientId: marked })
    await peer.subscribe(marked)
    await peer.subscribe(name)
    const userProperties = [['\ufeffa', '\ufeff']] as const
    const contentType = '\ufefftext'
    const block = props({ contentType, userProperties })
    peer.send(packet(0x30, prefixed(marked), withLength(block), 'x'))
    await peer.expectMessage({ topic: marked, properties: { contentType, userProperties } })
    await peer.publish(name, 'y')
    await peer.expectMessage({ topic: name, payload: 'y' })
    await peer.expectAlive()
  },

  'a client whose id begins with U+FEFF is not the one without it [MQTT-1.5.4-3]': async (place) => {
    const plain = await place.connect({ clientId: place.name })
    const marked = await place.connect({ clientId: `\ufeff${place.name}` })
    await plain.expectAlive()
    await marked.expectAlive()
    marked.send(disconnectBytes())
    await marked.closed()
  },
})
