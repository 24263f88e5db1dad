import type { Pin } from '../core/pin.ts'
import type { Problem } from '../core/problems.ts'
import { type DamselflyYaml, readYaml } from './damselfly-yaml.ts'
import { readPins } from './pins.ts'
import { ProblemList } from './problem-list.ts'
import { readScalars, type Scalars } from './scalars.ts'
import { type Environment, readVariables } from './variables.ts'
import type { TreeMap } from './yaml-tree.ts'

export interface SafeSettings {
  /** Each variable that is wrong has its default. */
  readonly scalars: Scalars
  /** The pins that are right, whatever else is wrong in the file. */
  readonly pins: readonly Pin[]
  /** The mistakes in the variables, in `pins:` and in the file's syntax. */
  readonly problems: readonly Problem[]
}

/**
 * Reads just enough to drive the pins to safety after a crash: no rules, no actions, no expressions.
 * Never throws for a mistake. A pin in whose lines something is not YAML is left out, for half a pin may be
 * an inverted one.
 */
export async function readSafeSettings(request: {
  readonly cwd: string
  readonly environment?: Environment
  readonly isTerminal: boolean
}): Promise<SafeSettings> {
  const problems = new ProblemList()
  const { cwd, environment = process.env, isTerminal } = request
  const variables = await readVariables(cwd, environment, problems, new ProblemList())
  const scalars = readScalars(variables, { cwd, environment, isTerminal }, new ProblemList())
  const yaml = await readYaml(cwd, scalars.configDir, problems)
  return { scalars, pins: yaml === undefined ? [] : safePins(yaml), problems: problems.sorted() }
}

function safePins(yaml: DamselflyYaml): readonly Pin[] {
  const tree = yaml.pins?.value
  if (tree?.kind !== 'map') return readPins(tree, yaml.reader).pins
  const entries = [...tree.entries.values()]
  const whole = entries.filter((entry, index) => {
    const end = Math.max(entries[index + 1]?.start ?? tree.end, entry.value.end)
    return !yaml.mistakes.some((offset) => offset >= entry.start && offset <= end)
  })
  const pins: TreeMap = { ...tree, entries: new Map(whole.map((entry) => [entry.key, entry])) }
  return readPins(pins, yaml.reader).pins
}
