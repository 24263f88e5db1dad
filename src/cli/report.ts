import { DamselflyError, reasonOf } from '../core/errors.ts'
import { formatProblem, type Problem, ProblemsError } from '../core/problems.ts'
import { exitCodes } from './exit-codes.ts'

type Print = (text: string) => void

/**
 * Tells a person at the terminal why a command failed, on standard error unless told, and sets the exit code.
 * What nobody expected comes with its stack.
 */
export function reportFailure(error: unknown, print: Print = console.error): void {
  if (error instanceof ProblemsError) {
    const count = error.problems.filter(({ isWarning }) => isWarning !== true).length
    print(`${count === 1 ? 'One mistake' : `${count} mistakes`} in the configuration:\n\n${error.message}\n`)
    process.exitCode = exitCodes.misconfigured
    return
  }
  const isExpected = error instanceof DamselflyError
  print(isExpected ? `damselfly: ${error.message}` : stackOf(error))
  process.exitCode = isExpected ? exitCodeOf(error) : exitCodes.failed
}

function stackOf(error: unknown): string {
  return (error instanceof Error ? error.stack : undefined) ?? reasonOf(error)
}

function exitCodeOf({ code }: DamselflyError): number {
  if (code === 'USAGE') return exitCodes.misconfigured
  return code === 'DAEMON_UNREACHABLE' ? exitCodes.notRunning : exitCodes.failed
}

/** Tells what is not wrong enough to stop for. */
export function reportWarnings(warnings: readonly Problem[], print: Print = console.error): void {
  for (const warning of warnings) print(`${formatProblem({ ...warning, isWarning: true })}\n`)
}
