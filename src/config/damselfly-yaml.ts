import { join } from 'node:path'
import { limits } from '../core/limits.ts'
import type { Place } from '../core/problems.ts'
import type { ProblemList } from './problem-list.ts'
import { readText, shownPath } from './read-file.ts'
import { TreeReader } from './tree-reader.ts'
import { topKeys } from './vocabulary/top.ts'
import { parseYaml } from './yaml-file.ts'
import { isNothing, type Tree, type TreeEntry } from './yaml-tree.ts'

/** A package that is to bring actions, and where the file names it. */
export interface PluginName {
  readonly name: string
  readonly place: Place
}

/** `damselfly.yaml`, taken apart into its sections. */
export interface DamselflyYaml {
  readonly reader: TreeReader
  readonly pins: TreeEntry | undefined
  readonly sensors: TreeEntry | undefined
  readonly telemetry: TreeEntry | undefined
  readonly homeAssistant: TreeEntry | undefined
  readonly listeners: TreeEntry | undefined
  readonly bridges: TreeEntry | undefined
  readonly rules: TreeEntry | undefined
  readonly plugins: TreeEntry | undefined
  /** Where the file is not YAML, or says something twice. */
  readonly mistakes: readonly number[]
}

/** The path of `damselfly.yaml` in a configuration folder. */
export function yamlPath(configDir: string): string {
  return join(configDir, 'damselfly.yaml')
}

/** Reads `damselfly.yaml` as far as its sections. Undefined when there is no text to read, which is told. */
export async function readYaml(
  cwd: string,
  configDir: string,
  problems: ProblemList,
): Promise<DamselflyYaml | undefined> {
  const path = yamlPath(configDir)
  const shown = shownPath(cwd, path)
  const reading = await readText(path, shown, limits.configBytesMax)
  if (reading.kind === 'problem') problems.add(reading.problem)
  if (reading.kind === 'absent')
    problems.add({
      place: { file: shown, line: 0, column: 0 },
      message: 'there is no such file',
      expected: `damselfly.yaml in the configuration folder, ${configDir}`,
      suggestion: 'damselfly init makes one; or set CONFIG_DIR to the folder that has it',
    })
  if (reading.kind !== 'text') return undefined
  const reader = new TreeReader(reading.source, problems)
  const { tree, mistakes } = parseYaml(reading.source, problems)
  const map = tree === undefined ? undefined : topMap(tree, reader)
  return {
    reader,
    mistakes,
    pins: map?.get('pins'),
    sensors: map?.get('sensors'),
    telemetry: map?.get('telemetry'),
    homeAssistant: map?.get('homeassistant'),
    listeners: map?.get('listeners'),
    bridges: map?.get('bridges'),
    rules: map?.get('rules'),
    plugins: map?.get('plugins'),
  }
}

function topMap(tree: Tree, reader: TreeReader): ReadonlyMap<string, TreeEntry> | undefined {
  const known = Object.keys(topKeys)
  const map = reader.map(tree, 'this file', `the keys ${known.join(', ')}, each at the beginning of a line`)
  if (map !== undefined) reader.knownKeys(map, 'this file', known)
  return map?.entries
}

/** Reads `plugins:`. */
export function readPlugins(tree: Tree | undefined, reader: TreeReader): readonly PluginName[] {
  const expected = 'a list of npm packages such as - damselfly-telegram'
  if (tree === undefined || isNothing(tree)) return []
  const plugins = new Map<string, PluginName>()
  for (const item of reader.list(tree, 'plugins', expected)?.items ?? []) {
    const name = reader.text(item, 'a plugin', expected)
    if (name === undefined) continue
    if (!packageName.test(name)) reader.mistake(item, `"${name}" is not the name of a package`, { expected })
    else if (plugins.has(name)) reader.mistake(item, `the plugin "${name}" is there twice`)
    else plugins.set(name, { name, place: reader.place(item) })
  }
  return [...plugins.values()]
}

// https://docs.npmjs.com/cli/configuring-npm/package-json#name
const packageName = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/
