import type { User } from '../core/access.ts'
import type { ExpressionCompiler } from '../core/expression.ts'
import { homeAssistantDefaults } from '../core/home-assistant.ts'
import { type Listener, mainListener } from '../core/listener.ts'
import { commandProblem, isOutput, type Pin } from '../core/pin.ts'
import type { ActionCatalogue } from '../core/ports.ts'
import type { Problem } from '../core/problems.ts'
import type { Rule } from '../core/rule.ts'
import type { SchemaFacts } from '../core/schema.ts'
import { aclPath, readAclFile } from './acl-file.ts'
import { readBridges } from './bridges.ts'
import { type DamselflyYaml, type PluginName, readPlugins, readYaml, yamlPath } from './damselfly-yaml.ts'
import { readHomeAssistant } from './home-assistant.ts'
import { readListeners } from './listeners.ts'
import { readPins } from './pins.ts'
import { ProblemList } from './problem-list.ts'
import { shownPath } from './read-file.ts'
import { readRules } from './rules.ts'
import { readScalars, type Scalars, warnOfNobody } from './scalars.ts'
import { readSensors } from './sensors.ts'
import type { Settings } from './settings.ts'
import { readTelemetry } from './telemetry.ts'
import { readUsersFile, usersPath } from './users-file.ts'
import { type Environment, readVariables } from './variables.ts'
import type { Tree } from './yaml-tree.ts'

export interface SettingsRequest {
  /** The folder of `.env`; relative paths begin here. Absolute. */
  readonly cwd: string
  /** The process's own unless told. */
  readonly environment?: Environment
  readonly compiler: ExpressionCompiler
  /** Loads the actions that rules may name; what is wrong with one is a problem like any other. */
  readonly loadActions: (request: LoadActionsRequest) => Promise<LoadedActions>
  /** Whether a person looks at the output: decides what `LOG_FORMAT` is when it is not set. */
  readonly isTerminal: boolean
}

export interface LoadActionsRequest {
  /** Absolute. */
  readonly configDir: string
  readonly plugins: readonly PluginName[]
}

export interface LoadedActions {
  readonly catalogue: ActionCatalogue
  readonly problems: readonly Problem[]
}

export interface SettingsReading {
  readonly settings: Settings
  /** What is allowed and yet hardly meant; by file and line. */
  readonly warnings: readonly Problem[]
}

/**
 * Reads `.env`, the environment and `damselfly.yaml`, and checks all of it.
 * @throws ProblemsError with every mistake of both files, by file and line, and the warnings among them
 */
export async function readSettings(request: SettingsRequest): Promise<SettingsReading> {
  const problems = new ProblemList()
  const warnings = new ProblemList()
  const { cwd, environment = process.env } = request
  const variables = await readVariables(cwd, environment, problems, warnings)
  const scalars = readScalars(variables, { cwd, environment, isTerminal: request.isTerminal }, warnings)
  const yaml = await readYaml(cwd, scalars.configDir, problems)
  // from a file that is not YAML the rest would be told by guess
  const isReadable = yaml !== undefined && yaml.mistakes.length === 0
  const { pins, outputs } = isReadable
    ? readPins(yaml.pins?.value, yaml.reader)
    : { pins: [], outputs: new Set<string>() }
  const compiler = request.compiler.withPins(namedPins(yaml?.pins?.value, pins))
  const facts = { outputs, commandProblem: commandCheck(pins) }
  const rules = isReadable ? await readAllRules(yaml, facts, scalars, { ...request, compiler }) : []
  const sensors = isReadable ? readSensors(yaml.sensors?.value, yaml.reader) : []
  const users = await readUsers(cwd, scalars, problems, warnings)
  const aclFile = aclPath(scalars.configDir)
  const acl = await readAclFile(aclFile, shownPath(cwd, aclFile), problems, warnings)
  const { remote, allowAnonymous } = scalars
  if (remote === undefined && allowAnonymous === 'nobody' && users.length === 0)
    warnOfNobody(variables, warnings)
  const telemetry = isReadable ? readTelemetry(yaml.telemetry?.value, yaml.reader) : undefined
  const named = {
    pins,
    pinNames: namesIn(yaml?.pins?.value),
    sensorNames: namesIn(yaml?.sensors?.value),
  }
  const homeAssistant = isReadable
    ? readHomeAssistant(yaml.homeAssistant?.value, named, yaml.reader)
    : homeAssistantDefaults
  const access = { users, acl }
  const main = mainListenerOf(scalars, access)
  const { name, configDir } = scalars
  const where = { cwd, configDir, main, isAttached: remote !== undefined }
  const { listeners, files: namedFiles } = isReadable
    ? await readListeners(yaml.listeners?.value, yaml.reader, where, warnings)
    : { listeners: [main], files: [] }
  const bridged = isReadable
    ? await readBridges(yaml.bridges?.value, { reader: yaml.reader, warnings, cwd, configDir, name })
    : { bridges: [], files: [] }
  if (remote !== undefined && yaml?.bridges !== undefined && bridged.bridges.length > 0)
    warnings.add({
      place: yaml.reader.place(yaml.bridges),
      message: 'bridges do nothing beside BROKER_URL: the broker is elsewhere',
      suggestion: 'write them into the configuration of that broker',
    })
  const bridges = remote === undefined ? bridged.bridges : []
  problems.throwIfAny(warnings)
  const files = [
    variables.file,
    yamlPath(configDir),
    usersPath(configDir),
    aclFile,
    ...namedFiles,
    ...bridged.files,
  ]
  return {
    settings: {
      ...scalars,
      ...access,
      ...{ listeners, bridges, pins, sensors, telemetry, homeAssistant, rules, files },
    },
    warnings: warnings.sorted(),
  }
}

