import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ActionDefinition } from '../core/action.ts'
import { errnoOf, reasonOf } from '../core/errors.ts'
import type { ActionCatalogue } from '../core/ports.ts'
import type { Place, Problem } from '../core/problems.ts'
import { actionsIn } from './check.ts'
import { execAction } from './exec.ts'
import { gpioAction } from './gpio.ts'
import { httpAction } from './http.ts'
import { loadModule, pluginFile } from './load.ts'
import { logAction } from './log.ts'
import { publishAction } from './publish.ts'
import { storeAction } from './store.ts'

export interface ActionSources {
  /** Absolute; `actions/` in it holds the owner's own actions, plugins resolve from it. */
  readonly configDir: string
  /** The packages in `plugins:`, each with its place in the file. */
  readonly plugins: readonly { readonly name: string; readonly place: Place }[]
  /** How long a file may take to load; 5 seconds unless told. */
  readonly loadTimeoutMs?: number
}

/**
 * The actions that rules may name: the built-in ones, those in `configDir/actions/*.js` and `*.mjs`, in
 * alphabetical order of their files, then those of plugins. To be called once a process, for a file that
 * was loaded stays loaded. Never rejects: a source that is no good gives a problem, and the others serve.
 */
export async function loadActions(
  sources: ActionSources,
): Promise<{ catalogue: ActionCatalogue; problems: Problem[] }> {
  const shelf = new Shelf()
  for (const action of builtIns()) shelf.add(action, undefined)
  const timeoutMs = sources.loadTimeoutMs ?? 5_000

  const folder = join(sources.configDir, 'actions')
  for (const name of await actionFiles(folder, shelf.problems)) {
    const file = join(folder, name)
    await shelf.load(file, { file, line: 1, column: 1 }, timeoutMs)
  }
  for (const { name, place } of sources.plugins) {
    const found = await pluginFile(name, place, sources.configDir)
    if ('problem' in found) shelf.problems.push(found.problem)
    else await shelf.load(found.file, place, timeoutMs, name)
  }
  return { catalogue: shelf.catalogue(), problems: shelf.problems }
}

function builtIns(): ActionDefinition[] {
  return [gpioAction, publishAction, logAction, execAction(), httpAction, storeAction()]
}

/** The catalogue in the making. */
class Shelf {
  readonly problems: Problem[] = []
  readonly #actions = new Map<string, { action: ActionDefinition; from: string | undefined }>()

  add(action: ActionDefinition, from: { readonly place: Place; readonly label: string } | undefined): void {
    const other = this.#actions.get(action.name)
    if (other === undefined) {
      this.#actions.set(action.name, { action, from: from?.label })
    } else if (from !== undefined) {
      const owner =
        other.from === undefined
          ? 'is built in and cannot be replaced'
          : `is there already, from ${other.from}`
      this.problems.push({
        place: from.place,
        message: `an action named "${action.name}" ${owner}`,
        expected: 'another name',
      })
    }
  }

  async load(file: string, place: Place, timeoutMs: number, plugin?: string): Promise<void> {
    const loaded = await loadModule(file, place, timeoutMs)
    const { actions, problems } =
      'problem' in loaded ? { actions: [], problems: [loaded.problem] } : actionsIn(loaded.module, place)
    const whose = plugin === undefined ? '' : `plugin "${plugin}": `
    this.problems.push(...problems.map((problem) => ({ ...problem, message: whose + problem.message })))
    for (const action of actions) this.add(action, { place, label: plugin ?? file })
  }

  catalogue(): ActionCatalogue {
    const actions = this.#actions
    return { get: (name) => actions.get(name)?.action, names: () => [...actions.keys()] }
  }
}

async function actionFiles(folder: string, problems: Problem[]): Promise<string[]> {
  try {
    const entries = await readdir(folder)
    return entries.filter((name) => /^[^.].*\.m?js$/.test(name)).sort()
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') {
      const message = `the folder of actions cannot be read: ${reasonOf(error)}`
      problems.push({ place: { file: folder, line: 1, column: 1 }, message })
    }
    return []
  }
}
