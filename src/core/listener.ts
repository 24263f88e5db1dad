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
  /** Undefined: everybody may publish and subscribe whatever there is. */
  readonly acl: AccessList | undefined
  /** Clients at one time; undefined: as many as the broker takes. */
  readonly connectionsMax: number | undefined
}

export type ListenerPlace =
  | { readonly kind: 'tcp'; readonly bind: readonly Bind[]; readonly port: number }
  /** A Unix socket; `mode` are its permissions. */
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number }

export interface WebSocketTerms {
  /** `/mqtt` */
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
