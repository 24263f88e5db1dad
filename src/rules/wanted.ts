import { mergeNeeds, type Needs } from '../core/memory.ts'
import type { Rule, Step } from '../core/rule.ts'

/** What a rule's expressions need a memory for; undefined when their events are enough. */
export function needsOf(rule: Rule): Needs | undefined {
  const { condition, until } = rule
  return mergeNeeds([condition?.needs, until?.needs, needsOfSteps(rule)])
}

/** What the steps of a rule need a memory for. */
export function needsOfSteps({ steps, elseSteps = [] }: Rule): Needs | undefined {
  return mergeNeeds([...steps, ...elseSteps].map((step: Step) => step.needs))
}

/** The topics of which the last message is to be remembered. */
export function lastTopicsOf(rules: readonly Rule[]): ReadonlySet<string> {
  return new Set(rules.flatMap((rule) => needsOf(rule)?.lastTopics ?? []))
}

/** Every filter whose messages these rules want: those that set them off, and the topics of `last(…)`. */
export function wantedFilters(rules: readonly Rule[]): ReadonlySet<string> {
  const filters = rules.flatMap(({ trigger }) =>
    trigger.kind === 'message' ? (trigger.subscriptions ?? trigger.filters) : [],
  )
  return new Set([...filters, ...lastTopicsOf(rules)])
}

/**
 * What to subscribe to, so that each message that these rules want comes once: everything, and the trees with a
 * leading `$`, which a wildcard does not see [MQTT-4.7.2-1].
 */
export function everything(rules: readonly Rule[]): ReadonlySet<string> {
  const subscriptions = new Set(['#'])
  for (const filter of wantedFilters(rules))
    if (filter.startsWith('$')) subscriptions.add(`${filter.split('/')[0]}/#`)
  return subscriptions
}
