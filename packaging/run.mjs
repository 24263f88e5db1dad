// Programs that the build calls, never by a shell.
import { spawnSync } from 'node:child_process'

/** @returns what it printed @throws Error with the command and what it said */
export function run(program, argv, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, argv, {
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
    ...options,
  })
  if (status === 0) return stdout
  const said = error?.message ?? `${stdout}${stderr}`.trim()
  throw new Error(`${[program, ...argv].join(' ')} ended with ${status ?? 'no exit code'}\n${said}`)
}
