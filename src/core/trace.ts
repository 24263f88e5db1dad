/**
 * What the daemon tells of one message on its way, for `damselfly trace`. Told in order; `id` ties together what
 * belongs to one message or one moment.
 */
export type TraceEvent = TraceMessage | TraceRule | TraceStep

/** A message arrived, or a moment came. */
export interface TraceMessage {
  readonly kind: 'message'
  readonly id: number
  readonly atMs: number
  /** Empty for a moment (`every:`, `at:`). */
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: number
  readonly retain: boolean
  /** Who published it; empty when that is not known. */
  readonly client: string
  /** The rules whose filters match the topic, in the order of the file. */
  readonly rules: readonly string[]
}

/** What became of it in one rule. */
export interface TraceRule {
  readonly kind: 'rule'
  readonly id: number
  readonly rule: string
  readonly outcome: RuleOutcome
  /** Why, in a sentence, where the outcome does not say it: `payload has no field "msg"; it has temp`. */
  readonly why?: string
}

export type RuleOutcome =
  /** Its steps under `do:` run now or when their turn comes. */
  | 'fired'
  /** Its steps under `else:` do. */
  | 'else'
  /** `when` does not hold. */
  | 'missed'
  /** Waits for quiet: `debounce` or `after`. */
  | 'waiting'
  /** `throttle` lets nothing through yet. */
  | 'throttled'
  /** It has fired, and `until` has not come true yet. */
  | 'disarmed'
  /** It was taken for a loop. */
  | 'cut'
  /** It could not keep up, and the oldest message was dropped. */
  | 'dropped'

/** What became of one step. */
export interface TraceStep {
  readonly kind: 'step'
  readonly id: number
  readonly rule: string
  /** The step's number in its list, from 1. */
  readonly step: number
  readonly action: string
  readonly outcome: 'done' | 'failed'
  /** From its begin to its end. */
  readonly tookMs: number
  /** Why it failed. */
  readonly reason?: string
}

/** Where the parts tell what they do, if anybody wants to know. */
export interface Tracer {
  /** Whether anybody listens. Ask it before anything is worked out for `tell`. */
  readonly isOn: boolean
  tell(event: TraceEvent): void
  /** Calls `onSwitch` when `isOn` has changed. @returns ends it */
  follow(onSwitch: () => void): () => void
}

/** For a house in which nobody listens. */
export const noTracer: Tracer = { isOn: false, tell() {}, follow: () => () => {} }
