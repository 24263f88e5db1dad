import { outputRoles } from '../core/home-assistant.ts'
import { limitDefaults } from '../core/limits.ts'
import { telemetryKinds } from '../core/telemetry.ts'
import { formatDuration } from '../core/units.ts'

/**
 * The keys of `damselfly.yaml`, each with the JSON Schema (draft 7) that editors show and check.
 * The readers know a key by its presence here, so that neither knows a key which the other does not.
 */
export type Vocabulary = Readonly<Record<string, object>>

const ref = (name: string) => ({ $ref: `#/definitions/${name}` })

// draft 7 ignores whatever stands beside a $ref
const like = (name: string) => ({ allOf: [ref(name)] })

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

/** What stands below `tls:` of a listener; paths begin in the configuration folder. */
export const tlsKeys = {
  cert: {
    description: 'Its certificate and those between it and its authority, PEM.',
    type: 'string',
    minLength: 1,
  },
  key: {
    description: 'The private key of the certificate, PEM, without a passphrase.',
    type: 'string',
    minLength: 1,
  },
  client_ca: {
    description: 'The authorities that sign the certificates of clients, PEM. With it clients need one.',
    type: 'string',
    minLength: 1,
  },
  crl: {
    description: 'The lists of revoked certificates, one of each authority, PEM.',
    type: 'string',
    minLength: 1,
  },
  client_certificates: {
    description: 'Whether clients show a certificate. required, where there is client_ca, unless told.',
    enum: ['off', 'optional', 'required'],
  },
  user_from: {
    description: 'What of its certificate is the name of a client: with one it needs no password.',
    enum: ['nothing', 'common-name', 'subject-alternative-name'],
    default: 'nothing',
  },
  min_version: {
    description: 'The oldest TLS that is spoken.',
    enum: [1.2, 1.3, '1.2', '1.3'],
    default: '1.2',
  },
} as const satisfies Vocabulary

/** What stands below `websocket:` of a listener. */
export const webSocketKeys = {
  path: {
    description: 'Where MQTT is; "*" for any path.',
    type: 'string',
    pattern: '^(\\*|/[^\\s?#]*)$',
    default: '/mqtt',
  },
  origins: {
    description:
      'Pages that may connect beside those of this machine: https://panel.example.org. "*" lets every page.',
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'array', items: { type: 'string', minLength: 1 } },
    ],
  },
} as const satisfies Vocabulary

export const listenerKeys = {
  port: {
    description: '8883 for TLS and 9001 for WebSocket as a rule.',
    type: 'integer',
    minimum: 1,
    maximum: 65_535,
  },
  bind: {
    description:
      'Where it listens: lan, loopback, all, an interface, an address, or several. As BIND in .env unless told.',
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'array', minItems: 1, items: { type: 'string', minLength: 1 } },
    ],
  },
  unix: {
    description: 'The path of a Unix socket, in place of a port.',
    type: 'string',
    pattern: '^/',
  },
  mode: {
    description: "Who may use the Unix socket: '0660' is its user and group.",
    anyOf: [
      { type: 'string', pattern: '^0?o?[0-7]{3}$' },
      { type: 'integer', minimum: 0, maximum: 777 },
    ],
    default: '0660',
  },
  websocket: {
    description: 'MQTT over WebSocket, for pages in browsers.',
    anyOf: [{ type: 'boolean' }, { type: 'object', properties: webSocketKeys, additionalProperties: false }],
  },
  tls: {
    description: 'Encrypted; damselfly cert init makes the files.',
    anyOf: [
      { const: false },
      { type: 'object', properties: tlsKeys, required: ['cert', 'key'], additionalProperties: false },
    ],
  },
  allow_anonymous: {
    description:
      'Who needs no name: local, true (nobody needs one) or false. As ALLOW_ANONYMOUS unless told.',
    enum: ['local', true, false],
  },
  users: {
    description: 'A file of users of its own, in place of users and of MQTT_USERNAME.',
    type: 'string',
    minLength: 1,
  },
  acl: {
    description: 'Who may do what here: an access control list of its own, in place of acl.',
    type: 'string',
    minLength: 1,
  },
  max_connections: { description: 'Clients at one time.', type: 'integer', minimum: 1 },
} as const satisfies Vocabulary

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

const file = { type: 'string', minLength: 1 }
const prefix = { type: 'string', pattern: '^[^+#]*$' }

