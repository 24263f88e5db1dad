import { crc32 } from 'node:zlib'

/** Above it the native checksum is faster than the loop, call included. */
const loopBytesMax = 96
const scratchBytes = 8 * 1024
const viewBytesMax = 512
/** Up to it a loop is faster than the native conversion, call included. */
const loopCharsMax = 32
const table = crcTable()

/** Appends numbers (the higher byte first), texts and bytes to a buffer that is used again and again. */
export class ByteWriter {
  readonly #scratch = Buffer.allocUnsafeSlow(scratchBytes)
  /** Parts of the scratch from its beginning, by length: to make one costs as much as to fill it. */
  readonly #views: (Buffer | undefined)[] = []
  #bytes = this.#scratch
  #at = 0

  /** Begins anew. What was given out before is no longer valid. */
  reset(): void {
    this.#bytes = this.#scratch
    this.#at = 0
  }

  /** What has been written, until the next `reset`. */
  get written(): Buffer {
    const length = this.#at
    if (length > viewBytesMax || this.#bytes !== this.#scratch) return this.#bytes.subarray(0, length)
    let view = this.#views[length]
    if (view === undefined) {
      view = this.#scratch.subarray(0, length)
      this.#views[length] = view
    }
    return view
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#at++] = value
  }

  u16(value: number): void {
    this.#reserve(2)
    this.#bytes[this.#at++] = value >>> 8
    this.#bytes[this.#at++] = value
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#u32(value)
  }

  /** A whole number up to 2⁴⁸ - 1. */
  u48(value: number): void {
    this.#reserve(6)
    const high = Math.floor(value / 0x1_0000_0000)
    this.#bytes[this.#at++] = high >>> 8
    this.#bytes[this.#at++] = high
    this.#u32(value)
  }

  /** At most 65,535 bytes of UTF-8, its length first. */
  text(text: string): void {
    const lengthAt = this.#at
    this.u16(0)
    this.bareText(text)
    const length = this.#at - lengthAt - 2
    if (length > 0xffff) throw new RangeError(`a text of ${length} bytes does not fit into a record`)
    this.#bytes[lengthAt] = length >>> 8
    this.#bytes[lengthAt + 1] = length
  }

  /** Without its length: what comes last can do without. */
  bareText(text: string): void {
    this.#reserve(text.length * 3) // as much as UTF-8 can take
    if (text.length > loopCharsMax || !this.#ascii(text)) this.#at += this.#bytes.write(text, this.#at)
  }

  /** Their length first. */
  data(data: Uint8Array): void {
    this.u32(data.length)
    this.#reserve(data.length)
    this.#bytes.set(data, this.#at)
    this.#at += data.length
  }

  /** @returns false, and has written nothing, when it is not ASCII */
  #ascii(text: string): boolean {
    let to = this.#at
    for (let i = 0; i < text.length; i++) {
      const char = text.charCodeAt(i)
      if (char > 127) return false
      this.#bytes[to++] = char
    }
    this.#at = to
    return true
  }

  #u32(value: number): void {
    this.#bytes[this.#at++] = value >>> 24
    this.#bytes[this.#at++] = value >>> 16
    this.#bytes[this.#at++] = value >>> 8
    this.#bytes[this.#at++] = value
  }

  #reserve(length: number): void {
    const needed = this.#at + length
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed + 64, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = larger
  }
}

/** Reads what a ByteWriter wrote, out of bytes that may be anything: past the end it finds zeros, and `isWhole` is false. */
export class ByteReader {
  readonly #bytes: Buffer
  #at: number
  readonly #end: number
  #isShort = false

  constructor(bytes: Buffer, from = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = from
    this.#end = end
  }

  /** Whether everything has been read, and was there. */
  get isWhole(): boolean {
    return !this.#isShort && this.#at === this.#end
  }

  get hasMore(): boolean {
    return !this.#isShort && this.#at < this.#end
  }

  u8(): number {
    return this.#uint(1)
  }

  u16(): number {
    return this.#uint(2)
  }

  u32(): number {
    return this.#uint(4)
  }

  u48(): number {
    return this.#uint(6)
  }

  text(): string {
    const from = this.#skip(this.u16())
    return this.#bytes.toString('utf8', from, this.#at)
  }

  bareText(): string {
    const from = this.#skip(this.#end - this.#at)
    return this.#bytes.toString('utf8', from, this.#at)
  }

  /** A copy. */
  data(): Buffer {
    const from = this.#skip(this.u32())
    return Buffer.from(this.#bytes.subarray(from, this.#at))
  }

  #uint(length: 1 | 2 | 4 | 6): number {
    const from = this.#skip(length)
    return this.#isShort ? 0 : this.#bytes.readUIntBE(from, length)
  }

  /** @returns where it begins */
  #skip(length: number): number {
    const from = this.#at
    if (this.#isShort || length < 0 || from + length > this.#end) this.#isShort = true
    else this.#at += length
    return from
  }
}

/** CRC-32 as zlib has it; `before` is that of the bytes before these. */
export function checksum(bytes: Buffer, before = 0): number {
  if (bytes.length > loopBytesMax) return crc32(bytes, before)
  let crc = ~before
  for (let at = 0; at < bytes.length; at++)
    crc = (table[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

function crcTable(): Int32Array {
  const values = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? 0xedb8_8320 ^ (value >>> 1) : value >>> 1
    values[byte] = value
  }
  return values
}
