import { readFile } from 'node:fs/promises'
import { everydayOptions } from '../config/options-file.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { type Letter, letters, type MqttTool } from './mqtt-letters.ts'

/** What was given, by the first name of each option. */
export class MqttArguments {
  readonly tool: MqttTool
  readonly #given = new Map<string, string[]>()
  readonly #properties: (readonly string[])[] = []

  constructor(tool: MqttTool) {
    this.tool = tool
  }

  has(name: string): boolean {
    return this.#given.has(name)
  }

  /** The last one counts. */
  last(name: string): string | undefined {
    return this.#given.get(name)?.at(-1)
  }

  all(name: string): readonly string[] {
    return this.#given.get(name) ?? []
  }

  /** Each `-D`: command, identifier, value; of a user property also its name before the value. */
  get properties(): readonly (readonly string[])[] {
    return this.#properties
  }

  add(name: string, value: string): void {
    this.#given.set(name, [...this.all(name), value])
  }

  addProperty(words: readonly string[]): void {
    this.#properties.push(words)
  }

  /** @throws DamselflyError `USAGE` */
  wholeNumber(name: string, min: number, max: number): number | undefined {
    const text = this.last(name)
    if (text === undefined) return undefined
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new DamselflyError('USAGE', `${name} is a whole number from ${min} to ${max}, not "${text}"`)
  }
}

/** One line of a file of options is at most so long. */
const fileBytesMax = 256 * 1024

/**
 * Reads a command line, after the options of every day that mosquitto's tools find in a file of theirs.
 * @throws DamselflyError `USAGE`
 */
export async function readArguments(tool: MqttTool, argv: readonly string[]): Promise<MqttArguments> {
  const given = new MqttArguments(tool)
  const { path, text } = await everydayOptions(tool)
  readLines(given, text, path)
  const file = fileIn(tool, argv)
  if (file !== undefined) readLines(given, await textOf(file), file)
  readWords(given, argv)
  return given
}

function readWords(given: MqttArguments, argv: readonly string[]): void {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] as string
    const [name, joined] = word.startsWith('--') ? splitAtEquals(word) : [word, undefined]
    const letter = letterOf(given.tool, name)
    const [first] = letter.names
    if (letter.value === undefined) {
      if (joined !== undefined) throw usage(`${name} has no value`)
      given.add(first, '')
    } else if (first === '-D') {
      const words = argv.slice(at + 1, at + 1 + propertyWords(argv[at + 2]))
      if (words.length < propertyWords(argv[at + 2]))
        throw usage('-D is followed by a command, a name and a value: publish content-type text/plain')
      given.addProperty(words)
      at += words.length
    } else {
      const value = joined ?? argv[++at]
      if (value === undefined) throw usage(`${name} is followed by ${letter.value}`)
      given.add(first, value)
    }
  }
}

/** Each line an option, and all that follows it is its value. */
function readLines(given: MqttArguments, text: string, path: string): void {
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [, name = '', rest = ''] = /^\s*(\S+)\s*(.*)$/.exec(line) ?? []
    try {
      const letter = letterOf(given.tool, name)
      if (letter.names[0] === '-D') {
        const count = propertyWords(rest.split(/\s+/)[1])
        const pattern = new RegExp(`^${'(\\S+)\\s+'.repeat(count - 1)}(.*)$`)
        readWords(given, [name, ...(pattern.exec(rest)?.slice(1) ?? rest.split(/\s+/))])
      } else readWords(given, letter.value === undefined ? [name] : [name, rest.trim()])
    } catch (error) {
      throw usage(`${path}:${index + 1}: ${reasonOf(error)}`)
    }
  }
}

function fileIn(tool: MqttTool, argv: readonly string[]): string | undefined {
  const scan = new MqttArguments(tool)
  readWords(scan, argv)
  return scan.last('-o')
}

async function textOf(file: string): Promise<string> {
  try {
    const text = await readFile(file, 'utf8')
    if (text.length > fileBytesMax) throw new Error(`it is longer than ${fileBytesMax} bytes`)
    return text
  } catch (cause) {
    throw new DamselflyError('USAGE', `-o: ${file} cannot be read: ${reasonOf(cause)}`, { cause })
  }
}

function letterOf(tool: MqttTool, name: string): Letter {
  const known = letters.filter(({ tools }) => tools.includes(tool))
  const letter = known.find(({ names }) => names.includes(name))
  if (letter?.refusal !== undefined) throw usage(`${name} cannot be had: ${letter.refusal}`)
  if (letter !== undefined) return letter
  const near = name.startsWith('--')
    ? nearest(
        name,
        known.flatMap(({ names }) => names),
      )
    : undefined
  const hint = near === undefined ? `damselfly ${tool} --help lists the options` : `did you mean ${near}?`
  throw usage(`${tool} has no option "${name}"; ${hint}`)
}

/** `--qos=1` as well. */
function splitAtEquals(word: string): [name: string, value: string | undefined] {
  const at = word.indexOf('=')
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)]
}

function propertyWords(identifier: string | undefined): number {
  return identifier === 'user-property' ? 4 : 3
}

function usage(message: string): DamselflyError {
  return new DamselflyError('USAGE', message)
}
