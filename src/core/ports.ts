import type { OwnIdentity } from './access.ts'
import type { ActionDefinition } from './action.ts'
import type { AllowAnonymous } from './bind.ts'
import type { Bridge, BridgeState } from './bridge.ts'
import type { BrokerView } from './broker-view.ts'
import type { Event } from './event.ts'
import type { Listener, OpenListener } from './listener.ts'
import type { Message, OutgoingMessage } from './message.ts'
import type { PinCommand, PinValue } from './pin.ts'
import type { LinkState, RemoteBroker } from './remote-broker.ts'
import type { Secret } from './secret.ts'

/** Object first, then a short constant phrase: `log.warn({ client, topic }, 'publish refused')`. pino fits. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Who this machine is on its LAN; the values follow the network. */
export interface Identity {
  readonly host: string
  /** The LAN address; empty when there is none. */
  readonly ip: string
}

/** The broker, as the rest of the house sees it. */
export interface Hub {
  /**
   * Publishes to every subscriber, in the process and outside.
   * Resolves when it has been handed to all of them; what is retained is written to the disk soon after.
   * Where the broker is elsewhere it resolves at once: the message waits for its turn, or for the connection.
   * @throws DamselflyError `TOPIC_INVALID`, `BROKER_CLOSED`, `STORE_FAILED`, `MESSAGE_TOO_LARGE`
   */
  publish(message: OutgoingMessage): Promise<void>
  /**
   * Calls `onMessage` for each message published from now on whose topic matches, once also when several of the
   * filters match, in the order of their acceptance. The handler must not throw and should return at once.
   * Where the broker is elsewhere, `$share/GROUP/FILTER` gives each message to one member of the group; no other filter
   * may match the same topics, for the broker does not say by which one a message comes.
   * @returns ends the subscription; a second call does nothing
   */
  subscribe(filters: string | readonly string[], onMessage: (message: Message) => void): () => void
  /** The retained messages that match, as they are now. Where the broker is elsewhere it waits for the connection. */
  retained(filter: string): AsyncIterable<Message>
  /** There when the broker is elsewhere. Then subscribe to what is wanted only: all else would travel for nothing. */
  readonly remote?: RemoteHub
}

/** What a hub can tell whose broker is elsewhere. */
export interface RemoteHub {
  /**
   * Calls `onRenewed` each time when a connection came back and something may be missing: messages that came
   * meanwhile, retained ones of ours or of others. @returns ends it
   */
  onRenewed(onRenewed: () => void): () => void
}

/** The broker as the daemon holds it: one of its own with doors, or the connection to one elsewhere. */
export interface BrokerDoor {
  readonly hub: Hub
  /** The hub for one of our own parts: our own broker's access control list may govern it. */
  hubFor(identity: OwnIdentity): Hub
  /** Opens the doors, or connects; the last step of the start. @throws what keeps it from starting */
  open(settings: DoorSettings): Promise<void>
  /** Takes new settings over at a reload. Rejects when something of them cannot be had. */
  apply(settings: DoorSettings): Promise<void>
  /** Lets in what is there, but moves no more: the first step of the stop. */
  settle(): Promise<void>
  /** Delivers what it can within its time limit, and closes. */
  close(): Promise<void>
  readonly state: DoorState
  /** There when the broker is our own. */
  readonly view?: BrokerView
}

export interface DoorSettings {
  readonly name: string
  readonly allowAnonymous: AllowAnonymous
  readonly credentials: { readonly username: string; readonly password: Secret } | undefined
  readonly remote: RemoteBroker | undefined
  /** Every way in, that of `BIND` and `PORT` first. */
  readonly listeners: readonly Listener[]
  /** How often our own broker tells `$SYS/broker/…`; 0, or nothing, for never. */
  readonly systemIntervalMs?: number
  readonly bridges: readonly Bridge[]
}

