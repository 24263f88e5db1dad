import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { type ClientOptions, WebSocket } from 'ws'
import { until } from './until.js'
import { takePackets, type WirePacket } from './wire-client.js'

/** A WebSocket that sends what it is told, and shows what comes back. */
export class WebSocketClient {
  readonly socket: WebSocket
  readonly packets: WirePacket[] = []
  #rest: Buffer = Buffer.alloc(0)
  closeCode: number | undefined

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data: Buffer) => {
      this.#rest = takePackets(Buffer.concat([this.#rest, data]), this.packets)
    })
    socket.on('error', () => {})
    socket.on('close', (code) => {
      this.closeCode = code
    })
  }

  static async open(
    context: TestContext,
    url: string,
    options: ClientOptions & { readonly protocols?: readonly string[] } = {},
  ): Promise<WebSocketClient> {
    const { protocols = ['mqtt'], ...rest } = options
    const socket = new WebSocket(url, [...protocols], { perMessageDeflate: false, ...rest })
    context.after(() => socket.terminate())
    const client = new WebSocketClient(socket)
    await once(socket, 'open')
    return client
  }

  async next(): Promise<WirePacket> {
    await until('a packet', () => this.packets.length > 0 || this.closeCode !== undefined)
    const packet = this.packets.shift()
    if (packet === undefined) throw new Error('closed instead of a packet')
    return packet
  }

  async closed(): Promise<number> {
    await until('the WebSocket to be closed', () => this.closeCode !== undefined)
    return this.closeCode as number
  }
}

/** The status of the answer to an upgrade that is refused. */
export async function refusedStatus(
  url: string,
  options: ClientOptions & { readonly protocols?: readonly string[] } = {},
): Promise<number> {
  const { protocols = ['mqtt'], ...rest } = options
  const socket = new WebSocket(url, [...protocols], rest)
  socket.on('error', () => {})
  return await new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.terminate()
      reject(new Error('it was opened'))
    })
    socket.once('unexpected-response', (request, response) => {
      response.resume()
      request.destroy()
      resolve(response.statusCode as number)
    })
  })
}
