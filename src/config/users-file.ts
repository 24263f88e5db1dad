import { join } from 'node:path'
import type { User } from '../core/access.ts'
import { limits } from '../core/limits.ts'
import { parsePasswordHash } from '../core/password-hash.ts'
import type { ProblemList } from './problem-list.ts'
import { readText } from './read-file.ts'
import type { SourceText } from './source-text.ts'

/** The path of the file of users in a configuration folder. */
export function usersPath(configDir: string): string {
  return join(configDir, 'users')
}

/** A line of a file of users that names somebody; offsets are UTF-16 units of the text. */
export interface UserLine {
  readonly name: string
  /** What stands after the colon. */
  readonly password: string
  readonly nameAt: number
  readonly passwordAt: number
}

/**
 * Reads a file of users in the format of mosquitto_passwd(1): `NAME:HASH`, one a line, blank lines and `#` between them.
 * Undefined when there is no such file, or nothing in it. A line with a mistake is left out, and its mistake is told; no message shows a
 * password or a hash. At most `usersBytesMax` bytes and `usersMax` users.
 *
 * @param shown the path as people should read it
 */
export async function readUsersFile(
  path: string,
  shown: string,
  problems: ProblemList,
  warnings: ProblemList,
): Promise<readonly User[] | undefined> {
  const reading = await readText(path, shown, limits.usersBytesMax)
  if (reading.kind === 'problem') problems.add(reading.problem)
  if (reading.kind !== 'text') return reading.kind === 'absent' ? undefined : []
  const isOpen = (reading.mode & 0o004) !== 0
  if (isOpen || (reading.mode & 0o022) !== 0)
    warnings.add({
      place: { file: shown, line: 0, column: 0 },
      message: isOpen
        ? 'everybody on this machine can read this file, and passwords can be guessed from it'
        : 'others than its owner can write this file, and so let themselves in',
      suggestion: `chmod 640 ${shown}`,
    })
  // a disk that is full, or a copy that was cut off, leaves nothing of it: nobody is to be sent away for that
  if (reading.source.text.trim() === '') return undefined
  return usersIn(reading.source, problems)
}

/** Why a name cannot stand in a file of users; undefined when it can. */
export function userNameProblem(
  name: string,
): { readonly message: string; readonly expected: string } | undefined {
  if (name === '') return { message: 'the user has no name', expected: 'NAME:HASH' }
  if (name.startsWith('$'))
    return {
      message: 'names with $ at the beginning are those of our own rules and pins',
      expected: 'another name',
    }
  if (name.includes(':')) return { message: 'there is a : in the name', expected: 'a name without it' }
  if (name.startsWith('#') || name !== name.trim() || /\p{Cc}/u.test(name))
    return {
      message: 'the name cannot stand in the file',
      expected: 'no # at the beginning, no spaces around it, no control characters',
    }
  if (Buffer.byteLength(name) > nameBytesMax)
    return { message: 'the name is too long', expected: `at most ${nameBytesMax} bytes, as in MQTT` }
  return undefined
}

/** A string of MQTT has no more [MQTT-1.5.4]. */
const nameBytesMax = 65_535

/** The lines that have a colon, as mosquitto reads them: spaces around name and password do not count. */
export function userLines(text: string): UserLine[] {
  const found: UserLine[] = []
  for (const { line, at } of linesOf(text)) {
    const colon = line.indexOf(':')
    if (line.startsWith('#') || colon === -1) continue
    const name = line.slice(0, colon)
    const password = line.slice(colon + 1)
    found.push({
      name: name.trim(),
      password: password.trim(),
      nameAt: at + indent(name),
      passwordAt: at + colon + 1 + indent(password),
    })
  }
  return found
}

/** The same of a text that has been read. */
export function usersIn(source: SourceText, problems: ProblemList): readonly User[] {
  // no frame in any of them: the lines around have hashes, and what lacks its colon may be a password
  const tell = (at: number, message: string, details: { expected?: string; suggestion?: string } = {}) =>
    problems.add({ place: source.place(at), message, ...details })
  for (const { line, at } of linesOf(source.text))
    if (line.trim() !== '' && !line.startsWith('#') && !line.includes(':'))
      tell(at, 'this line names no user', { expected: 'NAME:HASH, or # before a comment' })
  const users = new Map<string, User>()
  const lineOf = new Map<string, number>()
  for (const { name, password, nameAt, passwordAt } of userLines(source.text)) {
    const before = lineOf.get(name)
    const isOneTooMany = lineOf.size === limits.usersMax
    const wrongName = userNameProblem(name)
    if (wrongName !== undefined) tell(nameAt, wrongName.message, { expected: wrongName.expected })
    else if (before !== undefined) tell(nameAt, `${name} is there twice: in line ${before} as well`)
    else if (isOneTooMany) {
      tell(nameAt, 'there are too many users', { expected: `at most ${limits.usersMax}` })
      break
    } else {
      lineOf.set(name, source.place(nameAt).line)
      const hash = parsePasswordHash(password)
      if (hash.kind !== 'mistake') users.set(name, { name, password: hash })
      else
        tell(passwordAt, `${name}: ${hash.message}`, {
          expected: hash.expected,
          suggestion: remedyFor(name, password, source.file),
        })
    }
  }
  return [...users.values()]
}

function remedyFor(name: string, password: string, file: string): string {
  if (password.includes(':$')) return 'no : in a name; the first one ends it'
  if (password.startsWith('$') || password === '') return `damselfly user passwd ${name}`
  return `damselfly user -U ${file}`
}

function* linesOf(text: string): Iterable<{ readonly line: string; readonly at: number }> {
  for (let at = 0; at <= text.length; ) {
    const end = text.indexOf('\n', at)
    const line = text.slice(at, end === -1 ? text.length : end)
    yield { line, at }
    at += line.length + 1
  }
}

function indent(text: string): number {
  return text.length - text.trimStart().length
}
