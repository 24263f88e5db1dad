import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { until } from './until.js'

/** One packet as it came: `type` is its number [MQTT-2.1.2], `body` all after the fixed header. */
export interface WirePacket {
  readonly type: number
  readonly flags: number
  readonly body: Buffer
}

/** A client that sends what it is told, byte by byte, and shows what comes back. */
export class WireClient {
  readonly socket: Socket
  #packets: WirePacket[] = []
  // shifting an array of 65,535 packets, one after the other, takes seconds
  #taken = 0
  #wake = () => {}
  #bytes: Buffer = Buffer.alloc(0)
  isClosed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  static async connect(context: TestContext, port: number): Promise<WireClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    context.after(() => socket.destroy())
    const client = new WireClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return client
  }

  send(...parts: readonly Bytes[]): void {
    this.socket.write(bytes(...parts))
  }

  /** The next packet, waited for. */
  async next(): Promise<WirePacket> {
    while (this.#taken === this.#packets.length) {
      if (this.isClosed) throw new Error('closed instead of a packet')
      await this.#arrival()
    }
    const next = this.#packets[this.#taken++] as WirePacket
    if (this.#taken === this.#packets.length) {
      this.#packets = []
      this.#taken = 0
    }
    return next
  }

  /** What has come and was not taken. */
  get pending(): readonly WirePacket[] {
    return this.#packets.slice(this.#taken)
  }

  /** Waits until the broker has closed the connection. */
  async closed(): Promise<void> {
    await until('the connection to be closed', () => this.isClosed)
  }

  /** Waits for bytes or the end of the connection, without polling: tests of thousands of packets would be slow. */
  #arrival(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('waited 10000 ms in vain: a packet')), 10_000)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #take(chunk: Buffer): void {
    this.#bytes = takePackets(Buffer.concat([this.#bytes, chunk]), this.#packets)
    this.#wake()
  }
}

/** Adds the whole packets to `packets`. @returns the bytes after them */
export function takePackets(all: Buffer, packets: WirePacket[]): Buffer {
  let rest = all
  for (;;) {
    let length = 0
    let at = 1
    for (let shift = 0; ; shift += 7) {
      if (at >= rest.length) return rest
      const byte = rest[at++] as number
      length |= (byte & 127) << shift
      if (byte < 128) break
    }
    if (rest.length < at + length) return rest
    const first = rest[0] as number
    packets.push({ type: first >> 4, flags: first & 15, body: Buffer.from(rest.subarray(at, at + length)) })
    rest = rest.subarray(at + length)
  }
}

export type Bytes = number | string | Uint8Array | readonly number[]

/** Joins bytes; a text stands for its UTF-8, without a length before it. */
export function bytes(...parts: readonly Bytes[]): Buffer {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === 'number'
        ? Buffer.from([part])
        : typeof part === 'string'
          ? Buffer.from(part)
          : Buffer.from(part),
    ),
  )
}

/** A packet with the right length: `first` is the first byte of the fixed header. */
export function packet(first: number, ...parts: readonly Bytes[]): Buffer {
  const body = bytes(...parts)
  return bytes(first, varint(body.length), body)
}

export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255])
}

export function u32(value: number): Buffer {
  const four = Buffer.alloc(4)
  four.writeUInt32BE(value)
  return four
}

/** Variable Byte Integer [MQTT-1.5.5]. */
export function varint(value: number): Buffer {
  const out: number[] = []
  do {
    const more = value >= 128
    out.push((value & 127) | (more ? 128 : 0))
    value = Math.floor(value / 128)
  } while (value > 0)
  return Buffer.from(out)
}

/** UTF-8 String or Binary Data: two length bytes, then the bytes. */
export function prefixed(part: string | Uint8Array): Buffer {
  const body = bytes(part)
  return bytes(u16(body.length), body)
}

/** A block of properties: their length, then them. */
export function properties(...parts: readonly Bytes[]): Buffer {
  const body = bytes(...parts)
  return bytes(varint(body.length), body)
}

export interface ConnectFields {
  readonly level?: 3 | 4 | 5
  readonly clean?: boolean
  readonly keepAlive?: number
  readonly clientId?: string
  /** MQTT 5: the properties, without their length. */
  readonly properties?: Uint8Array
  readonly will?: {
    readonly topic: string
    readonly payload?: string | Uint8Array
    readonly qos?: 0 | 1 | 2
    readonly retain?: boolean
    readonly properties?: Uint8Array
  }
  readonly username?: string
  readonly password?: string | Uint8Array
}

/** CONNECT; MQTT 3.1.1, clean, without keep alive unless told. */
export function connectBytes(fields: ConnectFields = {}): Buffer {
  const { level = 4, clean = true, keepAlive = 0, clientId = '', will, username, password } = fields
  const flags =
    (clean ? 2 : 0) |
    (will === undefined ? 0 : 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0)) |
    (password === undefined ? 0 : 64) |
    (username === undefined ? 0 : 128)
  const parts: Bytes[] = [prefixed(level === 3 ? 'MQIsdp' : 'MQTT'), level, flags, u16(keepAlive)]
  if (level === 5) parts.push(properties(fields.properties ?? []))
  parts.push(prefixed(clientId))
  if (will !== undefined) {
    if (level === 5) parts.push(properties(will.properties ?? []))
    parts.push(prefixed(will.topic), prefixed(will.payload ?? ''))
  }
  if (username !== undefined) parts.push(prefixed(username))
  if (password !== undefined) parts.push(prefixed(password))
  return packet(0x10, ...parts)
}
