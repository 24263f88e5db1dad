/**
 * The keys of `damselfly.yaml`, each with the JSON Schema (draft 7) that editors show and check.
 * The readers know a key by its presence here, so that neither knows a key which the other does not.
 */
export type Vocabulary = Readonly<Record<string, object>>

/** A reference to one of the definitions of the schema. */
export const ref = (name: string) => ({ $ref: `#/definitions/${name}` })

/** The same with a description or a default of its own: draft 7 ignores whatever stands beside a `$ref`. */
export const like = (name: string) => ({ allOf: [ref(name)] })

export const definitions = {
  state: {
    description: 'on or off.',
    enum: ['on', 'off', true, false],
  },
  level: {
    description: 'on, off or a number.',
    anyOf: [{ enum: ['on', 'off', true, false] }, { type: 'number' }],
  },
  frequency: {
    description: 'A frequency: 50Hz, 25kHz.',
    type: 'string',
    pattern: '^\\s*\\d+(\\.\\d+)?\\s*([kK]|M)?[hH][zZ]\\s*$',
  },
  duration: {
    description: 'A time: 200ms, 30s, 10m, 1h30m, 2d.',
    type: 'string',
    pattern: '^(\\s*\\d+(\\.\\d+)?(ms|s|m|h|d))+\\s*$',
  },
  topic: {
    description: 'A topic to publish to; no wildcards.',
    type: 'string',
    minLength: 1,
    pattern: '^[^+#]*$',
  },
  filter: {
    description: 'A topic filter: + stands for one level, # for all that follow.',
    type: 'string',
    minLength: 1,
  },
  template: {
    description: `A text with expressions in it: \${payload.value}. A single expression keeps its type.`,
    type: 'string',
    pattern: '\\$\\{',
  },
} as const satisfies Vocabulary
