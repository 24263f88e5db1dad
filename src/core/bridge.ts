import type { QoS } from './message.ts'
import type { Secret } from './secret.ts'

/** A connection to another broker that shares some topics with it. */
export interface Bridge {
  /** Its key below `bridges:`. */
  readonly name: string
  /** At least one; tried in this order. */
  readonly addresses: readonly BridgeAddress[]
  /** Whether all addresses are equal; else the first is gone back to as soon as it answers. */
  readonly isRoundRobin: boolean
  /** Who we are to the other broker. */
  readonly clientId: string
  /** 4 is MQTT 3.1.1. */
  readonly version: 4 | 5
  readonly credentials: { readonly username: string; readonly password: Secret | undefined } | undefined
  /** Whether the other broker forgets us when the connection ends. */
  readonly isCleanSession: boolean
  /** Whether messages for it are dropped here while there is no connection. */
  readonly isLocalCleanSession: boolean
  readonly keepAliveSeconds: number
  /** The first that matches decides where a message goes. */
  readonly topics: readonly BridgeTopic[]
  /** Where is told whether it is connected; undefined for nowhere. */
  readonly notifications: { readonly topic: string; readonly isLocalOnly: boolean } | undefined
  readonly start: BridgeStart
  /** The pauses between attempts grow from the one to the other. */
  readonly retry: { readonly minMs: number; readonly maxMs: number }
  /** For the addresses that are `mqtts:`; undefined: whom the system trusts, and no certificate of ours. */
  readonly tls: BridgeTls | undefined
  /** Bytes of a packet that may be sent; undefined: what the other broker says. */
  readonly packetBytesMax: number | undefined
  /** Whether what is only sent there is unsubscribed from at each connection. */
  readonly mayUnsubscribe: boolean
  /** Whether RETAIN is sent along. */
  readonly mayRetain: boolean
  /** Whether messages of QoS 0 are sent with QoS 1, so that they wait as well. */
  readonly isQos0Kept: boolean
  /** Whether an MQTT 3.1.1 broker is told that we are a bridge. */
  readonly isTold: boolean
  /** The address of this machine to connect from; undefined: the system's choice. */
  readonly bindAddress: string | undefined
}

export interface BridgeAddress {
  /** `mqtts://broker.example.org:8883` */
  readonly url: string
  /** A name or an address; IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** TLS: `mqtts:` */
  readonly isSecure: boolean
}

/** What is shared. Here a message has the topic `localPrefix` + pattern, there `remotePrefix` + pattern. */
export interface BridgeTopic {
  /** A topic filter; empty: the two prefixes are two topics. */
  readonly pattern: string
  readonly direction: 'in' | 'out' | 'both'
  /** The greatest QoS, in both directions. */
  readonly qos: QoS
  readonly localPrefix: string
  readonly remotePrefix: string
}

export type BridgeStart =
  | { readonly kind: 'automatic' }
  /** Not again when the connection ends. */
  | { readonly kind: 'once' }
  /** When so many messages wait; until nothing has gone over it for that long. */
  | { readonly kind: 'lazy'; readonly threshold: number; readonly idleMs: number }

/** Certificates and keys as PEM texts. */
export interface BridgeTls {
  /** Who may sign the other broker's certificate; undefined: whom the system trusts. */
  readonly authorities: string | undefined
  /** Ours, and its key. */
  readonly identity: { readonly certificate: string; readonly key: Secret } | undefined
  /** Application protocol to ask for (ALPN). */
  readonly protocol: string | undefined
  /** False: any host with a certificate of those authorities may take the other broker's place. */
  readonly isHostChecked: boolean
}

/** How it is with a bridge. */
export interface BridgeState {
  readonly name: string
  /** Of the address that is used, or was tried last. */
  readonly url: string
  readonly isConnected: boolean
  /** Why it is not, in words; undefined while it is, and before the first answer. */
  readonly reason: string | undefined
  /** Messages that wait here for it. */
  readonly queued: number
}

/** The client identifier of its session here, and of the publisher of what comes over it: no client may have it. */
export function bridgeSessionId(name: string): string {
  return `${sessionPrefix}${name}`
}

/** The bridge whose session this is; undefined when it is a client's. */
export function bridgeOfSession(clientId: string): string | undefined {
  return clientId.startsWith(sessionPrefix) ? clientId.slice(sessionPrefix.length) : undefined
}

const sessionPrefix = '$bridge/'

/** Whether nothing of a bridge has changed, its secrets included. */
export function isSameBridge(one: Bridge, other: Bridge): boolean {
  return printOf(one) === printOf(other)
}

function printOf(bridge: Bridge): string {
  const { credentials, tls } = bridge
  return JSON.stringify([bridge, credentials?.password?.reveal(), tls?.identity?.key.reveal()])
}
