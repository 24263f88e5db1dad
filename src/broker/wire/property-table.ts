import { type PacketName, packetType } from './packet-types.ts'
import { reasonCode } from './reason-codes.ts'

/** MQTT 5 properties of one packet; what is absent was not sent. */
export interface Properties {
  payloadFormatIndicator?: 0 | 1
  /** Seconds. */
  messageExpiryInterval?: number
  contentType?: string
  responseTopic?: string
  correlationData?: Buffer
  /** At most one in SUBSCRIBE. */
  subscriptionIdentifiers?: readonly number[]
  /** Seconds; 0xFFFFFFFF for never. */
  sessionExpiryInterval?: number
  assignedClientIdentifier?: string
  /** Seconds. */
  serverKeepAlive?: number
  authenticationMethod?: string
  authenticationData?: Buffer
  requestProblemInformation?: boolean
  /** Seconds. */
  willDelayInterval?: number
  requestResponseInformation?: boolean
  responseInformation?: string
  serverReference?: string
  reasonString?: string
  receiveMaximum?: number
  topicAliasMaximum?: number
  topicAlias?: number
  maximumQos?: 0 | 1
  retainAvailable?: boolean
  userProperties?: readonly (readonly [name: string, value: string])[]
  /** Bytes. */
  maximumPacketSize?: number
  wildcardSubscriptionAvailable?: boolean
  subscriptionIdentifierAvailable?: boolean
  sharedSubscriptionAvailable?: boolean
}

/** What carries properties; those of a will stand in CONNECT's payload. */
export type PropertyBearer = Exclude<PacketName, 'pingreq' | 'pingresp'> | 'will'

/** `bit` is a byte of 0 or 1 read as a number, `flag` one read as a boolean. */
export type PropertyKind = 'bit' | 'flag' | 'u16' | 'u32' | 'varint' | 'string' | 'topic' | 'binary' | 'pair'

/** One row of the table. */
export interface Property {
  readonly id: number
  readonly name: keyof Properties
  readonly kind: PropertyKind
  readonly bearers: readonly PropertyBearer[]
  /** Where it may come more than once. */
  readonly repeatsIn?: readonly PropertyBearer[]
  /** The reason code for a 0 where none may be. */
  readonly zeroCode?: number
}

const message = ['publish', 'will'] as const
const opening = ['connect', 'connack'] as const
const authenticated = ['connect', 'connack', 'auth'] as const
const everywhere = [
  ...(Object.keys(packetType) as PacketName[]).filter((name) => name !== 'pingreq' && name !== 'pingresp'),
  'will',
] as readonly PropertyBearer[]
const reasoned = [
  'connack',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'suback',
  'unsuback',
  'disconnect',
  'auth',
] as const

/** MQTT 5 table 2-4, in the order of the identifiers. */
export const propertyTable: readonly Property[] = [
  { id: 1, name: 'payloadFormatIndicator', kind: 'bit', bearers: message },
  { id: 2, name: 'messageExpiryInterval', kind: 'u32', bearers: message },
  { id: 3, name: 'contentType', kind: 'string', bearers: message },
  { id: 8, name: 'responseTopic', kind: 'topic', bearers: message },
  { id: 9, name: 'correlationData', kind: 'binary', bearers: message },
  {
    id: 11,
    name: 'subscriptionIdentifiers',
    kind: 'varint',
    bearers: ['publish', 'subscribe'],
    repeatsIn: ['publish'],
    zeroCode: reasonCode.protocolError,
  },
  { id: 17, name: 'sessionExpiryInterval', kind: 'u32', bearers: ['connect', 'connack', 'disconnect'] },
  { id: 18, name: 'assignedClientIdentifier', kind: 'string', bearers: ['connack'] },
  { id: 19, name: 'serverKeepAlive', kind: 'u16', bearers: ['connack'] },
  { id: 21, name: 'authenticationMethod', kind: 'string', bearers: authenticated },
  { id: 22, name: 'authenticationData', kind: 'binary', bearers: authenticated },
  { id: 23, name: 'requestProblemInformation', kind: 'flag', bearers: ['connect'] },
  { id: 24, name: 'willDelayInterval', kind: 'u32', bearers: ['will'] },
  { id: 25, name: 'requestResponseInformation', kind: 'flag', bearers: ['connect'] },
  { id: 26, name: 'responseInformation', kind: 'string', bearers: ['connack'] },
  { id: 28, name: 'serverReference', kind: 'string', bearers: ['connack', 'disconnect'] },
  { id: 31, name: 'reasonString', kind: 'string', bearers: reasoned },
  { id: 33, name: 'receiveMaximum', kind: 'u16', bearers: opening, zeroCode: reasonCode.protocolError },
  { id: 34, name: 'topicAliasMaximum', kind: 'u16', bearers: opening },
  { id: 35, name: 'topicAlias', kind: 'u16', bearers: ['publish'], zeroCode: reasonCode.topicAliasInvalid },
  { id: 36, name: 'maximumQos', kind: 'bit', bearers: ['connack'] },
  { id: 37, name: 'retainAvailable', kind: 'flag', bearers: ['connack'] },
  { id: 38, name: 'userProperties', kind: 'pair', bearers: everywhere, repeatsIn: everywhere },
  { id: 39, name: 'maximumPacketSize', kind: 'u32', bearers: opening, zeroCode: reasonCode.protocolError },
  { id: 40, name: 'wildcardSubscriptionAvailable', kind: 'flag', bearers: ['connack'] },
  { id: 41, name: 'subscriptionIdentifierAvailable', kind: 'flag', bearers: ['connack'] },
  { id: 42, name: 'sharedSubscriptionAvailable', kind: 'flag', bearers: ['connack'] },
]
