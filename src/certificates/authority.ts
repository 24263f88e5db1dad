import 'reflect-metadata' // @peculiar/x509 asks for it
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

/** A certificate authority of one's own, in memory. All texts are PEM. */
export interface Authority {
  readonly certificate: string
  readonly key: string
}

/** From when to when a certificate holds. */
export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

/** A certificate that is taken back. */
export interface Revocation {
  /** Hexadecimal. */
  readonly serialNumber: string
  readonly at: Date
}

// P-256 with SHA-256 is what BearSSL (ESP8266) and mbedTLS (ESP32) have by default, and no client refuses
const curve = { name: 'ECDSA', namedCurve: 'P-256' } as const
const signing = { name: 'ECDSA', hash: 'SHA-256' } as const

/**
 * Makes the certificate of an authority for this key (RFC 5280, 4.2.1).
 *
 * @NOTE It says nothing of the names for which it may sign (name constraints): they must be critical, and then mbedTLS and
 * BearSSL refuse the certificate, for they do not know them. It signs for no other authority (path length 0).
 */
export async function authorityFor(key: string, name: string, validity: Validity): Promise<Authority> {
  const publicKey = await publicKeyOf(key)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: nameOf(name),
    issuer: nameOf(name),
    ...validity,
    signingAlgorithm: signing,
    publicKey,
    signingKey: await signingKeyOf(key),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  })
  return { certificate: pemOf(certificate), key }
}

/** What a certificate is for. */
export type Purpose =
  /** For these names and addresses, of which the first is the common name. */
  | { readonly kind: 'server'; readonly names: readonly string[] }
  /** For a client that is called so: its common name. */
  | { readonly kind: 'client'; readonly name: string }

/** Signs a certificate for this key. It does not outlive its authority. */
export async function issue(
  { certificate, key: authorityKey }: Authority,
  key: string,
  purpose: Purpose,
  validity: Validity,
): Promise<string> {
  const authority = new x509.X509Certificate(certificate)
  const publicKey = await publicKeyOf(key)
  const isServer = purpose.kind === 'server'
  const usage = isServer ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth
  const issued = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: nameOf(isServer ? (purpose.names[0] ?? 'damselfly') : purpose.name),
    issuer: authority.subjectName,
    ...validity,
    notAfter: validity.notAfter < authority.notAfter ? validity.notAfter : authority.notAfter,
    signingAlgorithm: signing,
    publicKey,
    signingKey: await signingKeyOf(authorityKey),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage]),
      ...(isServer ? [new x509.SubjectAlternativeNameExtension(purpose.names.map(alternative))] : []),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
    ],
  })
  return pemOf(issued)
}

/**
 * The list of what is taken back (RFC 5280, 5). It holds as long as the authority: OpenSSL refuses everybody when the list
 * is out of date, and a new one is only made when something is taken back.
 */
export async function revocationList(
  { certificate, key }: Authority,
  revoked: readonly Revocation[],
  now: Date,
): Promise<string> {
  const authority = new x509.X509Certificate(certificate)
  const list = await x509.X509CrlGenerator.create({
    issuer: authority.subjectName,
    thisUpdate: now < authority.notBefore ? authority.notBefore : now,
    nextUpdate: authority.notAfter,
    signingAlgorithm: signing,
    signingKey: await signingKeyOf(key),
    entries: revoked.map(({ serialNumber, at }) => ({ serialNumber, revocationDate: at })),
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      new x509.Extension(crlNumber, false, derInteger(now.getTime())),
    ],
  })
  // @NOTE the library's own text begins with `BEGIN CRL`, which OpenSSL does not know
  return `${x509.PemConverter.encode(list.rawData, 'X509 CRL')}\n`
}

/** What a list takes back. @throws when it is none */
export function revocationsIn(list: string): readonly Revocation[] {
  return new x509.X509Crl(list).entries.map(({ serialNumber, revocationDate }) => ({
    serialNumber,
    at: revocationDate,
  }))
}

/** RFC 5280, 5.2.3: grows from list to list. */
const crlNumber = '2.5.29.20'

function derInteger(value: number): Uint8Array<ArrayBuffer> {
  const digits = value.toString(16)
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
  const content = (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
  return Uint8Array.from([0x02, content.length, ...content])
}

/** Positive and of the same length for all: 126 random bits. */
function newSerialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** RFC 5280, upper bound of a common name: 64 characters. */
function nameOf(name: string): x509.JsonName {
  return [{ CN: [name.slice(0, 64)] }, { O: ['Damselfly'] }]
}

function alternative(name: string): x509.JsonGeneralName {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name }
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}

async function signingKeyOf(key: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' })
  return await webcrypto.subtle.importKey('pkcs8', der, curve, false, ['sign'])
}

async function publicKeyOf(key: string): Promise<webcrypto.CryptoKey> {
  const publicKey: KeyObject = createPublicKey(key)
  const der = publicKey.export({ type: 'spki', format: 'der' })
  return await webcrypto.subtle.importKey('spki', der, curve, true, ['verify'])
}
