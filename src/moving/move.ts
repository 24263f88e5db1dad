import type { Secret } from '../core/secret.ts'
import type { MosquittoConf, Statement } from './mosquitto-conf.ts'
import type { Outcome, Outcomes } from './outcome.ts'

/** A value of `damselfly.yaml`. */
export type YamlValue =
  | string
  | number
  | boolean
  | readonly YamlValue[]
  | { readonly [key: string]: YamlValue }
export type YamlMap = { readonly [key: string]: YamlValue }

/** A file of mosquitto's that goes into `CONFIG_DIR`, under this name. */
export interface Copy {
  readonly from: string
  readonly to: string
  readonly what: 'users' | 'acl'
}

/** A file that is made of what mosquitto.conf says, in `CONFIG_DIR`; it may be a password. */
export interface SecretFile {
  readonly to: string
  readonly text: Secret
}

/** A file that is named in the settings where it is. */
export interface Reference {
  readonly path: string
  readonly what: string
  readonly statement: Statement
}

/** A configuration of mosquitto as settings of Damselfly. */
export interface Move {
  /** Keys of `.env`. */
  readonly env: ReadonlyMap<string, string>
  /** What goes below `listeners:` and `bridges:`, by name. */
  readonly listeners: ReadonlyMap<string, YamlMap>
  readonly bridges: ReadonlyMap<string, YamlMap>
  readonly copies: readonly Copy[]
  readonly secrets: readonly SecretFile[]
  readonly references: readonly Reference[]
  /** One for each line. */
  readonly outcomes: readonly Outcome[]
  /** What is to be known and stands in no line. */
  readonly notes: readonly string[]
  /** Where mosquitto listens, and Damselfly will. */
  readonly doors: readonly Door[]
  /** What mosquitto queues for a client, `max_queued_messages`; undefined when it does not say. */
  readonly queueMessagesMax: number | undefined
}

/** What the parts of the translation fill. */
export interface Draft {
  readonly conf: MosquittoConf
  /** The name of this machine, as `hostname` says it. */
  readonly host: string
  readonly env: Map<string, string>
  readonly listeners: Map<string, YamlMap>
  readonly bridges: Map<string, YamlMap>
  readonly copies: Copy[]
  readonly secrets: SecretFile[]
  readonly references: Reference[]
  readonly outcomes: Outcomes
  readonly notes: string[]
}

/** One of mosquitto's ways in, which is one of ours afterwards. */
export interface Door {
  /** `main`, or its key below `listeners:`. */
  readonly name: string
  /** Empty for a Unix socket. */
  readonly host: string
  readonly port: number
  readonly unix: string | undefined
  readonly isWebSocket: boolean
  readonly isTls: boolean
  readonly wantsCertificate: boolean
  /** Its clients see other topics than those of the other listeners. */
  readonly isMounted: boolean
}
