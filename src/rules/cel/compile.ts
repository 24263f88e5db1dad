import type { Event } from '../../core/event.ts'
import { ExpressionError } from '../../core/expression.ts'
import type { Memory, Needs } from '../../core/memory.ts'
import { compileAccess } from './access.ts'
import { compileCall, compileMethod } from './calls.ts'
import { type Failure, fail, setAside } from './failure.ts'
import { NeedsList } from './needs-list.ts'
import { type BinaryOperator, mismatch, type Operands, operators, resultType } from './operators.ts'
import { type ASTNode, sourceOf } from './parse.ts'
import { type Code, nearestName, type PinTypes, type Run, Scope } from './scope.ts'
import { compileCount, isStateCall, stateCalls } from './state.ts'
import { describe, show, typeNames } from './values.ts'

export interface Compiled extends Code {
  /** What it needs a memory for; absent when the event is enough. */
  readonly needs?: Needs
}

/**
 * A syntax tree as closures, which is several times faster than walking it for each message.
 * @throws ExpressionError
 */
export function compile(node: ASTNode, pins?: PinTypes): Compiled {
  const list = new NeedsList()
  const code = new Scope(compileNode, pins, list).value(node)
  const { needs } = list
  return needs === undefined ? code : { ...code, needs }
}

/** What a message brings. `payload` is decoded when it is first read. */
const variables: Readonly<Record<string, Code>> = {
  topic: { type: 'text', run: (event) => event.topic },
  levels: { type: 'texts', run: (event) => event.levels },
  payload: { type: 'any', run: (event) => event.payload },
  qos: { type: 'number', run: (event) => event.qos },
  retain: { type: 'bool', run: (event) => event.retain },
  client: { type: 'text', run: (event) => event.client },
  now: { type: 'time', run: (event) => event.now },
  host: { type: 'text', run: (event) => event.host },
  ip: { type: 'text', run: (event) => event.ip },
}

function compileNode(node: ASTNode, scope: Scope): Code {
  switch (node.op) {
    case 'value':
      return literal(node)
    case 'id':
      return variable(node, scope)
    case '.':
    case '.?':
    case '[]':
    case '[?]':
      return compileAccess(node, scope)
    case 'call':
      return compileCall(node, scope)
    case 'rcall':
      return compileMethod(node, scope)
    case 'list':
      return list(node.args.map((part) => scope.value(part)))
    case 'map':
      return object(node.args, scope)
    case '?:':
      return choice(node.args, scope)
    case '||':
    case '&&':
      return logic(node.op, node.args, scope)
    case '!_': {
      const run = scope.truth(node.args)
      return { type: 'bool', run: (event, memory) => !run(event, memory) }
    }
    case '-_':
      return negation(node.args, scope)
    default:
      return binary(node.op, node.args, node, scope)
  }
}

function literal(node: ASTNode & { op: 'value' }): Code {
  const value = node.args
  if (value instanceof Uint8Array) return { type: 'bytes', run: () => value }
  switch (typeof value) {
    case 'string':
      return { type: 'text', run: () => value }
    case 'boolean':
      return { type: 'bool', run: () => value }
    case 'number':
      return { type: 'number', run: () => value }
    case 'bigint': {
      const number = Number(value)
      if (!Number.isSafeInteger(number))
        throw new ExpressionError(`${value} is too large: whole numbers are exact up to 2^53`, node.start)
      return { type: 'number', run: () => number }
    }
    default:
      if (value === null) return { type: 'null', run: () => null }
      throw new ExpressionError('numbers are written without u', node.start)
  }
}

function variable(node: ASTNode & { op: 'id' }, scope: Scope): Code {
  const name = node.args
  const local = scope.locals.findLast((one) => one.name === name)
  if (local !== undefined) return { type: local.type, run: () => local.value }
  const known = Object.hasOwn(variables, name) ? variables[name] : undefined
  if (known !== undefined) return known
  if (name === 'count') return compileCount(node, [], scope)
  if (name === 'pins') throw new ExpressionError('after pins comes the name of one: pins.door', node.start)
  if (isStateCall(name))
    throw new ExpressionError(
      `after ${name} come brackets: ${name === 'last' ? 'last("home/door").payload' : 'changed(payload)'}`,
      node.start,
    )
  if (/^sensors?$/.test(name))
    throw new ExpressionError(`unknown name "${name}"; ${sensorHint('cpu')}`, node.start)
  const locals = scope.locals.map((one) => one.name)
  const names = [...Object.keys(variables), 'pins', ...stateCalls, ...locals]
  const near = nearestName(name, names)
  const hint =
    near === undefined
      ? `known are ${names.join(', ')}; text stands in quotes, "${name}"; a field is written payload.${name}; ${sensorHint(name)}`
      : `did you mean ${near}?`
  throw new ExpressionError(`unknown name "${name}"; ${hint}`, node.start)
}

