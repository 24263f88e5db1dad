import { limits } from './limits.ts'

/**
 * Watches the bytes of one connection go by and says when a packet declares more than it may have:
 * `connectPacketBytesMax` for the first one, `packetBytesMax` for the next. It looks at fixed headers
 * only [MQTT-2.2] and keeps nothing, so an oversized packet is found before anybody buffers it.
 */
export class PacketGuard {
  #isFirst = true
  /** Bytes of the current packet that are still to come; meaningless while a header is read. */
  #rest = 0
  #isInHeader = true
  #headerBytes = 0
  #length = 0
  #factor = 1

  /** Whether the packet that is being looked at is the connection's first. */
  get isFirst(): boolean {
    return this.#isFirst
  }

  /** @returns the declared size in bytes of a packet that is too large, else undefined */
  inspect(chunk: Uint8Array): number | undefined {
    let at = 0
    while (at < chunk.length) {
      if (!this.#isInHeader) {
        const step = Math.min(this.#rest, chunk.length - at)
        at += step
        this.#rest -= step
        if (this.#rest === 0) this.#begin()
        continue
      }
      const oversize = this.#header(chunk[at] as number)
      at++
      if (oversize !== undefined) return oversize
    }
    return undefined
  }

  #header(byte: number): number | undefined {
    this.#headerBytes++
    if (this.#headerBytes === 1) return undefined
    this.#length += (byte & 0x7f) * this.#factor
    this.#factor *= 128
    const isMore = (byte & 0x80) !== 0
    if (isMore && this.#headerBytes < 5) return undefined // [MQTT-1.5.5-1] at most four length bytes
    const size = this.#headerBytes + this.#length
    if (isMore || size > (this.#isFirst ? limits.connectPacketBytesMax : limits.packetBytesMax)) return size
    this.#isFirst = false
    if (this.#length === 0) this.#begin()
    else {
      this.#rest = this.#length
      this.#isInHeader = false
    }
    return undefined
  }

  #begin(): void {
    this.#isInHeader = true
    this.#headerBytes = 0
    this.#length = 0
    this.#factor = 1
  }
}
