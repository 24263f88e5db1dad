import { isIPv6 } from 'node:net'
import { BrokerSearch, parseSearch, type WantedBroker } from '../core/broker-search.ts'
import { DamselflyError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import type { ConnectionTerms } from './connection-terms.ts'

/** MQTT 3.1, 3.1.1 or 5. */
export type ProtocolVersion = 3 | 4 | 5

/** Where a broker is, as whom to go there, and what to speak. */
export interface BrokerAddress {
  /** A name or an address; IPv6 without brackets. */
  readonly host: string
  readonly port: number
  readonly isSecure: boolean
  /** It is looked for on the network; host, port and TLS are what is found then. */
  readonly search?: BrokerSearch
  readonly username: string | undefined
  readonly password: Secret | undefined
  /** MQTT 3.1.1 unless told: every broker speaks it. */
  readonly protocolVersion?: ProtocolVersion
  readonly terms?: ConnectionTerms
}

const escapes = 'in a name or a password write %2F for /, %3F for ?, %23 for # and %40 for @'
const ports: Readonly<Record<string, number>> = { 'mqtt:': 1_883, 'mqtts:': 8_883 }

/**
 * Reads `mqtt://[NAME:PASSWORD@]HOST[:PORT]`, `mqtts://…`, `HOST`, `HOST:PORT`, or `auto` and its like. Name and password that are given
 * beside the URL go before those in it.
 * @throws DamselflyError `OPTIONS_INVALID`; never with the password in its message
 */
export function parseBrokerAddress(
  url: string,
  login: { readonly username?: string | undefined; readonly password?: string | undefined } = {},
): BrokerAddress {
  const wanted = parseSearch(url)
  if (wanted !== undefined) return searched(wanted, login)
  const parsed = parseUrl(url)
  const port = ports[parsed.protocol]
  if (port === undefined) throw invalid(url, `${parsed.protocol}// is not spoken`)
  const hasMore = parsed.search !== '' || parsed.hash !== '' || !['', '/'].includes(parsed.pathname)
  if (hasMore || parsed.hostname === '' || parsed.port === '0') throw invalid(url, escapes)
  const username = login.username ?? (parsed.username === '' ? undefined : decode(url, parsed.username))
  const password = login.password ?? (parsed.password === '' ? undefined : decode(url, parsed.password))
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? port : Number(parsed.port),
    isSecure: parsed.protocol === 'mqtts:',
    ...loginOf(username, password),
  }
}

function searched(
  wanted: WantedBroker,
  { username, password }: { readonly username?: string | undefined; readonly password?: string | undefined },
): BrokerAddress {
  const search = new BrokerSearch(wanted, password !== undefined)
  return { host: '', port: 0, isSecure: wanted.isSecureOnly, search, ...loginOf(username, password) }
}

function loginOf(
  username: string | undefined,
  password: string | undefined,
): Pick<BrokerAddress, 'username' | 'password'> {
  if (username === undefined && password !== undefined)
    throw new DamselflyError('OPTIONS_INVALID', 'a password needs a username beside it') // [MQTT-3.1.2-22]
  return { username, password: password === undefined ? undefined : new Secret(password) }
}

/** `host:port`, for people; of one that is looked for, where it was found last. */
export function shownAddress(broker: BrokerAddress): string {
  const { search } = broker
  if (search !== undefined && search.place === undefined) return search.text
  const { host, port } = search?.place ?? broker
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}

function parseUrl(url: string): URL {
  const full = url.includes('://') ? url : `mqtt://${isIPv6(url) ? `[${url}]` : url}`
  try {
    return new URL(full)
  } catch {
    throw invalid(url, escapes) // the cause would carry the password
  }
}

function decode(url: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(url, 'in a name or a password write %25 for %')
  }
}

function invalid(url: string, why: string): DamselflyError {
  const shown = url.replace(/^(.*:\/\/)?.*@/s, '$1…@')
  return new DamselflyError(
    'OPTIONS_INVALID',
    `not the address of a broker: "${shown}"; ${why}; expected mqtt://192.168.1.5:1883, a host alone, or auto`,
  )
}
