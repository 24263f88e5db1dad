import { ProtocolError } from './protocol-error.ts'
import { reasonCode } from './reason-codes.ts'
import { asciiEnd, isStrictUtf8 } from './utf8.ts'

/**
 * Reads the data types of MQTT 5 section 1.5 one after the other from `at` up to `end`, and not a byte further.
 * Every method throws a ProtocolError of a malformed packet when what it reads is not there or not as it must be.
 */
export class Reader {
  #bytes: Buffer = nothing
  #start = 0
  #packet = ''
  at = 0
  end = 0

  /** @param packet its name, for messages */
  reset(bytes: Buffer, at: number, end: number, packet = ''): this {
    this.#bytes = bytes
    this.#start = at
    this.#packet = packet
    this.at = at
    this.end = end
    return this
  }

  /** Bytes that are left. */
  get rest(): number {
    return this.end - this.at
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number
  }

  u16(): number {
    const at = this.#take(2)
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number)
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  /** Variable Byte Integer, at most four bytes, as few as it takes [MQTT-1.5.5-1]. */
  varint(): number {
    let value = 0
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.u8()
      value |= (byte & 127) << shift
      if (byte > 127) continue
      if (byte === 0 && shift > 0) throw this.#malformed('an integer takes more bytes than it needs')
      return value
    }
    throw this.#malformed('an integer is longer than four bytes')
  }

  /** UTF-8 Encoded String [MQTT-1.5.4-1], [MQTT-1.5.4-2]. */
  string(): string {
    const size = this.u16()
    const from = this.#take(size)
    const to = from + size
    const ascii = asciiEnd(this.#bytes, from, to)
    if (ascii === to) return this.#bytes.toString('latin1', from, to)
    if (!isStrictUtf8(this.#bytes, ascii, to)) throw this.#malformed('a text is not UTF-8 or has U+0000')
    return this.#bytes.toString('utf8', from, to)
  }

  /** Binary Data; a copy. */
  binary(): Buffer {
    const size = this.u16()
    const from = this.#take(size)
    return Buffer.from(this.#bytes.subarray(from, from + size))
  }

  skip(size: number): void {
    this.#take(size)
  }

  /** Throws unless all has been read. */
  finish(): void {
    if (this.at !== this.end) throw this.#malformed(`bytes too many at its end: ${this.rest}`)
  }

  /** What is wrong, with the packet's name and how far it has been read. */
  error(code: number, what: string): ProtocolError {
    const name = this.#packet === '' ? '' : `${this.#packet}: `
    return new ProtocolError(code, `${name}${what} (byte ${this.at - this.#start} of its body)`)
  }

  #take(size: number): number {
    const from = this.at
    if (size > this.end - from)
      throw this.#malformed(`bytes that it announces are missing: ${size - (this.end - from)}`)
    this.at = from + size
    return from
  }

  #malformed(what: string): ProtocolError {
    return this.error(reasonCode.malformedPacket, what)
  }
}

const nothing = Buffer.alloc(0)
