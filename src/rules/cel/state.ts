import { reasonOf } from '../../core/errors.ts'
import type { Event } from '../../core/event.ts'
import { ExpressionError } from '../../core/expression.ts'
import type { LastMessage, Memory } from '../../core/memory.ts'
import { topicProblem } from '../../core/topics.ts'
import { parseDuration } from '../../core/units.ts'
import { allowSteps, fail } from './failure.ts'
import { fingerprint } from './fingerprint.ts'
import { type Access, type ASTNode, sourceOf, textOfNode } from './parse.ts'
import { type Code, nearestName, type Run, type Scope } from './scope.ts'
import { type CelType, describe, isWord, quote } from './values.ts'

/** The functions that ask what was before. */
export const stateCalls = ['last', 'count', 'changed'] as const

type StateCall = (typeof stateCalls)[number]
type CallNode = ASTNode & { op: 'call' }

export function isStateCall(name: string): name is StateCall {
  return (stateCalls as readonly string[]).includes(name)
}

/** `last("t")`, `count("5m")`, `changed(x)`. @throws ExpressionError */
export function compileState(name: StateCall, node: CallNode, scope: Scope): Code {
  if (name === 'last') return compileLast(node, scope, noMessage)
  return name === 'count' ? compileCount(node, node.args[1], scope) : compileChanged(node, scope)
}

/** @throws Failure where nobody remembers: in `damselfly test` */
function known(memory: Memory | undefined, node: ASTNode): Memory {
  return memory ?? fail(() => `only the running daemon knows ${sourceOf(node)}; damselfly trace shows it`)
}

/** Whether the node is the word `pins` that all expressions know. */
export function isPins(node: ASTNode, scope: Scope): boolean {
  return node.op === 'id' && node.args === 'pins' && !scope.locals.some(({ name }) => name === 'pins')
}

/** `pins.door`, `pins["front-door"]`, `pins[levels[1]]`. @throws ExpressionError */
export function compilePin(node: Access, scope: Scope): Code {
  if (node.op === '.?' || node.op === '[?]') throw pinIsThere(node)
  scope.needs.isAskingPins = true
  const name = node.op === '.' ? node.args[1] : literalText(node.args[1])
  if (name !== undefined)
    return { type: pinType(name, node, scope), run: (_, memory) => pin(name, memory, node) }
  const index = scope.value((node as ASTNode & { op: '[]' }).args[1])
  const run: Run = (event, memory) => {
    const found = index.run(event, memory)
    if (typeof found !== 'string') return fail(() => `the name of a pin is text, not ${describe(found)}`)
    return pin(found, memory, node)
  }
  return { type: 'any', run }
}

export function pinIsThere(node: ASTNode): ExpressionError {
  return new ExpressionError(
    'a pin is always there: write pins.door, without has() and without ?',
    node.start,
  )
}

function pin(name: string, memory: Memory | undefined, node: ASTNode): unknown {
  const asked = known(memory, node)
  try {
    return asked.pin(name)
  } catch (error) {
    return fail(() => reasonOf(error))
  }
}

function pinType(name: string, node: ASTNode, scope: Scope): CelType {
  if (scope.pins === undefined) return 'any'
  const type = scope.pins.get(name)
  if (type !== undefined) return type
  const names = [...scope.pins.keys()]
  // pins.front-door is pins.front minus door
  const near = nearestName(name, names) ?? names.find((one) => one.startsWith(`${name}-`))
  const all = names.length === 0 ? 'pins: has no pin yet' : `pins are ${names.join(', ')}`
  const hint = near === undefined ? all : `did you mean ${pinPath(near)}?`
  throw new ExpressionError(`no pin is named ${quote(name)}; ${hint}`, node.start)
}

function pinPath(name: string): string {
  return isWord.test(name) ? `pins.${name}` : `pins[${quote(name)}]`
}

function literalText(node: ASTNode): string | undefined {
  return node.op === 'value' && typeof node.args === 'string' ? node.args : undefined
}

/** Whether the node is a `last(…)`. */
export function isLast(node: ASTNode): node is CallNode {
  return node.op === 'call' && node.args[0] === 'last'
}

const lastFields = {
  payload: 'any',
  topic: 'text',
  time: 'time',
  qos: 'number',
  retain: 'bool',
} as const satisfies Readonly<Record<string, CelType>>

type LastField = keyof typeof lastFields

/** `last("t")` as an object. `missing` gives the value, or fails, when there was no message. @throws ExpressionError */
export function compileLast(node: CallNode, scope: Scope, missing: (topic: string) => unknown): Code {
  const topic = lastTopic(node, scope)
  const run: Run = (_, memory) => {
    const message = known(memory, node).last(topic)
    if (message === undefined) return missing(topic)
    const { time, qos, retain } = message
    return { payload: lastPayload(message), topic, time, qos, retain }
  }
  return { type: 'object', run }
}

