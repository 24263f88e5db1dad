import type { z } from 'zod'
import { reasonOf } from './errors.ts'
import { nearest } from './nearest.ts'
import { type PinCommand, parsePinCommand } from './pin.ts'
import { filterProblem, topicProblem } from './topics.ts'
import { parseDuration } from './units.ts'
import { zod } from './zod.ts'

/** What the schemas need to know of the house, so that a wrong name is found before the first message. */
export interface SchemaFacts {
  /** Names of the output pins; undefined when not known (as for the JSON Schema): then every name passes. */
  readonly outputs?: ReadonlySet<string>
  /** Why an output does not understand a command; undefined when it does, or when that is not known. */
  readonly commandProblem?: (pin: string, command: PinCommand) => string | undefined
}

/**
 * zod, with the house's own nouns. An action describes its options with it:
 * `(z) => z.object({ beep: z.pin(), for: z.duration().default('200ms') })`.
 */
export type SchemaTools = typeof z & {
  /** `200ms`, `30s`, `1h30m`; becomes a number of milliseconds. A default is written the same way. */
  duration(): DurationSchema
  /** The name of an output pin in `pins:`. */
  pin(): z.ZodString
  /** A command for an output pin: on, off, toggle, blink or a number, also `true`, `"ON"`, `"40"`. */
  pinCommand(): z.ZodType<PinCommand>
  /** Why this pin does not understand this command, for a check across two options; undefined when it does. */
  commandProblem(pin: string, command: PinCommand): string | undefined
  /** A topic to publish to: no wildcards. */
  topic(): z.ZodString
  /** A topic filter: `+` and `#` allowed. */
  filter(): z.ZodString
}

/** A duration's schema: text on the way in, milliseconds on the way out. */
export type DurationSchema = z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> & {
  default(text: string): z.ZodPrefault<DurationSchema>
}

/** The schema tools for a house with these pins. */
export function schemaTools(facts: SchemaFacts = {}): SchemaTools {
  return Object.assign(Object.create(zod) as typeof z, {
    duration,
    pin: () => pin(facts.outputs),
    pinCommand,
    commandProblem: (name: string, command: PinCommand) => facts.commandProblem?.(name, command),
    topic: () => checkedText(topicProblem, 'a topic', 'home/lamp'),
    filter: () => checkedText(filterProblem, 'a topic filter', 'home/+/set'),
  })
}

function duration(): DurationSchema {
  const schema = zod
    .string('a duration such as 200ms, 30s, 10m or 1h30m')
    .meta({
      pattern: '^(\\s*\\d+(\\.\\d+)?\\s*(ms|s|m|h|d))+\\s*$',
      examples: ['200ms', '30s', '10m', '1h30m'],
    })
    .transform((text, context) => {
      try {
        return parseDuration(text)
      } catch (error) {
        context.addIssue({ code: 'custom', message: reasonOf(error) })
        return zod.NEVER
      }
    })
  // zod's own default() of a pipe would be given in milliseconds; people write "200ms"
  return Object.assign(schema, {
    default: (text: string) => zod.prefault(schema, text),
  }) as unknown as DurationSchema
}

function pin(outputs: ReadonlySet<string> | undefined): z.ZodString {
  const schema = zod.string('the name of an output pin')
  if (outputs === undefined) return schema
  return schema.superRefine((name, context) => {
    if (outputs.has(name)) return
    const near = nearest(name, outputs)
    const known =
      outputs.size === 0 ? 'pins: has no output pin yet' : `output pins are ${[...outputs].join(', ')}`
    context.addIssue({
      code: 'custom',
      message: `no output pin is named "${name}"; ${known}`,
      params: near === undefined ? {} : { suggestion: near },
    })
  })
}

const commandWords = ['on', 'off', 'toggle', 'blink'] as const

// What devices send for on and off is as good as the words: true, 1, "ON", "1".
function pinCommand(): z.ZodType<PinCommand> {
  return zod
    .union(
      [zod.enum(commandWords), zod.boolean(), zod.number(), zod.string()],
      'on, off, toggle, blink or a number',
    )
    .transform((value, context): PinCommand => {
      const command = typeof value === 'number' ? value : parsePinCommand(String(value))
      if (command !== undefined) return command
      const word = String(value).trim().slice(0, 40)
      const near = nearest(word, commandWords)
      context.addIssue({
        code: 'custom',
        message: `"${word}" is not on, off, toggle, blink or a number`,
        params: near === undefined ? {} : { suggestion: near },
      })
      return zod.NEVER
    })
}

function checkedText(
  problem: (text: string) => string | undefined,
  what: string,
  example: string,
): z.ZodString {
  return zod.string(`${what} such as ${example}`).superRefine((text, context) => {
    const found = problem(text)
    if (found !== undefined)
      context.addIssue({ code: 'custom', message: `"${text}" is not ${what}: ${found}` })
  })
}
