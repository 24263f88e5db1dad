import type { Expression, ExpressionCompiler } from '../core/expression.ts'
import { compile } from './cel/compile.ts'
import { allowSteps, failedError } from './cel/failure.ts'
import { parse } from './cel/parse.ts'
import { Span } from './cel/values.ts'
import { conditionMap } from './condition-maps.ts'
import { condition } from './conditions.ts'
import { template } from './templates.ts'

/** The Common Expression Language as docs/expressions.md describes it. */
export function createCompiler(): ExpressionCompiler {
  return {
    expression,
    template: (text) => template(text, expression),
    condition,
    conditionMap,
  }
}

function expression(source: string): Expression {
  const { run } = compile(parse(source))
  return {
    source,
    evaluate(event) {
      allowSteps()
      try {
        return leaving(run(event))
      } catch (error) {
        throw failedError(source, error)
      }
    },
  }
}

/** Times and durations are for expressions; outside they are text. */
function leaving(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString()
  return value instanceof Span ? value.toString() : value
}
