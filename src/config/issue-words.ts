import type { z } from 'zod'
import { alternatives } from './alternatives.ts'

export type Issue = z.core.$ZodIssue

/** zod's own message gives way to this mark, so that what is left is what the schema's author wrote. */
export const unspoken = '\0'

/** What an issue's schema would have taken, in words: the author's if there are any. */
export function expectedOf(issue: Issue): string | undefined {
  if (issue.code !== 'custom' && issue.message !== unspoken) return issue.message
  switch (issue.code) {
    case 'invalid_type':
      return typeWords[issue.expected] ?? issue.expected
    case 'invalid_value':
      return alternatives(issue.values.map(String))
    case 'too_small':
      return sizeOf(
        issue.exact ? 'exactly' : issue.inclusive === false ? 'more than' : 'at least',
        issue.minimum,
        issue.origin,
      )
    case 'too_big':
      return sizeOf(
        issue.exact ? 'exactly' : issue.inclusive === false ? 'less than' : 'at most',
        issue.maximum,
        issue.origin,
      )
    case 'invalid_format':
      return issue.pattern === undefined
        ? `a text of the form ${issue.format}`
        : `a text that matches ${issue.pattern}`
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`
    case 'invalid_union':
      return 'options' in issue ? issue.options?.map(String).join(', ') : undefined
    default:
      return undefined
  }
}

function sizeOf(relation: string, amount: number | bigint, origin: string): string {
  const unit = { string: ' characters', array: ' entries', set: ' entries', map: ' entries' }[origin] ?? ''
  return `${relation} ${amount}${unit}`
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a map',
  record: 'a map',
  null: 'nothing',
  undefined: 'nothing',
  never: 'nothing',
  date: 'a date',
}
