import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DamselflyError } from '#src/core/errors.js'
import { ExpressionError } from '#src/core/expression.js'
import type { Change, LastMessage, Memory } from '#src/core/memory.js'
import type { Pin, PinValue } from '#src/core/pin.js'
import { createCompiler } from '#src/rules/expressions.js'
import { eventWith } from '../support/expression-events.ts'

const place = { file: 'damselfly.yaml', line: 1, column: 1 }
const line = { line: 1, isActiveLow: false, place }
const output = { ...line, direction: 'out', initial: 'off', onStop: 'off' } as const
const input = { ...line, direction: 'in', pull: 'up', debounceMs: 0 } as const
const pins: readonly Pin[] = [
  { ...output, name: 'lamp' },
  { ...input, name: 'front-door' },
  { ...input, name: 'meter', count: { perPulse: 1, ratePer: 'h', everyMs: 1_000 } },
  {
    ...line,
    name: 'fan',
    direction: 'pwm',
    periodNs: 1_000_000,
    scale: { kind: 'duty' },
    min: 0,
    max: 100,
    initial: 'off',
    onStop: 'off',
  },
]
const compiler = createCompiler().withPins(
  new Map<string, Pin | undefined>([...pins.map((pin) => [pin.name, pin] as const), ['broken', undefined]]),
)

const states: Record<string, PinValue> = { lamp: 'on', 'front-door': 'off', fan: 40, meter: 12.5 }
const mode: LastMessage = {
  topic: 'home/mode',
  payload: { is: 'away' },
  qos: 1,
  retain: true,
  time: new Date(2031, 4, 9, 20, 30),
  bytes: 13,
  isTooLarge: false,
}

function memory(changes: Record<string, Change> = {}): Memory {
  return {
    pin(name) {
      const state = states[name]
      if (state === undefined) throw new DamselflyError('PIN_UNKNOWN', `no pin is named "${name}"`)
      return state
    },
    last: (topic) =>
      topic === 'home/mode'
        ? mode
        : topic === 'camera'
          ? { ...mode, topic, payload: undefined, bytes: 500_000, isTooLarge: true }
          : undefined,
    count: () => 3,
    countWithin: (ms) => ms / 60_000,
    changed: (site) => changes[site] ?? 'same',
  }
}

const values: readonly (readonly [source: string, value: unknown])[] = [
  ['pins.lamp == "on"', true],
  ['pins["front-door"]', 'off'],
  ['pins[levels[1] == "kitchen" ? "lamp" : "fan"]', 'on'],
  ['pins.fan > 30', true],
  ['pins.meter * 2', 25],
  ['last("home/mode").payload.is', 'away'],
  ['last("home/mode")["payload"].is', 'away'],
  ['last("home/mode").topic + last("home/mode").qos + last("home/mode").retain', 'home/mode1true'],
  ['now - last("home/mode").time', '1h'],
  ['has(last("home/mode").payload)', true],
  ['has(last("home/mode").payload.is)', true],
  ['has(last("never").payload)', false],
  ['has(last("never")["payload"])', false],
  ['last("never").?payload.orValue(0)', 0],
  ['last("never").?payload.is.orValue("home")', 'home'],
  ['last("never")[?"payload"].orValue("home")', 'home'],
  ['last("home/mode").?payload.is.orValue("home")', 'away'],
  ['last("camera").qos', 1],
  ['count', 3],
  ['count()', 3],
  ['count("5m") + count("1h")', 65],
  ['changed(payload.x)', true],
  ['!changed(payload.y) && changed(payload.t, 0.5)', true],
  ['[1, 2].map(pins, pins * 2)', [2, 4]],
]
for (const [source, value] of values)
  test(`${source} gives ${JSON.stringify(value)}`, () => {
    const known = memory({ 'changed(payload.x)': 'changed', 'changed(payload.t, 0.5)': 'changed' })
    assert.deepEqual(compiler.expression(source).evaluate(eventWith('{"x":1}'), known), value)
  })

const failures: readonly (readonly [source: string, why: string])[] = [
  ['last("never").payload == "on"', 'no message on never yet'],
  ['size(last("never"))', 'no message on never yet'],
  ['last("camera").payload', 'the last message on camera was too large to be kept: 500000 bytes'],
  ['pins[levels[0]]', 'no pin is named "home"'],
  ['pins[payload]', 'the name of a pin is text, not 5'],
  ['pins.lamp + 1 > 2', 'cannot compare text with a number'],
]
for (const [source, why] of failures)
  test(`${source} fails: ${why}`, () => {
    const { evaluate } = createCompiler().expression(source)
    assert.throws(
      () => evaluate(eventWith('5'), memory()),
      (error) => error instanceof DamselflyError && error.message.startsWith(`${source}: ${why}`),
    )
  })

test('a side that the other decides may ask what is not there', () => {
  const holds = (source: string) => compiler.condition(source).test(eventWith('5'), memory()).holds
  assert.equal(holds('last("never").payload == 1 || payload == 5'), true)
  assert.equal(holds('pins.broken == "on" || payload == 5'), true)
})

