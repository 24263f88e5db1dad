import { reasonOf } from '../core/errors.ts'
import { type Event, eventOf } from '../core/event.ts'
import type { Message } from '../core/message.ts'
import type { Identity } from '../core/ports.ts'
import type { Rule, Step } from '../core/rule.ts'
import { matchesFilter } from '../core/topics.ts'
import { formatDuration } from '../core/units.ts'

/** What one rule would do with a message. */
export interface Explanation {
  readonly rule: Rule
  readonly fires: boolean
  /** It has nothing to do with the topic: it listens to others, or goes by the clock. */
  readonly isElsewhere?: true
  /** Why it does not fire. */
  readonly why?: string
  /** What else must be so, which only the running daemon knows: `if it has fired before`. */
  readonly provided?: string
  /** What each step would be called with: those of `do` when it fires, else those of `else`, if they run. */
  readonly steps: readonly StepExplanation[]
}

export interface StepExplanation {
  readonly step: Step
  /** The options as the action would get them, or undefined when they cannot be made. */
  readonly options?: unknown
  /** Why they cannot be made, here or at all. */
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
  const elsewhere = whyElsewhere(rule, event)
  if (elsewhere !== undefined) return { rule, fires: false, isElsewhere: true, why: elsewhere, steps: [] }
  const why = whyNotAsked(rule, event)
  if (why !== undefined) return { rule, fires: false, why, steps: [] }
  if (rule.afterMs !== undefined) return explainSilence(rule, rule.afterMs, event)
  const outcome = rule.condition?.test(event)
  if (outcome === undefined || outcome.holds) {
    const provided = rule.until && `unless it has fired, and ${rule.until.text} has not held since`
    return { rule, fires: true, ...(provided && { provided }), steps: explainSteps(rule.steps, event) }
  }
  const no = { rule, fires: false, why: outcome.why ?? `${rule.condition?.text} is false` }
  const { until } = rule
  if (until === undefined)
    return { ...no, steps: outcome.isError === true ? [] : explainSteps(rule.elseSteps, event) }
  if (rule.elseSteps === undefined || !until.test(event).holds) return { ...no, steps: [] }
  return { ...no, provided: 'if it has fired before', steps: explainSteps(rule.elseSteps, event) }
}

function explainSilence(rule: Rule, afterMs: number, event: Event): Explanation {
  const why = `it fires when there has been no message for ${formatDuration(afterMs)} (after:)`
  if (rule.elseSteps === undefined) return { rule, fires: false, why, steps: [] }
  const provided = 'if it has fired for the silence before'
  return { rule, fires: false, why, provided, steps: explainSteps(rule.elseSteps, event) }
}

function whyElsewhere({ trigger }: Rule, event: Event): string | undefined {
  if (trigger.kind === 'every') return 'it fires by the clock (every:), not on messages'
  if (trigger.kind === 'at') return 'it fires by the clock (at:), not on messages'
  if (trigger.filters.some((filter) => matchesFilter(filter, event.topic))) return undefined
  return `the topic does not match ${trigger.filters.join(' or ')}`
}

/** Why the message does not even get to the rule's `when`. */
function whyNotAsked(rule: Rule, event: Event): string | undefined {
  if (!rule.isEnabled) return 'it is not enabled'
  if (event.retain && !rule.firesOnRetained)
    return 'it does not fire on retained messages ("retained: true" would)'
  return undefined
}

function explainSteps(steps: readonly Step[] = [], event: Event): readonly StepExplanation[] {
  return steps.map((step) => explainStep(step, event))
}

function explainStep(step: Step, event: Event): StepExplanation {
  try {
    return { step, options: step.options(event) }
  } catch (error) {
    return { step, error: reasonOf(error) }
  }
}
