import { reasonOf } from '../../core/errors.ts'
import { type Event, tickOf } from '../../core/event.ts'
import { ExpressionError } from '../../core/expression.ts'
import type { Memory } from '../../core/memory.ts'
import { compileHas } from './access.ts'
import { allowSteps, fail, failureReason } from './failure.ts'
import { functions, mathFunctions, methods, type Operation } from './functions.ts'
import { compileMacro, macroNames } from './macros.ts'
import { type ASTNode, sourceOf } from './parse.ts'
import { compilePattern, isFound, isPatternFound } from './patterns.ts'
import { type Code, nearestName, type Run, type Scope } from './scope.ts'
import { compileState, isStateCall, stateCalls } from './state.ts'
import { type CelType, describe, typeNames, typeOf } from './values.ts'

/** `f(x)`. @throws ExpressionError */
export function compileCall(node: ASTNode & { op: 'call' }, scope: Scope): Code {
  const [name, args] = node.args
  if (name === 'has') return compileHas(node, args, scope)
  if (isStateCall(name)) return compileState(name, node, scope)
  const operation = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (operation === undefined) {
    if (Object.hasOwn(methods, name))
      throw new ExpressionError(`${name} is written after its value: x.${name}(…)`, node.start)
    throw unknown('function', name, [...Object.keys(functions), 'has', ...stateCalls], node)
  }
  return call(name, operation, args, node, scope)
}

/** `x.f(y)`. @throws ExpressionError */
export function compileMethod(node: ASTNode & { op: 'rcall' }, scope: Scope): Code {
  const [name, receiver, args] = node.args
  if (receiver.op === 'id' && receiver.args === 'math' && !scope.locals.some((one) => one.name === 'math')) {
    const operation = Object.hasOwn(mathFunctions, name) ? mathFunctions[name] : undefined
    if (operation === undefined) throw unknown('function of math', name, Object.keys(mathFunctions), node)
    return call(`math.${name}`, operation, args, node, scope)
  }
  if (macroNames.includes(name)) return compileMacro(node, scope)
  const target = scope.compile(receiver)
  if (target.type === 'optional') return ofOptional(node, target, scope)
  if (name === 'matches') return matches(node, scope)
  const operation = Object.hasOwn(methods, name) ? methods[name] : undefined
  if (operation === undefined) {
    if (name === 'orValue')
      throw new ExpressionError(
        `${sourceOf(receiver)} is never missing; .orValue(…) goes after .?name`,
        node.start,
      )
    throw unknown('method', name, [...Object.keys(methods), ...macroNames, 'matches'], node)
  }
  return call(name, operation, [receiver, ...args], node, scope, true)
}

function unknown(what: string, name: string, names: readonly string[], node: ASTNode): ExpressionError {
  const near = nearestName(name, names)
  const hint = near === undefined ? `known are ${names.join(', ')}` : `did you mean ${near}?`
  return new ExpressionError(`unknown ${what} "${name}"; ${hint}`, node.start)
}

function call(
  name: string,
  operation: Operation,
  nodes: readonly ASTNode[],
  node: ASTNode,
  scope: Scope,
  isMethod = false,
): Code {
  const { takes, gives } = operation
  const min = operation.min ?? takes.length
  if (nodes.length < min || nodes.length > takes.length)
    throw new ExpressionError(countProblem(name, nodes.length, min, takes.length, isMethod), node.start)
  const runs = nodes.map((argument, index) =>
    checked(argument, takes[index] as readonly CelType[], name, scope),
  )
  const run = caller(operation.run, runs as [Run, Run?, Run?])
  return { type: gives, run: nodes.every((argument) => argument.op === 'value') ? constant(run, node) : run }
}

function caller(operation: Operation['run'], [a, b, c]: readonly [Run, Run?, Run?]): Run {
  const run = operation as (a: unknown, b?: unknown, c?: unknown) => unknown
  if (b === undefined) return (event, memory) => run(a(event, memory))
  if (c === undefined) return (event, memory) => run(a(event, memory), b(event, memory))
  return (event, memory) => run(a(event, memory), b(event, memory), c(event, memory))
}

const nothing = tickOf({ host: '', ip: '' })

