import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { root } from './daemon.js'
import { tempFolder } from './temp-folder.js'

/** Runs the bench. @returns what it says, and what it writes as JSON */
export async function runBench<Result>(
  context: TestContext,
  ...argv: readonly string[]
): Promise<{ stdout: string; result: Result }> {
  const file = join(await tempFolder(context), 'result.json')
  const command = [join(root, 'bench/run.mjs'), ...argv, '--json', file]
  const { stdout } = await promisify(execFile)(process.execPath, command)
  return { stdout, result: JSON.parse(await readFile(file, 'utf8')) as Result }
}
