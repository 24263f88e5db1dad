import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { packet, takePackets, u16, type WirePacket } from './wire-client.js'

/** A broker that does as it is told, for what no real one does. */
export interface FarBroker {
  readonly port: number
  /** The protocol level of each CONNECT, the bit of a bridge included. */
  readonly levels: readonly number[]
  /** The payloads that have come. */
  readonly payloads: readonly string[]
}

export interface FarBrokerParts {
  /** The return code for a CONNECT of that level; `close`: nothing, and the connection is closed. */
  readonly answer?: (level: number) => number | 'close'
  /** Whether it acknowledges a message, or closes the connection. */
  readonly takes?: (payload: string) => boolean
}

/** It speaks MQTT 3.1.1, grants every subscription, and goes with the test. */
export async function farBroker(
  context: TestContext,
  { answer = () => 0, takes = () => true }: FarBrokerParts = {},
): Promise<FarBroker> {
  const levels: number[] = []
  const payloads: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    let rest: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      const packets: WirePacket[] = []
      rest = takePackets(Buffer.concat([rest, chunk]), packets)
      for (const one of packets) take(socket, one)
    })
  }).listen(0, '127.0.0.1')
  const take = (socket: Socket, { type, flags, body }: WirePacket): void => {
    if (type === 1) {
      const level = body[6] as number
      levels.push(level)
      const code = answer(level)
      if (code === 'close') socket.destroy()
      else socket.write(packet(0x20, 0, code))
    }
    if (type === 8) socket.write(packet(0x90, body.subarray(0, 2), 1))
    if (type !== 3) return
    const topicEnd = 2 + body.readUInt16BE(0)
    const hasId = (flags & 6) !== 0
    const payload = body.toString('utf8', hasId ? topicEnd + 2 : topicEnd)
    if (!takes(payload)) return void socket.destroy()
    payloads.push(payload)
    if (hasId) socket.write(packet(0x40, u16(body.readUInt16BE(topicEnd))))
  }
  await once(server, 'listening')
  context.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as { port: number }).port, levels, payloads }
}
