import { like, ref, type Vocabulary } from './definitions.ts'

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
