import { homedir } from 'node:os'
import { resolve } from 'node:path'
import type { ProblemList } from './problem-list.ts'
import { readText, shownPath } from './read-file.ts'
import type { TreeReader } from './tree-reader.ts'
import type { Tree } from './yaml-tree.ts'

export interface NamedFilesParts {
  readonly reader: TreeReader
  readonly warnings: ProblemList
  readonly cwd: string
  /** Where relative paths begin. */
  readonly configDir: string
}

/**
 * Files that `damselfly.yaml` names, from the configuration folder. What is wrong with one is told where it is named; all
 * of them are remembered, those that are not there too, for a change in them calls for a reload.
 */
export class NamedFiles {
  readonly #parts: NamedFilesParts
  /** Absolute, each once. */
  readonly paths: string[] = []

  constructor(parts: NamedFilesParts) {
    this.#parts = parts
  }

  /** The absolute path that is written there, and how people should read it. */
  path(tree: Tree, what: string): { readonly path: string; readonly shown: string } | undefined {
    const { reader, cwd, configDir } = this.#parts
    const written = reader.text(tree, what, 'the path of a file, from the configuration folder')
    if (written === undefined) return undefined
    if (written.startsWith('~'))
      return reader.mistake(tree, `${what}: only a shell knows what ~ means`, {
        suggestion: written.replace(/^~/, homedir()),
      })
    const path = resolve(configDir, written)
    if (!this.paths.includes(path)) this.paths.push(path)
    return { path, shown: shownPath(cwd, path) }
  }

  /** The text of the file that is written there. */
  async text(
    tree: Tree,
    what: string,
    bytesMax: number,
    { isSecret = false } = {},
  ): Promise<string | undefined> {
    const file = this.path(tree, what)
    if (file === undefined) return undefined
    const { path, shown } = file
    const reading = await readText(path, shown, bytesMax)
    if (reading.kind === 'absent') return this.tellAbsent(tree, what, shown)
    if (reading.kind === 'problem') {
      const { message, found = null, expected, suggestion } = reading.problem
      return this.#parts.reader.mistake(tree, `${what}, ${shown}: ${message}`, {
        found,
        expected,
        suggestion,
      })
    }
    if (isSecret && (reading.mode & 0o007) !== 0)
      this.warn(tree, `${what}: everybody on this machine can use ${shown}`, `chmod o-rwx ${path}`)
    return reading.source.text
  }

  tellAbsent(tree: Tree, what: string, shown: string): undefined {
    const { reader, cwd, configDir } = this.#parts
    return reader.mistake(tree, `${what}: there is no file ${shown}`, {
      expected: `a path from ${shownPath(cwd, configDir)}, or a whole one`,
    })
  }

  warn(tree: Tree, message: string, suggestion?: string): void {
    const place = this.#parts.reader.place(tree)
    this.#parts.warnings.add({ place, message, ...(suggestion === undefined ? {} : { suggestion }) })
  }
}