/** `duration("5m")` is worked out once, and found wrong before there is a message. */
function constant(run: Run, node: ASTNode): Run {
  allowSteps()
  try {
    const value = run(nothing)
    return () => value
  } catch (error) {
    throw new ExpressionError(failureReason(error), node.start)
  }
}

function countProblem(name: string, found: number, min: number, max: number, isMethod: boolean): string {
  const own = isMethod ? 1 : 0
  const wanted = min === max ? `${min - own}` : `${min - own} to ${max - own}`
  return `${name}() takes ${wanted} argument${wanted === '1' ? '' : 's'}, found ${found - own}`
}

/** An argument that has one of these types, found out now where it can be and else for each message. */
function checked(node: ASTNode, types: readonly CelType[], user: string, scope: Scope): Run {
  const { type, run } = scope.value(node)
  if (types.includes('any')) return run
  const wanted = () => types.map((one) => typeNames[one]).join(' or ')
  if (type !== 'any') {
    if (types.includes(type === 'texts' ? 'list' : type)) return run
    throw new ExpressionError(
      `${user}() needs ${wanted()}, but ${sourceOf(node)} is ${typeNames[type]}`,
      node.start,
    )
  }
  return (event, memory) => {
    const value = run(event, memory)
    if (types.includes(typeOf(value))) return value
    return fail(() => `${user}() needs ${wanted()}, but ${sourceOf(node)} is ${describe(value)}`)
  }
}

/** The methods of what `.?` gives. */
function ofOptional(node: ASTNode & { op: 'rcall' }, target: Code, scope: Scope): Code {
  const [name, receiver, args] = node.args
  const { run } = target
  if (name === 'hasValue' && args.length === 0)
    return { type: 'bool', run: (event, memory) => run(event, memory) !== undefined }
  if (name === 'value' && args.length === 0)
    return { type: 'any', run: (event, memory) => present(run(event, memory), receiver) }
  const [other] = args
  if (other !== undefined && args.length === 1) {
    if (name === 'orValue') {
      const otherwise = scope.value(other)
      return { type: 'any', run: (event, memory) => orElse(run(event, memory), otherwise.run, event, memory) }
    }
    if (name === 'or') {
      const otherwise = scope.compile(other)
      if (otherwise.type !== 'optional')
        throw new ExpressionError('or() takes another .?name; for a value use orValue()', other.start)
      return {
        type: 'optional',
        run: (event, memory) => orElse(run(event, memory), otherwise.run, event, memory),
      }
    }
  }
  throw new ExpressionError(
    `${sourceOf(receiver)} may be missing; after it come .orValue(x), .or(.?other), .hasValue() or .value()`,
    node.start,
  )
}

function orElse(value: unknown, otherwise: Run, event: Event, memory?: Memory): unknown {
  return value === undefined ? otherwise(event, memory) : value
}

function present(value: unknown, node: ASTNode): unknown {
  return value === undefined ? fail(() => `${sourceOf(node)} is missing`) : value
}

type Text = (event: Event, memory?: Memory) => string

function matches(node: ASTNode & { op: 'rcall' }, scope: Scope): Code {
  const [name, receiver, args] = node.args
  const [patternNode] = args
  if (patternNode === undefined || args.length !== 1)
    throw new ExpressionError(countProblem(name, args.length, 1, 1, false), node.start)
  const text = checked(receiver, ['text'], name, scope) as Text
  if (patternNode.op === 'value' && typeof patternNode.args === 'string') {
    const compiled = constantPattern(patternNode.args, patternNode.start)
    return { type: 'bool', run: (event, memory) => isFound(compiled, text(event, memory)) }
  }
  const pattern = checked(patternNode, ['text'], name, scope) as Text
  return { type: 'bool', run: (event, memory) => isPatternFound(pattern(event, memory), text(event, memory)) }
}

function constantPattern(pattern: string, offset: number): ReturnType<typeof compilePattern> {
  try {
    return compilePattern(pattern)
  } catch (error) {
    throw new ExpressionError(`not a pattern that matches() knows: ${reasonOf(error)}`, offset, {
      cause: error,
    })
  }
}
