import {
  bytes,
  type Case,
  chapter,
  connectBytes,
  type Place,
  packet,
  prefixed,
  publishBytes,
  rawConnect,
  subscribeBytes,
  unsubscribeBytes,
} from '../../support/conformance.js'

/** Where a string of UTF-8 stands: the packet that has `text` there. */
const strings: Readonly<Record<string, (text: Uint8Array, clientId: string) => Buffer>> = {
  'a client id [MQTT-3.1.3-4]': (text) => rawConnect({ payload: [prefixed(text)] }),
  'a will topic [MQTT-3.1.3-10]': (text, clientId) =>
    rawConnect({ flags: 6, payload: [prefixed(clientId), prefixed(text), prefixed('gone')] }),
  'a user name [MQTT-3.1.3-11]': (text, clientId) =>
    rawConnect({ flags: 0x82, payload: [prefixed(clientId), prefixed(text)] }),
  'the topic of a PUBLISH [MQTT-3.3.2-1]': (text) => publishBytes(text, 'x'),
  'a filter of a SUBSCRIBE [MQTT-3.8.3-1]': (text) => subscribeBytes(1, ['fine', 0], [text, 0]),
  'a filter of an UNSUBSCRIBE [MQTT-3.10.3-1]': (text) => unsubscribeBytes(1, 'fine', text),
}

const illFormed: Readonly<Record<string, readonly number[]>> = {
  'a lone continuation byte': [0x61, 0x80],
  'a sequence that another byte breaks': [0xc3, 0x28],
  'a sequence that ends too early': [0x61, 0xe2, 0x82],
  'U+D800, a surrogate': [0xed, 0xa0, 0x80],
  'U+DFFF, a surrogate': [0xed, 0xbf, 0xbf],
  'a pair of surrogates': [0xed, 0xa0, 0xbd, 0xed, 0xb2, 0xa9],
  'an overlong slash': [0xc0, 0xaf],
  'an overlong U+0000': [0xc0, 0x80],
  'a code point above U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'a sequence of five bytes': [0xf8, 0x88, 0x80, 0x80, 0x80],
}

chapter('UTF-8 of MQTT 3.1.1', {
  ...refusals(),

  'U+FEFF is a character as any other, and stays [MQTT-1.5.3-3]': async (place) => {
    const client = await place.connect()
    await client.subscribe(`${place.name}/\ufeffa`)
    await client.subscribe(`${place.name}/b`)
    client.send(publishBytes(`${place.name}/a`, 'without'), publishBytes(`${place.name}/\ufeffb`, 'with'))
    const topic = bytes(`${place.name}/`, [0xef, 0xbb, 0xbf], 'a')
    client.send(publishBytes(topic, 'it'))
    await client.expect(publishBytes(topic, 'it'))
  },

  'the first and last characters beside the surrogates, and the last of all, are carried [MQTT-1.5.3-1]':
    async (place) => {
      const client = await place.connect()
      for (const character of ['\u{d7ff}', '\u{e000}', '\u{10fffd}', 'é', '漢', '💡']) {
        const topic = `${place.name}/${character}`
        await client.subscribe(topic)
        client.send(publishBytes(topic, character))
        await client.expect(publishBytes(topic, character))
      }
    },

  'a password is bytes, not UTF-8 [MQTT-3.1.3-11]': async (place) => {
    const client = await place.open()
    const password = prefixed(bytes([0, 0xff, 0xc0]))
    client.send(rawConnect({ flags: 0xc2, payload: [prefixed(''), prefixed('user'), password] }))
    await client.expect(packet(0x20, [0, 0]))
  },
})

function refusals(): Record<string, Case> {
  const cases: Record<string, Case> = {}
  for (const [place, send] of Object.entries(strings)) {
    for (const [what, text] of Object.entries(illFormed))
      cases[`${what} in ${place} closes the connection [MQTT-1.5.3-1]`] = refused(
        place,
        send(bytes(text), ''),
      )
    const withNull = bytes('a', 0, 'b')
    cases[`U+0000 in ${place} closes the connection [MQTT-1.5.3-2] [MQTT-4.7.3-2]`] = refused(
      place,
      send(withNull, ''),
    )
  }
  return cases
}

function refused(where: string, sent: Buffer): Case {
  return async (place: Place) => {
    const peer = where.includes('MQTT-3.1.3') ? await place.open() : await place.connect()
    peer.send(sent)
    await peer.expectClosed()
  }
}

// a CONNECT as the others send it is fine, or the refusals above would say nothing
chapter('UTF-8 of MQTT 3.1.1, the same packets with a plain text', {
  ...Object.fromEntries(
    Object.entries(strings).map(([where, send]) => [
      `${where} is taken when it is well-formed`,
      async (place: Place) => {
        const peer = await place.open()
        if (!where.includes('MQTT-3.1.3')) peer.send(connectBytes())
        peer.send(send(bytes(place.name), place.name), [0xc0, 0])
        await peer.take(13)
      },
    ]),
  ),
})
