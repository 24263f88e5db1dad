import type { z } from 'zod'
import type { Event } from './event.ts'
import type { OutgoingMessage } from './message.ts'
import type { Logger, Pins } from './ports.ts'
import type { SchemaTools } from './schema.ts'

/** Options for a JSON value as it stands in YAML. */
export type OptionsSchema = z.ZodType

/**
 * An action: something that a rule's step does. The built-in ones use this very contract.
 *
 * In a rule a step is `{ NAME: value, option: … }`, and the whole step is the action's options, the value
 * under its name included. The options are checked when the configuration is read, and those that hold
 * templates again for each event, with the templates filled in.
 */
export interface ActionDefinition<Schema extends OptionsSchema = OptionsSchema> {
  /** The word in YAML: a letter, then letters, digits, `-` or `_`. */
  readonly name: string
  /** Describes the options; must be an object schema with a key that has the action's name. */
  options(z: SchemaTools): Schema
  /** Milliseconds that a run may take when the step has no `timeout:` of its own; 30,000 unless told. */
  readonly timeoutMs?: number
  /**
   * Does it, once an event. A throw or a rejection is logged with rule and action and harms nothing else.
   * When `context.signal` aborts (time limit, stop) it should end soon; the rule goes on without it anyway.
   */
  run(context: RunContext<z.output<Schema>>): Promise<void> | void
  /** Called once before the first run, if any rule uses the action; may claim files, connections. */
  start?(context: StartContext): Promise<void> | void
  /** Called once at the end, if `start` was called, when no run is left. */
  stop?(): Promise<void> | void
}

/** A log for actions: fields and a message, or a message alone. */
export type ActionLogger = {
  readonly [Level in keyof Logger]: {
    (fields: object, message: string): void
    (message: string): void
  }
}

export interface StartContext {
  /** Each line gets the rule's and the action's name. */
  readonly log: ActionLogger
  /** A folder that belongs to Damselfly and outlives it; absolute. */
  readonly dataDir: string
  readonly gpio: Pins
  /** Publishes a message; rejects when the topic is not valid. */
  publish(message: OutgoingMessage): Promise<void>
}

export interface RunContext<Options> extends StartContext {
  /** Validated, with templates filled in and defaults set. */
  readonly options: Options
  readonly event: Event
  /** Which rule this run belongs to. */
  readonly rule: string
  /** Aborts when the step's time limit passes or the daemon stops. */
  readonly signal: AbortSignal
}

/** Gives an action its types; returns it unchanged. */
export function defineAction<Schema extends OptionsSchema>(
  definition: ActionDefinition<Schema>,
): ActionDefinition<Schema> {
  return definition
}
