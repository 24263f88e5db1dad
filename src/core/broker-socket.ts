import { readFile } from 'node:fs/promises'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { BrokerPlace, BrokerSearch, SearchLimits } from './broker-search.ts'
import { pemTexts } from './der.ts'

/** What `update-ca-certificates` keeps: the usual authorities and those of the house. */
export const systemAuthorities = '/etc/ssl/certs/ca-certificates.crt'

export interface BrokerEndpoint {
  /** A name or an address; IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** TLS: `mqtts:` */
  readonly isSecure: boolean
  /** It is looked for on the network, before each connection; host, port and TLS are what is found then. */
  readonly search?: BrokerSearch | undefined
}

/** What else may be said of a connection. */
export interface BrokerSocketTerms {
  /** The address of this machine to connect from. */
  readonly localAddress?: string | undefined
  /** PEM: whom to trust, and nobody else. */
  readonly trusted?: string | undefined
  /** PEM: a certificate of ours, and its key. */
  readonly identity?: { readonly certificate: string; readonly key: string } | undefined
  /** Application protocol to ask for. */
  readonly protocol?: string | undefined
  /** False: the certificate may be for any host. */
  readonly isHostChecked?: boolean
}

/**
 * A socket on its way to a broker. Over TLS it trusts whom Node trusts, `NODE_EXTRA_CA_CERTS` included, and whom the
 * system trusts: Node's own list knows none of the house.
 * @param authorities a file of certificates; the system's unless told
 * @throws DamselflyError `BROKER_UNREACHABLE` when it is looked for, and not found; what OpenSSL says of a certificate or a
 *   key that it cannot read
 */
export async function brokerSocket(
  endpoint: BrokerEndpoint,
  authorities = systemAuthorities,
  terms: BrokerSocketTerms & SearchLimits = {},
): Promise<Socket> {
  const { localAddress, trusted, identity, protocol, isHostChecked = true } = terms
  const place: Omit<BrokerPlace, 'servername'> & Partial<BrokerPlace> =
    (await endpoint.search?.locate(terms)) ?? endpoint
  const { host, port, isSecure, servername = host } = place
  const from = localAddress === undefined ? {} : { localAddress }
  const where = { host, port, ...from, keepAlive: true, keepAliveInitialDelay: 60_000, noDelay: true }
  if (!isSecure) return connectTcp(where)
  const { connect, createSecureContext } = await import('node:tls')
  const secureContext = createSecureContext({
    ...(trusted === undefined ? {} : { ca: trusted }),
    ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
  })
  if (trusted === undefined) {
    await trustAlso(secureContext, authorities)
    // @NOTE Node forgets these as soon as another authority is added
    const extra = process.env['NODE_EXTRA_CA_CERTS']
    if (extra !== undefined && extra !== '') await trustAlso(secureContext, extra)
  }
  return connect({
    ...where,
    secureContext,
    ...(isIP(servername) === 0 ? { servername } : {}),
    ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }),
    ...(isHostChecked ? {} : { checkServerIdentity: () => undefined }),
  })
}

/** Adds to the trusted ones; `ca` as an option would take their place. */
async function trustAlso(secureContext: SecureContext, file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const { context } = secureContext as { readonly context: { addCACert(certificate: string): void } }
  for (const certificate of pemTexts(text, 'CERTIFICATE')) context.addCACert(certificate)
}
