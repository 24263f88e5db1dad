import { type ASTNode, Environment, ParseError, serialize } from '@marcbachmann/cel-js'
import { reasonOf } from '../../core/errors.ts'
import { ExpressionError } from '../../core/expression.ts'
import { limits } from '../../core/limits.ts'
import { cut } from './values.ts'

export type { ASTNode }

/** `a.b`, `a[b]`, `a.?b`, `a[?b]`. */
export type Access = ASTNode & { op: '.' | '.?' | '[]' | '[?]' }

/*
 * @NOTE cel-js parses; working out the value is ours (compile.ts). Its evaluator keeps a type for each
 * shape of value that it has ever met and never forgets one: a payload of 4,000 brackets leaves 100 MB
 * behind. Its integers are BigInt, and its `matches` backtracks.
 */
let parser: Environment | undefined
let parserNodesMax = 0

function parserNow(): Environment {
  if (parser !== undefined && parserNodesMax === limits.expressionNodesMax) return parser
  parserNodesMax = limits.expressionNodesMax
  parser = new Environment({ enableOptionalTypes: true, limits: { maxAstNodes: parserNodesMax } })
  return parser
}

/** @throws ExpressionError */
export function parse(source: string): ASTNode {
  if (source.trim() === '') throw new ExpressionError('the expression is empty', 0)
  try {
    return parserNow().parse(source).ast
  } catch (error) {
    if (error instanceof ParseError) {
      const offset = error.range?.start ?? 0
      throw new ExpressionError(parseMessage(source, error, offset), offset, { cause: error })
    }
    if (error instanceof RangeError) throw new ExpressionError('the expression is nested too deeply', 0)
    throw new ExpressionError(reasonOf(error), 0, { cause: error })
  }
}

/** An expression's part as text, for a message. */
export function sourceOf(node: ASTNode): string {
  return cut(textOfNode(node), 80)
}

/** An expression's part as text: the same for two that differ only in their form. */
export function textOfNode(node: ASTNode): string {
  return serialize(node)
}

function parseMessage(source: string, error: ParseError, offset: number): string {
  switch (error.code) {
    case 'unexpected_character':
    case 'unexpected_token':
    case 'expected_token':
      return unexpected(source, offset, error.summary)
    case 'limit_exceeded':
      return `the expression is too long or nested too deeply: at most ${limits.expressionNodesMax} parts`
    case 'reserved_identifier':
      return `"${wordAt(source, offset)}" is a word that CEL keeps for itself`
    case 'unterminated_string':
    case 'unterminated_triple_quoted_string':
      return 'a text is opened here and never closed'
    default:
      return error.summary.charAt(0).toLowerCase() + error.summary.slice(1)
  }
}

const instead: Readonly<Record<string, string>> = {
  '=': '== compares',
  '&': '&& means and',
  '|': '|| means or',
  and: '&& means and',
  AND: '&& means and',
  or: '|| means or',
  OR: '|| means or',
  not: '! means not',
  is: '== compares',
  '“': 'text stands in straight quotes: "ON"',
  '”': 'text stands in straight quotes: "ON"',
  '‘': 'text stands in straight quotes: "ON"',
  '’': 'text stands in straight quotes: "ON"',
  '`': 'text stands in straight quotes: "ON"',
  $: '$ and braces belong into texts such as topic:, not here',
}

const missing: Readonly<Record<string, string>> = {
  RPAREN: '")"',
  RBRACKET: '"]"',
  RBRACE: '"}"',
  COLON: '":"',
  IDENTIFIER: 'a name',
}

function unexpected(source: string, offset: number, summary: string): string {
  const found = wordAt(source, offset)
  const wanted = missing[/^Expected (\w+)/.exec(summary)?.[1] ?? '']
  const expected = wanted === undefined ? '' : `; ${wanted} is missing`
  if (found === '') return `the expression ends too early${expected}`
  const hint = instead[found]
  return hint === undefined ? `unexpected "${found}"${expected}` : `unexpected "${found}"; ${hint}`
}

function wordAt(source: string, offset: number): string {
  return /^(?:\w+|\P{ASCII}|[^\s\w])/u.exec(source.slice(offset))?.[0] ?? ''
}
