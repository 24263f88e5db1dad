import type { Expression, ExpressionCompiler } from '../core/expression.ts'
import { isCounter, type Pin } from '../core/pin.ts'
import { compile } from './cel/compile.ts'
import { allowSteps, failedError } from './cel/failure.ts'
import { parse } from './cel/parse.ts'
import type { PinTypes } from './cel/scope.ts'
import { type CelType, Span } from './cel/values.ts'
import { conditionMap } from './condition-maps.ts'
import { condition } from './conditions.ts'
import { template } from './templates.ts'

/** The Common Expression Language as docs/expressions.md describes it. Without `withPins`, every pin's name passes. */
export function createCompiler(): ExpressionCompiler {
  return compilerFor(undefined)
}

function compilerFor(pins: PinTypes): ExpressionCompiler {
  const expression = (source: string): Expression => compileExpression(source, pins)
  return {
    expression,
    template: (text) => template(text, expression),
    condition: (source) => condition(source, pins),
    conditionMap,
    withPins: (found) => compilerFor(new Map([...found].map(([name, pin]) => [name, stateType(pin)]))),
  }
}

function compileExpression(source: string, pins: PinTypes): Expression {
  const { run, needs } = compile(parse(source), pins)
  return {
    source,
    ...(needs === undefined ? {} : { needs }),
    evaluate(event, memory) {
      allowSteps()
      try {
        return leaving(run(event, memory))
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

/** What the pin's state is, so that `pins.door == true` is found wrong before there is a message. */
function stateType(pin: Pin | undefined): CelType {
  if (pin === undefined || pin.direction === 'pwm') return 'any'
  return isCounter(pin) ? 'number' : 'text'
}
