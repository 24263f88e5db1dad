import { readAclFile } from '../config/acl-file.ts'
import { ProblemList } from '../config/problem-list.ts'
import { readText } from '../config/read-file.ts'
import { SourceText } from '../config/source-text.ts'
import { usersIn } from '../config/users-file.ts'
import { DamselflyError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { type Place, ProblemsError } from '../core/problems.ts'
import type { Copy } from '../moving/move.ts'

/** A line of a file of users that names nobody here; of nearly all mosquitto says so too, and goes on without. */
export interface LeftLine {
  readonly place: Place
  /** Why; no full stop, and nothing secret. */
  readonly text: string
}

/** The files of users and rights that mosquitto.conf names. */
export interface ReadCopies {
  /** As they are written here, by their names here. */
  readonly texts: ReadonlyMap<string, string>
  readonly left: readonly LeftLine[]
}

/**
 * Reads the files that are taken over. A line of a file of users with a mistake becomes a comment: mosquitto goes
 * on without it too.
 * @throws ProblemsError for what cannot be read, and for mistakes in rights: mosquitto does not start with those either
 * @throws DamselflyError `CONFIG_INVALID` for a file that is not there
 */
export async function readCopies(copies: readonly Copy[]): Promise<ReadCopies> {
  const texts = new Map<string, string>()
  const left: LeftLine[] = []
  const problems = new ProblemList()
  const warnings = new ProblemList() // they are told where the files are, by whoever reads the settings
  for (const { from, to, what } of copies) {
    const reading = await readText(from, from, what === 'users' ? limits.usersBytesMax : limits.aclBytesMax)
    if (reading.kind === 'absent')
      throw new DamselflyError('CONFIG_INVALID', `${from} is not there; mosquitto.conf names it`)
    if (reading.kind === 'problem') {
      problems.add(reading.problem)
      continue
    }
    if (what === 'acl') await readAclFile(from, from, problems, warnings)
    texts.set(to, what === 'acl' ? reading.source.text : withoutIgnored(reading.source, left))
  }
  if (problems.count > 0) throw new ProblemsError(problems.sorted())
  return { texts, left }
}

/** Rounds of as many mistakes as a list keeps. */
const roundsMax = 100

function withoutIgnored(source: SourceText, left: LeftLine[]): string {
  const lines = source.text.split('\n')
  for (let round = 0; round < roundsMax; round++) {
    const problems = new ProblemList()
    usersIn(new SourceText(source.file, lines.join('\n')), problems)
    if (problems.count === 0) break
    for (const { place, message } of problems.sorted()) {
      if (place.line === 0) continue // how many more there are
      const index = place.line - 1
      left.push({ place, text: `${message}; the line is left out, as a comment in the file here` })
      lines[index] = `# left out: ${lines[index]}`
    }
  }
  const text = lines.join('\n')
  return text.trim() === '' ? '# nobody\n' : text // an empty file would be taken for one that was lost
}