/** `last("t").payload`. @throws ExpressionError */
export function compileLastField(last: CallNode, name: string, node: ASTNode, scope: Scope): Code {
  const topic = lastTopic(last, scope)
  if (!Object.hasOwn(lastFields, name)) {
    const near = nearestName(name, Object.keys(lastFields))
    const hint = near === undefined ? `it has ${Object.keys(lastFields).join(', ')}` : `did you mean ${near}?`
    throw new ExpressionError(`${sourceOf(last)} has no field ${quote(name)}; ${hint}`, node.start)
  }
  const field = name as LastField
  const run: Run = (_, memory) => {
    const message = known(memory, last).last(topic) ?? noMessage(topic)
    return field === 'payload' ? lastPayload(message) : message[field]
  }
  return { type: lastFields[field], run }
}

function lastTopic(node: CallNode, scope: Scope): string {
  const [argument, ...more] = node.args[1]
  const topic = argument === undefined ? undefined : literalText(argument)
  if (topic === undefined || more.length > 0)
    throw new ExpressionError('last() takes one topic in quotes: last("home/mode").payload', node.start)
  const problem = /[+#]/.test(topic) ? 'last() takes one topic, without wildcards' : topicProblem(topic)
  if (problem !== undefined) throw new ExpressionError(`last(${quote(topic)}): ${problem}`, node.start)
  scope.needs.lastTopics.add(topic)
  return topic
}

function noMessage(topic: string): never {
  return fail(() => `no message on ${topic} yet`)
}

function lastPayload({ topic, payload, bytes, isTooLarge }: LastMessage): unknown {
  if (!isTooLarge) return payload
  return fail(() => `the last message on ${topic} was too large to be kept: ${bytes} bytes`)
}

/** `count`, `count("5m")`. @throws ExpressionError */
export function compileCount(node: ASTNode, args: readonly ASTNode[], scope: Scope): Code {
  const [window, ...more] = args
  scope.needs.isCounting = true
  if (window === undefined) return { type: 'number', run: (_, memory) => known(memory, node).count() }
  const text = literalText(window)
  if (text === undefined || more.length > 0)
    throw new ExpressionError('count() takes a duration in quotes: count("5m")', node.start)
  const windowMs = durationMs(text, window)
  if (windowMs === 0)
    throw new ExpressionError('no message lies within 0s: count() takes longer, count("5m")', node.start)
  scope.needs.windowsMs.add(windowMs)
  return { type: 'number', run: (_, memory) => known(memory, node).countWithin(windowMs) }
}

function durationMs(text: string, node: ASTNode): number {
  try {
    return parseDuration(text)
  } catch (error) {
    throw new ExpressionError(reasonOf(error), node.start, { cause: error })
  }
}

/** `changed(x)`, `changed(x, 0.5)`. @throws ExpressionError */
function compileChanged(node: CallNode, scope: Scope): Code {
  const [valueNode, bandNode, ...more] = node.args[1]
  if (valueNode === undefined || more.length > 0)
    throw new ExpressionError(
      'changed() takes a value, and may take by how much: changed(payload.t, 0.5)',
      node.start,
    )
  if (scope.locals.length > 0)
    throw new ExpressionError(
      'changed() is about one value of a message: it cannot stand in map(), all(), …',
      node.start,
    )
  const value = scope.value(valueNode)
  const band = bandNode === undefined ? undefined : bandOf(bandNode)
  const read = band === undefined ? valueReader(value.run) : numberReader(value, valueNode)
  const key = textOfNode(node)
  scope.needs.changes.set(key, { key, read, ...(band === undefined ? {} : { band }) })
  return { type: 'bool', run: (_, memory) => known(memory, node).changed(key) === 'changed' }
}

function bandOf(node: ASTNode): number {
  const literal = node.op === 'value' ? node.args : undefined
  const value = typeof literal === 'bigint' || typeof literal === 'number' ? Number(literal) : 0
  if (value > 0) return value
  throw new ExpressionError('by how much is a number above 0: changed(payload.t, 0.5)', node.start)
}

function valueReader(run: Run): (event: Event, memory: Memory) => string {
  return (event, memory) => {
    allowSteps()
    return fingerprint(run(event, memory))
  }
}

function numberReader({ type, run }: Code, node: ASTNode): (event: Event, memory: Memory) => number {
  if (type !== 'any' && type !== 'number')
    throw new ExpressionError(`only a number changes by so much, ${sourceOf(node)} is none`, node.start)
  return (event, memory) => {
    allowSteps()
    const value = run(event, memory)
    if (typeof value === 'number') return value
    return fail(() => `${sourceOf(node)} is ${describe(value)}, not a number`)
  }
}
