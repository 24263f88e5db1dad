import { chmod, chown, copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import { mergeEnv, mergeYaml } from '../moving/merge.ts'
import type { Move } from '../moving/move.ts'
import type { ReadCopies } from './import-copies.ts'

/** Where the settings go. */
export interface Target {
  /** The folder of `.env`. */
  readonly cwd: string
  readonly configDir: string
  /** The group that new files are for, where it is not that of this process. */
  readonly gid?: number | undefined
}

/** A file as it is to be. */
export interface PlannedFile {
  readonly path: string
  readonly text: string
  readonly mode: number
  /** What is there now; undefined when nothing is. */
  readonly before: string | undefined
}

const yamlHead = '# yaml-language-server: $schema=./damselfly.schema.json\n'

/**
 * What is to be written, without what is that way already.
 * @throws DamselflyError `CONFIG_INVALID` when a file cannot be read
 */
export async function planFiles(
  move: Move,
  target: Target,
  source: string,
  { texts }: Pick<ReadCopies, 'texts'>,
): Promise<readonly PlannedFile[]> {
  const { cwd, configDir } = target
  const planned: PlannedFile[] = []
  const plan = async (
    path: string,
    mode: number,
    make: (before: string | undefined) => string,
  ): Promise<void> => {
    const before = await textOf(path)
    const text = make(before)
    if (text !== before) planned.push({ path, text, mode, before })
  }
  await plan(join(cwd, '.env'), 0o600, (before) => mergeEnv(before ?? '', move.env, `from ${source}`))
  await plan(join(configDir, 'damselfly.yaml'), 0o644, (before) => mergeYaml(before ?? yamlHead, move))
  for (const [to, text] of texts) await plan(join(configDir, to), 0o640, () => text)
  for (const { to, text } of move.secrets) await plan(join(configDir, to), 0o640, () => text.reveal())
  const schema = await readFile(new URL('../../config/damselfly.schema.json', import.meta.url), 'utf8')
  await plan(join(configDir, 'damselfly.schema.json'), 0o644, () => schema)
  return planned
}

/** Whether a file holds what a person may have written: what is ours, like the schema, needs no copy. */
export function isKept({ path, before }: PlannedFile): boolean {
  return before !== undefined && !path.endsWith('.schema.json')
}

/**
 * Writes the files; what a person may have written in one of them is first put beside it, as `NAME.before-import`.
 * @returns a line for each @throws DamselflyError `CONFIG_INVALID` for one that cannot be written
 */
export async function writeFiles(
  planned: readonly PlannedFile[],
  target: Target,
): Promise<readonly string[]> {
  const lines: string[] = []
  for (const file of planned) {
    const { path, text, mode, before } = file
    try {
      await mkdir(dirname(path), { recursive: true })
      const backup = isKept(file) ? await backUp(path) : undefined
      await writeFile(path, text, { mode })
      if (before !== undefined) await close(path, mode)
      if (before === undefined && target.gid !== undefined) await chown(path, -1, target.gid)
      lines.push(backup === undefined ? `wrote ${path}` : `changed ${path}; as it was: ${backup}`)
    } catch (cause) {
      throw new DamselflyError('CONFIG_INVALID', `${path} cannot be written: ${reasonOf(cause)}`, { cause })
    }
  }
  return lines
}

/** Takes from others what a file that is there already gives them and, with what it holds now, must not. */
async function close(path: string, wanted: number): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & 0o007 & ~wanted) !== 0) await chmod(path, mode & 0o770)
}

const backupsMax = 100

/** Copies a file beside itself, under the first name that is free. */
async function backUp(path: string): Promise<string> {
  for (let count = 1; count <= backupsMax; count++) {
    const backup = `${path}.before-import${count === 1 ? '' : `-${count}`}`
    if ((await textOf(backup)) !== undefined) continue
    await copyFile(path, backup)
    const { uid, gid } = await stat(path)
    if (process.getuid?.() === 0) await chown(backup, uid, gid)
    return backup
  }
  throw new Error(`there are ${backupsMax} files ${path}.before-import-… already; remove some`)
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined
    throw new DamselflyError('CONFIG_INVALID', `${path} cannot be read: ${reasonOf(cause)}`, { cause })
  }
}
