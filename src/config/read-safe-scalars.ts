import type { Problem } from '../core/problems.ts'
import { ProblemList } from './problem-list.ts'
import { readScalars, type Scalars } from './scalars.ts'
import { type Environment, readVariables } from './variables.ts'

/**
 * Reads `.env` and the environment; each variable that is wrong has its default. Never throws for a mistake.
 */
export async function readSafeScalars(request: {
  readonly cwd: string
  readonly environment?: Environment
  readonly isTerminal: boolean
}): Promise<{ readonly scalars: Scalars; readonly problems: readonly Problem[] }> {
  const problems = new ProblemList()
  const { cwd, environment = process.env, isTerminal } = request
  const variables = await readVariables(cwd, environment, problems, new ProblemList())
  const scalars = readScalars(variables, { cwd, environment, isTerminal }, new ProblemList())
  return { scalars, problems: problems.sorted() }
}
