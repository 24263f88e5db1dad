import { DamselflyError } from './errors.ts'

/**
 * A place in a file that a person wrote. Line and column begin at 1; line 0 means the whole of it,
 * as for a file that is missing, or for an environment variable, which `file` then names.
 */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** One mistake in a file that a person wrote, told so that it can be put right. */
export interface Problem {
  readonly place: Place
  /** What is wrong, in a sentence without a full stop. */
  readonly message: string
  readonly found?: string
  readonly expected?: string
  /** What to write instead. */
  readonly suggestion?: string
  /** The lines around the place, with a caret. */
  readonly frame?: string
  /** True for what is allowed and yet hardly meant; told beside mistakes, and none by itself. */
  readonly isWarning?: boolean
}

/** All the mistakes of one reading, at once, and the warnings that may explain them. */
export class ProblemsError extends DamselflyError {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super('CONFIG_INVALID', problems.map(formatProblem).join('\n\n'))
    this.problems = problems
  }
}

/** `file:line:column: message`, then found, expected, suggestion and the code frame, each on its own line. */
export function formatProblem(problem: Problem): string {
  const lines = [`${formatPlace(problem.place)}: ${problem.isWarning ? 'warning: ' : ''}${problem.message}`]
  if (problem.found !== undefined) lines.push(`  found:    ${problem.found}`)
  if (problem.expected !== undefined) lines.push(`  expected: ${problem.expected}`)
  if (problem.suggestion !== undefined) lines.push(`  try:      ${problem.suggestion}`)
  if (problem.frame !== undefined) lines.push('', problem.frame)
  return lines.join('\n')
}

/** `file:line:column`, which terminals and editors make clickable; only `file` when the line is 0. */
export function formatPlace(place: Place): string {
  if (place.line === 0) return place.file
  return `${place.file}:${place.line}:${place.column}`
}
