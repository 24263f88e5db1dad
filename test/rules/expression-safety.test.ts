import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Event } from '#src/core/event.js'
import { limits } from '#src/core/limits.js'
import { allowSteps } from '#src/rules/cel/failure.js'
import { isPatternFound, patternsRemembered } from '#src/rules/cel/patterns.js'
import { createCompiler } from '#src/rules/expressions.js'
import { eventWith } from '../support/expression-events.ts'

const compiler = createCompiler()

function attempt(source: string, event: Event): string {
  try {
    compiler.expression(source).evaluate(event)
    return 'a value'
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'EXPRESSION_FAILED', String(error))
    return error.message.slice(source.length + 2)
  }
}

describe('only what the sender wrote can be seen:', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length']) {
    test(`${name} of an object is a field like any other`, () => {
      for (const source of [`payload.${name}`, `payload["${name}"]`])
        assert.match(attempt(source, eventWith('{"a":1}')), /has no field/)
      for (const source of [`has(payload.${name})`, `payload.?${name}.hasValue()`, `"${name}" in payload`])
        assert.equal(compiler.expression(source).evaluate(eventWith('{"a":1}')), false)
      const own = eventWith(`{"${name}":{"${name}":7}}`)
      assert.equal(compiler.expression(`payload.${name}.${name}`).evaluate(own), 7)
      assert.equal(compiler.condition(`payload.${name} == {"${name}": 7}`).test(own).holds, true)
      assert.equal(compiler.conditionMap(JSON.parse(`{"${name}":{"${name}":7}}`)).test(own).holds, true)
      assert.equal(compiler.conditionMap({ [name]: 1 }).test(eventWith('{}')).holds, false)
      assert.equal(
        Object.getPrototypeOf(compiler.expression(`{"${name}": 1}`).evaluate(own)),
        Object.prototype,
      )
    })
  }

  test('methods of JavaScript are unknown, and text and lists have no properties', () => {
    for (const source of [
      'payload.toString()',
      'payload.valueOf()',
      'constructor("x")',
      'toString',
      '__proto__',
    ])
      assert.throws(() => compiler.expression(source), { code: 'EXPRESSION_INVALID' })
    assert.match(attempt('payload.length', eventWith('text')), /is text "text"/)
    assert.match(attempt('payload.length', eventWith('[1]')), /is a list/)
  })

  test('a topic and a client id named __proto__ are texts', () => {
    const event = eventWith('{}', { topic: '__proto__', client: '__proto__', levels: ['__proto__'] })
    const source = 'topic == client && levels[0] == "__proto__" && {"__proto__": 1}[topic] == 1'
    assert.equal(compiler.expression(source).evaluate(event), true)
  })
})

