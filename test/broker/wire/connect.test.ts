import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Connect, decodeConnect, type Will } from '#src/broker/wire/connect.js'
import type { Properties } from '#src/broker/wire/properties.js'
import { ConnectError } from '#src/broker/wire/protocol-error.js'
import { limits } from '#src/core/limits.js'
import { data, propertiesOf, text, topic } from '../../support/wire-arbitraries.js'
import { type ConnectFields, connectBytes } from '../../support/wire-client.js'
import { among, blockOf, bodyOf, readBlock } from '../../support/wire-packets.js'

const decode = (body: Uint8Array) => among(body, decodeConnect)
const decodeFields = (fields: ConnectFields) => decode(bodyOf(connectBytes(fields)))

/** A refusal with the reason code, to be answered in that level; 0 for no answer. */
const refusal = (code: number, answerLevel: 0 | 3 | 4 | 5) => (error: unknown) => {
  assert.ok(error instanceof ConnectError, String(error))
  assert.deepEqual([error.reasonCode, error.answerLevel], [code, answerLevel], error.message)
  return true
}

const bare: Omit<Connect, 'level'> = {
  isBridge: false,
  cleanStart: true,
  keepAlive: 0,
  clientId: 'c',
  username: undefined,
  password: undefined,
  will: undefined,
  properties: {},
}
const will: Will = {
  topic: 'w',
  payload: Buffer.from('gone'),
  qos: 0,
  retain: false,
  delaySeconds: 0,
  properties: undefined,
}
const sentWill = { topic: 'w', payload: 'gone' }

/** Fields that a client sends, in every level, and what is read. */
const rows: readonly (readonly [title: string, fields: ConnectFields, read: Partial<Connect>])[] = [
  ['nothing but a name', {}, {}],
  ['no clean start', { clean: false }, { cleanStart: false }],
  ['a keep alive', { keepAlive: 65_535 }, { keepAlive: 65_535 }],
  ['a user name', { username: 'ü' }, { username: 'ü' }],
  ['an empty user name', { username: '' }, { username: '' }],
  [
    'a user name and a password',
    { username: 'u', password: 'p' },
    { username: 'u', password: Buffer.from('p') },
  ],
  [
    'a password that is no text',
    { username: 'u', password: Uint8Array.of(0, 255) },
    { username: 'u', password: Buffer.of(0, 255) },
  ],
  ['a will', { will: sentWill }, { will }],
  [
    'a will of QoS 2, retained',
    { will: { ...sentWill, qos: 2, retain: true } },
    { will: { ...will, qos: 2, retain: true } },
  ],
  ['a will without payload', { will: { topic: 'w' } }, { will: { ...will, payload: Buffer.of() } }],
  ['a client id of 100 characters', { clientId: 'x'.repeat(100) }, { clientId: 'x'.repeat(100) }],
]

for (const level of [3, 4, 5] as const) {
  for (const [title, fields, read] of rows) {
    test(`CONNECT of level ${level} with ${title} is read`, () => {
      assert.deepEqual(decodeFields({ level, clientId: 'c', ...fields }), { ...bare, level, ...read })
    })
  }
}