const reasons: readonly (readonly [source: string, why: string])[] = [
  ['pins.lamp == "off"', 'pins.lamp == "off" is false: pins.lamp is "on"'],
  ['pins["front-door"] == "on"', 'pins["front-door"] == "on" is false: pins["front-door"] is "off"'],
  ['pins.fan == "on"', 'pins.fan == "on" is false: pins.fan is 40, not text'],
  [
    'last("home/mode").payload.is == "home"',
    'last("home/mode").payload.is == "home" is false: last("home/mode").payload.is is "away"',
  ],
  ['last("never").payload == "on"', 'no message on never yet'],
  ['count > 5', 'count > 5 is false: count is 3'],
  ['count("1m") >= 3', 'count("1m") >= 3 is false: count("1m") is 1'],
  ['changed(payload.x)', 'changed(payload.x) is false: payload.x is 1, as before'],
  [
    'changed(payload.x, 0.5)',
    'changed(payload.x, 0.5) is false: payload.x is 1, not more than 0.5 from before',
  ],
  ['changed(payload.first)', 'changed(payload.first) is false: there is nothing before to compare with'],
  ['payload.x == 1 && changed(payload.x)', 'changed(payload.x) is false: payload.x is 1, as before'],
  ['!changed(payload.other)', '!changed(payload.other) is false: changed(payload.other) is true'],
]
for (const [source, why] of reasons)
  test(`${source} says why it does not hold`, () => {
    const known = memory({ 'changed(payload.first)': 'first', 'changed(payload.other)': 'changed' })
    assert.equal(compiler.condition(source).test(eventWith('{"x":1}'), known).why, why)
  })

describe('without a memory, as in damselfly test', () => {
  for (const asks of ['pins.lamp', 'last("home/mode").payload', 'count', 'count("5m")', 'changed(payload)'])
    test(`${asks} fails and says who knows`, () => {
      const { holds, isError, why } = compiler.condition(`${asks} == payload`).test(eventWith('5'))
      assert.deepEqual([holds, isError], [false, true])
      assert.match(String(why), /^only the running daemon knows .*; damselfly trace shows it$/)
    })

  test('what the message decides by itself is decided', () => {
    assert.match(
      String(compiler.condition('payload == 6 && pins.lamp == "on"').test(eventWith('5')).why),
      /payload is 5/,
    )
  })
})

const mistakes: readonly (readonly [source: string, message: RegExp])[] = [
  ['pins.lmap == "on"', /^no pin is named "lmap"; did you mean pins.lamp\?$/],
  ['pins.front-door == "on"', /^no pin is named "front"; did you mean pins\["front-door"\]\?$/],
  ['pins["x"] == "on"', /^no pin is named "x"; pins are lamp, front-door, meter, fan, broken$/],
  ['pins == "on"', /^after pins comes the name of one: pins.door$/],
  ['has(pins.lamp)', /^a pin is always there/],
  ['pins.?lamp.orValue("on") == "on"', /^a pin is always there/],
  ['pins.lamp == true', /^cannot compare text with true or false; .* is always false$/],
  ['pins.lamp', /^a condition is true or false, pins.lamp is text$/],
  ['pins.meter == "on"', /^cannot compare a number with text/],
  ['pins.lamp.state == "on"', /^pins.lamp is text and has no fields$/],
  ['last("home/+").payload == 1', /^last\("home\/\+"\): last\(\) takes one topic, without wildcards$/],
  ['last("").payload == 1', /^last\(""\): it is empty$/],
  ['last(topic).payload == 1', /^last\(\) takes one topic in quotes/],
  ['last("a").paylod == 1', /^last\("a"\) has no field "paylod"; did you mean payload\?$/],
  ['last("a").value == 1', /^last\("a"\) has no field "value"; it has payload, topic, time, qos, retain$/],
  ['last("a").time > 5', /^cannot compare a time with a number$/],
  ['last("a") == "on"', /^cannot compare an object with text/],
  ['count("soon") > 1', /^not a duration: "soon"/],
  ['count("30d") > 1', /^too long: "30d"/],
  ['count("0s") >= 1', /^no message lies within 0s: count\(\) takes longer, count\("5m"\)$/],
  ['count(5) > 1', /^count\(\) takes a duration in quotes: count\("5m"\)$/],
  ['changed()', /^changed\(\) takes a value/],
  ['changed(payload.x, "1")', /^by how much is a number above 0/],
  ['changed(payload.x, 0)', /^by how much is a number above 0/],
  ['changed(payload.x, true)', /^by how much is a number above 0/],
  ['changed(topic, 1)', /^only a number changes by so much, topic is none$/],
  ['payload.all(x, changed(x))', /^changed\(\) is about one value of a message/],
  ['chnged(payload.x)', /^unknown function "chnged"; did you mean changed\?$/],
]
for (const [source, message] of mistakes)
  test(`${source} is refused at load`, () => {
    assert.throws(
      () => compiler.condition(source),
      (error) => error instanceof ExpressionError && message.test(error.message),
      source,
    )
  })

test('a house without pins says so', () => {
  assert.throws(
    () => createCompiler().withPins(new Map()).condition('pins.lamp == "on"'),
    /pins: has no pin yet/,
  )
})

test('an expression says what it needs a memory for, and one that needs none says nothing', () => {
  const { needs } = compiler.expression(
    '[last("a").payload, last("b").payload, last("a").qos, count("5m"), count("5m"), changed(payload), changed(payload)]',
  )
  assert.deepEqual([needs?.lastTopics, needs?.isCounting, needs?.windowsMs], [['a', 'b'], true, [300_000]])
  assert.deepEqual(
    needs?.changes.map(({ key }) => key),
    ['changed(payload)'],
  )
  assert.equal('needs' in compiler.expression('payload.count + payload.pins'), false)
  assert.equal(compiler.condition('payload.x > 3').needs, undefined)
  assert.notEqual(compiler.condition('pins.lamp == "on"').needs, undefined)
  assert.deepEqual(compiler.template('${count} and ${last("a").payload}')?.needs?.lastTopics, ['a'])
  assert.equal(compiler.template('${payload}')?.needs, undefined)
})
