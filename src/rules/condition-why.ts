import type { Event } from '../core/event.ts'
import { compile } from './cel/compile.ts'
import { allowSteps, failureReason } from './cel/failure.ts'
import { type ASTNode, sourceOf } from './cel/parse.ts'
import { cut, describe, show, typeNames, typeOf } from './cel/values.ts'

const shownPathsMax = 4
const explanationCharsMax = 400

/**
 * Why a condition is false, with the values that made it so:
 * `payload.value > 30 is false: payload.value is 21.5`. Never throws.
 */
export function explain(node: ASTNode, event: Event): string {
  try {
    return cut(reason(node, event), explanationCharsMax)
  } catch (error) {
    return failureReason(error)
  }
}

function reason(node: ASTNode, event: Event): string {
  if (node.op === '&&') {
    const [left, right] = node.args
    return reason(isFalse(left, event) ? left : right, event)
  }
  if (node.op === '||') {
    const [left, right] = node.args
    return `${reason(left, event)}; ${reason(right, event)}`
  }
  const paths = new Map<string, ASTNode>()
  collectPaths(node, [], paths)
  const [first] = paths.values()
  const values = [...paths.values()]
    .filter((path) => path !== node)
    .slice(0, shownPathsMax)
    .map((path) => shownPath(path, node, event))
  const claim = `${sourceOf(node)} is false`
  if (values.length === 0 || first === undefined) return claim
  return `${claim}: ${values.join(', ')}`
}

function isFalse(node: ASTNode, event: Event): boolean {
  allowSteps()
  try {
    return compile(node).run(event) === false
  } catch {
    return false // it failed; the other side decided
  }
}

function shownPath(path: ASTNode, claim: ASTNode, event: Event): string {
  allowSteps()
  let value: unknown
  try {
    value = compile(path).run(event)
  } catch (error) {
    return failureReason(error)
  }
  const wanted = claim.op === '==' ? literalType(claim.args) : undefined
  if (wanted === undefined || wanted === typeOf(value) || value === '')
    return `${sourceOf(path)} is ${show(value)}`
  return `${sourceOf(path)} is ${describe(value)}, not ${typeNames[wanted]}`
}

/** The type of the literal in `path == literal`. */
function literalType([left, right]: readonly [ASTNode, ASTNode]): ReturnType<typeof typeOf> | undefined {
  const literal = right.op === 'value' ? right : left
  if (literal.op !== 'value') return undefined
  return typeof literal.args === 'bigint' ? 'number' : typeOf(literal.args)
}

/** The longest paths into the event: `payload.a.b`, not `payload.a`. A macro's variable begins none. */
function collectPaths(node: ASTNode, hidden: readonly string[], into: Map<string, ASTNode>): void {
  if (isPath(node, hidden)) {
    into.set(sourceOf(node), node)
    return
  }
  const isMacro = node.op === 'rcall' && node.args[2].length >= 2 && node.args[2][0]?.op === 'id'
  const variable = isMacro ? node.args[2][0] : undefined
  const inner = variable?.op === 'id' ? [...hidden, variable.args] : hidden
  for (const part of partsOf(node)) if (part !== variable) collectPaths(part, inner, into)
}

function isPath(node: ASTNode, hidden: readonly string[]): boolean {
  if (node.op === 'id') return !hidden.includes(node.args) && node.args !== 'math'
  if (node.op === '.') return isPath(node.args[0], hidden)
  if (node.op !== '[]') return false
  const [target, index] = node.args
  return isPath(target, hidden) && (index.op === 'value' || isPath(index, hidden))
}

function partsOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return []
    case '.':
    case '.?':
      return [node.args[0]]
    case 'call':
      return node.args[1]
    case 'rcall':
      return [node.args[1], ...node.args[2]]
    case 'map':
      return node.args.flat()
    case '!_':
    case '-_':
      return [node.args]
    default:
      return node.args
  }
}
