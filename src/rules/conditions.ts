import type { Event } from '../core/event.ts'
import { ExpressionError } from '../core/expression.ts'
import type { Memory } from '../core/memory.ts'
import type { Condition, ConditionOutcome } from '../core/rule.ts'
import { compile } from './cel/compile.ts'
import { allowSteps, failureReason } from './cel/failure.ts'
import { type ASTNode, parse, sourceOf } from './cel/parse.ts'
import { notTruth, type PinTypes } from './cel/scope.ts'
import { typeNames } from './cel/values.ts'
import { explain } from './condition-why.ts'

const yes: ConditionOutcome = { holds: true }

/** A `when:` or `until:` written as an expression. @throws ExpressionError */
export function condition(source: string, pins?: PinTypes): Condition {
  const node = parse(source)
  const { type, run, needs } = compile(node, pins)
  if (type !== 'bool' && type !== 'any')
    throw new ExpressionError(
      `a condition is true or false, ${sourceOf(node)} is ${typeNames[type]}`,
      node.start,
    )
  return {
    text: source,
    ...(needs === undefined ? {} : { needs }),
    test(event, memory) {
      allowSteps()
      try {
        const value = run(event, memory)
        return value === true ? yes : new No(node, event, memory, value)
      } catch (error) {
        return new Failed(error)
      }
    },
  }
}

/** Most messages do not meet most conditions: why is worked out only if someone asks. */
class No implements ConditionOutcome {
  readonly holds = false
  readonly isError: boolean
  readonly #node: ASTNode
  readonly #event: Event
  readonly #memory: Memory | undefined
  readonly #value: unknown

  constructor(node: ASTNode, event: Event, memory: Memory | undefined, value: unknown) {
    this.#node = node
    this.#event = event
    this.#memory = memory
    this.#value = value
    this.isError = value !== false
  }

  get why(): string {
    return this.isError ? notTruth(this.#node, this.#value) : explain(this.#node, this.#event, this.#memory)
  }
}

class Failed implements ConditionOutcome {
  readonly holds = false
  readonly isError = true
  readonly #thrown: unknown

  constructor(thrown: unknown) {
    this.#thrown = thrown
  }

  get why(): string {
    return failureReason(this.#thrown)
  }
}
