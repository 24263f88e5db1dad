import { fail, spend, spendChars } from './failure.ts'
import { type CelType, isObject, Span, textOf, typeNames, typeOf } from './values.ts'

export type BinaryOperator = '==' | '!=' | 'in' | '+' | '-' | '*' | '/' | '%' | '<' | '<=' | '>' | '>='

type Signature = readonly [left: CelType, right: CelType, gives: CelType]

const ordered: readonly Signature[] = [
  ['number', 'number', 'bool'],
  ['text', 'text', 'bool'],
  ['time', 'time', 'bool'],
  ['span', 'span', 'bool'],
]
const numbersOnly: readonly Signature[] = [['number', 'number', 'number']]
const joinable: readonly CelType[] = ['number', 'bool', 'time', 'span']

const signatures: Readonly<Record<Exclude<BinaryOperator, '==' | '!=' | 'in'>, readonly Signature[]>> = {
  '<': ordered,
  '<=': ordered,
  '>': ordered,
  '>=': ordered,
  '+': [
    ['number', 'number', 'number'],
    ['text', 'text', 'text'],
    ...joinable.map((type): Signature => ['text', type, 'text']),
    ...joinable.map((type): Signature => [type, 'text', 'text']),
    ['list', 'list', 'list'],
    ['bytes', 'bytes', 'bytes'],
    ['time', 'span', 'time'],
    ['span', 'time', 'time'],
    ['span', 'span', 'span'],
  ],
  '-': [
    ['number', 'number', 'number'],
    ['time', 'time', 'span'],
    ['time', 'span', 'time'],
    ['span', 'span', 'span'],
  ],
  '*': numbersOnly,
  '/': numbersOnly,
  '%': numbersOnly,
}

/** What the operator gives for these types, or undefined when it can give nothing. */
export function resultType(op: BinaryOperator, left: CelType, right: CelType): CelType | undefined {
  const [l, r] = [plain(left), plain(right)]
  if (op === '==' || op === '!=') return fits(l, r) || l === 'null' || r === 'null' ? 'bool' : undefined
  if (op === 'in') {
    if (r === 'object') return fits(l, 'text') ? 'bool' : undefined
    return fits(r, 'list') ? 'bool' : undefined
  }
  const gives = new Set<CelType>()
  for (const [a, b, result] of signatures[op]) if (fits(l, a) && fits(r, b)) gives.add(result)
  if (gives.size > 1) return 'any'
  return [...gives][0]
}

function plain(type: CelType): CelType {
  return type === 'texts' ? 'list' : type
}

function fits(actual: CelType, wanted: CelType): boolean {
  return actual === 'any' || wanted === 'any' || actual === wanted
}

/** Why two types do not go together; also for types that are known before there is a message. */
export function mismatch(op: BinaryOperator, left: CelType, right: CelType): string {
  const [l, r] = [typeNames[left], typeNames[right]]
  switch (op) {
    case '+':
      return `cannot add ${l} and ${r}`
    case '-':
      return `cannot subtract ${r} from ${l}`
    case '*':
      return `cannot multiply ${l} by ${r}`
    case '/':
    case '%':
      return `cannot divide ${l} by ${r}`
    case 'in':
      return right === 'text'
        ? 'in looks into lists and objects; for text write x.contains("y")'
        : `in looks into lists and objects, not into ${r}`
    default: {
      const isTimeOfDay = [left, right].includes('time') && [left, right].includes('text')
      const hint = isTimeOfDay ? '; now.format("%H:%M") makes text of a time' : ''
      return `cannot compare ${l} with ${r}${hint}`
    }
  }
}

/** Says what the operands were, for a failure: `payload.t is "31"`. */
export type Operands = (left: unknown, right: unknown) => string

type Apply = (left: unknown, right: unknown, operands: Operands) => unknown

/** The operators. Each throws `Failure` where it has no answer; numbers that come out are finite. */
export const operators: Readonly<Record<BinaryOperator, Apply>> = {
  '==': (a, b) => isEqual(a, b),
  '!=': (a, b) => !isEqual(a, b),
  in: isIn,
  '<': (a, b, operands) => order('<', a, b, operands) < 0,
  '<=': (a, b, operands) => order('<=', a, b, operands) <= 0,
  '>': (a, b, operands) => order('>', a, b, operands) > 0,
  '>=': (a, b, operands) => order('>=', a, b, operands) >= 0,
  '+': add,
  '-': subtract,
  '*': (a, b, operands) => {
    if (typeof a === 'number' && typeof b === 'number') return finite(a * b)
    return refuse('*', a, b, operands)
  },
  '/': (a, b, operands) => divide('/', a, b, operands),
  '%': (a, b, operands) => divide('%', a, b, operands),
}

