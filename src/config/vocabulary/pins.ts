import { limitDefaults } from '../../core/limits.ts'
import { formatDuration } from '../../core/units.ts'
import { like, type Vocabulary } from './definitions.ts'

export const bothPinKeys = {
  gpio: {
    description:
      'The GPIO number as in pinout diagrams (17 is GPIO17, on header pin 11), or the name of a line.',
    anyOf: [
      { type: 'integer', minimum: 0 },
      { type: 'string', minLength: 1 },
    ],
  },
  active: {
    description: 'low: "on" is a low level, as for most relay boards and for buttons to ground. Else high.',
    enum: ['high', 'low'],
    default: 'high',
  },
} as const satisfies Vocabulary

export const outputPinKeys = {
  out: { description: 'This pin is an output.', const: true },
  initial: {
    description: 'Driven when Damselfly starts, without a glitch.',
    ...like('state'),
    default: 'off',
  },
  on_stop: {
    description: 'Driven when Damselfly stops, and after a crash.',
    ...like('state'),
    default: 'off',
  },
  max_on: { description: 'The longest time that it may stay on: 10m.', ...like('duration') },
  interlock: {
    description: 'Outputs that are never on together with this one; it holds for them, too.',
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'array', minItems: 1, items: { type: 'string', minLength: 1 } },
    ],
  },
  dead_time: {
    description: 'How long those must have been off before this one goes on, and the other way round: 500ms.',
    ...like('duration'),
    default: '100ms',
  },
} as const satisfies Vocabulary

/** What PWM pins and servos have in common. */
const pulsedPinKeys = {
  max_on: outputPinKeys.max_on,
  channel: {
    description: 'The channel of the PWM chip, where the GPIO number does not say it.',
    type: 'integer',
    minimum: 0,
  },
  pwm_chip: {
    description: 'The device that makes the pulses, such as 1f00098000.pwm; not its number, which changes.',
    type: 'string',
    minLength: 1,
  },
} as const satisfies Vocabulary

export const pwmPinKeys = {
  pwm: { description: 'This pin gets pulses from the kernel; commands are percent.', const: true },
  frequency: { description: 'Of the pulses: 50Hz, 25kHz.', ...like('frequency'), default: '1kHz' },
  min: { description: 'The least duty but 0, in percent.', type: 'number', minimum: 0, default: 0 },
  max: {
    description: 'The greatest duty, which is "on", in percent.',
    type: 'number',
    maximum: 100,
    default: 100,
  },
  initial: {
    description: 'Driven when Damselfly starts: on, off or percent.',
    ...like('level'),
    default: 'off',
  },
  on_stop: {
    description: 'Driven when Damselfly stops, and after a crash: on, off or percent.',
    ...like('level'),
    default: 'off',
  },
  ...pulsedPinKeys,
  interlock: outputPinKeys.interlock,
  dead_time: outputPinKeys.dead_time,
} as const satisfies Vocabulary

export const servoPinKeys = {
  servo: { description: 'This pin moves a servo; commands are degrees.', const: true },
  range: { description: 'How far the servo turns, in degrees.', type: 'number', minimum: 1, default: 180 },
  pulse: {
    description: 'The pulses at 0 degrees and at the end of the range: [0.5ms, 2.5ms].',
    type: 'array',
    minItems: 2,
    maxItems: 2,
    items: { type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?\\s*(ms|us|µs|μs)\\s*$' },
    default: ['0.5ms', '2.5ms'],
  },
  min: {
    description: 'The least angle that it is moved to, in degrees.',
    type: 'number',
    minimum: 0,
    default: 0,
  },
  max: { description: 'The greatest one, which is "on"; the range unless told.', type: 'number' },
  initial: {
    description: 'The angle when Damselfly starts; off: no pulses, so that it does not move.',
    ...like('level'),
    default: 'off',
  },
  on_stop: {
    description: 'The angle when Damselfly stops, and after a crash; off: no pulses.',
    ...like('level'),
    default: 'off',
  },
  ...pulsedPinKeys,
} as const satisfies Vocabulary

/** What stands below `press:` of an input. */
export const pressKeys = {
  short: { description: 'The topic that gets short.', ...like('topic') },
  long: { description: 'The topic that gets long, while the button is still held.', ...like('topic') },
  double: {
    description: 'The topic that gets double. A short press is then told only when no second one has come.',
    ...like('topic'),
  },
  long_after: {
    description: 'How long the button is held for a long press. 500ms unless told.',
    ...like('duration'),
  },
  double_within: {
    description: 'How soon after a release a second press makes it double. 300ms unless told.',
    ...like('duration'),
  },
} as const satisfies Vocabulary

/** What stands below `count:` of an input. */
export const countKeys = {
  per_pulse: {
    description: 'What one pulse adds to the total: 0.001 (kWh) for a meter of 1000 pulses a kWh.',
    type: 'number',
    default: 1,
  },
  rate_per: {
    description: 'The rate is told per hour, minute or second: with kWh, h gives kW.',
    enum: ['h', 'm', 's'],
    default: 'h',
  },
  every: {
    description: 'How often total and rate are told, when they have changed. 10s unless told.',
    ...like('duration'),
  },
  publish: { description: 'The topic that gets { "total", "rate", "pulses" }.', ...like('topic') },
} as const satisfies Vocabulary

export const inputPinKeys = {
  in: { description: 'This pin is an input.', const: true },
  pull: {
    description: 'The resistor in the chip; as-is leaves it as the system has set it.',
    enum: ['up', 'down', 'none', 'as-is'],
    default: 'as-is',
  },
  debounce: {
    description: `How long the level must be stable: 30ms. At most ${formatDuration(limitDefaults.pinDebounceMsMax)}.`,
    ...like('duration'),
  },
  publish: { description: 'The topic that gets on or off at each change.', ...like('topic') },
  press: {
    description:
      'Tells short, long and double presses apart; true, or what to tell where. Debounced for 20ms.',
    anyOf: [{ const: true }, { type: 'object', properties: pressKeys, additionalProperties: false }],
  },
  count: {
    description: 'Counts the pulses of a meter; true, or what they mean.',
    anyOf: [{ const: true }, { type: 'object', properties: countKeys, additionalProperties: false }],
  },
} as const satisfies Vocabulary
