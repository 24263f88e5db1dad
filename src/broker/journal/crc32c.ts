const table = castagnoliTable()

/** CRC-32C of a part of these bytes as LevelDB writes it: "masked", so that a checksum of checksums is none. */
export function maskedCrc32c(bytes: Buffer, from: number, end: number): number {
  let crc = -1
  for (let at = from; at < end; at++)
    crc = (table[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8)
  return masked(crc)
}

/** Where the bytes from `from` on end: the first place where their checksum follows them. */
export function endOfMasked(bytes: Buffer, from: number): number | undefined {
  let crc = -1
  for (let at = from; at + 5 <= bytes.length; at++) {
    crc = (table[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8)
    if (masked(crc) === bytes.readUInt32LE(at + 1)) return at + 1
  }
  return undefined
}

function masked(crc: number): number {
  const done = ~crc
  return (((done >>> 15) | (done << 17)) + 0xa282_ead8) >>> 0
}

function castagnoliTable(): Int32Array {
  const values = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? 0x82f6_3b78 ^ (value >>> 1) : value >>> 1
    values[byte] = value
  }
  return values
}
