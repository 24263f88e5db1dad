import { join } from 'node:path'
import {
  type AccessList,
  type AclLine,
  type AclSubject,
  type AclVerb,
  type OwnIdentity,
  ownIdentities,
} from '../core/access.ts'
import { limits } from '../core/limits.ts'
import { nearest } from '../core/nearest.ts'
import { filterProblem } from '../core/topics.ts'
import type { ProblemDetails, ProblemList } from './problem-list.ts'
import { readText } from './read-file.ts'
import type { SourceText } from './source-text.ts'

const keywords = ['user', 'group', 'topic', 'pattern'] as const
const verbs: readonly AclVerb[] = ['read', 'write', 'readwrite', 'deny']

/** What others call the verbs. */
const otherVerbs: ReadonlyMap<string, AclVerb> = new Map([
  ['sub', 'read'],
  ['subscribe', 'read'],
  ['pub', 'write'],
  ['publish', 'write'],
  ['rw', 'readwrite'],
  ['allow', 'readwrite'],
  ['all', 'readwrite'],
  ['none', 'deny'],
  ['forbid', 'deny'],
])

/** The path of the access control list in a configuration folder. */
export function aclPath(configDir: string): string {
  return join(configDir, 'acl')
}

/**
 * Reads an access control list in the format of mosquitto.conf(5), `acl_file`: `user NAME`, `topic [VERB] FILTER`,
 * `pattern [VERB] FILTER`; and, ours, `group NAME: USER USER …` and `group NAME`, which begin a section as `user` does.
 * Undefined when there is no such file. A line with a mistake is left out, and its mistake is told.
 * At most `aclBytesMax` bytes, and `aclLinesMax` lines that speak of topics.
 *
 * @param shown the path as people should read it; it stands in what the log says of a refusal
 */
export async function readAclFile(
  path: string,
  shown: string,
  problems: ProblemList,
  warnings: ProblemList,
): Promise<AccessList | undefined> {
  const reading = await readText(path, shown, limits.aclBytesMax)
  if (reading.kind === 'absent') return undefined
  if (reading.kind === 'problem') {
    problems.add(reading.problem)
    return { file: shown, lines: [], groups: new Map() }
  }
  if ((reading.mode & 0o022) !== 0)
    warnings.add({
      place: { file: shown, line: 0, column: 0 },
      message: 'others than its owner can write this file, and so give themselves every right',
      suggestion: `chmod 640 ${shown}`,
    })
  return new AclReader(reading.source, problems, warnings).read()
}

/** A part of a line: where it begins in the file's text, and what it is. */
interface Part {
  readonly at: number
  readonly text: string
}

interface Section {
  readonly part: Part
  readonly subject: AclSubject
  lines: number
}

class AclReader {
  readonly #source: SourceText
  readonly #problems: ProblemList
  readonly #warnings: ProblemList
  readonly #lines: AclLine[] = []
  readonly #groups = new Map<string, Set<string>>()
  readonly #sections: Section[] = []
  #isFull = false
  #section: Section = { part: { at: 0, text: '' }, subject: { kind: 'anonymous' }, lines: 0 }

  constructor(source: SourceText, problems: ProblemList, warnings: ProblemList) {
    this.#source = source
    this.#problems = problems
    this.#warnings = warnings
  }

  read(): AccessList {
    const { file, text } = this.#source
    let at = 0
    for (const [index, whole] of text.split('\n').entries()) {
      const line = trimmed({ at, text: whole })
      if (line.text !== '' && !line.text.startsWith('#')) this.#readLine(line, index + 1)
      at += whole.length + 1
    }
    this.#checkSections()
    if (this.#lines.length === 0 && this.#problems.count === 0)
      this.#warnings.add({
        place: { file, line: 0, column: 0 },
        message:
          'no line of this file lets anybody do anything, so clients may neither publish nor subscribe',
        suggestion: 'write what they may do, or take the file away and restart: then they may do everything',
      })
    return { file, lines: this.#lines, groups: this.#groups }
  }

