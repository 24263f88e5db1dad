// A way to a port of loopback that can be cut and mended.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

export async function cableTo(port) {
  const sockets = new Set()
  let isWhole = true
  const server = createServer((near) => {
    if (!isWhole) return void near.destroy()
    const far = connect(port, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
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
  return {
    port: server.address().port,
    cut() {
      isWhole = false
      for (const socket of sockets) socket.destroy()
    },
    mend() {
      isWhole = true
    },
    close() {
      this.cut()
      server.close()
    },
  }
}
