import { join } from 'node:path'
import { distance } from 'fastest-levenshtein'
import { limits } from '../core/limits.ts'
import { nearest } from '../core/nearest.ts'
import type { Place } from '../core/problems.ts'
import { type DotenvEntry, parseDotenv } from './dotenv-file.ts'
import { mosquittoNames } from './mosquitto-names.ts'
import type { ProblemList } from './problem-list.ts'
import { readText, shownPath } from './read-file.ts'
import type { SourceText } from './source-text.ts'

/** The environment of a process, as Node gives it. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Every key of `.env`, in the order of `.env.example`. */
export const variableNames = [
  'MQTT_USERNAME',
  'MQTT_PASSWORD',
  'ALLOW_ANONYMOUS',
  'BIND',
  'PORT',
  'BROKER_URL',
  'NAME',
  'MDNS',
  'CONFIG_DIR',
  'DATA_DIR',
  'GPIO_CHIP',
  'PWM_DIR',
  'LOG_LEVEL',
  'LOG_FORMAT',
  'DURABILITY',
  'SYS_INTERVAL',
  'HTTP_PORT',
  'HTTP_BIND',
  'MAX_CONNECTIONS',
  'MAX_PACKET_SIZE',
  'MAX_INFLIGHT_MESSAGES',
  'MAX_QUEUED_MESSAGES',
  'MAX_QUEUED_BYTES',
  'MAX_KEEPALIVE',
  'MAX_TOPIC_LEVELS',
  'PERSISTENT_CLIENT_EXPIRATION',
  'MAX_RETAINED_MESSAGES',
  'MAX_RETAINED_BYTES',
  'CONNECT_TIMEOUT',
  'MAX_OUTPUT_BYTES',
  'MAX_MESSAGE_RATE',
  'MEMORY_LIMIT',
] as const

export type VariableName = (typeof variableNames)[number]

const secrets: ReadonlySet<string> = new Set<VariableName>(['MQTT_PASSWORD'])

/** Whether the value must not be shown; a URL may have a password in it. */
function isSecret(name: VariableName, value: string): boolean {
  return secrets.has(name) || (name === 'BROKER_URL' && value.includes('@'))
}

/** A value and a way to say that it is wrong, in the place where it was written. */
export interface Variable {
  readonly name: VariableName
  readonly value: string
  readonly place: Place
  mistake(message: string, details?: VariableMistake): void
}

export interface VariableMistake {
  /** The part of the value that is wrong; all of it unless told. */
  readonly part?: string
  readonly expected?: string
  readonly suggestion?: string
}

/** The variables of the house: a credential of systemd goes before the environment, that before `.env`. */
export interface Variables {
  get(name: VariableName): Variable | undefined
  /** The `.env` that was read or looked for; absolute. */
  readonly file: string
}

/** Reads `cwd/.env` and the environment; changes neither. What is wrong goes into the two lists. */
export async function readVariables(
  cwd: string,
  environment: Environment,
  problems: ProblemList,
  warnings: ProblemList,
): Promise<Variables> {
  const file = join(cwd, '.env')
  const written = await readDotenv(file, shownPath(cwd, file), problems, warnings)
  const found = new Map<VariableName, Variable>()
  for (const name of variableNames) {
    const credential = secrets.has(name) ? await readCredential(name, environment, problems) : undefined
    const variable =
      credential ?? fromEnvironment(name, environment[name], problems) ?? written?.variable(name, problems)
    if (variable !== undefined) found.set(name, variable)
  }
  return { file, get: (name) => found.get(name) }
}

async function readDotenv(
  path: string,
  shown: string,
  problems: ProblemList,
  warnings: ProblemList,
): Promise<DotenvVariables | undefined> {
  const reading = await readText(path, shown, limits.dotenvBytesMax)
  if (reading.kind === 'problem') problems.add(reading.problem)
  if (reading.kind !== 'text') return undefined
  const entries = parseDotenv(reading.source, warnings)
  const hasSecret = variableNames.some(
    (name) => isSecret(name, entries.get(name)?.value ?? '') && entries.has(name),
  )
  if ((reading.mode & 0o004) !== 0 && hasSecret) {
    warnings.add({
      place: wholeOf(shown),
      message: 'everybody on this machine can read this file, and a password stands in it',
      suggestion: `chmod o-rwx ${shown}`,
    })
  }
  for (const [name, entry] of entries) {
    const meant = mosquittoNames.get(name.toUpperCase()) ?? meantVariable(name)
    if (meant === undefined) continue
    warnings.add({
      place: reading.source.place(entry.keyStart),
      message: `${name} means nothing here and is ignored`,
      suggestion: meant,
    })
  }
  return new DotenvVariables(reading.source, entries)
}

