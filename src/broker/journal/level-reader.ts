/** Reads what LevelDB writes: varints, and bytes with their length. Past the end it throws a RangeError. */
export class LevelReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get at(): number {
    return this.#at
  }

  get hasMore(): boolean {
    return this.#at < this.#bytes.length
  }

  varint(): number {
    let value = 0
    for (let factor = 1; factor < 2 ** 53; factor *= 128) {
      const byte = this.#bytes.readUInt8(this.#at++)
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
    throw new RangeError('a number has too many bytes')
  }

  slice(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError(`${length} bytes wanted at ${this.#at}`)
    const slice = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return slice
  }
}