  #readLine(line: Part, number: number): void {
    const [keyword, rest] = cut(line)
    switch (keyword.text) {
      case 'user':
        return this.#beginUser(rest, keyword)
      case 'group':
        return this.#beginGroup(rest, keyword)
      case 'topic':
      case 'pattern':
        return this.#readTopic(keyword, rest, line, number)
    }
    const isVerb = verbs.includes(keyword.text as AclVerb)
    const near = isVerb ? undefined : nearest(keyword.text, keywords)
    const suggestion = isVerb ? `topic ${line.text}` : near && `${near} ${rest.text}`.trim()
    this.#mistake(keyword, 'this line is not understood', { expected: keywords.join(', '), suggestion })
  }

  #beginUser(name: Part, keyword: Part): void {
    this.#begin(name, { kind: 'user', name: name.text })
    if (name.text === '')
      return this.#mistake(keyword, 'the name of the user is missing', { expected: 'user NAME' })
    if (!name.text.startsWith('$') || ownIdentities.includes(name.text as OwnIdentity)) return
    this.#mistake(name, 'names with $ at the beginning are those of our own rules and pins', {
      expected: ownIdentities.join(', '),
      suggestion: nearest(name.text, ownIdentities),
    })
  }

  #beginGroup(rest: Part, keyword: Part): void {
    const colon = rest.text.indexOf(':')
    const name = colon === -1 ? rest : trimmed({ at: rest.at, text: rest.text.slice(0, colon) })
    this.#begin(name, { kind: 'group', name: name.text })
    if (name.text === '')
      return this.#mistake(keyword, 'the name of the group is missing', {
        expected: 'group NAME: USER USER …',
      })
    if (/\s/.test(name.text)) {
      const suggestion = name.text.replace(/\s+/, ': ')
      return this.#mistake(name, 'a colon is missing between the name of the group and its users', {
        expected: 'group NAME: USER USER …',
        ...(colon === -1 ? { suggestion: `group ${suggestion}` } : {}),
      })
    }
    const members = this.#groups.get(name.text) ?? new Set()
    this.#groups.set(name.text, members)
    if (colon === -1) return
    const membersAt = rest.at + colon + 1
    for (const match of rest.text.slice(colon + 1).matchAll(/[^\s,]+/g)) {
      const member: Part = { at: membersAt + match.index, text: match[0] }
      if (!member.text.startsWith('$')) members.add(member.text)
      else
        this.#mistake(member, 'our own rules and pins are in no group', {
          expected: 'names of users',
          suggestion: `a section of its own: user ${member.text}`,
        })
    }
  }

  #begin(part: Part, subject: AclSubject): void {
    this.#section = { part, subject, lines: 0 }
    this.#sections.push(this.#section)
  }

  #readTopic(keyword: Part, rest: Part, line: Part, number: number): void {
    const isPattern = keyword.text === 'pattern'
    const [first, more] = cut(rest)
    if (first.text === '')
      return this.#mistake(keyword, 'the filter is missing', {
        expected: `${keyword.text} [${verbs.join('|')}] FILTER`,
      })
    const verb = more.text === '' ? 'readwrite' : verbs.find((word) => word === first.text)
    if (verb === undefined)
      // mosquitto.conf(5): only behind one of these words may a filter have spaces
      return this.#mistake(first, 'this says neither that something is allowed nor that it is not', {
        expected: verbs.join(', '),
        suggestion: otherVerbs.get(first.text.toLowerCase()) ?? nearest(first.text, verbs),
      })
    const filter = more.text === '' ? first : more
    const problem = filterProblem(filter.text)
    if (problem !== undefined)
      return this.#mistake(filter, `this is no filter of topics: ${problem}`, {
        suggestion: filter.text.includes(' #') ? 'put a comment on a line of its own' : undefined,
      })
    this.#warnOf(filter, isPattern, more.text === '')
    if (this.#lines.length >= limits.aclLinesMax) {
      if (!this.#isFull)
        this.#mistake(keyword, 'there are too many lines', {
          found: null,
          expected: `at most ${limits.aclLinesMax}`,
        })
      this.#isFull = true
      return
    }
    if (!isPattern) this.#section.lines++
    const subject: AclSubject = isPattern ? { kind: 'everyone' } : this.#section.subject
    this.#lines.push({ subject, verb, filter: filter.text, isPattern, line: number, text: line.text })
  }

  #warnOf(filter: Part, isPattern: boolean, isBare: boolean): void {
    if (isBare && verbs.includes(filter.text as AclVerb))
      this.#warning(filter, `this allows to read and write the topic "${filter.text}": is a filter missing?`)
    if (!isPattern && /%[uc]/.test(filter.text))
      this.#warning(filter, '%u and %c mean something in pattern lines only; here they stand for themselves')
    if (filter.text.startsWith('$share/'))
      this.#warning(
        filter,
        'no topic begins like this: of a shared subscription write what follows its name',
        {
          suggestion: filter.text.split('/').slice(2).join('/') || undefined,
        },
      )
  }

  #checkSections(): void {
    const own = new Map<string, Section>()
    for (const section of this.#sections) {
      const { part, subject } = section
      if (subject.kind === 'group' && this.#groups.get(subject.name)?.size === 0)
        this.#warning(part, `nobody is in the group ${subject.name}`, {
          suggestion: `group ${subject.name}: USER USER …`,
        })
      if (subject.kind !== 'user' || !subject.name.startsWith('$')) continue
      const first = own.get(subject.name)
      if (first === undefined) own.set(subject.name, section)
      else first.lines += section.lines
    }
    // without a line a section could not be told from none, which means the opposite
    for (const [name, { part, lines }] of own)
      if (lines === 0 && ownIdentities.includes(name as OwnIdentity))
        this.#mistake(part, `nothing says what ${name} may do`, {
          suggestion: `user ${name}, and below it: topic deny #`,
        })
  }

  #mistake(part: Part, message: string, details: ProblemDetails): void {
    this.#problems.at(this.#source, part.at, part.at + part.text.length, message, details)
  }

  #warning(part: Part, message: string, details: ProblemDetails = {}): void {
    this.#warnings.at(this.#source, part.at, part.at + part.text.length, message, details)
  }
}

/** The first word, and what follows it. */
function cut({ at, text }: Part): [first: Part, rest: Part] {
  const length = text.search(/\s|$/)
  return [{ at, text: text.slice(0, length) }, trimmed({ at: at + length, text: text.slice(length) })]
}

function trimmed({ at, text }: Part): Part {
  return { at: at + text.length - text.trimStart().length, text: text.trim() }
}
