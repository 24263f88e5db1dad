import type { Pin } from '../core/pin.ts'
import type { Problem } from '../core/problems.ts'
import type { DamselflyYaml } from './damselfly-yaml.ts'
import { readPins } from './pins.ts'
import { ProblemList } from './problem-list.ts'
import type { TreeMap } from './yaml-tree.ts'

/**
 * Reads the pins that are right, whatever else is wrong in `damselfly.yaml`: no rules, no actions, no expressions.
 * Tells the mistakes in `pins:` and in the file's syntax, and never throws for one. A pin in whose lines something
 * is not YAML is left out, for half a pin may be an inverted one.
 */
export async function readSafePins(request: {
  readonly cwd: string
  readonly configDir: string
}): Promise<{ readonly pins: readonly Pin[]; readonly problems: readonly Problem[] }> {
  const problems = new ProblemList()
  const { readYaml } = await import('./damselfly-yaml.ts')
  const yaml = await readYaml(request.cwd, request.configDir, problems)
  return { pins: yaml === undefined ? [] : safePins(yaml), problems: problems.sorted() }
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
