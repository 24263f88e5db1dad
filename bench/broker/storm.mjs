// Connections a second: connect, CONNECT, CONNACK, DISCONNECT, a hundred at a time.
import { createConnection } from 'node:net'
import { connectPacket, disconnectPacket } from '../mqtt-wire.mjs'

const atOnce = 100
const readBuffer = Buffer.allocUnsafe(1_024)

export const storms = [
  {
    name: 'storm',
    title: 'connections: CONNECT to DISCONNECT',
    file: import.meta.filename,
    driver: 'storm',
    settings: {},
    target: 0.3,
    targetPerSecond: 0.3,
    params: (plan) => ({ connections: { full: 10_000, quick: 4_000, smoke: 200 }[plan] }),
  },
]

export async function storm({ port }, { connections }) {
  const packets = Array.from({ length: connections }, (_, index) => connectPacket(`bench-storm-${index}`))
  let accepted = 0
  const run = async (count) => {
    accepted = 0
    let next = 0
    const lane = async () => {
      while (next < count) if (await once(port, packets[next++])) accepted++
    }
    await Promise.all(Array.from({ length: atOnce }, lane))
  }
  return {
    warmUp: () => run(Math.ceil(connections / 4)),
    run: async () => {
      await run(connections)
      return { units: accepted }
    },
    counts: () => ({ expected: connections, delivered: accepted }),
  }
}

/** @returns whether it was accepted, when the connection is closed */
function once(port, connect) {
  return new Promise((resolve) => {
    let isAccepted = false
    const socket = createConnection({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: readBuffer,
        callback: () => {
          isAccepted = readBuffer[0] === 0x20 && readBuffer[3] === 0
          socket.end(disconnectPacket)
          return true
        },
      },
    })
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => resolve(isAccepted))
    socket.write(connect)
  })
}
