import type { Trigger } from '../core/rule.ts'
import { formatDuration } from '../core/units.ts'
import type { TreeReader } from './tree-reader.ts'
import type { TreeMap } from './yaml-tree.ts'

/** The names of rules: each is there once. Names that people gave go before those that are derived. */
export class RuleNames {
  readonly #reader: TreeReader
  readonly #taken = new Map<string, number>()

  constructor(reader: TreeReader) {
    this.#reader = reader
  }

  claim(rule: TreeMap): void {
    const tree = rule.entries.get('name')?.value
    if (tree?.kind !== 'scalar' || typeof tree.value !== 'string') return
    const firstLine = this.#taken.get(tree.value)
    if (firstLine === undefined) this.#taken.set(tree.value, this.#reader.place(tree).line)
    else
      this.#reader.mistake(tree, `another rule has the name "${tree.value}", on line ${firstLine}`, {
        expected: 'a name of its own for each rule, or no name:',
      })
  }

  derive(trigger: Trigger, rule: TreeMap): string {
    const base = nameOf(trigger, rule)
    let name = base
    for (let count = 2; this.#taken.has(name); count++) name = `${base} (${count})`
    this.#taken.set(name, 0)
    return name
  }
}

function nameOf(trigger: Trigger, rule: TreeMap): string {
  if (trigger.kind === 'message') return trigger.filters.join(', ')
  if (trigger.kind === 'every') return `every ${formatDuration(trigger.everyMs)}`
  const at = rule.entries.get('at')?.value
  return `at ${at?.kind === 'scalar' ? at.value : trigger.cron}`
}
