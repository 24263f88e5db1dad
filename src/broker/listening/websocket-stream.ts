import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { errnoOf } from '../../core/errors.ts'

/** A message is handed on in pieces of so many bytes: whoever reads may pause between two. */
const pieceBytes = 64 * 1024

/** Bytes that come with a chunk, beside those in it: many small ones take more memory than they say. */
const chunkBytes = 128

/** Answers to pings that may wait: who reads has few. */
const pongsMax = 60

/** How long a peer may take to answer the frame that ends a WebSocket. */
const closeMs = 2_000

const sendOptions = { binary: true, compress: false } as const

/**
 * A WebSocket as a stream of bytes: where messages begin and end means nothing [MQTT-6.0.0-2]. Reading and writing are
 * held up as those of a socket are. Whatever is no binary message ends it [MQTT-6.0.0-1].
 */
export class WebSocketStream extends Duplex {
  /** Told how many bytes of a message wait here, of one that is not whole yet or that is not read yet; not of each byte. */
  onHeld: (bytes: number) => void = () => {}
  readonly #socket: WebSocket
  readonly #onBroken: (error: BrokenWebSocket) => void
  /** Bytes that have come since the last message was whole. */
  #partBytes = 0
  #toldBytes = 0
  /** Answers to pings that wait to be sent. */
  #pongs = 0
  #isPaused = false
  #isBroken = false

  /**
   * @param carrier what the WebSocket reads from
   * @param onBroken told once when the peer breaks the protocol
   */
  constructor(socket: WebSocket, carrier: Duplex, onBroken: (error: BrokenWebSocket) => void) {
    super({ highWaterMark: pieceBytes })
    this.#socket = socket
    this.#onBroken = onBroken
    // before the listener of the WebSocket itself, which may find a whole message in the chunk
    const count = (chunk: Buffer): void => {
      this.#partBytes += chunk.length + chunkBytes
      this.#tellHeld()
    }
    carrier.prependListener('data', count)
    socket.on('message', (data, isBinary) => {
      if (isBinary) this.#take(data as Buffer)
      else this.#break({ reason: 'it sends text frames, and MQTT is binary' }, 1003)
    })
    socket.on('ping', (data) => this.#answer(data))
    socket.on('error', (error) => this.#break(brokenBy(error), 1002))
    socket.on('close', () => {
      carrier.off('data', count)
      this.#partBytes = 0
      if (!this.destroyed) this.push(null)
    })
  }

  override _read(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#tellHeld()
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.send(chunk, sendOptions, done)
  }

  override _writev(
    chunks: readonly { readonly chunk: Buffer }[],
    done: (error?: Error | null) => void,
  ): void {
    const last = chunks.length - 1
    for (let index = 0; index < last; index++) this.#socket.send(chunks[index]?.chunk as Buffer, sendOptions)
    this.#socket.send(chunks[last]?.chunk as Buffer, sendOptions, done)
  }

  override _final(done: () => void): void {
    this.#socket.close(1000)
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // who broke the protocol is told so before it is left
    if (this.#isBroken) setTimeout(() => this.#socket.terminate(), closeMs).unref()
    else this.#socket.terminate()
    done(error)
  }

  #take(data: Buffer): void {
    this.#partBytes = 0
    if (this.destroyed) return
    for (let at = 0; at < data.length; at += pieceBytes) {
      const isWanted = this.push(data.length <= pieceBytes ? data : data.subarray(at, at + pieceBytes))
      if (isWanted || this.#isPaused) continue
      this.#isPaused = true
      this.#socket.pause()
    }
    this.#tellHeld()
  }

  #answer(ping: Buffer): void {
    if (this.#pongs >= pongsMax)
      return this.#break({ reason: 'it sends pings, and does not read what answers them' }, 1008)
    this.#pongs++
    this.#socket.pong(ping, false, () => this.#pongs--)
  }

  #break(error: BrokenWebSocket, code: number): void {
    if (this.#isBroken || this.destroyed) return
    this.#isBroken = true
    this.#onBroken(error)
    this.#socket.close(code)
    this.destroy()
  }

  /** What comes and goes within a chunk is not worth telling. */
  #tellHeld(): void {
    const held = this.#partBytes + this.readableLength
    const told = held > pieceBytes ? held : 0
    if (told === this.#toldBytes) return
    this.#toldBytes = told
    this.onHeld(told)
  }
}

/** How a peer has broken the protocol of WebSockets. */
export interface BrokenWebSocket {
  readonly reason: string
  /** What makes two of them the same, where `reason` has words of the peer's in it. */
  readonly kind?: string
  /** The bound that was reached, if one was. */
  readonly limit?: 'packetBytesMax'
}

function brokenBy(error: Error): BrokenWebSocket {
  if (errnoOf(error) === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
    return {
      reason: 'it sends a WebSocket message that is longer than a packet may be',
      limit: 'packetBytesMax',
    }
  return { kind: 'protocol', reason: `it breaks the WebSocket protocol: ${error.message}` }
}
