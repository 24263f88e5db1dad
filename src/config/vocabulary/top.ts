import { ref, type Vocabulary } from './definitions.ts'

export const topKeys = {
  pins: {
    description: 'The lines of the GPIO header that belong to Damselfly, by name.',
    type: ['object', 'null'],
    propertyNames: { pattern: '^[A-Za-z0-9_-]+$' },
    additionalProperties: ref('pin'),
  },
  sensors: {
    description:
      'Values that are read again and again, by name: temperatures, and any file that holds a number.',
    type: ['object', 'null'],
    propertyNames: { pattern: '^[A-Za-z0-9_-]+$' },
    additionalProperties: ref('sensor'),
  },
  telemetry: {
    description: 'How this machine is: temperature, throttling, load, memory, disk, Wi-Fi. true, or how.',
    anyOf: [{ type: ['boolean', 'null'] }, ref('telemetry')],
  },
  homeassistant: {
    description:
      'Tells Home Assistant of all pins and sensors: true, false, auto (once it has shown itself), or how.',
    anyOf: [{ enum: [true, false, 'auto', null] }, ref('homeassistant')],
    default: 'auto',
  },
  listeners: {
    description:
      'More ways into the broker, by name: with TLS, for WebSockets, a Unix socket; each with its own rules.',
    type: ['object', 'null'],
    propertyNames: { pattern: '^(?!main$)[A-Za-z0-9_-]+$' },
    additionalProperties: ref('listener'),
  },
  bridges: {
    description: 'Connections to other brokers that share some topics with them, by name.',
    type: ['object', 'null'],
    propertyNames: { pattern: '^[A-Za-z0-9_-]+$' },
    additionalProperties: ref('bridge'),
  },
  rules: {
    description: 'What is to happen when.',
    type: ['array', 'null'],
    items: ref('rule'),
  },
  plugins: {
    description: 'npm packages that bring actions, looked for from the configuration folder.',
    type: ['array', 'null'],
    items: { type: 'string', minLength: 1 },
  },
} as const satisfies Vocabulary
