import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import { ExpressionError } from '#src/core/expression.js'
import { createCompiler } from '#src/rules/expressions.js'
import { eventWith } from '../support/expression-events.ts'

const compiler = createCompiler()

test('the engine of matches() is loaded when the first expression uses it', () => {
  const isLoaded = () =>
    Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('re2js'))
  compiler.condition('payload.msg == "ON"')
  assert.ok(!isLoaded())
  compiler.condition('payload.msg.matches("ON")')
  assert.ok(isLoaded())
})

describe('a condition', () => {
  test('that holds has no more to say', () => {
    const condition = compiler.condition('payload.msg == "ON"')
    assert.equal(condition.text, 'payload.msg == "ON"')
    assert.deepEqual(condition.test(eventWith('{"msg":"ON"}')), { holds: true })
  })

  test('that cannot be true or false is refused at load', () => {
    for (const source of ['payload.t + "x"', '1', 'levels', 'now', 'size(payload)'])
      assert.throws(
        () => compiler.condition(source),
        (error) => error instanceof ExpressionError && /a condition is true or false/.test(error.message),
      )
  })

  const no: readonly (readonly [source: string, payload: string, why: string])[] = [
    ['payload.value > 30', '{"value":21.5}', 'payload.value > 30 is false: payload.value is 21.5'],
    ['payload.msg == "ON"', '{"msg":"OFF"}', 'payload.msg == "ON" is false: payload.msg is "OFF"'],
    ['payload.n == 3', '{"n":"3"}', 'payload.n == 3 is false: payload.n is text "3", not a number'],
    ['payload.n == "3"', '{"n":3}', 'payload.n == "3" is false: payload.n is 3, not text'],
    [
      'payload.a > payload.b',
      '{"a":1,"b":2}',
      'payload.a > payload.b is false: payload.a is 1, payload.b is 2',
    ],
    ['payload.a > 1 && payload.b > 1', '{"a":2,"b":1}', 'payload.b > 1 is false: payload.b is 1'],
    ['payload.a > 1 && payload.b > 1 && true', '{"a":1}', 'payload.a > 1 is false: payload.a is 1'],
    ['payload.a > 1 && payload.b > 1', '{"b":1}', 'payload.b > 1 is false: payload.b is 1'],
    [
      'payload.a > 1 || payload.b > 1',
      '{"a":0,"b":1}',
      'payload.a > 1 is false: payload.a is 0; payload.b > 1 is false: payload.b is 1',
    ],
    ['!payload.a', '{"a":true}', '!payload.a is false: payload.a is true'],
    ['payload.a', '{"a":false}', 'payload.a is false'],
    ['payload.a in ["x"]', '{"a":"y"}', 'payload.a in ["x"] is false: payload.a is "y"'],
    ['topic.startsWith("x")', '', 'topic.startsWith("x") is false: topic is "home/kitchen/set"'],
    ['levels[1] == "attic"', '', 'levels[1] == "attic" is false: levels[1] is "kitchen"'],
    ['has(payload.a)', '{"b":1}', 'has(payload.a) is false: payload has no field "a"; it has b'],
    ['payload.all(x, x > 1)', '[1]', 'payload.all(x, x > 1) is false: payload is a list of 1'],
    ['payload == [1]', '[]', 'payload == [1] is false: payload is an empty list'],
    ['1 > 2', '', '1 > 2 is false'],
  ]
  for (const [source, payload, why] of no) {
    test(`${source} of ${payload || 'nothing'} says why not`, () => {
      const outcome = compiler.condition(source).test(eventWith(payload))
      assert.equal(outcome.why, why)
      assert.equal(outcome.holds, false)
      assert.equal(outcome.isError, false)
    })
  }

  const failed: readonly (readonly [source: string, payload: string, why: string])[] = [
    ['payload.value > 30', '{"temp":1}', 'payload has no field "value"; it has temp'],
    ['payload.value > 30', 'on', 'payload is text "on", not an object'],
    ['payload.on', '{"on":"yes"}', 'payload.on is text "yes", not true or false'],
    [
      'payload > 30 && payload < 1',
      '"x"',
      'cannot compare text with a number: payload is "x"; double(…) makes a number of text',
    ],
  ]
  for (const [source, payload, why] of failed) {
    test(`${source} of ${payload} fails, which does not hold either`, () => {
      const outcome = compiler.condition(source).test(eventWith(payload))
      assert.equal(outcome.why, why)
      assert.equal(outcome.holds, false)
      assert.equal(outcome.isError, true)
    })
  }

  test('works out why only if asked', () => {
    let looks = 0
    const event = {
      ...eventWith(''),
      get payload() {
        looks++
        return 1
      },
    }
    const outcome = compiler.condition('payload == 2').test(event)
    assert.equal(looks, 1)
    assert.equal(outcome.why, 'payload == 2 is false: payload is 1')
    assert.equal(looks, 2)
  })

  test('explains itself in a bounded number of words', () => {
    const many = Array.from({ length: 90 }, (_, i) => `payload.f${i} > 1`).join(' || ')
    const payload = Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`f${i}`, 0]))
    const { why } = compiler.condition(many).test(eventWith(JSON.stringify(payload)))
    assert.ok(why !== undefined && why.length <= 400)
  })
})