/** Whether what clients are promised can be written to the disk. */
export type StoreState =
  | { readonly isWritten: true }
  | {
      readonly isWritten: false
      /** In the words of the operating system, or of the store. */
      readonly reason: string
      /** ISO 8601. */
      readonly since: string
      /** Messages that were refused since. */
      readonly refused: number
    }

export interface DoorState {
  /** Where our own broker listens, at `PORT`. */
  readonly addresses: readonly string[]
  /** Every way in that is open, that of `BIND` and `PORT` first; absent where the broker is elsewhere. */
  readonly listeners?: readonly OpenListener[]
  /** What of `BIND`, of `PORT` and of `listeners:` cannot be served now, in words. */
  readonly pending: readonly string[]
  /** How many clients are connected to our own broker. */
  readonly clients?: number
  /** Sessions that our own broker keeps, whether their client is connected or not. */
  readonly sessions?: number
  /** Messages that wait in them. */
  readonly queuedMessages?: number
  readonly retainedMessages?: number
  /** How it is with the disk of our own broker. */
  readonly store?: StoreState
  /** How it is with each bridge of our own broker. */
  readonly bridges?: readonly BridgeState[]
  /** There when the broker is elsewhere. */
  readonly link?: LinkState
}

/** What led to a command for a pin. An action need not say it: it is filled in. */
export interface PinCause {
  /** The rules, first to last; goes on with the messages that follow, so that a loop can be cut. */
  readonly chain?: readonly string[]
  /** For the log: `rule lamp on`, `client esp32`. */
  readonly by?: string
}

export interface PinTiming {
  /** After this time the pin goes back. */
  readonly forMs?: number
  /** For `blink`: how long each phase is on and off; 500 unless told. */
  readonly blinkMs?: number
}

/** The named pins, as actions see them. */
export interface Pins {
  /**
   * Commands an output. With `forMs` it goes back after that time; any later command for the pin
   * cancels that. Returns when the line is driven, or, behind an interlock, when it will be after the dead time.
   * @throws DamselflyError `PIN_UNKNOWN`, `PIN_NOT_OUTPUT`, `PIN_COMMAND_INVALID`, `GPIO_FAILED`
   */
  set(pin: string, command: PinCommand, options?: PinCause & PinTiming): void
  /**
   * Switches an output on, then off after `ms`; resolves when it is off again, or when a later command took
   * over. An abort switches it off at once.
   */
  pulse(pin: string, ms: number, signal?: AbortSignal, cause?: PinCause): Promise<void>
  /** @throws DamselflyError `PIN_UNKNOWN` */
  state(pin: string): PinValue
}

/** The actions that rules may name. */
export interface ActionCatalogue {
  get(name: string): ActionDefinition | undefined
  names(): readonly string[]
}

/** A systemd unit's side of the process; does nothing outside systemd. */
export interface ServiceManager {
  readonly isPresent: boolean
  /** Milliseconds within which the service manager wants to hear from us; undefined without a watchdog. */
  readonly watchdogMs: number | undefined
  notify(state: ServiceState): void
}

export type ServiceState =
  /** The start goes on: it may take so long from now. */
  | { readonly kind: 'starting'; readonly forMs: number }
  | { readonly kind: 'ready'; readonly status: string }
  | { readonly kind: 'reloading' }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'watchdog' }
  | { readonly kind: 'status'; readonly status: string }

/** Runs actions: owns their start, their stop and the context that they get. */
export interface ActionRunner {
  /** The runner for one action in one rule; cheap enough to be made anew at each reload. */
  runnerFor(action: ActionDefinition, rule: string): Runner
}

/**
 * Runs an action once, with options that are validated. Returns undefined when the action did it at once,
 * else a promise; throws or rejects with what the action threw.
 * `signal` is called only if the action looks at its signal: an AbortController costs more than most actions.
 * `chain`: the rules that led here, this one included.
 */
export type Runner = (
  options: unknown,
  event: Event,
  signal: () => AbortSignal,
  chain: readonly string[],
) => Promise<void> | undefined