/** A number that is one: what is too large for a number is a failure. */
export function finite(value: number): number {
  return Number.isFinite(value) ? value : fail(() => 'the result is too large for a number')
}

/** Whether two values are the same in type and content, lists and objects to their depths. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && areEqualLists(a, b)
  if (a instanceof Uint8Array)
    return b instanceof Uint8Array && a.length === b.length && Buffer.compare(a, b) === 0
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime()
  if (a instanceof Span) return b instanceof Span && a.ms === b.ms
  return isObject(a) && isObject(b) && areEqualObjects(a, b)
}

function areEqualLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false
  spend(a.length)
  return a.every((element, index) => isEqual(element, b[index]))
}

function areEqualObjects(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
): boolean {
  const names = Object.keys(a)
  spend(names.length)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => Object.hasOwn(b, name) && isEqual(a[name], b[name]))
}

function isIn(value: unknown, container: unknown, operands: Operands): boolean {
  if (Array.isArray(container)) {
    spend(container.length)
    return container.some((element) => isEqual(value, element))
  }
  if (isObject(container)) return typeof value === 'string' && Object.hasOwn(container, value)
  return refuse('in', value, container, operands)
}

function order(op: BinaryOperator, a: unknown, b: unknown, operands: Operands): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') {
    spendChars(Math.min(a.length, b.length))
    return a < b ? -1 : a > b ? 1 : 0
  }
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime()
  if (a instanceof Span && b instanceof Span) return a.ms - b.ms
  return refuse(op, a, b, operands)
}

function add(a: unknown, b: unknown, operands: Operands): unknown {
  if (typeof a === 'number' && typeof b === 'number') return finite(a + b)
  if (typeof a === 'string' || typeof b === 'string') return join(a, b, operands)
  if (Array.isArray(a) && Array.isArray(b)) {
    spend(a.length + b.length)
    return [...a, ...b]
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    spendChars(a.length + b.length)
    return new Uint8Array(Buffer.concat([a, b]))
  }
  if (a instanceof Span && b instanceof Span) return new Span(a.ms + b.ms)
  if (a instanceof Date && b instanceof Span) return moved(a, b.ms)
  if (a instanceof Span && b instanceof Date) return moved(b, a.ms)
  return refuse('+', a, b, operands)
}

function join(a: unknown, b: unknown, operands: Operands): string {
  if (!isJoinable(a) || !isJoinable(b)) return refuse('+', a, b, operands)
  const [left, right] = [textOf(a), textOf(b)]
  spendChars(left.length + right.length)
  return left + right
}

function isJoinable(value: unknown): boolean {
  return typeof value === 'string' || joinable.includes(typeOf(value))
}

function subtract(a: unknown, b: unknown, operands: Operands): unknown {
  if (typeof a === 'number' && typeof b === 'number') return finite(a - b)
  if (a instanceof Date && b instanceof Date) return new Span(a.getTime() - b.getTime())
  if (a instanceof Date && b instanceof Span) return moved(a, -b.ms)
  if (a instanceof Span && b instanceof Span) return new Span(a.ms - b.ms)
  return refuse('-', a, b, operands)
}

function moved(time: Date, ms: number): Date {
  const result = new Date(time.getTime() + ms)
  return Number.isNaN(result.getTime()) ? fail(() => 'the time is out of range') : result
}

function divide(op: '/' | '%', a: unknown, b: unknown, operands: Operands): number {
  if (typeof a !== 'number' || typeof b !== 'number') return refuse(op, a, b, operands)
  if (b === 0) return fail(() => withOperands('division by zero', operands(a, b)))
  return finite(op === '/' ? a / b : a % b)
}

function refuse(op: BinaryOperator, a: unknown, b: unknown, operands: Operands): never {
  return fail(() => {
    const [left, right] = [typeOf(a), typeOf(b)]
    const isNumberInText =
      op !== 'in' && ((left === 'text' && right === 'number') || (left === 'number' && right === 'text'))
    const hint = isNumberInText ? '; double(…) makes a number of text' : ''
    return withOperands(mismatch(op, left, right), operands(a, b)) + hint
  })
}

function withOperands(message: string, shown: string): string {
  return shown === '' ? message : `${message}: ${shown}`
}
