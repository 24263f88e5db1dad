import { lstat, readFile, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, relative, sep } from 'node:path'
import { errnoOf, reasonOf } from '../core/errors.ts'
import type { Problem } from '../core/problems.ts'
import { SourceText } from './source-text.ts'

/** What came of reading a file: its text, that it is not there, or why it cannot be read. */
export type FileReading =
  | { readonly kind: 'text'; readonly source: SourceText; readonly mode: number }
  | { readonly kind: 'absent' }
  | { readonly kind: 'problem'; readonly problem: Problem }

/** Reads a text file of at most `bytesMax` bytes, in UTF-8. Never throws. */
export async function readText(path: string, shown: string, bytesMax: number): Promise<FileReading> {
  const problem = (message: string, details: Partial<Problem> = {}): FileReading => ({
    kind: 'problem',
    problem: { place: { file: shown, line: 0, column: 0 }, message, ...details },
  })
  try {
    const about = await stat(path) // before opening it: to open a pipe would wait for its other end
    if (about.isDirectory()) return problem('this is a folder; a file is expected')
    if (!about.isFile()) return problem('this is not a regular file')
    const content = about.size > bytesMax ? undefined : await readFile(path)
    if (content === undefined || content.length > bytesMax) {
      return problem('the file is too large', {
        found: `${about.size} bytes`,
        expected: `at most ${bytesMax} bytes`,
      })
    }
    const text = decode(content)
    if (text !== undefined) return { kind: 'text', source: new SourceText(shown, text), mode: about.mode }
    return problem('the file is not UTF-8 text', {
      place: { file: shown, line: firstBadLine(content), column: 1 },
      suggestion: 'save it as UTF-8 in your editor',
    })
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      const link = await lstat(path).catch(() => undefined)
      if (link?.isSymbolicLink() !== true) return { kind: 'absent' }
      return problem('this is a symbolic link, and what it names is not there')
    }
    if (errnoOf(error) === 'EACCES') return problem(...(await forbidden(path)))
    return problem(`the file cannot be read: ${reasonOf(error)}`)
  }
}

/**
 * Who may not read it, and what lets him: the daemon may run as another user than the one who reads this, and he may be in
 * another folder.
 */
async function forbidden(path: string): Promise<[string, Partial<Problem>]> {
  const user = ownUser()
  const folder = dirname(path)
  try {
    await stat(`${folder}/.`) // needs no more than the right to look into it
  } catch {
    const suggestion = `let ${user} into ${folder}: sudo chown ${user} ${folder}`
    return [`the user ${user} may not look into the folder of this file`, { suggestion }]
  }
  const { mode, gid } = await stat(path)
  // not chown where a group may: the file belongs to somebody who needs it, as that of the service
  const suggestion =
    (mode & 0o040) !== 0 && gid !== 0
      ? `use sudo, or let ${user} join the group of the file: sudo usermod -aG "$(stat -c %G ${path})" ${user}`
      : `sudo chown ${user} ${path} && sudo chmod 640 ${path}`
  return [`the user ${user} may not read this file`, { suggestion }]
}

/** The name of this process's user, or its number where it has none. */
function ownUser(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.())
  }
}

/** A path as people should read it: relative below `cwd`, else absolute. */
export function shownPath(cwd: string, path: string): string {
  const short = relative(cwd, path)
  return short === '' || short === '..' || short.startsWith(`..${sep}`) ? path : short
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined // @NOTE the caller tells the line
  }
}

function firstBadLine(bytes: Buffer): number {
  let start = 0
  for (let line = 1; ; line++) {
    const end = bytes.indexOf(0x0a, start)
    if (end === -1 || decode(bytes.subarray(start, end)) === undefined) return line
    start = end + 1
  }
}