/** Expressions do not know what this Damselfly is called. */
function sensorHint(sensor: string): string {
  return `a sensor is read with last("damselfly/NAME/sensors/${sensor}").payload, NAME being this Damselfly’s`
}

function list(parts: readonly Code[]): Code {
  const runs = parts.map((part) => part.run)
  const isTexts = parts.length > 0 && parts.every((part) => part.type === 'text')
  return { type: isTexts ? 'texts' : 'list', run: (event, memory) => runs.map((run) => run(event, memory)) }
}

function object(entries: readonly (readonly [ASTNode, ASTNode])[], scope: Scope): Code {
  const parts = entries.map(([name, value]) => {
    const key = scope.value(name)
    if (key.type !== 'any' && key.type !== 'text')
      throw new ExpressionError(
        `a field's name is text, ${sourceOf(name)} is ${typeNames[key.type]}`,
        name.start,
      )
    const checked: Run = (event, memory) => {
      const found = key.run(event, memory)
      return typeof found === 'string' ? found : fail(() => `a field's name is text, not ${describe(found)}`)
    }
    return [checked as (event: Event, memory?: Memory) => string, scope.value(value).run] as const
  })
  // fromEntries defines the fields: a "__proto__" among them is a field like any other
  return {
    type: 'object',
    run: (event, memory) =>
      Object.fromEntries(parts.map(([key, value]) => [key(event, memory), value(event, memory)])),
  }
}

function choice([ifNode, thenNode, elseNode]: readonly [ASTNode, ASTNode, ASTNode], scope: Scope): Code {
  const condition = scope.truth(ifNode)
  const yes = scope.value(thenNode)
  const no = scope.value(elseNode)
  return {
    type: yes.type === no.type ? yes.type : 'any',
    run: (event, memory) => (condition(event, memory) ? yes.run(event, memory) : no.run(event, memory)),
  }
}

/** CEL's `&&` and `||`: a side that fails does not matter when the other side decides. */
function logic(op: '&&' | '||', [leftNode, rightNode]: readonly [ASTNode, ASTNode], scope: Scope): Code {
  const left = scope.truth(leftNode)
  const right = scope.truth(rightNode)
  const decisive = op === '||'
  const run: Run = (event, memory) => {
    let failure: Failure
    try {
      return left(event, memory) === decisive ? decisive : right(event, memory)
    } catch (error) {
      failure = setAside(error)
    }
    if (right(event, memory) === decisive) return decisive
    throw failure
  }
  return { type: 'bool', run }
}

function negation(node: ASTNode, scope: Scope): Code {
  const { type, run } = scope.value(node)
  if (type !== 'any' && type !== 'number')
    throw new ExpressionError(`${sourceOf(node)} is ${typeNames[type]}, expected a number`, node.start)
  return {
    type: 'number',
    run: (event, memory) => {
      const value = run(event, memory)
      if (typeof value === 'number') return -value
      return fail(() => `${sourceOf(node)} is ${describe(value)}, not a number`)
    },
  }
}

function binary(
  op: BinaryOperator,
  [leftNode, rightNode]: readonly [ASTNode, ASTNode],
  node: ASTNode,
  scope: Scope,
): Code {
  const left = scope.value(leftNode)
  const right = scope.value(rightNode)
  const type = resultType(op, left.type, right.type)
  if (type === undefined) {
    const always = op === '==' || op === '!=' ? `; ${sourceOf(node)} is always ${op === '!='}` : ''
    throw new ExpressionError(mismatch(op, left.type, right.type) + always, node.start)
  }
  const apply = operators[op]
  const [a, b] = [left.run, right.run]
  const operands: Operands = (x, y) => shownOperands([leftNode, x], [rightNode, y])
  return { type, run: (event, memory) => apply(a(event, memory), b(event, memory), operands) }
}

function shownOperands(...operands: readonly (readonly [ASTNode, unknown])[]): string {
  const shown = operands
    .filter(([node]) => node.op !== 'value')
    .map(([node, value]) => `${sourceOf(node)} is ${show(value)}`)
  return [...new Set(shown)].join(', ')
}
