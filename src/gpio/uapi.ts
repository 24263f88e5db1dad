/**
 * The kernel's GPIO character device, uAPI v2 (`linux/gpio.h`, Linux 5.10 and newer), as bytes: what goes
 * into each ioctl and what comes out. Pure functions; the layouts are the same on 32-bit and 64-bit ARM.
 */
import { DamselflyError } from '../core/errors.ts'

/** The requests' numbers: direction, size, type 0xB4, number. */
export const ioctls = {
  getChipInfo: 0x8044_b401,
  getLineInfo: 0xc100_b405,
  getLine: 0xc250_b407,
  getLineValues: 0xc010_b40e,
  setLineValues: 0xc010_b40f,
} as const

/** `enum gpio_v2_line_flag`: bits of a 64-bit word. */
export const lineFlags = {
  used: 1n << 0n,
  activeLow: 1n << 1n,
  input: 1n << 2n,
  output: 1n << 3n,
  edgeRising: 1n << 4n,
  edgeFalling: 1n << 5n,
  biasPullUp: 1n << 8n,
  biasPullDown: 1n << 9n,
  biasDisabled: 1n << 10n,
} as const

/** Bytes of one line event as `read` gives it (`struct gpio_v2_line_event`). */
export const lineEventBytes = 48

/** Bytes of one `struct pollfd`. */
const pollFdBytes = 8

const nameBytes = 32 // GPIO_MAX_NAME_SIZE
const attributeIds = { outputValues: 2, debounce: 3 } as const // enum gpio_v2_line_attr_id
const risingEdgeId = 1 // GPIO_V2_LINE_EVENT_RISING_EDGE
const pollIn = 0x0001
const pollBroken = 0x0008 | 0x0010 | 0x0020 // POLLERR, POLLHUP, POLLNVAL

/** Room for a `struct gpiochip_info`. */
export function chipInfoRoom(): Buffer {
  return Buffer.alloc(68)
}

export interface ChipInfo {
  readonly name: string
  readonly label: string
  readonly lineCount: number
}

export function decodeChipInfo(info: Buffer): ChipInfo {
  return { name: text(info, 0), label: text(info, 32), lineCount: info.readUInt32LE(64) }
}

/** A `struct gpio_v2_line_info` that asks for the line at `offset`; the kernel fills in the rest. */
export function encodeLineInfoRequest(offset: number): Buffer {
  const info = Buffer.alloc(256)
  info.writeUInt32LE(offset, 64)
  return info
}

export interface LineInfo {
  readonly offset: number
  /** Empty when the line has no name. */
  readonly name: string
  /** Who holds the line; empty when nobody does, or when they gave no name. */
  readonly consumer: string
  readonly flags: bigint
}

export function decodeLineInfo(info: Buffer): LineInfo {
  return {
    name: text(info, 0),
    consumer: text(info, 32),
    offset: info.readUInt32LE(64),
    flags: info.readBigUInt64LE(72),
  }
}

export interface LineRequest {
  readonly offset: number
  readonly consumer: string
  /** Of `lineFlags`, combined. */
  readonly flags: bigint
  /** An output's first level, as the flags see it (active low: true drives the line low). */
  readonly outputValue?: boolean
  /** Time for which the kernel waits for a stable level. */
  readonly debounceMs?: number
  /** Edges that the kernel keeps for us; beyond it the oldest is lost. */
  readonly eventBufferSize?: number
}

/**
 * A `struct gpio_v2_line_request` for one line.
 * @throws DamselflyError `GPIO_FAILED` when the debounce is longer than the kernel's 32 bits of microseconds
 */
export function encodeLineRequest(request: LineRequest): Buffer {
  const bytes = Buffer.alloc(592)
  bytes.writeUInt32LE(request.offset, 0)
  bytes.write(request.consumer.slice(0, nameBytes - 1), 256, 'latin1')
  bytes.writeBigUInt64LE(request.flags, 288)
  let attributes = 0
  const attribute = (id: number, write: (at: number) => void): void => {
    const at = 320 + attributes++ * 24
    bytes.writeUInt32LE(id, at)
    write(at + 8)
    bytes.writeBigUInt64LE(1n, at + 16) // mask: the request's first and only line
  }
  if (request.outputValue !== undefined) {
    const value = request.outputValue ? 1n : 0n
    attribute(attributeIds.outputValues, (at) => bytes.writeBigUInt64LE(value, at))
  }
  if (request.debounceMs !== undefined && request.debounceMs > 0) {
    const us = Math.ceil(request.debounceMs * 1_000)
    if (us > 0xffff_ffff)
      throw new DamselflyError(
        'GPIO_FAILED',
        `debounce of ${request.debounceMs} ms: the kernel's limit is 71m`,
      )
    attribute(attributeIds.debounce, (at) => bytes.writeUInt32LE(us, at))
  }
  bytes.writeUInt32LE(attributes, 296)
  bytes.writeUInt32LE(1, 560)
  bytes.writeUInt32LE(request.eventBufferSize ?? 0, 564)
  return bytes
}

/** The line's file descriptor, from a request that the kernel has answered. */
export function decodeLineFd(request: Buffer): number {
  return request.readInt32LE(588)
}

/** A `struct gpio_v2_line_values` for a request of one line. */
export function encodeLineValue(value: boolean): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64LE(value ? 1n : 0n, 0)
  bytes.writeBigUInt64LE(1n, 8)
  return bytes
}

export function decodeLineValue(values: Buffer): boolean {
  return (values.readBigUInt64LE(0) & 1n) === 1n
}

export interface LineEvent {
  /** The level after the edge: true is active (`on`). */
  readonly value: boolean
  /** When it was, in milliseconds of `CLOCK_MONOTONIC`, to the microsecond. */
  readonly atMs: number
  /** Its number among the line's edges, from 1, of 32 bits. A gap tells how many the kernel threw away. */
  readonly seqno: number
}

/** The edges in what `read` gave. An incomplete last one is left out. */
export function decodeLineEvents(bytes: Buffer, byteCount: number): LineEvent[] {
  const events: LineEvent[] = []
  for (let at = 0; at + lineEventBytes <= byteCount; at += lineEventBytes)
    events.push({
      value: bytes.readUInt32LE(at + 8) === risingEdgeId,
      atMs: Number(bytes.readBigUInt64LE(at) / 1_000n) / 1_000,
      seqno: bytes.readUInt32LE(at + 20),
    })
  return events
}

/** An array of `struct pollfd` that waits for something to read. */
export function encodePollFds(fds: readonly number[]): Buffer {
  const bytes = Buffer.alloc(fds.length * pollFdBytes)
  for (const [index, fd] of fds.entries()) {
    bytes.writeInt32LE(fd, index * pollFdBytes)
    bytes.writeInt16LE(pollIn, index * pollFdBytes + 4)
  }
  return bytes
}

/** What `poll` found for the descriptor at `index`; `broken` when it will never give anything again. */
export function decodePollFd(bytes: Buffer, index: number): 'idle' | 'readable' | 'broken' {
  const found = bytes.readInt16LE(index * pollFdBytes + 6)
  if ((found & pollBroken) !== 0) return 'broken'
  return (found & pollIn) !== 0 ? 'readable' : 'idle'
}

function text(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at)
  return bytes.toString('utf8', at, end === -1 || end > at + nameBytes ? at + nameBytes : end)
}
