import type { AccessList, User } from './access.ts'
import type { AllowAnonymous, Bind } from './bind.ts'
import type { Secret } from './secret.ts'

/** The listener that `BIND`, `PORT` and `ALLOW_ANONYMOUS` define. */
export const mainListener = 'main'

/** One way into the broker, with its own rules. */
export interface Listener {
  /** `main`, or its key below `listeners:`. */
  readonly name: string
  readonly where: ListenerPlace
  /** MQTT over WebSocket; undefined for plain MQTT. */
  readonly webSocket: WebSocketTerms | undefined
  readonly tls: ListenerTls | undefined
  readonly allowAnonymous: AllowAnonymous
  /** The name and the password of `.env`, where they hold. */
  readonly credentials: { readonly username: string; readonly password: Secret } | undefined
  readonly users: readonly User[]
  /** Where they are from, when not from the house: its names are other people than those of elsewhere. */
  readonly realm?: string | undefined
  /** Undefined: everybody may publish and subscribe whatever there is. */
  readonly acl: AccessList | undefined
  /** Clients at one time; undefined: as many as the broker takes. */
  readonly connectionsMax: number | undefined
}

export type ListenerPlace =
  | { readonly kind: 'tcp'; readonly bind: readonly Bind[]; readonly port: number }
  /** A Unix socket; `mode` are its permissions. */
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number }

/** As the path of a WebSocket: whatever a client asks for. */
export const anyPath = '*'

export interface WebSocketTerms {
  /** `/mqtt`; `*` for any. */
  readonly path: string
  /** What browsers may send as `Origin`, besides pages that this machine itself serves; `*` for all. */
  readonly origins: readonly string[]
}

/** Certificates and keys as PEM texts: a new text is a new certificate. */
export interface ListenerTls {
  readonly certificate: string
  readonly key: Secret
  /** Who signs client certificates; undefined: none is asked for. */
  readonly clientAuthorities: string | undefined
  /** Revoked ones. */
  readonly revocations: string | undefined
  readonly clientCertificates: 'off' | 'optional' | 'required'
  /** What of a client's certificate is its user name; it needs no password then. */
  readonly userFrom: 'nothing' | 'common-name' | 'subject-alternative-name'
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
}

/** How a listener is talked to. */
export type Transport = 'mqtt' | 'mqtts' | 'ws' | 'wss' | 'unix'

export function transportOf({
  where,
  webSocket,
  tls,
}: Pick<Listener, 'where' | 'webSocket' | 'tls'>): Transport {
  if (where.kind === 'unix') return 'unix'
  if (webSocket !== undefined) return tls === undefined ? 'ws' : 'wss'
  return tls === undefined ? 'mqtt' : 'mqtts'
}

export function hasTls(transport: Transport): boolean {
  return transport === 'mqtts' || transport === 'wss'
}

/** A listener and the addresses that it is to listen on, as the network is now; of a Unix socket its path. */
export interface WayIn {
  readonly listener: Listener
  readonly addresses: readonly string[]
}

/** A way in as it is now. */
export interface OpenListener {
  readonly name: string
  readonly transport: Transport
  /** The addresses that are listened on; of a Unix socket its path. */
  readonly addresses: readonly string[]
  /** Not of a Unix socket. */
  readonly port?: number
  /** Of a WebSocket. */
  readonly path?: string
}

/** Where it listens, each as people write it: `10.0.0.5:1883`, `10.0.0.5:8883 (TLS)`, `ws://10.0.0.5:9001/mqtt`, `unix:/run/…`. */
export function shownPlaces({ transport, addresses, port, path = '' }: OpenListener): string[] {
  return addresses.map((address) => {
    if (transport === 'unix') return `unix:${address}`
    const place = `${address.includes(':') ? `[${address}]` : address}:${port}`
    if (transport === 'ws' || transport === 'wss')
      return `${transport}://${place}${path === anyPath ? '' : path}`
    return transport === 'mqtts' ? `${place} (TLS)` : place
  })
}