describe('a condition written as a map', () => {
  const table: readonly (readonly [fields: Record<string, unknown>, payload: string, holds: boolean])[] = [
    [{ msg: 'ON' }, '{"msg":"ON"}', true],
    [{ msg: 'ON' }, '{"msg":"on"}', false],
    [{ a: 1, b: true, c: null }, '{"a":1,"b":true,"c":null}', true],
    [{ a: 1, b: true, c: null }, '{"a":1,"b":true}', false],
    [{ a: 1 }, '{"a":1.0}', true],
    [{ a: 1 }, '{"a":true}', false],
    [{ on: 'yes' }, '{"on":"yes"}', true],
    [{ on: 'yes' }, '{"on":true}', false],
    [{ a: [1, 'x', null] }, '{"a":null}', true],
    [{ a: [1, 'x', null] }, '{"a":2}', false],
    [{ a: [] }, '{"a":1}', false],
    [{ a: [1] }, '{"a":[1]}', false],
    [{ a: [{ b: 1 }, { b: 2 }] }, '{"a":{"b":2}}', true],
    [{ a: {} }, '{"a":{"b":1}}', true],
    [{ a: {} }, '{"a":1}', false],
    [{ 'a.b': 1 }, '{"a":{"b":1}}', false],
    [{ length: 1 }, '[1]', false],
    [{}, '{}', true],
    [{}, '"x"', false],
    [{}, '[]', false],
  ]
  for (const [fields, payload, holds] of table) {
    test(`${JSON.stringify(fields)} ${holds ? 'is' : 'is not'} met by ${payload}`, () => {
      const outcome = compiler.conditionMap(fields).test(eventWith(payload))
      assert.equal(outcome.holds, holds)
      assert.equal(outcome.why === undefined, holds)
      assert.notEqual(outcome.why, '')
    })
  }

  test('tells the first field that is not as wanted, by its path', () => {
    const condition = compiler.conditionMap({ a: { 'b c': [1, 2] }, d: 'x' })
    const why = (payload: string) => condition.test(eventWith(payload)).why
    assert.equal(condition.text, '{"a":{"b c":[1,2]},"d":"x"}')
    assert.equal(why('{"a":{"b c":3},"d":"x"}'), 'payload.a["b c"] is 3, not one of 1, 2')
    assert.equal(why('{"a":{},"d":"x"}'), 'payload.a has no field "b c"; it has no fields')
    assert.equal(why('{"a":5,"d":"x"}'), 'payload.a is 5, not an object')
    assert.equal(why('{"a":{"b c":1},"d":"y"}'), 'payload.d is "y", not "x"')
  })
})
