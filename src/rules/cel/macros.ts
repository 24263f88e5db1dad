import type { Event } from '../../core/event.ts'
import { ExpressionError } from '../../core/expression.ts'
import type { Memory } from '../../core/memory.ts'
import { type Failure, fail, setAside, spend } from './failure.ts'
import { elementsOf } from './functions.ts'
import { type ASTNode, sourceOf } from './parse.ts'
import type { Code, Local, Run, Scope, Truth } from './scope.ts'
import { type CelType, describe, typeNames } from './values.ts'

/** The methods that take a variable and what to do with it: `payload.items.all(x, x > 3)`. */
export const macroNames: readonly string[] = ['all', 'exists', 'exists_one', 'filter', 'map']

type Each = (element: unknown) => void
type Elements = (event: Event, memory?: Memory) => readonly unknown[]

/** @throws ExpressionError */
export function compileMacro(node: ASTNode & { op: 'rcall' }, scope: Scope): Code {
  const [name, receiver, args] = node.args
  const [variable, first, second] = args
  if (variable?.op !== 'id' || first === undefined || args.length > (name === 'map' ? 3 : 2))
    throw new ExpressionError(`${name}() takes a variable and an expression: ${name}(x, x > 3)`, node.start)
  const list = scope.value(receiver)
  const elements = elementsIn(list, receiver)
  const local: Local = { name: variable.args, type: elementType(list.type), value: undefined }
  const inner = scope.with(local)
  const each: Each = (element) => {
    spend(1)
    local.value = element
  }
  if (name === 'map') {
    const keep = second === undefined ? undefined : inner.truth(first)
    return { type: 'list', run: mapped(elements, each, keep, inner.value(second ?? first).run) }
  }
  const holds = inner.truth(first)
  if (name === 'filter')
    return { type: list.type === 'texts' ? 'texts' : 'list', run: filtered(elements, each, holds) }
  if (name === 'exists_one') return { type: 'bool', run: existsOne(elements, each, holds) }
  return { type: 'bool', run: quantified(name === 'exists', elements, each, holds) }
}

function elementsIn(list: Code, node: ASTNode): Elements {
  if (!['any', 'list', 'texts', 'object'].includes(list.type))
    throw new ExpressionError(
      `${sourceOf(node)} is ${typeNames[list.type]}, expected a list or an object`,
      node.start,
    )
  return (event, memory) => {
    const value = list.run(event, memory)
    return elementsOf(value) ?? fail(() => `${sourceOf(node)} is ${describe(value)}, not a list`)
  }
}

function elementType(list: CelType): CelType {
  return list === 'texts' || list === 'object' ? 'text' : 'any'
}

function mapped(elements: Elements, each: Each, keep: Truth | undefined, make: Run): Run {
  return (event, memory) => {
    const made: unknown[] = []
    for (const element of elements(event, memory)) {
      each(element)
      if (keep === undefined || keep(event, memory)) made.push(make(event, memory))
    }
    return made
  }
}

function filtered(elements: Elements, each: Each, holds: Truth): Run {
  return (event, memory) =>
    elements(event, memory).filter((element) => {
      each(element)
      return holds(event, memory)
    })
}

function existsOne(elements: Elements, each: Each, holds: Truth): Run {
  return (event, memory) => {
    let found = 0
    for (const element of elements(event, memory)) {
      each(element)
      if (holds(event, memory)) found++
    }
    return found === 1
  }
}

/** `all` and `exists`. An element that fails does not matter when another one decides. */
function quantified(decisive: boolean, elements: Elements, each: Each, holds: Truth): Run {
  return (event, memory) => {
    let failure: Failure | undefined
    for (const element of elements(event, memory)) {
      each(element)
      try {
        if (holds(event, memory) === decisive) return decisive
      } catch (error) {
        failure ??= setAside(error)
      }
    }
    if (failure !== undefined) throw failure
    return !decisive
  }
}
