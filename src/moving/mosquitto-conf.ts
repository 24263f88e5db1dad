import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Place } from '../core/problems.ts'
import type { Option, Scope } from './option.ts'
import { optionOf } from './options.ts'

/** A line of a configuration of mosquitto. */
export interface Statement {
  /** As it is written, which may be another name of the option. */
  readonly name: string
  /** Undefined for what mosquitto does not know. */
  readonly option: Option | undefined
  /** The rest of the line; of options that are one word, that word. */
  readonly value: string
  readonly place: Place
}

/** A listener, a bridge or a plugin, with what stands below it. */
export interface Section {
  /** `listener …`, `connection …`, `plugin …`; undefined for the listener that `port` and its like make. */
  readonly head: Statement | undefined
  readonly statements: Statement[]
}

/** A configuration of mosquitto with all that it includes, in the order in which mosquitto reads it. */
export interface MosquittoConf {
  /** The main file; absolute. */
  readonly file: string
  /** Every line that says something. */
  readonly statements: readonly Statement[]
  readonly general: readonly Statement[]
  /** The one without a head first, if there is one. */
  readonly listeners: readonly Section[]
  readonly bridges: readonly Section[]
  readonly plugins: readonly Section[]
  readonly isPerListener: boolean
  /** A path of the configuration, made absolute. */
  resolve(path: string): string
}

/**
 * Reads mosquitto.conf(5): a `#` makes a comment in the first column only, a value goes to the end of its line, a listener
 * or a bridge goes on to the next one or to the end of its file. Relative paths begin at the folder of the main file.
 * @throws DamselflyError `CONFIG_INVALID` for a file that cannot be read, or that is too large
 */
export async function readMosquittoConf(path: string): Promise<MosquittoConf> {
  const reading = new Reading(resolve(path))
  await reading.readMain()
  return reading.conf
}

class Reading {
  readonly #file: string
  readonly #statements: Statement[] = []
  readonly #general: Statement[] = []
  readonly #default: Section = { head: undefined, statements: [] }
  readonly #listeners: Section[] = []
  readonly #bridges: Section[] = []
  readonly #plugins: Section[] = []
  #isPerListener = false

  constructor(file: string) {
    this.#file = file
  }

  get conf(): MosquittoConf {
    const hasDefault = this.#default.statements.length > 0
    return {
      file: this.#file,
      statements: this.#statements,
      general: this.#general,
      listeners: hasDefault ? [this.#default, ...this.#listeners] : this.#listeners,
      bridges: this.#bridges,
      plugins: this.#plugins,
      isPerListener: this.#isPerListener,
      resolve: (path) => this.#resolve(path),
    }
  }

  readMain(): Promise<void> {
    return this.#readFile(this.#file, true)
  }

  #resolve(path: string): string {
    return isAbsolute(path) ? path : join(dirname(this.#file), path)
  }

  async #readFile(file: string, isMain: boolean): Promise<void> {
    const lines = (await readBounded(file)).split('\n')
    // each file begins anew: what stands in an included one belongs to no listener of the main file
    const at: Partial<Record<Scope, Section>> = {}
    for (const [index, line] of lines.entries()) {
      const statement = statementOf(line, file, index + 1)
      if (statement === undefined) continue
      this.#statements.push(statement)
      if (this.#statements.length > limits.configNodesMax)
        throw invalid(file, `has more than ${limits.configNodesMax} lines with what it includes`)
      if (statement.name === 'include_dir' && isMain) {
        for (const included of await filesOf(this.#resolve(statement.value)))
          await this.#readFile(included, false)
      } else this.#put(statement, at)
    }
  }

  #put(statement: Statement, at: Partial<Record<Scope, Section>>): void {
    const { option, name, value } = statement
    if (option === undefined) return
    if (name === 'per_listener_settings') this.#isPerListener ||= isTrue(value)
    const begun = begins.get(option.name)
    if (begun !== undefined) {
      const section: Section = { head: statement, statements: [] }
      at[begun] = section
      if (begun === 'listener') this.#listeners.push(section)
      else if (begun === 'bridge') this.#bridges.push(section)
      else this.#plugins.push(section)
      if (begun !== 'plugin') return
    }
    if (option.name === 'port' || option.name === 'bind_address') at.listener = this.#default
    const isListeners = option.scope === 'listener' || (option.scope === 'security' && this.#isPerListener)
    if (isListeners) (at.listener ?? this.#default).statements.push(statement)
    else if (option.scope === 'bridge' || option.scope === 'plugin')
      at[option.scope]?.statements.push(statement)
    else this.#general.push(statement)
  }
}

const begins: ReadonlyMap<string, 'listener' | 'bridge' | 'plugin'> = new Map([
  ['listener', 'listener'],
  ['connection', 'bridge'],
  ['plugin', 'plugin'],
  ['global_plugin', 'plugin'],
  ['plugin_load', 'plugin'],
])

/** The last of these options in a list: the one that counts. */
export function lastOf(statements: readonly Statement[], ...names: readonly string[]): Statement | undefined {
  return statements.findLast(({ option }) => option !== undefined && names.includes(option.name))
}

/** As `lastOf`, in a section. */
export function lastIn({ statements }: Section, ...names: readonly string[]): Statement | undefined {
  return lastOf(statements, ...names)
}

/** What mosquitto takes for true. */
export function isTrue(value: string): boolean {
  return value === 'true' || value === '1'
}

/** The words of a value, up to what may be a comment. */
export function wordsOf(value: string): string[] {
  const words = value.split(' ').filter((word) => word !== '')
  const end = words.findIndex((word) => word.startsWith('#') && word !== '#')
  return end === -1 ? words : words.slice(0, end)
}

function statementOf(written: string, file: string, line: number): Statement | undefined {
  const text = written.replace(/\r+$/, '')
  if (text.startsWith('#')) return undefined
  const name = /[^ ]+/.exec(text)
  if (name === null) return undefined
  const rest = text.slice(name.index + name[0].length).trim()
  const option = optionOf(name[0])
  return {
    name: name[0],
    option,
    value: option?.value === 'word' ? (rest.split(' ')[0] as string) : rest,
    place: { file, line, column: name.index + 1 },
  }
}

/** The files of an `include_dir`, in mosquitto's order: by letter, the upper case of one before its lower case. */
async function filesOf(folder: string): Promise<string[]> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (cause) {
    throw invalid(folder, `cannot be read: ${reasonOf(cause)}`, cause)
  }
  const wanted = names.filter((name) => name.endsWith('.conf') && name !== '.conf')
  return wanted.sort(byLetter).map((name) => join(folder, name))
}

function byLetter(one: string, other: string): number {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()]
  if (a !== b) return a < b ? -1 : 1
  return one < other ? -1 : 1
}

async function readBounded(file: string): Promise<string> {
  try {
    const { size } = await stat(file)
    if (size > limits.configBytesMax) throw invalid(file, `is larger than ${limits.configBytesMax} bytes`)
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (cause instanceof DamselflyError) throw cause
    throw invalid(
      file,
      errnoOf(cause) === 'ENOENT' ? 'is not there' : `cannot be read: ${reasonOf(cause)}`,
      cause,
    )
  }
}

function invalid(file: string, what: string, cause?: unknown): DamselflyError {
  return new DamselflyError('CONFIG_INVALID', `${file} ${what}`, { cause })
}
