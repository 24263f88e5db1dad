/**
 * One element of DER (X.690), as certificates are written. Offsets are into the bytes that it was read from.
 */
export interface DerElement {
  readonly tag: number
  readonly start: number
  /** Where its content begins. */
  readonly at: number
  readonly end: number
}

/** @throws RangeError when there is no whole element there */
export function readDer(bytes: Uint8Array, start: number, limit = bytes.length): DerElement {
  const tag = bytes[start]
  let length = bytes[start + 1]
  let at = start + 2
  if (tag === undefined || length === undefined) throw new RangeError('an element is cut off')
  if (length > 127) {
    const count = length & 127
    if (count === 0 || count > 4) throw new RangeError('an element has a length that DER does not know')
    length = 0
    for (const octet of bytes.subarray(at, at + count)) length = length * 256 + octet
    at += count
  }
  const end = at + length
  if (end > limit) throw new RangeError('an element is cut off')
  return { tag, start, at, end }
}

/** The elements in an element that is made of others. @throws RangeError */
export function derChildren(bytes: Uint8Array, parent: DerElement): DerElement[] {
  const children: DerElement[] = []
  for (let at = parent.at; at < parent.end; ) {
    const child = readDer(bytes, at, parent.end)
    children.push(child)
    at = child.end
  }
  return children
}

/** The bytes of each block of this kind in a PEM text (RFC 7468): `X509 CRL`, `CERTIFICATE`. */
export function pemBlocks(text: string, label: string): Buffer[] {
  const block = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`, 'g')
  return [...text.matchAll(block)].map(([, body = '']) => Buffer.from(body, 'base64'))
}

/** The blocks themselves, each a PEM text. @NOTE of several revocation lists in one text Node reads the first alone */
export function pemTexts(text: string, label: string): string[] {
  return text.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g')) ?? []
}
