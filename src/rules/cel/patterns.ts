import { createRequire } from 'node:module'
import type { RE2JS } from 're2js'
import { reasonOf } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { fail, spend } from './failure.ts'
import { quote } from './values.ts'

// Loaded when the first expression uses `matches`. By require, for expressions are compiled synchronously.
const require = createRequire(import.meta.url)
let engine: typeof RE2JS | undefined

const remembered = new Map<string, RE2JS>()

/**
 * Compiles a pattern of RE2's syntax (https://github.com/google/re2/wiki/Syntax), which is matched in time
 * that grows with the text only: there are no backreferences and no look-around.
 * @throws Error that says what is wrong with it
 */
export function compilePattern(pattern: string): RE2JS {
  engine ??= (require('re2js') as typeof import('re2js')).RE2JS
  if (pattern.length > limits.expressionPatternCharsMax)
    throw new Error(`a pattern has at most ${limits.expressionPatternCharsMax} characters`)
  return engine.compile(pattern)
}

/** Whether the pattern is found anywhere in the text. */
export function isFound(pattern: RE2JS, text: string): boolean {
  spend(Math.ceil((text.length * pattern.programSize()) / 32)) // the time grows with both
  return pattern.test(text)
}

/** As `isFound` for a pattern that is known only now. */
export function isPatternFound(pattern: string, text: string): boolean {
  let compiled = remembered.get(pattern)
  if (compiled === undefined) {
    spend(1_000)
    try {
      compiled = compilePattern(pattern)
    } catch (error) {
      return fail(() => `${quote(pattern)} is not a pattern: ${reasonOf(error)}`)
    }
    remember(pattern, compiled)
  }
  return isFound(compiled, text)
}

/** How many patterns from messages stay compiled. */
export function patternsRemembered(): number {
  return remembered.size
}

function remember(pattern: string, compiled: RE2JS): void {
  remembered.set(pattern, compiled)
  if (remembered.size <= limits.expressionPatternsRemembered) return
  const [oldest] = remembered.keys()
  if (oldest !== undefined) remembered.delete(oldest)
}
