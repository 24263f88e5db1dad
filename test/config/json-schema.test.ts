import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { jsonSchema } from '#src/config/json-schema.js'
import type { ActionDefinition } from '#src/core/action.js'
import { DamselflyError } from '#src/core/errors.js'
import { fitsSchema } from '../support/config-json-schema.js'
import { catalogueOf, problemsOf, standIns } from '../support/config-world.js'

const schema = jsonSchema(catalogueOf(...standIns))

const head = 'pins: { lamp: { gpio: 17, out: true }, door: { gpio: 27, in: true } }\n'

// each is judged by the schema and by the reader, which must agree
const cases: readonly [isRight: boolean, yaml: string][] = [
  [true, ''],
  [true, head],
  [true, 'plugins: [damselfly-telegram]'],
  [true, 'pins: { a: { gpio: GPIO4, out: true, active: low, initial: on, on_stop: false, max_on: 10m } }'],
  [true, 'pins: { a: { gpio: 4, in: true, pull: as-is, debounce: 30ms, publish: a/b } }'],
  [true, 'pins: { a: { gpio: 4, in: true, press: true }, b: { gpio: 5, in: true, count: true } }'],
  [true, 'pins: { a: { gpio: 4, in: true, press: { short: a/b, double: a/c, long_after: 1s } } }'],
  [
    true,
    'pins: { a: { gpio: 4, in: true, count: { per_pulse: 0.001, rate_per: h, every: 1m, publish: a } } }',
  ],
  [true, 'sensors: { a: { read: cpu }, b: { read: "w1:28-0316a2795aff", every: 30s, offset: -1 } }'],
  [true, 'sensors: { a: { read: /sys/x, scale: 0.001, decimals: 0, publish: a/b } }'],
  [true, 'sensors:'],
  [true, 'telemetry: true'],
  [true, 'telemetry: { every: 30s, publish: a/b, only: [load, wifi] }'],
  [false, 'telemetry: 30s'],
  [false, 'telemetry: { only: [lod] }'],
  [false, 'telemetry: { every: 30 }'],
  [true, 'homeassistant: auto'],
  [true, 'homeassistant: { announce: auto, prefix: ha, name: Shed, area: Garden }'],
  [true, `${head}homeassistant: { pins: { lamp: { as: light, name: L, icon: a }, door: false } }`],
  [false, 'homeassistant: on'],
  [false, 'homeassistant: { room: Garden }'],
  [false, `${head}homeassistant: { pins: { lamp: { as: bulb } } }`],
  [false, `${head}homeassistant: { pins: { lamp: true } }`],
  [true, 'bridges:'],
  [true, 'bridges: { a: { address: mqtt://b, topics: [c/#, { topic: d, direction: both, qos: 2 }] } }'],
  [
    true,
    'bridges: { a: { address: [mqtt://b, "mqtts://c:1"], topics: [{ local: d, remote: e }], version: 3.1.1, retry_max: 1m, notifications: local, max_packet_size: 1MB } }',
  ],
  [true, 'bridges: { a: { address: mqtts://b, topics: [c], tls: { insecure_any_host: true, alpn: mqtt } } }'],
  [true, `${head}rules: [{ on: a/b, when: { msg: ON }, do: { gpio: lamp, set: on, for: 30s } }]`],
  [
    true,
    `${head}rules: [{ on: [a, +/b], when: payload.x, do: [{ gpio: "\${payload.p}", set: "\${payload.s}" }] }]`,
  ],
  [
    true,
    `rules: [{ every: 5s, do: [{ publish: a, json: { t: "\${payload.t}" }, qos: "\${payload.q}", timeout: 5s }] }]`,
  ],
  [
    true,
    `rules: [{ at: "07:30", do: [{ exec: [a, "\${payload.t}"] }, { slow: "\${payload.t}", timeout: 5s }] }]`,
  ],
  [true, 'rules: [{ on: a, when: payload.x, until: payload.y, do: { exec: a }, else: { exec: b } }]'],
  [true, 'rules: [{ on: a, after: 10m, do: [{ exec: a }], else: [{ exec: b }] }]'],
  [false, 'rules: [{ on: a, until: payload.y, do: { exec: a } }]'],
  [false, 'rules: [{ on: a, do: { exec: a }, else: { exec: b } }]'],
  [false, 'rules: [{ on: a, when: payload.x, do: { exec: a }, else: [] }]'],
  [false, 'rules: [{ every: 5s, after: 10m, do: { exec: a } }]'],
  [false, 'pin: {}'],
  [false, 'pins: { a: { gpio: 4 } }'],
  [false, 'pins: { a: { out: true } }'],
  [false, 'pins: { a: { gpio: 4, in: true, max_on: 10m } }'],
  [false, 'pins: { a: { gpio: 4, out: true, max_on: 10 } }'],
  [false, 'pins: { "a/b": { gpio: 4, out: true } }'],
  [false, 'pins: { a: { gpio: 4, out: true, press: true } }'],
  [false, 'pins: { a: { gpio: 4, in: true, press: false } }'],
  [false, 'pins: { a: { gpio: 4, in: true, press: { triple: a } } }'],
  [false, 'pins: { a: { gpio: 4, in: true, count: { rate_per: day } } }'],
  [false, 'sensors: { a: { every: 30s } }'],
  [false, 'bridges: { a: { address: mqtt://b } }'],
  [false, 'bridges: { a: { topics: [c] } }'],
  [false, 'bridges: { a: { address: mqtt://b, topics: [] } }'],
  [false, 'bridges: { a: { address: mqtt://b, topics: [{ topic: c, local: d, remote: e }] } }'],
  [false, 'bridges: { a: { address: mqtt://b, topics: [{ local: d }] } }'],
  [false, 'bridges: { a: { address: mqtt://b, topics: [{ topic: c, local_prefix: + }] } }'],
  [false, 'bridges: { a: { address: mqtt://b, topics: [c], version: 3.1 } }'],
  [false, 'bridges: { a: { address: mqtt://b, topics: [c], password: x, username: y } }'],
  [false, 'bridges: { a: { address: mqtt://b, topics: [c], password_file: x } }'],
  [false, 'bridges: { a: { address: mqtts://b, topics: [c], tls: { certificate: x } } }'],
  [false, 'sensors: { a: { read: gpu } }'],
  [false, 'sensors: { a: { read: cpu, decimals: 10 } }'],
  [false, 'sensors: { "a/b": { read: cpu } }'],
  [false, 'rules: [{ do: { exec: a } }]'],
  [false, 'rules: [{ on: a, every: 5s, do: { exec: a } }]'],
  [false, 'rules: [{ on: a }]'],
  [false, 'rules: [{ on: a, do: [] }]'],
  [false, 'rules: [{ on: a, do: { banana: a } }]'],
  [false, `${head}rules: [{ on: a, do: { gpio: lamp, set: onn } }]`],
  [false, `${head}rules: [{ on: a, do: { gpio: lamp, set: on, fro: 5s } }]`],
  [false, `${head}rules: [{ on: a, do: { gpio: lamp } }]`],
  [false, `${head}rules: [{ on: a, do: { gpio: lamp, set: on, for: 5 } }]`],
]
for (const [isRight, yaml] of cases)
  test(`the editor’s schema and the reader both ${isRight ? 'accept' : 'refuse'} ${JSON.stringify(yaml.replace(head, ''))}`, async () => {
    assert.equal(fitsSchema(schema, parse(yaml)), isRight, 'schema')
    assert.equal((await problemsOf({ yaml })).length === 0, isRight, 'reader')
  })

