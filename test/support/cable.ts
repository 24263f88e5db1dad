import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** A way to a port of loopback that can be cut and mended. */
export interface Cable {
  /** Connect here. */
  readonly port: number
  /** Ends all connections, and those that are begun from now on. */
  cut(): void
  mend(): void
}

export async function cableTo(context: TestContext, port: number): Promise<Cable> {
  const sockets = new Set<Socket>()
  let isWhole = true
  const server = createServer((near) => {
    if (!isWhole) {
      near.destroy()
      return
    }
    const far = connect(port, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    isWhole = false
    for (const socket of sockets) socket.destroy()
  }
  context.after(() => {
    cut()
    server.close()
  })
  return {
    port: (server.address() as { port: number }).port,
    cut,
    mend: () => {
      isWhole = true
    },
  }
}
