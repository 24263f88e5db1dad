import { DamselflyError } from './errors.ts'
import type { Event } from './event.ts'
import type { Memory, Needs } from './memory.ts'
import type { Pin } from './pin.ts'
import type { Condition } from './rule.ts'

/** Compiles what people write in `when:` and between `${` and `}`. */
export interface ExpressionCompiler {
  /** @throws ExpressionError */
  expression(source: string): Expression
  /**
   * A text with `${…}` in it; undefined when it has none. `$${` stands for `${`.
   * @throws ExpressionError with the offset in the whole text
   */
  template(text: string): Template | undefined
  /** A `when:` written as an expression. @throws ExpressionError */
  condition(source: string): Condition
  /** A `when:` written as a map of field: value. */
  conditionMap(fields: Readonly<Record<string, unknown>>): Condition
  /**
   * The same compiler, for a house with these pins: an expression that names another one is a mistake.
   * Undefined stands for a pin of which only the name is known.
   */
  withPins(pins: ReadonlyMap<string, Pin | undefined>): ExpressionCompiler
}

export interface Expression {
  readonly source: string
  /** What it needs a memory for; absent when the event is enough. */
  readonly needs?: Needs
  /**
   * Integers come out as numbers. Without the memory that it needs it fails.
   * @throws DamselflyError `EXPRESSION_FAILED` with the expression and why
   */
  evaluate(event: Event, memory?: Memory): unknown
}

export interface Template {
  readonly text: string
  /** As `Expression.needs`. */
  readonly needs?: Needs
  /** A template that is one single `${…}` gives the value itself, any other gives text. @throws as `evaluate` */
  render(event: Event, memory?: Memory): unknown
}

/** An expression that cannot be compiled. */
export class ExpressionError extends DamselflyError {
  /** Where in the text that was given, in UTF-16 units from 0. */
  readonly offset: number

  constructor(message: string, offset: number, options?: { readonly cause?: unknown }) {
    super('EXPRESSION_INVALID', message, options)
    this.offset = offset
  }
}
