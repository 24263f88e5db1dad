import type { BrokerSearch } from './broker-search.ts'
import type { Secret } from './secret.ts'

/** A broker on another machine, or another one on this, as `BROKER_URL` names it. */
export interface RemoteBroker {
  /** `mqtt://10.77.0.1:1883`; for people and for logs: no name and no password. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** `mqtts:` */
  readonly isSecure: boolean
  /** `BROKER_URL=auto`: it is looked for; `host`, `port` and `isSecure` say nothing then. */
  readonly search?: BrokerSearch
  /** A name without a password is allowed [MQTT-3.1.2-22]. */
  readonly credentials: { readonly username: string; readonly password: Secret | undefined } | undefined
}

/** How it is with the connection to a `RemoteBroker`. */
export interface LinkState {
  readonly url: string
  readonly isConnected: boolean
  /** Why it is not connected, in words; undefined while it is, and before the first answer. */
  readonly reason: string | undefined
}

/** `mqtt://10.77.0.1:1883 (connected)`, or why it is not. */
export function linkInWords({ url, isConnected, reason }: LinkState): string {
  return `${url} (${isConnected ? 'connected' : reason === undefined ? 'connecting' : `not connected: ${reason}`})`
}

/** Where it is, as far as that is known: of one that is looked for, where it was found last. */
export function shownUrl({ url, search }: Pick<RemoteBroker, 'url' | 'search'>): string {
  const place = search?.place
  if (place === undefined) return url
  const host = place.host.includes(':') ? `[${place.host}]` : place.host
  return `${url}: ${place.isSecure ? 'mqtts' : 'mqtt'}://${host}:${place.port}`
}

/** Whether two mean the same broker and the same user. */
export function isSameBroker(one: RemoteBroker | undefined, other: RemoteBroker | undefined): boolean {
  const [a, b] = [one?.credentials, other?.credentials]
  return (
    one?.url === other?.url && a?.username === b?.username && a?.password?.reveal() === b?.password?.reveal()
  )
}
