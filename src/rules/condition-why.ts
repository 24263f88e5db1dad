import type { Event } from '../core/event.ts'
import type { Memory } from '../core/memory.ts'
import { compile } from './cel/compile.ts'
import { allowSteps, failureReason } from './cel/failure.ts'
import { type ASTNode, sourceOf, textOfNode } from './cel/parse.ts'
import { isStateCall } from './cel/state.ts'
import { cut, describe, show, typeNames, typeOf } from './cel/values.ts'

const shownPathsMax = 4
const explanationCharsMax = 400

/**
 * Why a condition is false, with the values that made it so:
 * `payload.value > 30 is false: payload.value is 21.5`. Never throws.
 */
export function explain(node: ASTNode, event: Event, memory?: Memory): string {
  try {
    return cut(reason(node, { event, memory }), explanationCharsMax)
  } catch (error) {
    return failureReason(error)
  }
}

/** What the condition was about. */
interface Case {
  readonly event: Event
  readonly memory: Memory | undefined
}

function reason(node: ASTNode, about: Case): string {
  if (node.op === '&&') {
    const [left, right] = node.args
    return reason(isFalse(left, about) ? left : right, about)
  }
  if (node.op === '||') {
    const [left, right] = node.args
    return `${reason(left, about)}; ${reason(right, about)}`
  }
  if (isChanged(node)) return `${sourceOf(node)} is false: ${whyUnchanged(node, about)}`
  const paths = new Map<string, ASTNode>()
  collectPaths(node, [], paths)
  const [first] = paths.values()
  const values = [...paths.values()]
    .filter((path) => path !== node)
    .slice(0, shownPathsMax)
    .map((path) => shownPath(path, node, about))
  const claim = `${sourceOf(node)} is false`
  if (values.length === 0 || first === undefined) return claim
  return `${claim}: ${values.join(', ')}`
}

function isFalse(node: ASTNode, about: Case): boolean {
  try {
    return valueIn(node, about) === false
  } catch {
    return false // it failed; the other side decided
  }
}

function valueIn(node: ASTNode, { event, memory }: Case): unknown {
  allowSteps()
  return compile(node).run(event, memory)
}

type Changed = ASTNode & { op: 'call' }

function isChanged(node: ASTNode): node is Changed {
  return node.op === 'call' && node.args[0] === 'changed'
}

function whyUnchanged(node: Changed, about: Case): string {
  if (about.memory?.changed(textOfNode(node)) === 'first') return 'there is nothing before to compare with'
  const [value, band] = node.args[1] as [ASTNode, ASTNode?]
  const shown = `${sourceOf(value)} is ${show(valueIn(value, about))}`
  return band === undefined ? `${shown}, as before` : `${shown}, not more than ${sourceOf(band)} from before`
}

function shownPath(path: ASTNode, claim: ASTNode, about: Case): string {
  let value: unknown
  try {
    value = valueIn(path, about)
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

/** The longest paths into event and memory: `payload.a.b`, not `payload.a`. A macro's variable begins none. */
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
  if (node.op === 'call') return isStateCall(node.args[0])
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
