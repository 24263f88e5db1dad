import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { ExpressionError } from '#src/core/expression.js'
import { createCompiler } from '#src/rules/expressions.js'
import { eventWith } from '../support/expression-events.ts'

const doc = readFileSync(new URL('../../../docs/expressions.md', import.meta.url), 'utf8')
const compiler = createCompiler()

/** The rows of all tables with these headings; code without its ticks, `\|` as the bar that it stands for. */
function rows(...headings: readonly string[]): string[][] {
  const found: string[][] = []
  let isInside = false
  for (const line of doc.split('\n')) {
    if (!line.startsWith('|')) isInside = false
    else if (isInside && !line.startsWith('|---')) found.push(cells(line, headings.length))
    else if (line === `| ${headings.join(' | ')} |`) isInside = true
  }
  assert.notEqual(found.length, 0, `no table with ${headings.join(', ')}`)
  return found
}

function cells(line: string, count: number): string[] {
  const found = line.slice(2, -2).split(/(?<!\\) \| /)
  assert.equal(found.length, count, line)
  return found.map((cell) =>
    cell.replaceAll('\\|', '|').replace(/^(error: )?`(.*)`$/, (_, error = '', code) => error + code),
  )
}

function outcome(source: string, payload: string): string {
  const expression = compiler.expression(source)
  try {
    return JSON.stringify(expression.evaluate(eventWith(payload)))
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'EXPRESSION_FAILED')
    assert.ok(error.message.startsWith(`${source}: `), error.message)
    return `error: ${error.message.slice(source.length + 2)}`
  }
}

describe('docs/expressions.md tells the truth:', () => {
  for (const [source = '', payload = '', expected] of rows('expression', 'payload', 'result')) {
    test(`${source} of ${payload} gives ${expected}`, () => {
      assert.equal(outcome(source, payload), expected)
    })
  }

  for (const [text = '', payload = '', expected] of rows('template', 'payload', 'result')) {
    test(`the template ${text} of ${payload} gives ${expected}`, () => {
      assert.equal(JSON.stringify(compiler.template(text)?.render(eventWith(payload))), expected)
    })
  }

  for (const [map = '', payload = '', expected] of rows('map', 'payload', 'result')) {
    test(`the map ${map} of ${payload}: ${expected}`, () => {
      const { holds, why, isError } = compiler.conditionMap(JSON.parse(map)).test(eventWith(payload))
      assert.equal(holds ? 'holds' : why, expected)
      assert.notEqual(isError, true)
    })
  }

  for (const [source = '', expected = ''] of rows('expression', 'what is said')) {
    test(`${source} is refused at start: ${expected}`, () => {
      assert.throws(
        () => compiler.condition(source),
        (error) => error instanceof ExpressionError && error.message === expected,
      )
    })
  }
})
