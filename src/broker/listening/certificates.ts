import { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { pemBlocks } from '../../core/der.ts'
import type { ListenerTls } from '../../core/listener.ts'
import { isRevoked, type RevocationList, readRevocations } from '../../core/revocations.ts'

/** Certificates between a client's and its authority's. */
const chainMax = 8

/** What is trusted, taken apart once for many connections. */
export interface Trust {
  readonly tls: ListenerTls
  readonly authorities: readonly X509Certificate[]
  readonly revocations: readonly RevocationList[]
}

export function trustOf(tls: ListenerTls): Trust {
  const { clientAuthorities = '', revocations = '' } = tls
  return {
    tls,
    authorities: pemBlocks(clientAuthorities, 'CERTIFICATE').map((der) => new X509Certificate(der)),
    revocations: readRevocations(revocations),
  }
}

/**
 * The user that the certificate of a connection names; undefined when there is none, it names none or several, or the
 * name cannot be a user's.
 */
export function userOf(socket: TLSSocket, from: ListenerTls['userFrom']): string | undefined {
  const certificate = from === 'nothing' ? undefined : socket.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  const name = from === 'common-name' ? commonName(certificate) : alternativeName(certificate)
  return name === undefined || name === '' || /[\p{Cc}:]/u.test(name) ? undefined : name
}

/**
 * Why a client that is connected may not stay by terms that are new; undefined when it may. What TLS itself has checked
 * when it connected is not checked again: only what the new terms may have changed.
 */
export function whyNotStay(socket: TLSSocket, before: ListenerTls, now: Trust): string | undefined {
  const { tls } = now
  if (userOf(socket, before.userFrom) !== userOf(socket, tls.userFrom))
    return 'its certificate names another user by the settings as they are now'
  if (tls.clientCertificates === 'off') return undefined
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined)
    return tls.clientCertificates === 'required'
      ? 'it has no certificate, and one is required now'
      : undefined
  const chain = chainOf(certificate)
  if (chain.some((link) => isRevoked(link, now.revocations))) return 'its certificate is revoked'
  const isTrusted = chain.some((link) => now.authorities.some((authority) => isIssuedBy(link, authority)))
  return isTrusted ? undefined : 'its certificate is not one of the authority that is trusted now'
}

/** The certificate and those that the client has sent for its authorities, as far as each has signed the one before. */
function chainOf(certificate: X509Certificate): X509Certificate[] {
  const chain = [certificate]
  for (let last = certificate; chain.length < chainMax; ) {
    const next = last.issuerCertificate
    if (next === undefined || next.fingerprint256 === last.fingerprint256 || !isIssuedBy(last, next)) break
    chain.push(next)
    last = next
  }
  return chain
}

/** @NOTE a certificate that is trusted itself need be no authority */
function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  if (certificate.fingerprint256 === authority.fingerprint256) return true
  return authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
}

/** @NOTE a subject with several of them is an array */
function commonName(certificate: X509Certificate): string | undefined {
  const { CN } = certificate.toLegacyObject().subject as { readonly CN?: unknown }
  return typeof CN === 'string' ? CN : undefined
}

/** The first DNS name, e-mail address or URI. @NOTE Node puts a name with odd characters into quotes: that is no user */
function alternativeName({ subjectAltName = '' }: X509Certificate): string | undefined {
  return /(?:^|, )(?:DNS|email|URI):([^",]+)(?=, |$)/.exec(subjectAltName)?.[1]
}
