import { ProtocolError } from './wire/protocol-error.ts'
import { reasonCode } from './wire/reason-codes.ts'

/** Who takes the packets of one connection. */
export interface FrameTaker {
  /** Bytes that a packet may have that begins with this byte, fixed header included. */
  packetBytesMax(first: number): number
  /** Whether a remaining length must have the fewest bytes that it can [MQTT-1.5.5-1]: a rule of MQTT 5. */
  readonly isStrictLength: boolean
  /** Whether it takes packets now; if not, the bytes wait for `resume`. */
  readonly takesFrames: boolean
  /**
   * One whole packet: its fixed header begins at `start`, what follows it at `at`; `first` is its first byte.
   * The bytes stay as they are, and may be kept in part, which keeps all of them.
   */
  frame(bytes: Buffer, start: number, at: number, end: number, first: number): void
  /** A packet declares more than `packetBytesMax`. @throws what ends the connection */
  tooLarge(bytes: number, first: number): never
}

/** The first allocation for a packet that comes in several chunks; it doubles as bytes come, not before. */
const partBytesMin = 1_024

/**
 * Finds the packets in the chunks of one connection. A packet that lies within one chunk is not copied. What a packet
 * declares is checked before any of it is kept, and memory is taken only for what has come.
 */
export class FrameReader {
  readonly #taker: FrameTaker
  /** A packet of which a part has come. */
  #part: Buffer | undefined
  #partLength = 0
  /** Bytes that it will have; 0 while its length is not known. */
  #partSize = 0
  /** Chunks that wait for `resume`. */
  #waiting: Buffer | undefined

  constructor(taker: FrameTaker) {
    this.#taker = taker
  }

  /** Bytes in memory that wait for the rest of a packet, or for `resume`. */
  get held(): number {
    return (this.#part?.length ?? 0) + (this.#waiting?.length ?? 0)
  }

  /** @throws ProtocolError when the bytes cannot be MQTT, and whatever the taker throws */
  push(chunk: Buffer): void {
    if (!this.#taker.takesFrames || this.#waiting !== undefined) {
      this.#waiting = this.#waiting === undefined ? chunk : Buffer.concat([this.#waiting, chunk])
      return
    }
    this.#read(chunk)
  }

  /** Goes on with what has waited. */
  resume(): void {
    const waiting = this.#waiting
    if (waiting === undefined || !this.#taker.takesFrames) return
    this.#waiting = undefined
    this.#read(waiting)
  }

  discard(): void {
    this.#part = undefined
    this.#waiting = undefined
  }

  #read(chunk: Buffer): void {
    let bytes = chunk
    if (this.#part !== undefined) {
      const used = this.#fill(bytes)
      if (this.#part !== undefined || used === bytes.length) return
      if (used > 0) bytes = bytes.subarray(used)
      if (!this.#taker.takesFrames) {
        this.#waiting = bytes
        return
      }
    }
    this.#readWhole(bytes)
  }

  #readWhole(bytes: Buffer): void {
    const taker = this.#taker
    const total = bytes.length
    let start = 0
    while (total - start >= 2) {
      let length = bytes[start + 1] as number
      let at = start + 2
      if (length > 127) {
        length &= 127
        let shift = 7
        let byte = 128
        while (byte > 127) {
          if (at === total) return this.#keep(bytes, start, 0)
          byte = bytes[at++] as number
          length |= (byte & 127) << shift
          shift += 7
          if (byte > 127 && shift > 21) throw malformedLength()
        }
        if (byte === 0 && taker.isStrictLength) throw malformedLength()
      }
      const end = at + length
      const first = bytes[start] as number
      if (end - start > taker.packetBytesMax(first)) taker.tooLarge(end - start, first)
      if (end > total) return this.#keep(bytes, start, end - start)
      taker.frame(bytes, start, at, end, first)
      start = end
      if (!taker.takesFrames) {
        if (start < total) this.#waiting = bytes.subarray(start)
        return
      }
    }
    if (start < total) this.#keep(bytes, start, 0)
  }

  #keep(bytes: Buffer, start: number, size: number): void {
    const length = bytes.length - start
    this.#part = Buffer.allocUnsafeSlow(roomFor(length, size))
    bytes.copy(this.#part, 0, start)
    this.#partLength = length
    this.#partSize = size
  }

  /** Adds to the packet that has begun; hands it on when it is whole. @returns how many bytes were used */
  #fill(bytes: Buffer): number {
    let used = 0
    // byte by byte until the length is known: five at the most
    while (this.#partSize === 0) {
      if (used === bytes.length) return used
      this.#append(bytes, used, used + 1)
      used++
      this.#partSize = this.#sizeOfPart()
    }
    const count = Math.min(this.#partSize - this.#partLength, bytes.length - used)
    this.#append(bytes, used, used + count)
    used += count
    if (this.#partLength < this.#partSize) return used
    const packet = (this.#part as Buffer).subarray(0, this.#partSize)
    this.#part = undefined
    let at = 1
    while ((packet[at++] as number) > 127);
    this.#taker.frame(packet, 0, at, packet.length, packet[0] as number)
    return used
  }

  /** The size that the part declares, or 0 while that is not known. */
  #sizeOfPart(): number {
    const part = this.#part as Buffer
    let length = 0
    for (let at = 1, shift = 0; at < this.#partLength; at++, shift += 7) {
      const byte = part[at] as number
      length |= (byte & 127) << shift
      if (byte > 127) {
        if (at === 4) throw malformedLength()
        continue
      }
      if (byte === 0 && at > 1 && this.#taker.isStrictLength) throw malformedLength()
      const size = at + 1 + length
      const first = part[0] as number
      if (size > this.#taker.packetBytesMax(first)) this.#taker.tooLarge(size, first)
      return size
    }
    return 0
  }

  #append(bytes: Buffer, from: number, to: number): void {
    const needed = this.#partLength + to - from
    let part = this.#part as Buffer
    if (needed > part.length) {
      part = Buffer.allocUnsafeSlow(roomFor(needed, this.#partSize))
      ;(this.#part as Buffer).copy(part, 0, 0, this.#partLength)
      this.#part = part
    }
    bytes.copy(part, this.#partLength, from, to)
    this.#partLength = needed
  }
}

/** Room for what has come and as much again, but for no more than the packet has. */
function roomFor(length: number, size: number): number {
  const doubled = Math.max(length * 2, partBytesMin)
  return size === 0 ? doubled : Math.min(doubled, size)
}

function malformedLength(): ProtocolError {
  return new ProtocolError(
    reasonCode.malformedPacket,
    'the remaining length of a packet is not a number of one to four bytes',
  )
}
