import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayClientSend } from '#src/broker/wire/packet-types.js'
import { reasonCode, reasonName } from '#src/broker/wire/reason-codes.js'
import { parseShared } from '#src/core/shared-filter.js'

test('a reason code has the words of the specification', () => {
  assert.equal(reasonName(reasonCode.success), 'success')
  assert.equal(reasonName(0x94), 'topic alias invalid')
  assert.equal(reasonName(0xa2), 'wildcard subscriptions not supported')
  assert.equal(reasonName(0x7f), '0x7F')
})

test('every reason code of the table is there', () => {
  const codes = new Set<number>(Object.values(reasonCode))
  const expected = [0, 1, 2, 4, 0x10, 0x11, 0x18, 0x19]
  for (let code = 0x80; code <= 0xa2; code++) expected.push(code)
  assert.deepEqual(
    [...codes].sort((a, b) => a - b),
    expected,
  )
})

const fromClients = [
  [0x10, 'CONNECT'],
  [0x30, 'PUBLISH of QoS 0'],
  [0x31, 'PUBLISH of QoS 0, retained'],
  [0x32, 'PUBLISH of QoS 1'],
  [0x3b, 'PUBLISH of QoS 1, retained, again'],
  [0x3d, 'PUBLISH of QoS 2, retained, again'],
  [0x40, 'PUBACK'],
  [0x50, 'PUBREC'],
  [0x62, 'PUBREL'],
  [0x70, 'PUBCOMP'],
  [0x82, 'SUBSCRIBE'],
  [0xa2, 'UNSUBSCRIBE'],
  [0xc0, 'PINGREQ'],
  [0xe0, 'DISCONNECT'],
] as const
const fromNobody = [
  [0x00, 'type 0'],
  [0x11, 'CONNECT with a flag [MQTT-2.1.3-1]'],
  [0x20, 'CONNACK, which is the server’s'],
  [0x36, 'PUBLISH of QoS 3 [MQTT-3.3.1-4]'],
  [0x38, 'PUBLISH of QoS 0, again [MQTT-3.3.1-2]'],
  [0x41, 'PUBACK with a flag [MQTT-2.1.3-1]'],
  [0x60, 'PUBREL without its flag [MQTT-3.6.1-1]'],
  [0x80, 'SUBSCRIBE without its flag [MQTT-3.8.1-1]'],
  [0x90, 'SUBACK, which is the server’s'],
  [0xa0, 'UNSUBSCRIBE without its flag [MQTT-3.10.1-1]'],
  [0xb0, 'UNSUBACK, which is the server’s'],
  [0xc1, 'PINGREQ with a flag [MQTT-2.1.3-1]'],
  [0xd0, 'PINGRESP, which is the server’s'],
  [0xe1, 'DISCONNECT with a flag [MQTT-3.14.1-1]'],
  [0xf1, 'AUTH with a flag [MQTT-3.15.1-1]'],
] as const

for (const level of [3, 4, 5] as const) {
  for (const [first, title] of fromClients)
    test(`a client of level ${level} may send ${title}`, () => assert.ok(mayClientSend(first, level)))
  for (const [first, title] of fromNobody)
    test(`a client of level ${level} may not send ${title}`, () => assert.ok(!mayClientSend(first, level)))
}

test('only a client of MQTT 5 may send AUTH', () => {
  assert.deepEqual(
    ([3, 4, 5] as const).map((level) => mayClientSend(0xf0, level)),
    [false, false, true],
  )
})

test('only a client of MQTT 3.1 may say of SUBSCRIBE, UNSUBSCRIBE and PUBREL that they come again', () => {
  for (const first of [0x6a, 0x8a, 0xaa])
    assert.deepEqual(
      ([3, 4, 5] as const).map((level) => mayClientSend(first, level)),
      [true, false, false],
    )
})

const filters: readonly (readonly [filter: string, parts: ReturnType<typeof parseShared>])[] = [
  ['a/b', undefined],
  ['$share', undefined],
  ['$shared/g/a', undefined],
  ['/$share/g/a', undefined],
  ['$share/g/a', { share: 'g', filter: 'a' }],
  ['$share/g/a/+/#', { share: 'g', filter: 'a/+/#' }],
  ['$share/g//', { share: 'g', filter: '/' }],
  ['$share/g//a', { share: 'g', filter: '/a' }],
  ['$share/ü $/+', { share: 'ü $', filter: '+' }],
  ['$share/g/$SYS/#', { share: 'g', filter: '$SYS/#' }],
  ['$share/', 'invalid'],
  ['$share//a', 'invalid'], // [MQTT-4.8.2-1]
  ['$share/+/a', 'invalid'], // [MQTT-4.8.2-2]
  ['$share/g#/a', 'invalid'],
  ['$share/g', 'invalid'],
  ['$share/g/', 'invalid'],
]

for (const [filter, parts] of filters) {
  test(`${filter} is ${parts === undefined ? 'not shared' : parts === 'invalid' ? 'shared wrongly' : 'shared'}`, () => {
    assert.deepEqual(parseShared(filter), parts)
  })
}