test('the schema is the same text whatever the order of the actions', () => {
  const other = jsonSchema(catalogueOf(...standIns.toReversed()))
  assert.equal(JSON.stringify(other), JSON.stringify(schema))
})

test('every key of a pin, a sensor, a rule and the file itself has a description to hover over', () => {
  const { properties, definitions } = schema as unknown as {
    properties: Record<string, { description?: string }>
    definitions: {
      rule: { properties: object }
      sensor: { properties: object }
      pin: { anyOf: { properties: object }[] }
    }
  }
  const keys = [
    ...Object.entries(properties),
    ...Object.entries(definitions.rule.properties),
    ...Object.entries(definitions.sensor.properties),
    ...definitions.pin.anyOf.flatMap(({ properties }) => Object.entries(properties)),
  ]
  for (const [key, value] of keys) assert.ok((value as { description?: string }).description, key)
})

test('an action’s own descriptions come along, beside the template that may stand in its place', () => {
  const { definitions } = schema as unknown as {
    definitions: Record<string, { properties: Record<string, unknown> }>
  }
  assert.deepEqual(definitions['step-gpio']?.properties['gpio'], {
    description: 'The output pin.',
    type: 'string',
  })
  assert.deepEqual(definitions['step-gpio']?.properties['set'], {
    anyOf: [{ type: 'string', enum: ['on', 'off', 'toggle'] }, { $ref: '#/definitions/template' }],
  })
})

test('every reference leads somewhere', () => {
  const text = JSON.stringify(schema)
  const { definitions } = schema as { definitions: Record<string, unknown> }
  for (const [, name] of text.matchAll(/"#\/definitions\/([^"]+)"/g))
    assert.ok(definitions[name as string], name)
})

test('without any action a step may be any map', () => {
  const bare = jsonSchema(catalogueOf())
  assert.equal(fitsSchema(bare, parse('rules: [{ on: a, do: { b: 1 } }]')), true)
})

test('an action that is broken makes no schema', () => {
  const bad = { name: 'bad', options: () => ({}), run: () => {} } as unknown as ActionDefinition
  assert.throws(
    () => jsonSchema(catalogueOf(bad)),
    (error) => error instanceof DamselflyError && error.code === 'ACTION_INVALID',
  )
})
