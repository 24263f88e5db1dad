import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { errnoOf } from '../core/errors.ts'
import type { Environment } from './variables.ts'

/**
 * The text of the file in which mosquitto's tools look for options of every day: `mosquitto_pub` and its like in
 * `$XDG_CONFIG_HOME`, else in `~/.config`. Empty when there is none.
 * @param environment the process's own unless told
 * @throws what keeps it from being read
 */
export async function everydayOptions(
  tool: string,
  environment: Environment = process.env,
): Promise<{ readonly path: string; readonly text: string }> {
  const folder = environment['XDG_CONFIG_HOME'] || join(environment['HOME'] || homedir(), '.config')
  const path = join(folder, `mosquitto_${tool}`)
  try {
    return { path, text: await readFile(path, 'utf8') }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return { path, text: '' }
    throw error
  }
}