export const bridgeKeys = {
  address: {
    description: 'The other broker: mqtt://HOST or mqtts://HOST:PORT; a list: tried one after the other.',
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'array', minItems: 1, items: { type: 'string', minLength: 1 } },
    ],
  },
  round_robin: {
    description: 'true: all addresses are equal. false: the first is gone back to when it answers again.',
    type: 'boolean',
    default: false,
  },
  topics: {
    description: 'What is shared: a filter such as sensors/# goes out; or a map for more.',
    type: 'array',
    minItems: 1,
    items: { anyOf: [ref('filter'), ref('bridgeTopic')] },
  },
  client_id: {
    description: 'Who we are to the other broker; NAME-BRIDGE unless told.',
    type: 'string',
    minLength: 1,
  },
  version: { description: 'Of MQTT: 5 or 3.1.1.', enum: [5, '5', '3.1.1'], default: 5 },
  username: { description: 'The user that the other broker knows.', type: 'string', minLength: 1 },
  password_file: { description: 'A file that holds its password, from the configuration folder.', ...file },
  tls: {
    description: 'For addresses that begin with mqtts:// : whom to trust, and who we are.',
    allOf: [ref('bridgeTls')],
  },
  clean_session: {
    description: 'true: the other broker forgets us when the connection ends, and what it has for us.',
    type: 'boolean',
    default: false,
  },
  local_clean_session: {
    description: 'true: messages for the other broker do not wait here. As clean_session unless told.',
    type: 'boolean',
  },
  keep_qos0: {
    description: 'true: messages of QoS 0 go out with QoS 1, so that they wait as well.',
    type: 'boolean',
    default: false,
  },
  keep_alive: {
    description: 'How soon a silent connection is noticed: 60s.',
    ...like('duration'),
    default: '60s',
  },
  retry_min: {
    description: 'The shortest pause before another attempt.',
    ...like('duration'),
    default: '1s',
  },
  retry_max: {
    description: 'The longest pause before another attempt.',
    ...like('duration'),
    default: '30s',
  },
  start: {
    description: 'automatic; once: not again when the connection ends; lazy: when messages wait.',
    enum: ['automatic', 'lazy', 'once'],
    default: 'automatic',
  },
  threshold: {
    description: 'With start: lazy: so many messages must wait.',
    type: 'integer',
    minimum: 1,
    default: 10,
  },
  idle_timeout: {
    description: 'With start: lazy: the connection ends when nothing has gone over it for this long.',
    ...like('duration'),
    default: '60s',
  },
  notifications: {
    description: 'Whether 1 and 0 are published, retained, when it is connected or not; local: here only.',
    enum: [true, false, 'local'],
    default: true,
  },
  notification_topic: {
    description: 'Where; $SYS/broker/connection/CLIENT_ID/state unless told.',
    ...like('topic'),
  },
  max_packet_size: {
    description: 'Bytes of a packet that is sent: 131072, 128KiB.',
    anyOf: [
      { type: 'integer', minimum: 20 },
      { type: 'string', minLength: 1 },
    ],
  },
  attempt_unsubscribe: {
    description: 'false: what only goes out is not unsubscribed from there at each connection.',
    type: 'boolean',
    default: true,
  },
  outgoing_retain: { description: 'false: nothing is sent as retained.', type: 'boolean', default: true },
  try_private: {
    description: 'false: a broker of MQTT 3.1.1 is not told that this is a bridge.',
    type: 'boolean',
    default: true,
  },
  bind_address: {
    description: 'The address of this machine to connect from.',
    type: 'string',
    minLength: 1,
  },
} as const satisfies Vocabulary

export const bridgeTopicKeys = {
  topic: {
    description: 'A filter: here it stands behind local_prefix, there behind remote_prefix.',
    ...like('filter'),
  },
  direction: {
    description: 'out: from here to there; in: from there to here.',
    enum: ['out', 'in', 'both'],
    default: 'out',
  },
  qos: { description: 'The greatest QoS: 0, 1 or 2.', enum: [0, 1, 2], default: 1 },
  local_prefix: { description: 'What stands before the topic here: home/', ...prefix },
  remote_prefix: { description: 'What stands before the topic there: site1/', ...prefix },
  local: { description: 'One topic, as it is called here; with remote, instead of topic.', ...like('topic') },
  remote: { description: 'One topic, as it is called there; with local.', ...like('topic') },
} as const satisfies Vocabulary

export const bridgeTlsKeys = {
  ca: {
    description: 'A file with the certificates of the authorities to trust, and of no others.',
    ...file,
  },
  certificate: { description: 'A file with our certificate.', ...file },
  key: { description: 'A file with its key.', ...file },
  alpn: { description: 'An application protocol to ask for: x-amzn-mqtt-ca.', type: 'string', minLength: 1 },
  insecure_any_host: {
    description: 'true: DANGEROUS. The certificate may be for any host, so that others may take its place.',
    type: 'boolean',
    default: false,
  },
} as const satisfies Vocabulary

/** A step's options that belong to no action. */
export const stepKeys = {
  timeout: { description: 'How long the step may take: 10s.', ...like('duration') },
} as const satisfies Vocabulary

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
