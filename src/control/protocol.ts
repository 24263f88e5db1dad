// What is said over the control socket, one JSON object a line; docs/control-socket.md tells it to others.
import type { BridgeState } from '../core/bridge.ts'
import type { ClientReport, KickOutcome, RefusalReport, SubscriptionReport } from '../core/broker-view.ts'
import type { OpenListener } from '../core/listener.ts'
import type { PinValue } from '../core/pin.ts'
import type { PinOrder } from '../core/pin-order.ts'
import type { StoreState } from '../core/ports.ts'
import type { RuleOutcome } from '../core/trace.ts'

/** Grows by one when something that was said before is said no more, or means something else. */
export const protocolVersion = 1

export type ControlRequest =
  | { readonly get: 'status' }
  | { readonly get: 'pins' }
  | { readonly get: 'clients' }
  | { readonly get: 'client'; readonly id: string }
  /** Disconnects a client; `forget`: ends its session as well. */
  | { readonly kick: string; readonly forget?: boolean }
  /** Reads the configuration again, as SIGHUP does. */
  | { readonly do: 'reload' }
  | { readonly watch: 'pins' }
  /** Without a filter all but those that begin with `$`. */
  | { readonly watch: 'topics'; readonly filter?: string }
  /** Without a filter, or with `#`: every message, and the moments of `every:` and `at:`. */
  | { readonly watch: 'trace'; readonly filter?: string }

export type ControlAnswer =
  | StatusAnswer
  | PinsAnswer
  | ClientsAnswer
  | ClientAnswer
  | KickedAnswer
  | ReloadedAnswer
  | TopicsBeginAnswer
  | TopicsAnswer
  | PinAnswer
  | RemovedAnswer
  | TraceAnswer
  | RulesAnswer
  | MessageAnswer
  | RuleAnswer
  | StepAnswer
  | DroppedAnswer
  | ErrorAnswer

export interface StatusAnswer {
  readonly protocol: number
  readonly status: DaemonStatus
}

/** The pins as they are, in the order of the file. */
export interface PinsAnswer {
  readonly protocol: number
  readonly pins: readonly PinReport[]
}

/** Clients, in no order; the next line goes on when there are more. */
export interface ClientsAnswer {
  readonly protocol: number
  readonly clients: readonly ClientReport[]
  readonly more: boolean
  /** With the last of them: who was not let in of late. */
  readonly refusals?: readonly RefusalReport[]
}

/** One client; the next line goes on with its subscriptions when there are more. */
export interface ClientAnswer {
  readonly protocol: number
  readonly client: ClientReport
  readonly subscriptions: readonly SubscriptionReport[]
  readonly more: boolean
}

export interface KickedAnswer {
  readonly protocol: number
  readonly kicked: string
  readonly outcome: KickOutcome
}

/** How the reload went that was asked for. */
export interface ReloadedAnswer {
  readonly protocol: number
  readonly reload: ReloadOutcome
}

/** Topics are watched from now on. */
export interface TopicsBeginAnswer {
  readonly protocol: number
  readonly filter: string
  readonly name: string
}

/** Topics that are new or have changed; the next line goes on when there are more. */
export interface TopicsAnswer {
  readonly topics: readonly TopicReport[]
  readonly more: boolean
  /** Messages of topics for which there was no room, since the watch began. */
  readonly leftOut?: number
}

/** A pin that is new or has changed, to those who watch. */
export interface PinAnswer {
  readonly pin: PinReport
}

/** The name of a pin that exists no more. */
export interface RemovedAnswer {
  readonly removed: string
}

/** A trace begins; with which filter, and what this Damselfly is called in topics. */
export interface TraceAnswer {
  readonly protocol: number
  readonly trace: string
  readonly name: string
}

/** The rules that run, before the first message and before the first one after a reload. */
export interface RulesAnswer {
  readonly rules: readonly TracedRule[]
}

export interface MessageAnswer {
  readonly message: TracedMessage
}

export interface RuleAnswer {
  readonly rule: TracedOutcome
}

export interface StepAnswer {
  readonly step: TracedStep
}

/** So many lines of a trace were left out, for they were not read fast enough. */
export interface DroppedAnswer {
  readonly dropped: number
}

export interface ErrorAnswer {
  readonly error: {
    readonly code:
      | 'REQUEST_INVALID'
      | 'REQUEST_TOO_LONG'
      | 'TOO_MANY_CONNECTIONS'
      | 'CLIENT_UNKNOWN'
      | 'BROKER_ELSEWHERE'
    readonly message: string
  }
}

