import type { X509Certificate } from 'node:crypto'
import { type DerElement, derChildren, pemBlocks, readDer } from './der.ts'

/** One list of revoked certificates, as an authority has signed it. */
export interface RevocationList {
  /** The authority's name, in DER. */
  readonly issuer: Buffer
  /** When the next one is due: from then on this one is no longer trusted. */
  readonly nextUpdate: Date | undefined
  /** The serial numbers, in hexadecimal digits. */
  readonly serials: ReadonlySet<string>
}

const sequenceTag = 0x30
const utcTimeTag = 0x17
const generalizedTimeTag = 0x18

/**
 * The lists in a PEM text; RFC 5280, section 5.1. Signatures are not checked: that is for OpenSSL, which gets the same text.
 * @throws RangeError when one of them is no such list
 */
export function readRevocations(pem: string): readonly RevocationList[] {
  return pemBlocks(pem, 'X509 CRL').map(readList)
}

/** Whether a certificate stands in one of the lists of the authority that has signed it. */
export function isRevoked(certificate: X509Certificate, lists: readonly RevocationList[]): boolean {
  const issuer = issuerOf(certificate.raw)
  const serial = plainSerial(certificate.serialNumber)
  return lists.some((list) => list.issuer.equals(issuer) && list.serials.has(serial))
}

/** Whether a list is one of this authority's. */
export function isListOf(list: RevocationList, authority: X509Certificate): boolean {
  return list.issuer.equals(subjectOf(authority.raw))
}

function readList(der: Buffer): RevocationList {
  const [body] = derChildren(der, readDer(der, 0))
  if (body === undefined) throw new RangeError('it is empty')
  const fields = derChildren(der, body)
  // version OPTIONAL, signature, issuer, thisUpdate, nextUpdate OPTIONAL, revokedCertificates OPTIONAL, extensions
  let at = fields[0]?.tag === sequenceTag ? 1 : 2
  const issuer = fields[at++]
  at++
  if (issuer?.tag !== sequenceTag) throw new RangeError('it names no authority')
  const next = fields[at]
  const nextUpdate = next !== undefined && isTime(next) ? timeOf(der, next) : undefined
  if (nextUpdate !== undefined) at++
  const revoked = fields[at]
  const serials = new Set<string>()
  if (revoked?.tag === sequenceTag)
    for (let entry = revoked.at; entry < revoked.end; ) {
      const { at: inside, end } = readDer(der, entry, revoked.end)
      const serial = readDer(der, inside, end)
      serials.add(plainSerial(der.toString('hex', serial.at, serial.end)))
      entry = end
    }
  return { issuer: der.subarray(issuer.start, issuer.end), nextUpdate, serials }
}

/** TBSCertificate: version [0] OPTIONAL, serialNumber, signature, issuer, validity, subject, … */
function issuerOf(der: Buffer): Buffer {
  return nameOf(der, 0)
}

function subjectOf(der: Buffer): Buffer {
  return nameOf(der, 2)
}

function nameOf(der: Buffer, after: number): Buffer {
  const [body] = derChildren(der, readDer(der, 0))
  const fields = body === undefined ? [] : derChildren(der, body)
  const name = fields[(fields[0]?.tag === 0xa0 ? 3 : 2) + after]
  return name === undefined ? Buffer.alloc(0) : der.subarray(name.start, name.end)
}

function isTime({ tag }: DerElement): boolean {
  return tag === utcTimeTag || tag === generalizedTimeTag
}

/** `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`; RFC 5280, section 4.1.2.5. */
function timeOf(der: Buffer, { tag, at, end }: DerElement): Date {
  const text = der.toString('latin1', at, end)
  const short = Number(text.slice(0, 2))
  const full = tag === generalizedTimeTag ? text : `${short < 50 ? 20 : 19}${text}`
  const digits = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full)
  if (digits === null) throw new RangeError('it has a time that cannot be read')
  const [year, month, ...rest] = digits.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return new Date(Date.UTC(year, month - 1, ...rest))
}

function plainSerial(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '')
}
