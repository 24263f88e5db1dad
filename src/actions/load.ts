import { readFile, realpath } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { errnoOf, reasonOf } from '../core/errors.ts'
import type { Place, Problem } from '../core/problems.ts'

/**
 * Imports a file that an owner or a package wrote. Whatever it does wrong becomes a problem with the line
 * if that is known. Another `query` makes Node read a file anew that it has read before. @NOTE a file that loops for ever without waiting cannot be stopped.
 */
export async function loadModule(
  file: string,
  place: Place,
  timeoutMs: number,
  query = '',
): Promise<{ readonly module: object } | { readonly problem: Problem }> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs)
  })
  try {
    const module = await Promise.race([import(pathToFileURL(file).href + query) as Promise<object>, late])
    if (module !== undefined) return { module }
    const message = `loading does not end: an await outside of functions still waits after ${timeoutMs / 1_000} s`
    return { problem: { place, message, expected: 'waiting in start() or run()' } }
  } catch (error) {
    return { problem: await importProblem(error, file, place) }
  } finally {
    clearTimeout(timer)
  }
}

/** The file that a package in `plugins:` gives for `import`; looked for from `configDir` upwards. */
export async function pluginFile(
  name: string,
  place: Place,
  configDir: string,
): Promise<{ readonly file: string } | { readonly problem: Problem }> {
  const require = createRequire(join(configDir, 'plugins'))
  try {
    return { file: require.resolve(name) }
  } catch (error) {
    const file = await importOnlyFile(name, require.resolve.paths(name) ?? [])
    if (file !== undefined) return { file }
    if (errnoOf(error) !== 'MODULE_NOT_FOUND')
      return { problem: { place, message: `the plugin "${name}" cannot be loaded: ${reasonOf(error)}` } }
    const message = `the plugin "${name}" is not installed`
    return {
      problem: {
        place,
        message,
        expected: `a package in ${configDir}`,
        suggestion: install(name, configDir),
      },
    }
  }
}

function install(name: string, folder: string): string {
  return `cd ${folder} && npm install ${name}`
}

// @NOTE require.resolve does not see a package whose `exports` know nothing but `import`
async function importOnlyFile(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    try {
      const file = join(folder, name, 'package.json')
      const { exports } = JSON.parse(await readFile(file, 'utf8')) as { exports?: Exports }
      const entry = (exports?.['.'] ?? exports)?.import
      const path = typeof entry === 'object' ? entry.default : entry
      if (path !== undefined) return await realpath(join(folder, name, path))
    } catch {} // not in this folder, or not readable: then it is not installed there
  }
  return undefined
}

/** What a package.json may say, as far as it matters here. */
interface Exports {
  readonly '.'?: Exports
  readonly import?: string | { readonly default?: string }
}

async function importProblem(error: unknown, file: string, place: Place): Promise<Problem> {
  const reason = reasonOf(error)
  if (error instanceof SyntaxError) {
    const { syntaxPlace } = await import('./syntax.ts')
    const hint = reason === "Unexpected token 'export'" ? { suggestion: asModule } : {}
    return { place: (await syntaxPlace(error, file)) ?? place, message: `not JavaScript: ${reason}`, ...hint }
  }
  const at = placeInStack(error, file) ?? place
  if (errnoOf(error) === 'ERR_MODULE_NOT_FOUND') return { place: at, message: `an import fails: ${reason}` }
  return { place: at, message: `loading failed: ${reason}` }
}

const asModule = 'rename the file to end in .mjs: a package.json says that .js files are CommonJS here'

function placeInStack(error: unknown, file: string): Place | undefined {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  for (const name of [pathToFileURL(file).href, file]) {
    const [, line, column] = stack.slice(stack.indexOf(name) + name.length).match(/^:(\d+):(\d+)/) ?? []
    if (stack.includes(name) && line !== undefined)
      return { file, line: Number(line), column: Number(column) }
  }
  return undefined
}