describe('a hostile payload costs little:', () => {
  const depth = 100_000
  const payloads = {
    'a list 100,000 deep': '['.repeat(depth) + ']'.repeat(depth),
    'two of them': `[${'['.repeat(depth)}${']'.repeat(depth)},${'['.repeat(depth)}${']'.repeat(depth)}]`,
    'an object 100,000 deep': `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
    '1 MiB of text': 'a'.repeat(1024 * 1024),
    '500,000 numbers': `[${Array(500_000).fill('1').join()}]`,
  }
  const sources = [
    'payload == [1]',
    'payload[0] == payload[1]',
    'payload > 3',
    'string(payload)',
    'payload + payload',
    'payload.x.y == 1',
    'payload.all(x, payload.all(y, x == y))',
    'payload.map(x, payload.map(y, [x, y]))',
    'payload.exists(x, string(payload) == string(x))',
    'payload.matches("(a+)+$")',
    'payload.matches(payload)',
    'payload.split("").map(x, payload.split(x))',
    'payload.contains(payload + "b")',
    'payload in [payload]',
    'payload.contains(payload.substring(0, size(payload) / 2) + "b" + payload.substring(size(payload) / 2, size(payload) - 1))',
    'payload.split(payload.substring(0, 50000) + "b" + payload.substring(0, 50000))',
  ]
  for (const [name, payload] of Object.entries(payloads)) {
    test(`${name} gives a value or a failure`, () => {
      const event = eventWith(payload)
      for (const source of sources) {
        attempt(source, event)
        const outcome = compiler.condition(`dyn(${source}) == 1`).test(event)
        assert.ok(outcome.holds || (outcome.why?.length ?? 0) < 1_000)
        try {
          compiler.template(`text \${${source}}`)?.render(event)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'EXPRESSION_FAILED')
        }
      }
      assert.ok(!compiler.conditionMap({ a: { a: 1 } }).test(event).holds)
    })
  }

  test('the shapes of hostile payloads are not remembered', { timeout: 30_000 }, () => {
    const condition = compiler.condition('payload == 1')
    const event = eventWith('['.repeat(4_000) + ']'.repeat(4_000))
    condition.test(event)
    const before = process.memoryUsage().rss
    for (let i = 0; i < 200; i++) condition.test(event)
    assert.ok(process.memoryUsage().rss - before < 30e6)
  })

  test('an evaluation has as many steps as the limit says, and not one more', () => {
    const list = (length: number) => eventWith(`[${Array(length).fill('1').join()}]`)
    assert.equal(attempt('payload.all(x, x == 1)', list(limits.expressionStepsMax)), 'a value')
    const tooMuch = `too much work: more than ${limits.expressionStepsMax} steps`
    assert.equal(attempt('payload.all(x, x == 1)', list(limits.expressionStepsMax + 1)), tooMuch)
    assert.equal(attempt('payload.all(x, x == 1) || true', list(limits.expressionStepsMax + 1)), tooMuch)
  })
})

describe('matches', () => {
  test('takes time that grows with the text, not with what could be tried', () => {
    const condition = compiler.condition('payload.matches("(a+)+$")')
    const timeMs = (characters: number) => {
      const event = eventWith(`${'a'.repeat(characters)}!`)
      const startMs = performance.now()
      assert.deepEqual({ ...condition.test(event) }, { holds: false, isError: false })
      return performance.now() - startMs
    }
    timeMs(10_000)
    const [small, large] = [timeMs(10_000), timeMs(100_000)]
    assert.ok(large < 1_000 + 100 * small, `${large} ms for ten times what took ${small} ms`)
  })

  test('finds a pattern anywhere, and knows the usual syntax', () => {
    const matches = (pattern: string, text: string) =>
      compiler
        .expression(`payload.t.matches(${JSON.stringify(pattern)})`)
        .evaluate(eventWith(JSON.stringify({ t: text })))
    assert.equal(matches('kit', 'a kitchen'), true)
    assert.equal(matches('^kit', 'a kitchen'), false)
    assert.equal(matches('(?i)^A\\s\\w+$', 'a kitchen'), true)
    assert.equal(matches('^[a-f0-9]{2}(:[a-f0-9]{2}){5}$', '0a:1b:2c:3d:4e:5f'), true)
  })

  test('refuses a pattern that is longer than the limit', () => {
    const pattern = (length: number) => JSON.stringify('a'.repeat(length))
    compiler.expression(`topic.matches(${pattern(limits.expressionPatternCharsMax)})`)
    assert.throws(
      () => compiler.expression(`topic.matches(${pattern(limits.expressionPatternCharsMax + 1)})`),
      {
        code: 'EXPRESSION_INVALID',
      },
    )
    assert.match(
      attempt('topic.matches(payload)', eventWith('a'.repeat(limits.expressionPatternCharsMax + 1))),
      /at most 1000 characters/,
    )
  })

  test('remembers as many patterns of messages as the limit says, and not one more', () => {
    for (let i = 0; i <= limits.expressionPatternsRemembered; i++) {
      allowSteps()
      assert.equal(isPatternFound(`^${i}$`, `${i}`), true)
      assert.equal(patternsRemembered() <= limits.expressionPatternsRemembered, true)
    }
    assert.equal(patternsRemembered(), limits.expressionPatternsRemembered)
    assert.equal(compiler.expression('topic.matches(payload)').evaluate(eventWith('^home/')), true)
  })
})
