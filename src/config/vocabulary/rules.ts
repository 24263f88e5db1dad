import { limitDefaults } from '../../core/limits.ts'
import { formatDuration } from '../../core/units.ts'
import { like, ref, type Vocabulary } from './definitions.ts'

export const ruleKeys = {
  name: {
    description: 'Names the rule in logs; no two rules have the same. Else it is made from what sets it off.',
    type: 'string',
    minLength: 1,
  },
  enabled: { description: 'false switches the rule off.', type: 'boolean', default: true },
  on: {
    description:
      'Fires when a message arrives whose topic matches: home/lamp/set, sensors/+/temperature, or a list.',
    anyOf: [ref('filter'), { type: 'array', minItems: 1, items: ref('filter') }],
  },
  every: {
    description: `Fires again and again: 5s. At least ${formatDuration(limitDefaults.everyMsMin)}.`,
    ...like('duration'),
  },
  at: {
    description:
      'Fires at a time of day, "07:30" or "07:30:15", or as a cron pattern says: "0 7 * * mon-fri". Local time.',
    type: 'string',
    minLength: 1,
  },
  when: {
    description:
      'Fires only if this holds: an expression, payload.value > 30, or a map of payload fields, { msg: ON }.',
    anyOf: [{ type: 'string', minLength: 1 }, { type: 'object' }],
  },
  until: {
    description:
      'After firing, the topic does not fire again before this has held: payload.t < 27. As when, which it needs.',
    anyOf: [{ type: 'string', minLength: 1 }, { type: 'object' }],
  },
  after: {
    description: `With on: fires when a topic has had no message for this long: 10m. At least ${formatDuration(limitDefaults.everyMsMin)}.`,
    ...like('duration'),
  },
  do: {
    description: 'The steps, one after the other.',
    anyOf: [ref('step'), { type: 'array', minItems: 1, items: ref('step') }],
  },
  else: {
    description:
      'Steps for when the condition does not hold; with until, for when that holds again; with after, for when the topic speaks again.',
    anyOf: [ref('step'), { type: 'array', minItems: 1, items: ref('step') }],
  },
  throttle: {
    description: 'After firing, ignore the same topic for this long: 10s.',
    ...like('duration'),
  },
  debounce: {
    description: 'Fire only when the topic has been quiet for this long, with the last message: 200ms.',
    ...like('duration'),
  },
  retained: {
    description: 'true: fire also on retained messages that were there before the rule.',
    type: 'boolean',
    default: false,
  },
} as const satisfies Vocabulary

/** A step's options that belong to no action. */
export const stepKeys = {
  timeout: { description: 'How long the step may take: 10s.', ...like('duration') },
} as const satisfies Vocabulary
