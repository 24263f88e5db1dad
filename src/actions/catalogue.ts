import { readdir, stat } from 'node:fs/promises'
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
 * alphabetical order of their files, then those of plugins. One serves as long as the process runs: an action
 * that was loaded stays the same through reloads, and a new file is found by the next one.
 */
export class ActionLibrary {
  readonly #builtIns = builtIns()
  readonly #loaded = new Map<string, LoadedFile>()

  /** Never rejects: a source that is no good gives a problem, and the others serve. */
  async load(sources: ActionSources): Promise<{ catalogue: ActionCatalogue; problems: Problem[] }> {
    const shelf = new Shelf()
    for (const action of this.#builtIns) shelf.add(action, undefined)
    const timeoutMs = sources.loadTimeoutMs ?? 5_000

    const folder = join(sources.configDir, 'actions')
    for (const name of await actionFiles(folder, shelf.problems)) {
      const file = join(folder, name)
      const place = { file, line: 1, column: 1 }
      await this.#load(file, place, timeoutMs, { shelf, label: file, complaint: '' })
    }
    for (const { name, place } of sources.plugins) {
      const found = await pluginFile(name, place, sources.configDir)
      if ('problem' in found) shelf.problems.push(found.problem)
      else
        await this.#load(found.file, place, timeoutMs, {
          shelf,
          label: name,
          complaint: `plugin "${name}": `,
        })
    }
    return { catalogue: shelf.catalogue(), problems: shelf.problems }
  }

  /** The files whose code has changed since it was loaded: Node keeps the old code until a restart. */
  async changed(): Promise<readonly string[]> {
    const changed: string[] = []
    for (const [file, { version, isGood }] of this.#loaded) {
      if (isGood && (await versionOf(file)) !== version) changed.push(file)
    }
    return changed
  }

  async #load(
    file: string,
    place: Place,
    timeoutMs: number,
    { shelf, label, complaint }: Target,
  ): Promise<void> {
    const known = this.#loaded.get(file)
    // Node remembers a failure as well: a file that was mended must be asked for by another name
    const version = known?.isGood ? known.version : await versionOf(file)
    const query = known === undefined || known.isGood ? '' : `?${version}`
    const loaded = await loadModule(file, place, timeoutMs, query)
    const { actions, problems } =
      'problem' in loaded ? { actions: [], problems: [loaded.problem] } : actionsIn(loaded.module, place)
    this.#loaded.set(file, { version, isGood: problems.length === 0 && query === '' })
    shelf.problems.push(...problems.map((problem) => ({ ...problem, message: complaint + problem.message })))
    for (const action of actions) shelf.add(action, { place, label })
  }
}

interface LoadedFile {
  /** When it was written. */
  readonly version: string
  /** Whether the plain import serves; else the next reload tries again. */
  readonly isGood: boolean
}

interface Target {
  readonly shelf: Shelf
  readonly label: string
  /** What a problem's message begins with. */
  readonly complaint: string
}

async function versionOf(file: string): Promise<string> {
  try {
    const { mtimeNs, size } = await stat(file, { bigint: true })
    return `${mtimeNs}-${size}`
  } catch {
    return 'gone'
  }
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
