import { outputRoles } from '../../core/home-assistant.ts'
import { limitDefaults } from '../../core/limits.ts'
import { telemetryKinds } from '../../core/telemetry.ts'
import { formatDuration } from '../../core/units.ts'
import { like, ref, type Vocabulary } from './definitions.ts'

export const sensorKeys = {
  read: {
    description:
      'cpu, w1: and the id of a 1-Wire temperature sensor such as w1:28-0316a2795aff, or the path of a file that holds a number.',
    type: 'string',
    pattern: '^(cpu|w1:[0-9a-fA-F]{2}-[0-9a-fA-F]{1,12}|/.*)$',
  },
  every: {
    description: `How often it is read: 30s. At least ${formatDuration(limitDefaults.sensorEveryMsMin)}; 1m unless told.`,
    ...like('duration'),
  },
  publish: { description: 'A topic that gets each value.', ...like('topic') },
  scale: { description: 'The value is what was read times this …', type: 'number', default: 1 },
  offset: { description: '… plus this …', type: 'number', default: 0 },
  decimals: {
    description: '… with at most so many decimals. 1 for cpu and w1, else 3.',
    type: 'integer',
    minimum: 0,
    maximum: 9,
  },
} as const satisfies Vocabulary

export const telemetryKeys = {
  every: {
    description: `How often: 1m. At least ${formatDuration(limitDefaults.sensorEveryMsMin)}; 1m unless told.`,
    ...like('duration'),
  },
  publish: { description: 'A topic that gets each reading, as JSON.', ...like('topic') },
  only: {
    description: 'What is told; all that the machine knows unless told.',
    anyOf: [{ enum: telemetryKinds }, { type: 'array', minItems: 1, items: { enum: telemetryKinds } }],
  },
} as const satisfies Vocabulary

export const homeAssistantKeys = {
  announce: {
    description: 'true; auto: once Home Assistant has shown itself; false: not at all.',
    enum: [true, false, 'auto'],
    default: true,
  },
  prefix: {
    description: 'Where Home Assistant looks for devices.',
    ...like('topic'),
    default: 'homeassistant',
  },
  name: { description: 'What the device is called there; NAME unless told.', type: 'string', minLength: 1 },
  area: { description: 'The room that is proposed for it.', type: 'string', minLength: 1 },
  pins: {
    description: 'How single pins are shown, by name; false hides one.',
    type: 'object',
    additionalProperties: { anyOf: [{ const: false }, ref('entity')] },
  },
  sensors: {
    description: 'How single sensors are shown, by name; false hides one.',
    type: 'object',
    additionalProperties: { anyOf: [{ const: false }, ref('entity')] },
  },
} as const satisfies Vocabulary

/** What stands below the name of a pin or sensor in `homeassistant:`. */
export const entityKeys = {
  name: { description: 'What it is called.', type: 'string', minLength: 1 },
  as: { description: 'What an output is taken for.', enum: outputRoles },
  class: {
    description: 'The device class of Home Assistant: door, motion, energy, humidity.',
    type: 'string',
    minLength: 1,
  },
  unit: { description: 'The unit of a counter or sensor: kWh, %.', type: 'string', minLength: 1 },
  icon: { description: 'mdi:garage', type: 'string', minLength: 1 },
} as const satisfies Vocabulary
