import { homedir, hostname } from 'node:os'
import { join, resolve } from 'node:path'
import type { AllowAnonymous } from '../core/bind.ts'
import type { Durability } from '../core/durability.ts'
import type { LimitName } from '../core/limits.ts'
import { nearest } from '../core/nearest.ts'
import { Secret } from '../core/secret.ts'
import { readSeconds } from './amounts.ts'
import { bindOf, readBind } from './bind-list.ts'
import { readBrokerUrl } from './broker-url.ts'
import { httpPlaceOf, readHttpAddress } from './http-place.ts'
import { limitKeys } from './limit-keys.ts'
import type { ProblemList } from './problem-list.ts'
import type { LogLevel, Settings } from './settings.ts'
import type { Environment, Variable, VariableName, Variables } from './variables.ts'

/** What `.env` and the environment say. */
export type Scalars = Omit<
  Settings,
  | 'users'
  | 'acl'
  | 'accessFiles'
  | 'listeners'
  | 'bridges'
  | 'pins'
  | 'sensors'
  | 'telemetry'
  | 'homeAssistant'
  | 'rules'
  | 'files'
>

export interface ScalarsRequest {
  readonly cwd: string
  readonly environment: Environment
  /** Whether a person looks at the output: decides what `LOG_FORMAT` is when it is not set. */
  readonly isTerminal: boolean
}

const portMax = 65_535
const nameUnitsMax = 64

/** Checks each variable. One that is wrong is told in `problems`, and its default stands in for it. */
export function readScalars(variables: Variables, request: ScalarsRequest, warnings: ProblemList): Scalars {
  const read = <Value>(name: VariableName, reader: Reader<Value>, fallback: Value): Value => {
    const variable = variables.get(name)
    if (variable === undefined) return fallback
    if (variable.value === '')
      variable.mistake(`${name} is empty`, {
        expected: 'a value, or no such line',
        suggestion: `put # before ${name} to leave it at its default`,
      })
    else if (variable.value.includes('\n'))
      variable.mistake(`${name} goes over several lines`, {
        expected: 'one line',
        suggestion: 'close the quote at the end of the line',
      })
    else return reader(variable) ?? fallback
    return fallback
  }
  const folder: Reader<string> = (variable) => readPath(variable, request.cwd)
  // systemd.exec(5): one or more
  const stateDir = request.environment['STATE_DIRECTORY']?.split(':')[0]
  const runtimeDir = request.environment['RUNTIME_DIRECTORY']?.split(':')[0]
  const dataDir = read('DATA_DIR', folder, resolve(request.cwd, stateDir || 'data'))
  const level = oneOf<LogLevel>({
    debug: 'debug',
    info: 'info',
    warn: 'warn',
    error: 'error',
    silent: 'silent',
  })
  const credentials = readCredentials(variables)
  const remote = read('BROKER_URL', (variable) => readBrokerUrl(variable, credentials), undefined)
  if (remote !== undefined) warnOfIdle(variables, warnings)
  const limits: Partial<Record<LimitName, number>> = {}
  for (const { key, limit, read: amount } of limitKeys) {
    const value = read<number | undefined>(key, (variable) => amount(variable, warnings), undefined)
    if (value !== undefined) limits[limit] = value
  }
  const allowAnonymous = read('ALLOW_ANONYMOUS', readAllowAnonymous, 'local')
  return {
    name: read('NAME', readName, defaultName()),
    remote,
    bind: read('BIND', (variable) => readBind(variable, warnings), [bindOf('lan')]),
    port: read('PORT', (variable) => readPort(variable, '1883, the usual port of MQTT'), 1_883),
    allowAnonymous,
    credentials,
    dataDir,
    configDir: read('CONFIG_DIR', folder, resolve(request.cwd, 'config')),
    controlSocket: join(resolve(request.cwd, runtimeDir || dataDir), 'control.sock'),
    gpioChip: read('GPIO_CHIP', readGpioChip, 'auto'),
    pwmDir: read<string | undefined>('PWM_DIR', folder, undefined),
    logLevel: read('LOG_LEVEL', level, 'info'),
    logFormat: read(
      'LOG_FORMAT',
      oneOf<Settings['logFormat']>({ pretty: 'pretty', json: 'json' }),
      request.isTerminal ? 'pretty' : 'json',
    ),
    durability: read(
      'DURABILITY',
      oneOf<Durability>({ power: 'power', crash: 'crash', memory: 'memory' }),
      'power',
    ),
    mdns: read('MDNS', oneOf<boolean>({ on: true, off: false }), true),
    systemIntervalMs: read('SYS_INTERVAL', readSystemInterval, 10_000),
    http: httpPlaceOf(
      read<number | undefined>('HTTP_PORT', (variable) => readPort(variable, '9883'), undefined),
      read<string | undefined>('HTTP_BIND', readHttpAddress, undefined),
      variables,
      warnings,
    ),
    limits,
  }
}

/** What is about the broker of our own says nothing when there is none. */
function warnOfIdle(variables: Variables, warnings: ProblemList): void {
  const bounds = limitKeys.filter(({ isForAttached }) => isForAttached !== true).map(({ key }) => key)
  for (const name of [
    'BIND',
    'PORT',
    'ALLOW_ANONYMOUS',
    'DURABILITY',
    'MDNS',
    'SYS_INTERVAL',
    ...bounds,
  ] as const) {
    const variable = variables.get(name)
    if (variable === undefined) continue
    warnings.add({
      place: variable.place,
      message: `${name} does nothing beside BROKER_URL: the broker is elsewhere, and nothing listens here`,
      suggestion: `put # before ${name}, or before BROKER_URL to have the broker here`,
    })
  }
}

