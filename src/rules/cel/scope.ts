import type { Event } from '../../core/event.ts'
import { ExpressionError } from '../../core/expression.ts'
import type { Memory } from '../../core/memory.ts'
import { nearest } from '../../core/nearest.ts'
import { fail } from './failure.ts'
import type { NeedsList } from './needs-list.ts'
import { type ASTNode, sourceOf } from './parse.ts'
import { type CelType, describe, typeNames } from './values.ts'

/** Works a value out. @throws Failure, also when it needs a memory and there is none */
export type Run = (event: Event, memory?: Memory) => unknown

export type Truth = (event: Event, memory?: Memory) => boolean

export interface Code {
  readonly type: CelType
  readonly run: Run
}

/** A macro's variable. It has one value at a time, for evaluations neither overlap nor nest. */
export interface Local {
  readonly name: string
  readonly type: CelType
  value: unknown
}

/** The pins that an expression may name, and what their states are; undefined when not known: then every name passes. */
export type PinTypes = ReadonlyMap<string, CelType> | undefined

type Compile = (node: ASTNode, scope: Scope) => Code

/** Where a part of an expression stands: the variables around it, and how parts are compiled. */
export class Scope {
  readonly pins: PinTypes
  /** What the expression needs a memory for, as far as it has been compiled. */
  readonly needs: NeedsList
  readonly locals: readonly Local[]
  readonly #compile: Compile

  constructor(compile: Compile, pins: PinTypes, needs: NeedsList, locals: readonly Local[] = []) {
    this.#compile = compile
    this.pins = pins
    this.needs = needs
    this.locals = locals
  }

  /** The same with one variable more, which hides others of its name. */
  with(local: Local): Scope {
    return new Scope(this.#compile, this.pins, this.needs, [...this.locals, local])
  }

  /** @throws ExpressionError */
  compile(node: ASTNode): Code {
    return this.#compile(node, this)
  }

  /** As `compile`, for a place where there must be a value. @throws ExpressionError */
  value(node: ASTNode): Code {
    const code = this.compile(node)
    if (code.type !== 'optional') return code
    throw new ExpressionError(`${sourceOf(node)} may be missing; end it with .orValue(…)`, node.start)
  }

  /** For a place that wants true or false. @throws ExpressionError */
  truth(node: ASTNode): Truth {
    const { type, run } = this.value(node)
    if (type === 'bool') return run as Truth
    if (type !== 'any')
      throw new ExpressionError(`${sourceOf(node)} is ${typeNames[type]}, expected true or false`, node.start)
    return (event, memory) => {
      const value = run(event, memory)
      return typeof value === 'boolean' ? value : fail(() => notTruth(node, value))
    }
  }
}

/** The name that was meant; none for a word so short that every other is near it. */
export function nearestName(word: string, names: readonly string[]): string | undefined {
  return word.length > 3 ? nearest(word, names) : undefined
}

export function notTruth(node: ASTNode, value: unknown): string {
  return `${sourceOf(node)} is ${describe(value)}, not true or false`
}
