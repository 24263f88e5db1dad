import { overlap } from '../core/filter-cover.ts'
import type { Rule } from '../core/rule.ts'
import { isShared, plainFilter } from '../core/shared-filter.ts'
import type { TreeReader } from './tree-reader.ts'
import type { Extent, TreeMap } from './yaml-tree.ts'

/** A rule, and where it stands. */
export interface PlacedRule {
  readonly rule: Rule
  readonly at: Extent
}

/**
 * Tells shared subscriptions of rules that match what another subscription of ours does as well: a broker does not say by
 * which of them a message comes, and whose turn it is.
 * @param ours filters that the house itself subscribes to
 */
export function tellMixedShares(
  rules: readonly PlacedRule[],
  ours: readonly string[],
  reader: TreeReader,
): void {
  const all = rules.flatMap((placed) => subscriptionsOf(placed.rule).map((filter) => ({ filter, ...placed })))
  for (const { filter, rule, at } of all) {
    if (!isShared(filter)) continue
    const meets = (other: string): boolean =>
      other !== filter && overlap(plainFilter(other), plainFilter(filter))
    const other = all.find((one) => meets(one.filter))
    const own = ours.find(meets)
    if (other === undefined && own === undefined) continue
    const what =
      other === undefined
        ? `"${own}", where Damselfly itself listens`
        : `"${other.filter}" of the rule "${other.rule.name}"`
    reader.mistake(at, `"${filter}" of the rule "${rule.name}" has topics in common with ${what}`, {
      found: null,
      expected: 'none: a broker does not say whose turn a message is',
    })
  }
}

/** Tells keys of a rule with a shared subscription that need all messages, or retained ones, which are not shared. */
export function tellSharedKeys(map: TreeMap, reader: TreeReader): void {
  for (const [key, why] of [
    ['retained', 'retained messages are not shared'],
    ['after', 'messages that others of the group get look like silence'],
  ] as const) {
    const entry = map.entries.get(key)
    if (entry !== undefined)
      reader.mistake(entry, `${key} does not go with $share: ${why}`, {
        found: null,
        suggestion: `remove ${key}`,
      })
  }
}

function subscriptionsOf({ trigger, condition, until, steps, elseSteps = [] }: Rule): readonly string[] {
  const filters = trigger.kind === 'message' ? (trigger.subscriptions ?? trigger.filters) : []
  const parts = [condition, until, ...steps, ...elseSteps]
  return [...filters, ...parts.flatMap((part) => part?.needs?.lastTopics ?? [])]
}