async function readUsers(
  cwd: string,
  { configDir, credentials }: Scalars,
  problems: ProblemList,
  warnings: ProblemList,
): Promise<readonly User[]> {
  const path = usersPath(configDir)
  const shown = shownPath(cwd, path)
  const users = (await readUsersFile(path, shown, problems, warnings)) ?? []
  if (users.some(({ name }) => name === credentials?.username))
    warnings.add({
      place: { file: shown, line: 0, column: 0 },
      message: `${credentials?.username} stands here and in .env: the password in .env is the one that counts`,
      suggestion: `damselfly user rm ${credentials?.username}, or put # before MQTT_USERNAME and MQTT_PASSWORD`,
    })
  return users
}

/** What `BIND`, `PORT` and `ALLOW_ANONYMOUS` define. */
function mainListenerOf(
  { bind, port, allowAnonymous, credentials }: Scalars,
  { users, acl }: Pick<Settings, 'users' | 'acl'>,
): Listener {
  const where = { kind: 'tcp', bind, port } as const
  const plain = { webSocket: undefined, tls: undefined, connectionsMax: undefined }
  return { name: mainListener, where, ...plain, allowAnonymous, credentials, users, acl }
}

/** The pins by name; undefined for one with mistakes, of which only the name is known. */
function namedPins(tree: Tree | undefined, pins: readonly Pin[]): ReadonlyMap<string, Pin | undefined> {
  return new Map(namesIn(tree).map((name) => [name, pins.find((pin) => pin.name === name)]))
}

/** All names below a key, those with mistakes included. */
function namesIn(tree: Tree | undefined): readonly string[] {
  return tree?.kind === 'map' ? [...tree.entries.keys()] : []
}

async function readAllRules(
  yaml: DamselflyYaml,
  facts: SchemaFacts,
  { configDir, remote, name }: Scalars,
  request: SettingsRequest,
): Promise<readonly Rule[]> {
  const attachedAs = remote === undefined ? undefined : name
  const { reader } = yaml
  const plugins = readPlugins(yaml.plugins?.value, reader)
  const { catalogue, problems } = await request.loadActions({ configDir, plugins })
  for (const problem of problems) reader.problems.add(problem)
  if (yaml.rules === undefined) return []
  const { Steps } = await import('./steps.ts') // brings zod, which a broker without rules does not need
  const steps = new Steps(reader, request.compiler, catalogue, facts)
  const readStep = (tree: Tree) => steps.read(tree)
  return await readRules(yaml.rules.value, reader, request.compiler, readStep, attachedAs)
}

function commandCheck(pins: readonly Pin[]): NonNullable<SchemaFacts['commandProblem']> {
  const outputs = new Map(pins.filter(isOutput).map((pin) => [pin.name, pin]))
  return (name, command) => {
    const pin = outputs.get(name)
    return pin === undefined ? undefined : commandProblem(pin, command)
  }
}
