import { ExpressionError } from '../../core/expression.ts'
import { fail } from './failure.ts'
import { type Access, type ASTNode, sourceOf } from './parse.ts'
import type { Code, Run, Scope } from './scope.ts'
import { compileLast, compileLastField, compilePin, isLast, isPins, pinIsThere } from './state.ts'
import { type CelType, describe, fieldsOf, isObject, isWord, quote, show, typeNames } from './values.ts'

/** What an expression's part is called, for a message: `payload.temp`. */
type Subject = () => string

/** An own field of an object. @throws Failure that says what was there instead */
function field(value: unknown, name: string, subject: Subject): unknown {
  if (isObject(value) && Object.hasOwn(value, name)) return value[name]
  return fail(() => fieldMissing(value, name, subject()))
}

/** `payload has no field "msg"; it has temp, hum`. */
export function fieldMissing(value: unknown, name: string, subject: string): string {
  if (isObject(value)) return `${subject} has no field ${quote(name)}; it has ${fieldsOf(value)}`
  const hint = Array.isArray(value) ? `; its first element is ${subject}[0]` : ''
  return `${subject} is ${describe(value)}, not an object${hint}`
}

/** `value[index]`. @throws Failure */
function element(value: unknown, index: unknown, subject: Subject): unknown {
  if (typeof index === 'string') return field(value, index, subject)
  const found = softElement(value, index)
  return found === undefined ? fail(() => elementMissing(value, index, subject())) : found
}

function elementMissing(value: unknown, index: unknown, subject: string): string {
  if (!Array.isArray(value)) {
    if (isObject(value)) return `${subject} is an object: its fields have names, ${show(index)} is none`
    return `${subject} is ${describe(value)}, not a list`
  }
  if (typeof index !== 'number') return `an element of a list has a number, not ${describe(index)}`
  if (value.length === 0) return `${subject} is an empty list, it has no ${subject}[${index}]`
  const last = `the first is ${subject}[0], the last ${subject}[${value.length - 1}]`
  return `${subject} has no element ${index}: ${last}`
}

/** As `field`, undefined where there is none. */
function softField(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** As `element`, undefined where there is none. */
function softElement(value: unknown, index: unknown): unknown {
  if (typeof index === 'string') return softField(value, index)
  if (!Array.isArray(value) || typeof index !== 'number') return undefined
  return Number.isInteger(index) && index >= 0 ? value[index] : undefined
}

/** Why nothing can be taken out of a value of this type, or undefined when something may be. */
function accessProblem(type: CelType, subject: string): string | undefined {
  if (['any', 'object', 'optional', 'list', 'texts'].includes(type)) return undefined
  const hint = type === 'time' ? `; ${subject}.getHours() gives the hour` : ''
  return `${subject} is ${typeNames[type]} and has no fields${hint}`
}

/** How a field is written after its object: `.temp`, `["out temp"]`. */
export function fieldSuffix(name: string): string {
  return isWord.test(name) ? `.${name}` : `[${quote(name)}]`
}

/** `a.b`, `a[b]`, `a.?b`, `a[?b]`. @throws ExpressionError */
export function compileAccess(node: Access, scope: Scope): Code {
  const [target] = node.args
  if (isPins(target, scope)) return compilePin(node, scope)
  if (isLast(target) && node.op === '.') return compileLastField(target, node.args[1], node, scope)
  const isSoft = node.op === '.?' || node.op === '[?]'
  const left = isSoft ? softTarget(target, scope) : scope.compile(target)
  const problem = accessProblem(left.type, sourceOf(target))
  if (problem !== undefined) throw new ExpressionError(problem, node.start)
  if (left.type === 'optional' || isSoft) return softAccess(node, scope, left)
  const subject = () => sourceOf(target)
  if (node.op === '.') {
    const name = node.args[1]
    if (left.type === 'list' || left.type === 'texts')
      throw new ExpressionError(`${subject()} is a list; its first element is ${subject()}[0]`, node.start)
    return { type: 'any', run: (event, memory) => field(left.run(event, memory), name, subject) }
  }
  const index = compileIndex(node.args[1], left.type, scope)
  const type = left.type === 'texts' ? 'text' : 'any'
  return { type, run: (event, memory) => element(left.run(event, memory), index(event, memory), subject) }
}

/** A path that gives undefined where it ends; for `.?`, `[?]` and `has`. */
function softAccess(node: Access, scope: Scope, left: Code): Code {
  if (node.op === '.' || node.op === '.?') {
    const name = node.args[1]
    return { type: 'optional', run: (event, memory) => softField(left.run(event, memory), name) }
  }
  const index = compileIndex(node.args[1], left.type, scope)
  return {
    type: 'optional',
    run: (event, memory) => softElement(left.run(event, memory), index(event, memory)),
  }
}

function compileIndex(node: ASTNode, of: CelType, scope: Scope): Run {
  const { type, run } = scope.value(node)
  const isList = of === 'list' || of === 'texts'
  const isFitting = type === 'any' || (type === 'number' && of !== 'object') || (type === 'text' && !isList)
  if (isFitting) return run
  const wanted = isList ? 'a number' : 'text'
  throw new ExpressionError(`${sourceOf(node)} is ${typeNames[type]}, expected ${wanted}`, node.start)
}

/** `has(a.b.c)`: whether the whole path is there; nothing on the way can fail. */
export function compileHas(node: ASTNode, [argument, ...more]: readonly ASTNode[], scope: Scope): Code {
  if (argument === undefined || more.length > 0 || !isAccess(argument))
    throw new ExpressionError('has() takes a field, such as has(payload.temp)', node.start)
  const { run } = softPath(argument, scope)
  return { type: 'bool', run: (event, memory) => run(event, memory) !== undefined }
}

function isAccess(node: ASTNode): node is Access {
  return node.op === '.' || node.op === '.?' || node.op === '[]' || node.op === '[?]'
}

function softPath(node: ASTNode, scope: Scope): Code {
  if (!isAccess(node)) return softTarget(node, scope)
  if (isPins(node.args[0], scope)) throw pinIsThere(node)
  return softAccess(node, scope, softPath(node.args[0], scope))
}

/** A value that something is looked for in: a message that has not come yet has no fields. */
function softTarget(node: ASTNode, scope: Scope): Code {
  return isLast(node) ? compileLast(node, scope, () => undefined) : scope.compile(node)
}
