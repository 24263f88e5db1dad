import { reasonOf } from '../core/errors.ts'
import { type Event, eventOf } from '../core/event.ts'
import type { Message } from '../core/message.ts'
import type { Identity } from '../core/ports.ts'
import type { Rule, Step } from '../core/rule.ts'
import { matchesFilter } from '../core/topics.ts'

/** What one rule would do with a message. */
export interface Explanation {
  readonly rule: Rule
  readonly fires: boolean
  /** Why it does not fire. */
  readonly why?: string
  /** What each step would be called with; only for a rule that fires. */
  readonly steps: readonly StepExplanation[]
}

export interface StepExplanation {
  readonly step: Step
  /** The options as the action would get them, or undefined when they cannot be made. */
  readonly options?: unknown
  /** Why they cannot be made. */
  readonly error?: string
}

/** What each rule would do with this message, in order. Calls no action. */
export function explain(
  rules: readonly Rule[],
  message: Message,
  identity: Identity,
): readonly Explanation[] {
  const event = eventOf(message, identity)
  return rules.map((rule) => explainRule(rule, event))
}

function explainRule(rule: Rule, event: Event): Explanation {
  const why = whyNot(rule, event)
  if (why !== undefined) return { rule, fires: false, why, steps: [] }
  return { rule, fires: true, steps: rule.steps.map((step) => explainStep(step, event)) }
}

function whyNot(rule: Rule, event: Event): string | undefined {
  const { trigger, condition } = rule
  if (!rule.isEnabled) return 'it is not enabled'
  if (trigger.kind === 'every') return 'it fires by the clock (every:), not on messages'
  if (trigger.kind === 'at') return 'it fires by the clock (at:), not on messages'
  if (!trigger.filters.some((filter) => matchesFilter(filter, event.topic))) {
    return `the topic does not match ${trigger.filters.join(' or ')}`
  }
  if (event.retain && !rule.firesOnRetained)
    return 'it does not fire on retained messages ("retained: true" would)'
  const outcome = condition?.test(event)
  if (outcome === undefined || outcome.holds) return undefined
  return outcome.why ?? `${condition?.text} is false`
}

function explainStep(step: Step, event: Event): StepExplanation {
  try {
    return { step, options: step.options(event) }
  } catch (error) {
    return { step, error: reasonOf(error) }
  }
}