/** Name, level, flags, keep alive and payload as hex, and what comes of it: a reason code and the level of the answer. */
const [mqtt, isdp] = ['00044d515454', '00064d5149736470']
const refused: readonly (readonly [title: string, hex: string, code: number, answerLevel: 0 | 3 | 4 | 5])[] =
  [
    ['nothing', '', 0x81, 0],
    ['another protocol [MQTT-3.1.2-1]', '00044854545004020000000163', 0x84, 0],
    ['a name in small letters [MQTT-3.1.2-1]', '00046d71747404020000000163', 0x84, 0],
    ['a name that is cut off', '00044d51', 0x81, 0],
    ['level 3 under the name of 4 [MQTT-3.1.2-2]', `${mqtt}03020000000163`, 0x84, 4],
    ['level 4 under the name of 3 [MQTT-3.1.2-2]', `${isdp}04020000000163`, 0x84, 4],
    ['level 2 [MQTT-3.1.2-2]', `${mqtt}02020000000163`, 0x84, 4],
    ['level 6 [MQTT-3.1.2-2]', `${mqtt}0602000000000163`, 0x84, 4],
    [
      'the level of a bridge of MQTT 5, of which there is none [MQTT-3.1.2-2]',
      `${mqtt}8502000000000163`,
      0x84,
      4,
    ],
    ['no level', mqtt, 0x81, 0],
    ['the reserved flag [MQTT-3.1.2-3]', `${mqtt}04030000000163`, 0x81, 4],
    ['the reserved flag [MQTT-3.1.2-3]', `${mqtt}0503000000000163`, 0x81, 5],
    ['a will’s QoS without a will [MQTT-3.1.2-11]', `${mqtt}050a000000000163`, 0x81, 5],
    ['a will’s QoS without a will [MQTT-3.1.2-13] of 3.1.1', `${mqtt}040a0000000163`, 0x81, 4],
    ['a will’s retain without a will [MQTT-3.1.2-13]', `${mqtt}0522000000000163`, 0x81, 5],
    ['a will’s retain without a will [MQTT-3.1.2-15] of 3.1.1', `${mqtt}04220000000163`, 0x81, 4],
    ['a will of QoS 3 [MQTT-3.1.2-12]', `${mqtt}051e000000000163000001770000`, 0x81, 5],
    ['a will of QoS 3 [MQTT-3.1.2-14] of 3.1.1', `${mqtt}041e00000001630001770000`, 0x81, 4],
    ['a will of QoS 3', `${isdp}031e00000001630001770000`, 0x81, 3],
    ['a password alone [MQTT-3.1.2-22] of 3.1.1', `${mqtt}04420000000163000170`, 0x81, 4],
    ['a password alone', `${isdp}03420000000163000170`, 0x81, 3],
    ['a user name announced and missing [MQTT-3.1.2-17]', `${mqtt}04820000000163`, 0x81, 4],
    ['a password announced and missing [MQTT-3.1.2-19]', `${mqtt}04c20000000163000175`, 0x81, 4],
    ['a user name not announced [MQTT-3.1.2-16]', `${mqtt}04020000000163000175`, 0x81, 4],
    ['a user name not announced', `${isdp}03020000000163000175`, 0x81, 3],
    ['a will announced and missing [MQTT-3.1.2-9]', `${mqtt}04060000000163`, 0x81, 4],
    ['no client id [MQTT-3.1.3-3]', `${mqtt}04020000`, 0x81, 4],
    ['a client id that is not UTF-8 [MQTT-3.1.3-4]', `${mqtt}040200000001ff`, 0x81, 4],
    ['a client id with U+0000 [MQTT-1.5.4-2]', `${mqtt}0502000000000100`, 0x81, 5],
    ['a user name that is not UTF-8 [MQTT-3.1.3-12]', `${mqtt}048200000001630001ff`, 0x81, 4],
    ['an empty client id for a session [MQTT-3.1.3-8] of 3.1.1', `${mqtt}040000000000`, 0x85, 4],
    ['an empty client id', `${isdp}030200000000`, 0x85, 3],
    ['a will’s topic that is empty [MQTT-4.7.3-1]', `${mqtt}0406000000016300000000`, 0x90, 4],
    ['a will’s topic with a wildcard [MQTT-4.7.1-1]', `${mqtt}0506000000000163000003612f230000`, 0x90, 5],
    ['a will’s topic that is not UTF-8 [MQTT-3.1.3-11]', `${mqtt}0506000000000163000001ff0000`, 0x81, 5],
    ['a byte behind its payload', `${mqtt}0402000000016300`, 0x81, 4],
    ['no properties at all [MQTT-2.2.2-1]', `${mqtt}05020000`, 0x81, 5],
    ['properties longer than the packet', `${mqtt}0502000009110000`, 0x81, 5],
    ['Receive Maximum 0', `${mqtt}0502000003210000000163`, 0x82, 5],
    ['Receive Maximum twice', `${mqtt}0502000006210001210001000163`, 0x82, 5],
    ['a property of other packets', `${mqtt}0502000003230001000163`, 0x81, 5],
    ['Authentication Data without a method', `${mqtt}050200000416000161000163`, 0x82, 5],
    ['a will’s properties longer than the packet', `${mqtt}0506000000000163ff7f`, 0x81, 5],
    ['a will with a Topic Alias', `${mqtt}0506000000000163032300010001770000`, 0x81, 5],
    ['a will with two delays', `${mqtt}05060000000001630a180000000118000000010001770000`, 0x82, 5],
  ]

for (const [title, hex, code, answerLevel] of refused) {
  const answer = answerLevel === 0 ? 'not answered' : `answered in level ${answerLevel}`
  test(`CONNECT with ${title} is refused with 0x${code.toString(16)}, ${answer}`, () => {
    assert.throws(() => decode(Buffer.from(hex, 'hex')), refusal(code, answerLevel))
  })
}

test('a client of MQTT 5 may send a password alone', () => {
  const { username, password } = decodeFields({ level: 5, password: 'token' })
  assert.deepEqual([username, password], [undefined, Buffer.from('token')])
})

test('a clean client without an id is given one, in MQTT 3.1.1 and 5 [MQTT-3.1.3-6]', () => {
  assert.equal(decodeFields({ level: 4 }).clientId, '')
  assert.equal(decodeFields({ level: 5, clean: false }).clientId, '')
})

