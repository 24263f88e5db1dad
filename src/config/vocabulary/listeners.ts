import type { Vocabulary } from './definitions.ts'

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
