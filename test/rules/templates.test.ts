import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ExpressionError } from '#src/core/expression.js'
import { createCompiler } from '#src/rules/expressions.js'
import { eventWith } from '../support/expression-events.ts'

const compiler = createCompiler()
const rendered = (text: string, payload: string | Uint8Array = '{}') =>
  compiler.template(text)?.render(eventWith(payload))

describe('a template', () => {
  test('is not made of a text without one', () => {
    for (const text of ['', 'plain', '$', '{}', '$ {x}', '100 $'])
      assert.equal(compiler.template(text), undefined)
  })

  const table: readonly (readonly [text: string, payload: string | Uint8Array, value: unknown])[] = [
    [`\${payload}`, '{"a":[1]}', { a: [1] }],
    [`\${payload}`, '3', 3],
    [`\${payload}`, 'true', true],
    [`\${payload}`, 'null', null],
    [`\${payload}`, 'on', 'on'],
    [`\${payload}`, Uint8Array.of(0xff), Uint8Array.of(0xff)],
    [` \${payload}`, '3', ' 3'],
    [`\${payload}\${payload}`, '3', '33'],
    [`\${payload.n}`, '{"n":2.0}', 2],
    [`n=\${payload.n}`, '{"n":2.0}', 'n=2'],
    [`n=\${payload.n}`, '{"n":1e21}', 'n=1e+21'],
    [`b=\${payload}`, Uint8Array.of(0xff, 0x00), 'b=/wA='],
    [`b=\${bytes(payload)}`, 'on', 'b=on'],
    [`at \${timestamp(0)} for \${duration("90s")}`, '', 'at 1970-01-01T00:00:00.000Z for 1m30s'],
    [`\${ {"a": {"b": 1}}.a.b } of 1`, '', '1 of 1'],
    [`\${'}'}\${'\\'}'}\${""""}"""}`, '', '}\'}"}'],
    [`$\${payload}`, '1', `\${payload}`],
    [`$\${payload} is \${payload}`, '1', `\${payload} is 1`],
    [`$$\${payload}`, '1', `$\${payload}`],
    [`€ \${"\${x}"} }`, '', `€ \${x} }`],
  ]
  for (const [text, payload, value] of table) {
    test(`${text} of ${payload || 'nothing'} gives ${JSON.stringify(value)}`, () => {
      assert.deepEqual(rendered(text, payload), value)
    })
  }

  const mistakes: readonly (readonly [text: string, offset: number, message: RegExp])[] = [
    [`\${`, 0, /never closed/],
    [`a \${payload`, 2, /never closed/],
    [`a \${"x}`, 2, /never closed/],
    [`a \${payload} \${ {"a": 1 }`, 13, /never closed/],
    [`\${}`, 2, /empty/],
    [`a \${payload} b \${paylod}`, 17, /did you mean payload/],
    [`🙂 \${payload.a +}`, 16, /ends too early/],
    [`\${payload.?x}`, 2, /may be missing/],
  ]
  for (const [text, offset, message] of mistakes) {
    test(`${text} is refused at ${offset}`, () => {
      assert.throws(
        () => compiler.template(text),
        (error) => error instanceof ExpressionError && error.offset === offset && message.test(error.message),
      )
    })
  }

  test('that fails says which expression and why', () => {
    assert.throws(() => rendered(`t=\${payload.t}`, '{"temp":1}'), {
      code: 'EXPRESSION_FAILED',
      message: 'payload.t: payload has no field "t"; it has temp',
    })
  })
})