test('a client of MQTT 3.1 may announce a user name and a password and send none', () => {
  for (const flags of ['82', 'c2']) {
    const { username, password } = decode(Buffer.from(`${isdp}03${flags}0000000163`, 'hex'))
    assert.deepEqual([username, password], [undefined, undefined])
  }
  const named = decode(Buffer.from(`${isdp}03c20000000163000175`, 'hex'))
  assert.deepEqual([named.username, named.password], ['u', undefined])
})

test('a client of MQTT 3.1 may set what its version leaves open', () => {
  for (const flags of ['03', '0a', '22']) {
    assert.equal(decode(Buffer.from(`${isdp}03${flags}0000000163`, 'hex')).will, undefined)
  }
})

test('the longest topic of a will is accepted, and not one byte more', () => {
  const longest = 'x'.repeat(limits.topicBytesMax)
  assert.equal(decodeFields({ level: 5, will: { topic: longest } }).will?.topic, longest)
  assert.throws(() => decodeFields({ level: 5, will: { topic: `${longest}x` } }), refusal(0x90, 5))
})

test('nothing of a CONNECT changes with the bytes that it was read from', () => {
  const properties = blockOf({ authenticationMethod: 'm', authenticationData: Buffer.from('data') })
  const fields: ConnectFields = {
    level: 5,
    properties,
    username: 'u',
    password: 'secret',
    will: { ...sentWill, properties: blockOf({ correlationData: Buffer.from('corr') }) },
  }
  const body = bodyOf(connectBytes(fields))
  const connect = decodeConnect(body, 0, body.length)
  body.fill(0)
  assert.deepEqual(connect, decodeFields(fields))
})

test('a bit in the level of 3.1 and 3.1.1 says that the client is a bridge', () => {
  for (const [hex, level] of [
    ['00064d51497364708302000000016300', 3],
    ['00044d515454840200000001630000', 4],
  ] as const) {
    const body = Buffer.from(hex, 'hex').subarray(0, hex.length / 2 - (level === 3 ? 1 : 2))
    const connect = decode(body)
    assert.deepEqual([connect.level, connect.isBridge, connect.clientId], [level, true, 'c'])
  }
})

const wills = fc.record({
  topic,
  payload: data,
  qos: fc.constantFrom(0, 1, 2),
  retain: fc.boolean(),
  properties: propertiesOf('will'),
})

test('CONNECT of MQTT 5 is read as it was written, and the will’s properties are those to forward', () => {
  const credentials = fc.tuple(fc.option(text, { nil: undefined }), fc.option(data, { nil: undefined }))
  const names = fc.tuple(text, fc.boolean(), fc.nat(0xffff))
  const any = propertiesOf('connect').filter(isSound)
  fc.assert(
    fc.property(
      names,
      credentials,
      any,
      fc.option(wills),
      ([clientId, clean, keepAlive], given, all, wished) => {
        const [username, password] = given
        const fields: ConnectFields = {
          level: 5,
          clientId,
          clean,
          keepAlive,
          properties: blockOf(all),
          ...(username === undefined ? {} : { username }),
          ...(password === undefined ? {} : { password }),
          ...(wished === null ? {} : { will: { ...wished, properties: blockOf(wished.properties) } }),
        }
        const { will: read, ...rest } = decodeFields(fields)
        assert.deepEqual(rest, {
          level: 5,
          isBridge: false,
          cleanStart: clean,
          keepAlive,
          clientId,
          username,
          password,
          properties: all,
        })
        if (wished === null) assert.equal(read, undefined)
        else checkWill(read as Will, wished)
      },
    ),
  )
})

function isSound(properties: Properties): boolean {
  return properties.authenticationData === undefined || properties.authenticationMethod !== undefined
}

function checkWill(
  read: Will,
  wished: Pick<Will, 'topic' | 'payload' | 'qos' | 'retain'> & { properties: Properties },
) {
  const { willDelayInterval, ...forwarded } = wished.properties
  assert.deepEqual(
    { topic: read.topic, payload: read.payload, qos: read.qos, retain: read.retain },
    { topic: wished.topic, payload: wished.payload, qos: wished.qos, retain: wished.retain },
  )
  assert.equal(read.delaySeconds, willDelayInterval ?? 0)
  assert.deepEqual(readBlock(read.properties ?? Buffer.of(), 'will'), forwarded)
}

test('the delay of a will is taken out before its expiry and behind it', () => {
  for (const hex of ['18000000010200000002', '02000000021800000001']) {
    const { will: read } = decodeFields({
      level: 5,
      will: { ...sentWill, properties: Buffer.from(hex, 'hex') },
    })
    assert.deepEqual(read?.properties?.toString('hex'), '0200000002')
    assert.equal(read?.delaySeconds, 1)
  }
})

test('a will with nothing but a delay has no properties to forward', () => {
  const properties = blockOf({ willDelayInterval: 7 })
  const { will: read } = decodeFields({ level: 5, will: { ...sentWill, properties } })
  assert.deepEqual(read, { ...will, delaySeconds: 7 })
})
