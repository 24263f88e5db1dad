import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventOf } from '#src/core/event.js'
import { ExpressionError } from '#src/core/expression.js'
import { limits, setLimits } from '#src/core/limits.js'
import { createCompiler } from '#src/rules/expressions.js'
import { eventWith } from '../support/expression-events.ts'

const compiler = createCompiler()
const value = (source: string, payload: string | Uint8Array = '{}') =>
  compiler.expression(source).evaluate(eventWith(payload))

function refused(source: string): ExpressionError {
  try {
    compiler.expression(source)
  } catch (error) {
    if (error instanceof ExpressionError) return error
    throw error
  }
  return assert.fail(`${source} was accepted`)
}

function reason(source: string, payload: string | Uint8Array): string {
  try {
    value(source, payload)
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'EXPRESSION_FAILED')
    assert.ok(error.message.startsWith(`${source}: `))
    return error.message.slice(source.length + 2)
  }
  return assert.fail(`${source} did not fail`)
}

describe('what a message brings', () => {
  test('each name has its value', () => {
    const names = '[topic, levels, payload, qos, retain, client, now, host, ip]'
    assert.deepEqual(value(names, '"x"'), [
      'home/kitchen/set',
      ['home', 'kitchen', 'set'],
      'x',
      1,
      false,
      'switch-1',
      new Date(2031, 4, 9, 21, 30),
      'pi',
      '192.0.2.10',
    ])
  })

  test('the payload is decoded only if the expression looks at it, and once for all that do', () => {
    let looks = 0
    const event = {
      ...eventWith(''),
      get payload() {
        looks++
        return { a: 1, b: 2 }
      },
    }
    for (const source of [
      'topic == "x"',
      'levels[0] + host',
      'false && payload.a == 1',
      'true || payload.a > 3',
    ])
      compiler.expression(source).evaluate(event)
    assert.equal(looks, 0)
    compiler.expression('payload.a').evaluate(event)
    assert.equal(looks, 1)

    const message = {
      topic: 'a',
      payload: new TextEncoder().encode('{"a":{}}'),
      qos: 0,
      retain: false,
      client: 'c',
      chain: [],
    } as const
    const shared = eventOf(message, { host: 'pi', ip: '' })
    assert.equal(
      compiler.expression('payload.a').evaluate(shared),
      compiler.expression('payload.a').evaluate(shared),
    )
  })

  test('times leave as ISO 8601 and durations as they are written in rules', () => {
    assert.equal(value('now'), new Date(2031, 4, 9, 21, 30).toISOString())
    assert.equal(value('now - timestamp(0) - (now - timestamp(90))'), '1m30s')
    assert.equal(value('timestamp(0) - timestamp(90)'), '-1m30s')
    assert.equal(JSON.stringify(value('{"for": duration("90s")}')), '{"for":"1m30s"}')
  })

  test('no BigInt ever leaves, however deep', () => {
    assert.deepEqual(value('[1, {"a": [2, size("abc")]}, -3]'), [1, { a: [2, 3] }, -3])
    assert.equal(value('9007199254740991'), Number.MAX_SAFE_INTEGER)
    assert.match(refused('9007199254740992').message, /too large/)
  })

  test('bytes that are not text are bytes', () => {
    const bytes = Uint8Array.of(0xff, 0xfe)
    assert.equal(value('payload', bytes), bytes)
    assert.equal(value('payload == b"\\xff\\xfe"', bytes), true)
    assert.equal(value('payload.size() == 2 && payload.at(0) == 255', bytes), true)
    assert.equal(reason('payload.x', bytes), 'payload is 2 bytes that are not text, not an object')
  })
})

