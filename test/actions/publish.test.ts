import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publishAction } from '#src/actions/publish.js'
import { complaints, makeWorld } from '../support/actions-world.js'

test('publish sends a message with its quality and the rules that led to it', async () => {
  await using world = await makeWorld()
  await world.run(
    publishAction,
    { publish: 'home/echo', text: 'hello', qos: 2, retain: true },
    { chain: ['x'] },
  )
  assert.deepEqual(world.published, [
    { topic: 'home/echo', payload: 'hello', qos: 2, retain: true, chain: ['x'] },
  ])
})

const payloads: readonly [what: string, body: object, payload: string][] = [
  ['no body is an empty payload', {}, ''],
  ['an object as JSON', { json: { a: [1, 'b', null, true] } }, '{"a":[1,"b",null,true]}'],
  ['null as JSON', { json: null }, 'null'],
  ['text as JSON has quotes', { json: 'on' }, '"on"'],
  ['dates in JSON as ISO 8601', { json: { at: new Date(0) } }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ['bytes in JSON as base64', { json: [new Uint8Array([1, 2]), Buffer.from('hi')] }, '["AQI=","aGk="]'],
  ['big integers in JSON', { json: [12n, 2n ** 60n] }, '[12,"1152921504606846976"]'],
  ['what JSON cannot say in JSON', { json: [Number.NaN, undefined] }, '[null,null]'],
  ['maps in JSON as objects', { json: new Map([['a', 1]]) }, '{"a":1}'],
  ['a number as text', { text: 21.5 }, '21.5'],
  ['a truth as text', { text: true }, 'true'],
  ['a date as text', { text: new Date(0) }, '1970-01-01T00:00:00.000Z'],
  ['an object as text is JSON', { text: { a: 1 } }, '{"a":1}'],
  ['nothing as text is empty', { text: null }, ''],
]

for (const [what, body, payload] of payloads) {
  test(`publish sends ${what}`, async () => {
    await using world = await makeWorld()
    await world.run(publishAction, { publish: 'a', ...body })
    assert.deepEqual(world.published, [{ topic: 'a', payload, qos: 0, retain: false, chain: ['a rule'] }])
  })
}

test('publish passes bytes as they came', async () => {
  await using world = await makeWorld()
  const text = new Uint8Array([0xff, 0x00, 0xfe])
  await world.run(publishAction, { publish: 'a', text })
  assert.deepEqual(world.published[0]?.payload, text)
})

test('publish refuses two bodies, wildcards, a quality that is none and a retain that is no truth', () => {
  const refused = [
    { publish: 'a', json: 1, text: 'b' },
    { publish: 'a/#' },
    { publish: '' },
    { publish: 'a', qos: 3 },
    { publish: 'a', retain: 'yes' },
    { publish: 'a', payload: 'b' },
  ]
  for (const step of refused) assert.equal(complaints(publishAction, step).length, 1, JSON.stringify(step))
})

test('publish fails alone when the JSON cannot be written', async () => {
  await using world = await makeWorld()
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  await assert.rejects(world.run(publishAction, { publish: 'a', json: circle }), TypeError)
  assert.deepEqual(world.published, [])
})
