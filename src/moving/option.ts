/** What an option of mosquitto.conf(5) belongs to. */
export type Scope =
  /** The whole broker. */
  | 'general'
  /** The whole broker, or with `per_listener_settings true` the listener above it. */
  | 'security'
  /** The `listener` above it, or the one of `port` and `bind_address`. */
  | 'listener'
  /** The `connection` above it. */
  | 'bridge'
  /** The plugin above it. */
  | 'plugin'

/** What becomes of an option. */
export type Fate =
  /** It becomes a setting here. */
  | { readonly kind: 'taken'; readonly here: string }
  /** Nothing is to be written: it is so here, or it says nothing here. `unless`: values of which that is not true. */
  | {
      readonly kind: 'same'
      readonly here: string
      readonly unless?: { readonly values: readonly string[]; readonly what: string }
    }
  /** There is nothing like it; `what`: why, and what to do. `unless`: values that nobody misses. */
  | { readonly kind: 'lost'; readonly what: string; readonly unless?: readonly string[] }

/** One option of mosquitto.conf(5). Texts are Markdown. */
export interface Option {
  readonly name: string
  /** Other names of it. */
  readonly aliases?: readonly string[]
  readonly scope: Scope
  /** `text` is the rest of the line, spaces and all; of `word` what follows the first word counts for nothing. */
  readonly value: 'word' | 'text'
  /** The version that it came with, if that is later than 2.0. */
  readonly since?: '2.1'
  readonly fate: Fate
  /** A value that is valid. */
  readonly sample: string
}

/** The beginning of an option's name, of which the rest is free. */
export function isFamily(option: Option): boolean {
  return option.name.endsWith('*')
}
