/** Why bytes are not MessagePack. */
export class MsgpackError extends Error {
  override readonly name = 'MsgpackError'
}

/** A store holds nothing deeper. */
const depthMax = 16

/**
 * Decodes MessagePack, as stores up to version 0.2 hold it. Maps become Maps, binaries Buffers that are copies;
 * extensions are refused. @throws MsgpackError @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function decodeMsgpack(bytes: Buffer): unknown {
  try {
    return new Reading(bytes).value(0)
  } catch (cause) {
    if (cause instanceof RangeError) throw new MsgpackError('it ends too early', { cause })
    throw cause
  }
}

class Reading {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  value(depth: number): unknown {
    if (depth > depthMax) throw new MsgpackError('it is too deep')
    const type = this.#uint(1)
    if (type < 0x80) return type
    if (type >= 0xe0) return type - 0x100
    if (type < 0x90) return this.#map(type & 15, depth)
    if (type < 0xa0) return this.#list(type & 15, depth)
    if (type < 0xc0) return this.#text(type & 31)
    return this.#long(type, depth)
  }

  #long(type: number, depth: number): unknown {
    switch (type) {
      case 0xc0:
        return undefined
      case 0xc2:
      case 0xc3:
        return type === 0xc3
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return Buffer.from(this.#take(this.#uint((1 << (type - 0xc4)) as 1 | 2 | 4)))
      case 0xca:
        return this.#take(4).readFloatBE()
      case 0xcb:
        return this.#take(8).readDoubleBE()
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint((1 << (type - 0xcc)) as 1 | 2 | 4)
      case 0xcf:
        return Number(this.#take(8).readBigUInt64BE())
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const length = 1 << (type - 0xd0)
        return this.#take(length).readIntBE(0, length)
      }
      case 0xd3:
        return Number(this.#take(8).readBigInt64BE())
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint((1 << (type - 0xd9)) as 1 | 2 | 4))
      case 0xdc:
      case 0xdd:
        return this.#list(this.#uint(type === 0xdc ? 2 : 4), depth)
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(type === 0xde ? 2 : 4), depth)
      default:
        throw new MsgpackError(`its type 0x${type.toString(16)} is not known`)
    }
  }

  #list(length: number, depth: number): unknown[] {
    const list: unknown[] = []
    for (let i = 0; i < length; i++) list.push(this.value(depth + 1))
    return list
  }

  #map(length: number, depth: number): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>()
    for (let i = 0; i < length; i++) map.set(this.value(depth + 1), this.value(depth + 1))
    return map
  }

  #text(length: number): string {
    return this.#take(length).toString('utf8')
  }

  #uint(length: 1 | 2 | 4): number {
    return this.#take(length).readUIntBE(0, length)
  }

  #take(length: number): Buffer {
    const from = this.#at
    if (from + length > this.#bytes.length) throw new RangeError(`${length} bytes wanted at ${from}`)
    this.#at += length
    return this.#bytes.subarray(from, this.#at)
  }
}