/** The daemon as it stands. Times are ISO 8601. */
export interface DaemonStatus {
  readonly version: string
  /** Its name in topics. */
  readonly name: string
  readonly host: string
  readonly pid: number
  readonly startedAt: string
  /** That of `PORT`. */
  readonly port: number
  /** Where it listens, at `PORT`. */
  readonly addresses: readonly string[]
  /** Every way in that is open, that of `BIND` and `PORT` first. */
  readonly listeners: readonly OpenListener[]
  /** What of `BIND`, of `PORT` and of `listeners:` cannot be served now, in words. */
  readonly pending: readonly string[]
  /** For a Damselfly that is attached to another broker: to which, and how that goes, in words. */
  readonly link?: string
  /** Clients that are connected; absent where the broker is another one. */
  readonly clients?: number
  /** Sessions that are kept, whether their client is connected or not; absent where the broker is another one. */
  readonly sessions?: number
  /** Messages that wait in them. */
  readonly queuedMessages?: number
  readonly retainedMessages?: number
  /** Absent where the broker is another one. */
  readonly bridges?: readonly BridgeState[]
  /** Whether the disk takes what must be kept. */
  readonly store?: StoreState
  /** Rules that run, and rules that are there with `enabled: false`. */
  readonly rules: { readonly enabled: number; readonly disabled: number }
  /** How many are read. */
  readonly sensors: number
  readonly pins: {
    readonly held: number
    /** Pins that stand in the file and could not be had. */
    readonly unavailable: readonly string[]
    /** The chip's device; absent while there are no pins. */
    readonly chip?: string
    readonly isSimulated: boolean
  }
  /** Resident memory of the process. */
  readonly memoryBytes: number
  /** The last time that the configuration was read again; absent when it never was. */
  readonly lastReload?: ReloadOutcome
  /** What was counted since the start, by name; those of bounds have the names of docs/limits.md. */
  readonly counters: Readonly<Record<string, number>>
  /** Those of the counters that count a bound being reached. */
  readonly limits: Readonly<Record<string, number>>
}

export interface ReloadOutcome {
  readonly at: string
  readonly isOk: boolean
  /** Why it failed, in one line. */
  readonly reason?: string
}

export interface PinReport {
  readonly name: string
  /** `GPIO17`, or the line's name. */
  readonly line: string
  readonly direction: 'in' | 'out' | 'pwm'
  /** A `pwm` that is told angles. */
  readonly isServo?: true
  readonly state: PinValue
  /** The unit of a state that is a number, where it has one: `%`, `°`. */
  readonly unit?: string
  /** ISO 8601; the start of the daemon, or the pin's own, when it has not changed since. */
  readonly since: string
  /** Who or what changed it last: `rule lamp on`, `client esp32`, `for`, `max_on`. */
  readonly by?: string
}

/** A topic, and its last message, which came since the watch began or is retained. */
export interface TopicReport {
  readonly topic: string
  /** How many have come since the watch began. */
  readonly messages: number
  /** A second, smoothed over about ten. */
  readonly rate: number
  /** The payload's beginning, when it is UTF-8; else `base64` is there. */
  readonly text?: string
  readonly base64?: string
  /** Of the whole payload. */
  readonly bytes: number
  readonly qos: number
  readonly client: string
  /** ISO 8601; absent when none has come since the watch began. */
  readonly at?: string
  /** Whether a message is retained for it. */
  readonly isRetained: boolean
}

export interface TracedRule {
  readonly name: string
  /** The filters that it listens to; empty for a rule of the clock. */
  readonly on: readonly string[]
}

/** A message, or, without a topic, a moment of `every:` or `at:`. */
export interface TracedMessage {
  /** Ties together what belongs to one message. */
  readonly id: number
  readonly at: string
  readonly topic: string
  /** The payload's beginning, when it is UTF-8; else `base64` is there. */
  readonly text?: string
  readonly base64?: string
  /** Bytes of the whole payload. */
  readonly bytes: number
  readonly qos: number
  readonly retain: boolean
  readonly client: string
  /** The rules that listen to the topic. */
  readonly rules: readonly string[]
  /** Where the topic is one for commands to pins. */
  readonly order?: PinOrder
}

export interface TracedOutcome {
  readonly id: number
  readonly at: string
  readonly rule: string
  readonly outcome: RuleOutcome
  readonly why?: string
}

export interface TracedStep {
  readonly id: number
  readonly at: string
  readonly rule: string
  readonly step: number
  readonly action: string
  readonly outcome: 'done' | 'failed'
  readonly tookMs: number
  readonly reason?: string
}
