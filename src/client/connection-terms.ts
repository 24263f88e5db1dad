import type { Duplex } from 'node:stream'
import type {
  IClientOptions,
  IClientPublishOptions,
  IClientSubscribeOptions,
  IClientUnsubscribeProperties,
  IDisconnectPacket,
  Packet,
} from 'mqtt'

/** What else may be said of a connection, for those who want another than the library makes. */
export interface ConnectionTerms {
  /** Another way to the broker than a socket to its address. */
  readonly transport?: () => Promise<Duplex>
  /** False: the broker keeps the session. True unless told. */
  readonly isClean?: boolean
  readonly keepAliveSeconds?: number
  readonly will?: IClientOptions['will']
  readonly connectProperties?: IClientOptions['properties']
  readonly publishProperties?: IClientPublishOptions['properties']
  readonly subscribeOptions?: Omit<IClientSubscribeOptions, 'qos'>
  readonly unsubscribeOptions?: IClientUnsubscribeProperties
  readonly disconnectProperties?: IDisconnectPacket['properties']
  /** Told each packet. */
  readonly onPacket?: (packet: Packet, isSent: boolean) => void
}
