/** The types under which brokers are found; registered with IANA for MQTT, and for MQTT over TLS. */
export const serviceTypes = {
  plain: '_mqtt._tcp.local',
  secure: '_secure-mqtt._tcp.local',
} as const

/** The list of all types (RFC 6763 §9). */
export const allTypes = '_services._dns-sd._udp.local'

const labelBytesMax = 63

/**
 * A name as one label of DNS: a dot would divide it, and it has at most 63 bytes. What had to change stands in the TXT
 * record as it was.
 */
export function instanceLabel(name: string): string {
  return cut(name.replaceAll('.', '-'))
}

/** A name as the name of a host: letters, digits and dashes. */
export function hostLabel(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replaceAll(/[^0-9A-Za-z]+/g, '-')
    .slice(0, labelBytesMax - '-99'.length)
  return plain.replaceAll(/^-+|-+$/g, '') || 'damselfly'
}

/** `shed (2)`: the name for those whom somebody else's came before. */
export function otherLabel(label: string, attempt: number): string {
  return attempt === 1 ? label : `${cut(label, ` (${attempt})`.length)} (${attempt})`
}

/** The values of a TXT record by their keys, in lower case; the first of each counts (RFC 6763 §6.4). */
export function readTxt(parts: readonly Uint8Array[]): Map<string, string> {
  const values = new Map<string, string>()
  for (const part of parts) {
    const [, key, value = ''] = /^([^=]+)=?(.*)$/s.exec(Buffer.from(part).toString()) ?? []
    if (key !== undefined && !values.has(key.toLowerCase())) values.set(key.toLowerCase(), value)
  }
  return values
}

/** One part of a TXT record: at most 255 bytes. */
export function txtPart(key: string, value: string): Uint8Array {
  return Buffer.from(`${key}=${value}`).subarray(0, 255)
}

function cut(text: string, reserved = 0): string {
  let short = text
  while (Buffer.byteLength(short) > labelBytesMax - reserved) short = [...short].slice(0, -1).join('')
  return short
}