class DotenvVariables {
  readonly #source: SourceText
  readonly #entries: ReadonlyMap<string, DotenvEntry>

  constructor(source: SourceText, entries: ReadonlyMap<string, DotenvEntry>) {
    this.#source = source
    this.#entries = entries
  }

  variable(name: VariableName, problems: ProblemList): Variable | undefined {
    const entry = this.#entries.get(name)
    if (entry === undefined) return undefined
    const { value } = entry
    // a quote that is not closed may have swallowed the lines below, a password among them
    const written = this.#source.text.slice(entry.start, entry.end).split('\n')[0] as string
    return {
      name,
      value,
      place: this.#source.place(entry.start),
      mistake: (message, { part, ...details } = {}) => {
        const within = part === undefined ? -1 : written.indexOf(part)
        const start = within === -1 ? entry.start : entry.start + within
        const partEnd = start + (within === -1 ? written : (part as string)).length
        const place = this.#source.place(start)
        if (isSecret(name, value)) return problems.add({ place, message, ...details })
        problems.add({
          place,
          message,
          found: value === '' ? 'nothing' : this.#source.excerpt(start, partEnd),
          ...details,
          frame: this.#source.frame(start, partEnd, 0), // the lines around may hold a password
        })
      },
    }
  }
}

function fromEnvironment(
  name: VariableName,
  value: string | undefined,
  problems: ProblemList,
): Variable | undefined {
  if (value === undefined) return undefined
  const place = wholeOf(`environment variable ${name}`)
  return {
    name,
    value,
    place,
    mistake: (message, { part, ...details } = {}) =>
      problems.add({
        place,
        message,
        ...(isSecret(name, value) ? {} : { found: value === '' ? 'nothing' : JSON.stringify(part ?? value) }),
        ...details,
      }),
  }
}

/** A credential that systemd laid down for this service (`LoadCredential=`); systemd.exec(5). */
async function readCredential(
  name: VariableName,
  environment: Environment,
  problems: ProblemList,
): Promise<Variable | undefined> {
  const folder = environment['CREDENTIALS_DIRECTORY']
  if (folder === undefined || folder === '') return undefined
  const path = join(folder, name)
  const reading = await readText(path, path, limits.dotenvBytesMax)
  if (reading.kind === 'problem') problems.add(reading.problem)
  if (reading.kind !== 'text') return undefined
  const place = wholeOf(path)
  return {
    name,
    value: reading.source.text.replace(/\n$/, ''),
    place,
    mistake: (message, { part: _, ...details } = {}) => problems.add({ place, message, ...details }),
  }
}

/** Which of our variables someone meant who wrote this name; undefined when it looks like none of them. */
function meantVariable(name: string): VariableName | undefined {
  if (variableNames.some((known) => known === name)) return undefined
  const whole = name.toUpperCase()
  const bare = whole.replace(/^(?:MQTT|DAMSELFLY)_/, '')
  return meantBy(whole) ?? (bare === whole ? undefined : meantBy(bare))
}

/** Beginnings of names, of two words or more: `MAX_QUEUED`. */
const stems = variableNames.flatMap((name) => {
  const words = name.split('_')
  return words.slice(2).map((_, index) => words.slice(0, index + 2).join('_'))
})

function meantBy(upper: string): VariableName | undefined {
  const beginning = (start: string) => variableNames.find((known) => known.startsWith(start))
  const started = upper.length >= 4 ? beginning(upper) : undefined
  if (started !== undefined) return started
  const near = nearest(upper, [...variableNames, ...stems])
  if (near === undefined) return undefined
  // a file may hold other programs' keys, such as HOST, which is not PORT
  const stepsMax = near.length > 5 ? 2 : 1
  return distance(upper, near) <= stepsMax ? beginning(near) : undefined
}

function wholeOf(file: string): Place {
  return { file, line: 0, column: 0 }
}
