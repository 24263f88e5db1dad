import { DamselflyError } from '../core/errors.ts'

/** Properties as MQTT.js takes them. */
export type Properties = Readonly<Record<string, unknown>>

const commands = ['connect', 'publish', 'subscribe', 'unsubscribe', 'disconnect', 'will'] as const
type Command = (typeof commands)[number]

interface Identifier {
  /** As MQTT.js calls it. */
  readonly name: string
  readonly kind: 'flag' | 'number' | 'text' | 'bytes' | 'pair'
  readonly max?: number
  readonly on: readonly Command[]
}

const twoBytes = 65_535
const fourBytes = 4_294_967_295

/** MQTT 5, table 2-4: what a client may send, and with which packet. */
const identifiers: Readonly<Record<string, Identifier>> = {
  'payload-format-indicator': { name: 'payloadFormatIndicator', kind: 'flag', on: ['publish', 'will'] },
  'message-expiry-interval': {
    name: 'messageExpiryInterval',
    kind: 'number',
    max: fourBytes,
    on: ['publish', 'will'],
  },
  'content-type': { name: 'contentType', kind: 'text', on: ['publish', 'will'] },
  'response-topic': { name: 'responseTopic', kind: 'text', on: ['publish', 'will'] },
  'correlation-data': { name: 'correlationData', kind: 'bytes', on: ['publish', 'will'] },
  'topic-alias': { name: 'topicAlias', kind: 'number', max: twoBytes, on: ['publish'] },
  'subscription-identifier': {
    name: 'subscriptionIdentifier',
    kind: 'number',
    max: 268_435_455,
    on: ['subscribe'],
  },
  'session-expiry-interval': {
    name: 'sessionExpiryInterval',
    kind: 'number',
    max: fourBytes,
    on: ['connect', 'disconnect'],
  },
  'authentication-method': { name: 'authenticationMethod', kind: 'text', on: ['connect'] },
  'authentication-data': { name: 'authenticationData', kind: 'bytes', on: ['connect'] },
  'request-problem-information': { name: 'requestProblemInformation', kind: 'flag', on: ['connect'] },
  'request-response-information': { name: 'requestResponseInformation', kind: 'flag', on: ['connect'] },
  'receive-maximum': { name: 'receiveMaximum', kind: 'number', max: twoBytes, on: ['connect'] },
  'topic-alias-maximum': { name: 'topicAliasMaximum', kind: 'number', max: twoBytes, on: ['connect'] },
  'maximum-packet-size': { name: 'maximumPacketSize', kind: 'number', max: fourBytes, on: ['connect'] },
  'will-delay-interval': { name: 'willDelayInterval', kind: 'number', max: fourBytes, on: ['will'] },
  'user-property': { name: 'userProperties', kind: 'pair', on: commands },
}

/**
 * Reads what `-D` says, by the packet that it is for.
 * @throws DamselflyError `USAGE`
 */
export function readProperties(all: readonly (readonly string[])[]): ReadonlyMap<Command, Properties> {
  const found = new Map<Command, Record<string, unknown>>()
  for (const [packet = '', identifier = '', ...values] of all) {
    const command = commands.find((known) => known === packet.toLowerCase())
    if (command === undefined) {
      const isOther = /^(auth|puback|pubrec|pubrel|pubcomp)$/i.test(packet)
      throw usage(
        isOther
          ? `-D ${packet} cannot be had: these packets are sent without properties`
          : `-D knows the packets ${commands.join(', ')}, not "${packet}"`,
      )
    }
    const known = Object.hasOwn(identifiers, identifier) ? identifiers[identifier] : undefined
    if (known === undefined) throw usage(`-D does not know the property "${identifier}"`)
    if (!known.on.includes(command)) throw usage(`-D: ${identifier} is not allowed for ${command}`)
    const properties = found.get(command) ?? {}
    found.set(command, properties)
    if (known.kind === 'pair') addPair(properties, values as [string, string])
    else properties[known.name] = readValue(known, identifier, values[0] as string)
  }
  return found
}

/** One name may come several times. */
function addPair(properties: Record<string, unknown>, [name, value]: [string, string]): void {
  const pairs = (properties['userProperties'] ?? Object.create(null)) as Record<string, string | string[]>
  const before = pairs[name]
  pairs[name] = before === undefined ? value : [...[before].flat(), value]
  properties['userProperties'] = pairs
}

function readValue({ kind, max = 1 }: Identifier, identifier: string, text: string): unknown {
  if (kind === 'text') return text
  if (kind === 'bytes') return Buffer.from(text)
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= max)) throw usage(`-D: ${identifier} is a whole number from 0 to ${max}, not "${text}"`)
  return kind === 'flag' ? value === 1 : value
}

function usage(message: string): DamselflyError {
  return new DamselflyError('USAGE', message)
}
