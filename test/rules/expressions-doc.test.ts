import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import { ExpressionError } from '#src/core/expression.js'
import type { Memory } from '#src/core/memory.js'
import type { PinValue } from '#src/core/pin.js'
import { createCompiler } from '#src/rules/expressions.js'
import { LastMessages } from '#src/rules/last-messages.js'
import { Moment, RuleMemory } from '#src/rules/rule-memory.js'
import { eventWith } from '../support/expression-events.ts'

const doc = readFileSync(new URL('../../../docs/expressions.md', import.meta.url), 'utf8')
const compiler = createCompiler()

/** The rows of all tables with these headings; code without its ticks, `\|` as the bar that it stands for. */
function rows(...headings: readonly string[]): string[][] {
  return rawRows(...headings).map((cells) =>
    cells.map((cell) =>
      cell.replaceAll('\\|', '|').replace(/^(error: )?`(.*)`$/, (_, error = '', code) => error + code),
    ),
  )
}

function rawRows(...headings: readonly string[]): string[][] {
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
  return found
}

/** The pieces of code in a cell; an error with the word before it. */
function items(cell: string): string[] {
  return [...cell.matchAll(/(error: )?`([^`]*)`/g)].map(([, error = '', code]) => error + code)
}

/** What an expression is for one message after the other, as the page has it. */
function outcomes(source: string, payloads: readonly string[]): string[] {
  const { needs } = compiler.expression(source)
  const memory = new RuleMemory(new Counters())
  const lasts = new LastMessages(new Counters())
  lasts.want(needs?.lastTopics ?? [])
  const hourAgo = new Date(2031, 4, 9, 20, 30)
  const pins = { state: (name: string): PinValue => (name === 'fan' ? 40 : 'on') }
  const note = (topic: string, payload: string) => {
    const message = {
      topic,
      payload: Buffer.from(payload),
      qos: 0,
      retain: false,
      client: '',
      chain: [],
    } as const
    lasts.slot(topic)?.note(message, hourAgo)
  }
  note('home/mode', 'away')
  return payloads.map((payload) => {
    const event = eventWith(payload)
    const moment = new Moment(pins, lasts.capture(needs?.lastTopics ?? []))
    if (needs !== undefined) memory.observe(event, moment, needs)
    note(event.topic, payload)
    return outcome(source, payload, moment)
  })
}

function outcome(source: string, payload: string, memory?: Memory): string {
  const expression = compiler.expression(source)
  try {
    return JSON.stringify(expression.evaluate(eventWith(payload), memory))
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

  for (const [source = '', payloads = '', expected = ''] of rawRows(
    'expression',
    'payloads, one after the other',
    'results',
  )) {
    test(`${source} over ${payloads} gives ${expected}`, () => {
      assert.deepEqual(outcomes(items(source)[0] as string, items(payloads)), items(expected))
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