describe('what is wrong is found at load, with its place:', () => {
  const table: readonly (readonly [source: string, offset: number, message: RegExp])[] = [
    ['', 0, /empty/],
    ['1 + paylod.x', 4, /did you mean payload/],
    ['payload.on == on', 14, /text stands in quotes, "on"/],
    ['"é🙂" + paylod', 8, /paylod/],
    ['payload.a ==', 12, /ends too early/],
    ['(payload.a', 10, /"\)" is missing/],
    ['payload.a = 1', 10, /== compares/],
    ['payload.a === 1', 12, /== compares/],
    ['payload.a & true', 10, /&& means and/],
    ['payload.a or true', 10, /\|\| means or/],
    ['1 + "abc', 4, /never closed/],
    ['let', 0, /keeps for itself/],
    ['1u', 0, /without u/],
    ['topic - 1', 0, /cannot subtract a number from text/],
    ['true + true', 0, /cannot add true or false and true or false/],
    ['"a" in topic', 0, /contains/],
    ['1 in 2', 0, /looks into lists and objects, not into a number/],
    ['1 && true', 0, /1 is a number, expected true or false/],
    ['!topic', 1, /topic is text, expected true or false/],
    ['-topic', 1, /expected a number/],
    ['topic ? 1 : 2', 0, /expected true or false/],
    ['topic.x', 0, /topic is text and has no fields/],
    ['levels.x', 0, /levels\[0\]/],
    ['levels["x"]', 7, /expected a number/],
    ['{"a": 1}[1]', 9, /expected text/],
    ['{1: 2}', 1, /a field's name is text/],
    ['topic.all(x, true)', 0, /expected a list or an object/],
    ['payload.all(1, true)', 12, /variable/],
    ['payload.all(x, 1)', 15, /expected true or false/],
    ['payload.exists(x, y)', 18, /unknown name "y"/],
    ['foo(1)', 0, /unknown function "foo"/],
    ['sizee(topic)', 0, /did you mean size/],
    ['startsWith(topic)', 0, /after its value/],
    ['topic.startsWith(1)', 17, /startsWith\(\) needs text, but 1 is a number/],
    ['topic.startsWith()', 0, /takes 1 argument, found 0/],
    ['math.sqrt(1)', 0, /unknown function of math/],
    ['math', 0, /unknown name "math"/],
    ['cpu > 75', 0, /known are .*last, count, changed;.*last\("damselfly\/NAME\/sensors\/cpu"\)\.payload/],
    ['sensors.cpu > 75', 0, /unknown name "sensors"; .*last\("damselfly\/NAME\/sensors\/cpu"\)\.payload/],
    ['last > 75', 0, /after last come brackets: last\("/],
    ['!changed', 1, /after changed come brackets: changed\(/],
    ['has(topic)', 0, /has\(\) takes a field/],
    ['has(payload.a, payload.b)', 0, /has\(\) takes a field/],
    ['payload.?x', 0, /may be missing/],
    ['payload.?x.size()', 0, /may be missing/],
    ['payload.?x.or(1)', 14, /or\(\) takes another/],
    ['payload.x.orValue(1)', 0, /never missing/],
    ['topic.matches("(?=x)")', 14, /not a pattern/],
    ['topic.matches(1)', 14, /needs text/],
    ['timestamp("yesterday")', 0, /expected for example/],
  ]
  for (const [source, offset, message] of table) {
    test(`${source || 'nothing'} at ${offset}`, () => {
      const error = refused(source)
      assert.match(error.message, message)
      assert.equal(error.offset, offset)
      assert.equal(error.code, 'EXPRESSION_INVALID')
    })
  }

  test('an expression may have as many parts as the limit says, and not one more', () => {
    const half = limits.expressionNodesMax / 2 // n numbers and n - 1 signs between them are 2n - 1 parts
    assert.equal(value(`-${Array(half).fill('1').join('+')}`), half - 2)
    assert.match(refused(`--${Array(half).fill('1').join('+')}`).message, /too long/)
    assert.match(refused('('.repeat(100_000)).message, /nested too deeply/)
    assert.match(refused('!'.repeat(100_000)).message, /nested too deeply/)
  })

  test('a bound on their parts that is changed holds for the next expression', (context) => {
    context.after(() => setLimits({}))
    setLimits({ expressionNodesMax: 3 })
    assert.equal(value('1 + 2'), 3)
    assert.match(refused('1 + 2 + 3').message, /at most 3 parts/)
    setLimits({})
    assert.equal(value('1 + 2 + 3'), 6)
  })
})

describe('why an expression fails is said in a few words:', () => {
  const table: readonly (readonly [source: string, payload: string, why: string])[] = [
    ['payload.x.y', '{"x":null}', 'payload.x is null, not an object'],
    ['payload.x', '', 'payload is empty, not an object'],
    ['payload.x', '7', 'payload is 7, not an object'],
    ['payload.x', '{}', 'payload has no field "x"; it has no fields'],
    ['payload.x', '[{"x":1}]', 'payload is a list of 1, not an object; its first element is payload[0]'],
    ['payload[0]', '[]', 'payload is an empty list, it has no payload[0]'],
    ['payload[0.5]', '[1]', 'payload has no element 0.5: the first is payload[0], the last payload[0]'],
    ['payload[0]', '{"0":1}', 'payload is an object: its fields have names, 0 is none'],
    ['payload[0]', '7', 'payload is 7, not a list'],
    ['levels[payload]', 'true', 'an element of a list has a number, not true'],
    ['payload + 1', 'null', 'cannot add null and a number: payload is null'],
    [
      'payload * 2',
      '"3"',
      'cannot multiply text by a number: payload is "3"; double(…) makes a number of text',
    ],
    [
      'payload < duration("1s")',
      '1',
      'cannot compare a number with a duration: payload is 1, duration("1s") is 1s',
    ],
    ['1 in payload', '2', 'in looks into lists and objects, not into a number: payload is 2'],
    ['payload ? 1 : 2', '"on"', 'payload is text "on", not true or false'],
    ['-payload', '"on"', 'payload is text "on", not a number'],
    [
      'payload.all(x, x > 0)',
      '[1,"a"]',
      'cannot compare text with a number: x is "a"; double(…) makes a number of text',
    ],
    ['payload.all(x, x > 0)', '5', 'payload is 5, not a list'],
    ['int(payload)', '"2.5"', 'int("2.5"): not a whole number up to 2^53'],
    ['double(payload)', '""', 'double(""): not a number'],
    ['int(payload)', '"9007199254740992"', 'int("9007199254740992"): not a whole number up to 2^53'],
    ['bool(payload)', '"on"', 'bool("on"): neither "true" nor "false"'],
    ['payload.substring(2, 9)', 'abc', 'substring(2, 9): the text has 3 characters'],
    ['bytes(payload).at(3)', 'abc', 'at(3): there are 3 bytes, the first is at(0)'],
    ['topic.matches(payload)', '(', '"(" is not a pattern: error parsing regexp: missing closing ): `(`'],
    ['payload % 0', '1', 'division by zero: payload is 1'],
    ['payload * 10', '1e308', 'the result is too large for a number'],
    ['timestamp(payload) + duration("1h")', '8640000000000', 'the time is out of range'],
  ]
  for (const [source, payload, why] of table)
    test(`${source} of ${payload || 'nothing'}`, () => assert.equal(reason(source, payload), why))

  test('a long text, many fields and control characters stay short and visible', () => {
    assert.ok(reason('payload.x', 'a'.repeat(100_000)).length < 120)
    const fields = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}`, i]))
    assert.match(reason('payload.x', JSON.stringify(fields)), /it has f0, f1, f2, f3, f4, f5 and 44 more$/)
    assert.equal(reason('payload.x', 'a\u0007"'), 'payload is text "a\\u0007\\"", not an object')
  })
})
