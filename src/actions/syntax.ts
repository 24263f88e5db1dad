import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import type { Place } from '../core/problems.ts'

const checkTimeoutMs = 5_000

/**
 * Where the syntax error is. Node 20 does not tell for most modules, so it is asked by `node --check`,
 * which reads the file and does not run it.
 */
export async function syntaxPlace(error: SyntaxError, file: string): Promise<Place | undefined> {
  const stack = error.stack ?? ''
  const told = placeIn(stack, pathToFileURL(file).href, file) ?? placeIn(stack, file, file)
  if (told !== undefined) return told
  try {
    return placeIn(await complaint(await readFile(file)), '[stdin]', file)
  } catch {
    return undefined // the problem itself is told anyway
  }
}

async function complaint(source: Buffer): Promise<string> {
  const child = spawn(process.execPath, ['--check', '--input-type=module', '-'], {
    env: {},
    stdio: ['pipe', 'ignore', 'pipe'],
    timeout: checkTimeoutMs,
  })
  child.on('error', () => child.stderr.destroy())
  child.stdin.on('error', () => {})
  child.stdin.end(source)
  return await text(child.stderr)
}

// FILE:LINE, the line itself, and below it the carets.
function placeIn(report: string, name: string, file: string): Place | undefined {
  const [head = '', , carets = ''] = report.split('\n')
  if (!head.startsWith(`${name}:`)) return undefined
  const line = Number(head.slice(name.length + 1))
  if (!Number.isInteger(line)) return undefined
  return { file, line, column: Math.max(carets.indexOf('^'), 0) + 1 }
}