/** Where there are no users either, nobody comes in when a name is wanted and there is none. */
export function warnOfNobody(variables: Variables, warnings: ProblemList): void {
  const variable = variables.get('ALLOW_ANONYMOUS')
  const isSet = (name: VariableName): boolean => variables.get(name) !== undefined
  if (variable === undefined || isSet('MQTT_USERNAME') || isSet('MQTT_PASSWORD')) return
  warnings.add({
    place: variable.place,
    message: 'nobody may connect: ALLOW_ANONYMOUS=false wants a name and a password, and there are none',
    suggestion: 'damselfly user add NAME, or ALLOW_ANONYMOUS=local',
  })
}

/** Gives the value, or tells the mistake and gives undefined. */
type Reader<Value> = (variable: Variable) => Value | undefined

function oneOf<Value>(values: Readonly<Record<string, Value>>, expected?: string): Reader<Value> {
  const names = Object.keys(values)
  return (variable) => {
    const word = variable.value.toLowerCase()
    if (Object.hasOwn(values, word)) return values[word]
    const near = nearest(word, names)
    variable.mistake(`${variable.name} is not one of its values`, {
      expected: expected ?? `one of ${names.join(', ')}`,
      ...(near === undefined ? {} : { suggestion: near }),
    })
    return undefined
  }
}

function readAllowAnonymous(variable: Variable): AllowAnonymous | undefined {
  const word = variable.value.toLowerCase()
  const meant = yesNo.get(word)
  if (meant === undefined)
    return oneOf<AllowAnonymous>(
      { local: 'local', true: 'everyone', false: 'nobody' },
      'local (clients on this machine), true (everyone) or false (nobody)',
    )(variable)
  variable.mistake('ALLOW_ANONYMOUS is not one of its three values', {
    expected: 'local (clients on this machine), true (everyone) or false (nobody)',
    suggestion: meant,
  })
  return undefined
}

const yesNo: ReadonlyMap<string, string> = new Map([
  ['yes', 'true'],
  ['on', 'true'],
  ['1', 'true'],
  ['everyone', 'true'],
  ['no', 'false'],
  ['off', 'false'],
  ['0', 'false'],
  ['nobody', 'false'],
])

/** In seconds, as mosquitto has it. */
function readSystemInterval(variable: Variable): number | undefined {
  if (variable.value === '0') return 0
  const seconds = readSeconds(variable, { min: 1, max: 86_400 })
  return seconds === undefined ? undefined : seconds * 1_000
}

function readPort(variable: Variable, usual: string): number | undefined {
  const port = /^\d{1,6}$/.test(variable.value) ? Number(variable.value) : Number.NaN
  if (port >= 1 && port <= portMax) return port
  variable.mistake(`${variable.name} is not a port number`, {
    expected: `a whole number from 1 to ${portMax}`,
    suggestion: usual,
  })
  return undefined
}

function readName(variable: Variable): string | undefined {
  const name = variable.value
  if (isName(name)) return name
  variable.mistake('NAME cannot stand in a topic', {
    expected: `at most ${nameUnitsMax} characters, none of them /, +, # or a control character`,
    suggestion: nameFrom(name),
  })
  return undefined
}

function isName(name: string): boolean {
  return name !== '' && name.length <= nameUnitsMax && !/[/+#\p{Cc}]/u.test(name)
}

function nameFrom(text: string): string {
  return text.replaceAll(/[/+#\p{Cc}]/gu, '-').slice(0, nameUnitsMax) || 'damselfly'
}

function defaultName(): string {
  return nameFrom(hostname())
}

function readPath(variable: Variable, cwd: string): string | undefined {
  const path = variable.value
  if (!path.startsWith('~')) return resolve(cwd, path)
  variable.mistake('only a shell knows what ~ means; it stays as it is here', {
    expected: 'a folder',
    suggestion: path.replace(/^~/, homedir()),
  })
  return undefined
}

function readGpioChip(variable: Variable): string | undefined {
  const chip = variable.value
  if (chip === 'auto' || chip === 'simulated' || chip.startsWith('/')) return chip
  const near = /^gpiochip\d+$/.test(chip) ? `/dev/${chip}` : nearest(chip, ['auto', 'simulated'])
  variable.mistake('GPIO_CHIP names no chip', {
    expected: 'auto, simulated, or the path of a device such as /dev/gpiochip0',
    ...(near === undefined ? {} : { suggestion: near }),
  })
  return undefined
}

function readCredentials(variables: Variables): Settings['credentials'] {
  const username = variables.get('MQTT_USERNAME')
  const password = variables.get('MQTT_PASSWORD')
  const isEmpty = [username, password].some((variable) => variable?.value === '')
  for (const [name, variable] of [
    ['MQTT_USERNAME', username],
    ['MQTT_PASSWORD', password],
  ] as const) {
    if (variable?.value === '')
      variable.mistake(`${name} is empty`, {
        expected: 'a value, or no such line',
        suggestion: 'put # before MQTT_USERNAME and MQTT_PASSWORD to have no password',
      })
  }
  if (isEmpty) return undefined
  if (username !== undefined && password !== undefined)
    return { username: username.value, password: new Secret(password.value) }
  username?.mistake('MQTT_USERNAME is set, but MQTT_PASSWORD is not', {
    expected: 'both or neither',
    suggestion: 'add a line MQTT_PASSWORD=… beside it',
  })
  password?.mistake('MQTT_PASSWORD is set, but MQTT_USERNAME is not', {
    expected: 'both or neither',
    suggestion: 'add a line MQTT_USERNAME=… beside it',
  })
  return undefined
}
