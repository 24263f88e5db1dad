import type { Event } from '../core/event.ts'
import { type Expression, ExpressionError, type Template } from '../core/expression.ts'
import { type Memory, mergeNeeds } from '../core/memory.ts'
import { failedError } from './cel/failure.ts'
import { textOf } from './cel/values.ts'

type Part = string | Expression

const opening = '${'
const literalOpening = `$${opening}`

/**
 * A text with `${…}` in it, or undefined when it has none.
 * @throws ExpressionError with the offset in the whole text
 */
export function template(text: string, compile: (source: string) => Expression): Template | undefined {
  if (!text.includes(opening)) return undefined
  const parts = partsOf(text, compile)
  const needs = mergeNeeds(parts.map((part) => (typeof part === 'string' ? undefined : part.needs)))
  return { text, ...(needs === undefined ? {} : { needs }), render: renderer(parts) }
}

function renderer(parts: readonly Part[]): Template['render'] {
  const [only] = parts
  if (parts.length === 1 && only !== undefined && typeof only !== 'string')
    return (event, memory) => only.evaluate(event, memory)
  return (event, memory) => parts.map((part) => rendered(part, event, memory)).join('')
}

function rendered(part: Part, event: Event, memory: Memory | undefined): string {
  if (typeof part === 'string') return part
  const value = part.evaluate(event, memory)
  try {
    return textOf(value)
  } catch (error) {
    throw failedError(part.source, error)
  }
}

function partsOf(text: string, compile: (source: string) => Expression): readonly Part[] {
  const parts: Part[] = []
  let literal = ''
  let at = 0
  while (at < text.length) {
    if (text.startsWith(literalOpening, at)) {
      literal += opening
      at += literalOpening.length
    } else if (text.startsWith(opening, at)) {
      const end = closingBrace(text, at + opening.length)
      if (end === undefined) throw new ExpressionError(`${opening} is never closed; } is missing`, at)
      if (literal !== '') parts.push(literal)
      literal = ''
      parts.push(compileAt(text.slice(at + opening.length, end), at + opening.length, compile))
      at = end + 1
    } else {
      literal += text[at++]
    }
  }
  if (literal !== '') parts.push(literal)
  return parts
}

function compileAt(source: string, offset: number, compile: (source: string) => Expression): Expression {
  try {
    return compile(source)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    throw new ExpressionError(error.message, offset + error.offset, { cause: error })
  }
}

/** Where the `}` is that closes an expression: braces and quotes inside it belong to it. */
function closingBrace(text: string, from: number): number | undefined {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (char === '"' || char === "'") at = closingQuote(text, at, char)
    else if (char === '{') depth++
    else if (char === '}' && depth-- === 0) return at
  }
  return undefined
}

function closingQuote(text: string, from: number, quote: string): number {
  const triple = quote.repeat(3)
  const closing = text.startsWith(triple, from) ? triple : quote
  let at = from + closing.length
  while (at < text.length && !text.startsWith(closing, at)) at += text[at] === '\\' ? 2 : 1
  return at + closing.length - 1
}
