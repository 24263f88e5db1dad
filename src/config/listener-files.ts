import type { X509Certificate } from 'node:crypto'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import type { ProblemList } from './problem-list.ts'
import { readText, shownPath } from './read-file.ts'
import type { TreeReader } from './tree-reader.ts'
import type { Tree } from './yaml-tree.ts'

/**
 * The files that `listeners:` names, from the configuration folder. What is wrong with one is told where it is named;
 * all of them are remembered, those that are not there too, for a change in them calls for a reload.
 */
export class ListenerFiles {
  readonly paths: string[] = []
  readonly #cwd: string
  readonly #configDir: string
  readonly #reader: TreeReader
  readonly #warnings: ProblemList

  constructor(cwd: string, configDir: string, reader: TreeReader, warnings: ProblemList) {
    this.#cwd = cwd
    this.#configDir = configDir
    this.#reader = reader
    this.#warnings = warnings
  }

  /** The absolute path that is written there, and how people should read it. */
  path(tree: Tree, what: string): { readonly path: string; readonly shown: string } | undefined {
    const written = this.#reader.text(tree, what, 'the path of a file, from the configuration folder')
    if (written === undefined) return undefined
    if (written.startsWith('~'))
      return this.#reader.mistake(tree, `${what}: only a shell knows what ~ means`, {
        suggestion: written.replace(/^~/, homedir()),
      })
    const path = resolve(this.#configDir, written)
    if (!this.paths.includes(path)) this.paths.push(path)
    return { path, shown: shownPath(this.#cwd, path) }
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
    if (reading.kind === 'absent')
      return this.#reader.mistake(tree, `${what}: there is no file ${shown}`, {
        expected: `a path from ${this.#configDir}, or a whole one`,
      })
    if (reading.kind === 'problem') {
      const { message, found = null, expected, suggestion } = reading.problem
      return this.#reader.mistake(tree, `${what}, ${shown}: ${message}`, { found, expected, suggestion })
    }
    if (isSecret && (reading.mode & 0o007) !== 0)
      this.warn(tree, `${what}: everybody on this machine can use ${shown}`, `chmod 640 ${path}`)
    return reading.source.text
  }

  warn(tree: Tree, message: string, suggestion?: string): void {
    const place = this.#reader.place(tree)
    this.#warnings.add({ place, message, ...(suggestion === undefined ? {} : { suggestion }) })
  }

  /** Tells a certificate that has expired, does so within that time, or is not valid yet. */
  warnOfTimes(tree: Tree, what: string, { validFrom, validTo }: X509Certificate, soonMs: number): void {
    const [from, to] = [new Date(validFrom), new Date(validTo)]
    const nowMs = Date.now()
    const day = (date: Date): string => date.toISOString().slice(0, 10)
    if (to.getTime() < nowMs) this.warn(tree, `${what} has expired on ${day(to)}: clients refuse it`)
    else if (to.getTime() < nowMs + soonMs) this.warn(tree, `${what} expires on ${day(to)}`)
    if (from.getTime() > nowMs)
      this.warn(tree, `${what} is not valid before ${day(from)}: compare the clocks`)
  }
}
