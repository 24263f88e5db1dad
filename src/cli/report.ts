import { DamselflyError, reasonOf } from '../core/errors.ts'
import { formatProblem, type Problem, ProblemsError } from '../core/problems.ts'
import { exitCodes } from './exit-codes.ts'

/**
 * Tells a person at the terminal why a command failed, on standard error, and sets the exit code.
 * What nobody expected comes with its stack.
 */
export function reportFailure(error: unknown): void {
  if (error instanceof ProblemsError) {
    const count = error.problems.filter(({ isWarning }) => isWarning !== true).length
    console.error(
      `${count === 1 ? 'One mistake' : `${count} mistakes`} in the configuration:\n\n${error.message}\n`,
    )
    process.exitCode = exitCodes.misconfigured
    return
  }
  const isExpected = error instanceof DamselflyError
  console.error(
    isExpected ? `damselfly: ${error.message}` : error instanceof Error ? error.stack : reasonOf(error),
  )
  process.exitCode = isExpected ? exitCodeOf(error) : exitCodes.failed
}

function exitCodeOf({ code }: DamselflyError): number {
  if (code === 'USAGE') return exitCodes.misconfigured
  return code === 'DAEMON_UNREACHABLE' ? exitCodes.notRunning : exitCodes.failed
}

/** Tells what is not wrong enough to stop for. */
export function reportWarnings(warnings: readonly Problem[]): void {
  for (const warning of warnings) console.error(`${formatProblem({ ...warning, isWarning: true })}\n`)
}
