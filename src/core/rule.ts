import type { ActionDefinition } from './action.ts'
import type { Event } from './event.ts'
import type { Memory, Needs } from './memory.ts'
import type { Place } from './problems.ts'

/** What sets a rule off. */
export type Trigger =
  | {
      readonly kind: 'message'
      readonly filters: readonly string[]
      /** What to subscribe to for them, where a share is asked for: `$share/GROUP/FILTER`. */
      readonly subscriptions?: readonly string[]
    }
  | { readonly kind: 'every'; readonly everyMs: number }
  /** A cron pattern of five or six fields, in local time. */
  | { readonly kind: 'at'; readonly cron: string }

/** A rule as the dispatcher runs it: everything is checked and compiled. */
export interface Rule {
  readonly name: string
  readonly isEnabled: boolean
  readonly trigger: Trigger
  /** Fire also on retained messages that were there before the rule. */
  readonly firesOnRetained: boolean
  readonly condition?: Condition
  /** After firing, the topic does not fire again before this has held. */
  readonly until?: Condition
  /** Fire when a topic has had no message for this long, instead of on messages. */
  readonly afterMs?: number
  /** After firing, ignore the same topic for this long. */
  readonly throttleMs?: number
  /** Fire only when the topic has been quiet for this long, with the last message. */
  readonly debounceMs?: number
  readonly steps: readonly Step[]
  /**
   * What is done instead: with `until`, when it holds again; with `afterMs`, when the topic speaks again; else when
   * the condition does not hold.
   */
  readonly elseSteps?: readonly Step[]
  readonly place: Place
  /** Two rules with the same source do the same: a reload leaves them alone. */
  readonly source: string
}

/** `when:` or `until:`, compiled. */
export interface Condition {
  /** As the person wrote it. */
  readonly text: string
  /** What it needs a memory for; absent when the event is enough. */
  readonly needs?: Needs
  /** Whether it holds. Never throws: an expression that fails does not hold, and says why. */
  test(event: Event, memory?: Memory): ConditionOutcome
}

export interface ConditionOutcome {
  readonly holds: boolean
  /** Why it does not hold, for `damselfly test` and for debug: `payload has no field "msg"`. */
  readonly why?: string
  /** Whether an expression failed instead of saying no. */
  readonly isError?: boolean
}

/** One step of a rule's `do:` or `else:`. */
export interface Step {
  readonly action: ActionDefinition
  /** What its templates need a memory for; absent when the event is enough. */
  readonly needs?: Needs
  /**
   * The step's options for this event: templates filled in, validated, defaults set.
   * @throws DamselflyError `EXPRESSION_FAILED` or `OPTIONS_INVALID`
   */
  options(event: Event, memory?: Memory): unknown
  readonly timeoutMs: number
  readonly place: Place
}
