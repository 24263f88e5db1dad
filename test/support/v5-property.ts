import { bytes, prefixed, u16, u32, varint } from './wire-client.js'

export type Pair = readonly [name: string, value: string]

/** The properties of MQTT 5.0 by name; those that may stand more than once are lists. */
export interface Properties {
  payloadFormat?: number
  messageExpiry?: number
  contentType?: string | Uint8Array
  responseTopic?: string | Uint8Array
  correlationData?: Uint8Array
  subscriptionIdentifiers?: readonly number[]
  sessionExpiry?: number
  assignedClientId?: string
  serverKeepAlive?: number
  authenticationMethod?: string
  authenticationData?: Uint8Array
  requestProblemInformation?: number
  willDelay?: number
  requestResponseInformation?: number
  responseInformation?: string
  serverReference?: string
  reasonString?: string
  receiveMaximum?: number
  topicAliasMaximum?: number
  topicAlias?: number
  maximumQos?: number
  retainAvailable?: number
  userProperties?: readonly Pair[]
  maximumPacketSize?: number
  wildcardsAvailable?: number
  subscriptionIdentifiersAvailable?: number
  sharedAvailable?: number
}

export type Kind = 'byte' | 'two' | 'four' | 'varint' | 'text' | 'binary' | 'pair'

/** Identifier, type and the packets from a server in which it may stand: table 2-4 of the standard. */
export const propertyTable: Readonly<
  Record<keyof Properties, readonly [id: number, kind: Kind, fromServer: string]>
> = {
  payloadFormat: [0x01, 'byte', 'PUBLISH'],
  messageExpiry: [0x02, 'four', 'PUBLISH'],
  contentType: [0x03, 'text', 'PUBLISH'],
  responseTopic: [0x08, 'text', 'PUBLISH'],
  correlationData: [0x09, 'binary', 'PUBLISH'],
  subscriptionIdentifiers: [0x0b, 'varint', 'PUBLISH'],
  sessionExpiry: [0x11, 'four', 'CONNACK'],
  assignedClientId: [0x12, 'text', 'CONNACK'],
  serverKeepAlive: [0x13, 'two', 'CONNACK'],
  authenticationMethod: [0x15, 'text', 'CONNACK AUTH'],
  authenticationData: [0x16, 'binary', 'CONNACK AUTH'],
  requestProblemInformation: [0x17, 'byte', ''],
  willDelay: [0x18, 'four', ''],
  requestResponseInformation: [0x19, 'byte', ''],
  responseInformation: [0x1a, 'text', 'CONNACK'],
  serverReference: [0x1c, 'text', 'CONNACK DISCONNECT'],
  reasonString: [0x1f, 'text', 'CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH'],
  receiveMaximum: [0x21, 'two', 'CONNACK'],
  topicAliasMaximum: [0x22, 'two', 'CONNACK'],
  topicAlias: [0x23, 'two', 'PUBLISH'],
  maximumQos: [0x24, 'byte', 'CONNACK'],
  retainAvailable: [0x25, 'byte', 'CONNACK'],
  userProperties: [
    0x26,
    'pair',
    'CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH',
  ],
  maximumPacketSize: [0x27, 'four', 'CONNACK'],
  wildcardsAvailable: [0x28, 'byte', 'CONNACK'],
  subscriptionIdentifiersAvailable: [0x29, 'byte', 'CONNACK'],
  sharedAvailable: [0x2a, 'byte', 'CONNACK'],
}

export const propertyNames = Object.keys(propertyTable) as (keyof Properties)[]

/** Properties as they stand on the wire, without their length, in the order in which they are named. */
export function props(fields: Properties): Buffer {
  return bytes(
    ...propertyNames.flatMap((name) => {
      const value = fields[name]
      if (value === undefined) return []
      const [id, kind] = propertyTable[name]
      const values = kind === 'pair' || kind === 'varint' ? (value as readonly unknown[]) : [value]
      return values.map((one) => bytes(id, encode(kind, one)))
    }),
  )
}

function encode(kind: Kind, value: unknown): Buffer {
  if (kind === 'pair') return bytes(...(value as Pair).map((part) => prefixed(part)))
  if (kind === 'text' || kind === 'binary') return prefixed(value as string | Uint8Array)
  const number = value as number
  if (kind === 'byte') return bytes(number)
  if (kind === 'two') return u16(number)
  return kind === 'four' ? u32(number) : varint(number)
}
