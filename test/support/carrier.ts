import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { createWebSocketStream, WebSocket } from 'ws'
import type { Access } from '#src/broker/access.js'
import { brokerWorld, listenerAt, portOf } from './broker.js'
import { Authority, tlsOf } from './certificates.js'

export type Carrier = 'tls' | 'ws' | 'wss'

/**
 * Our broker behind TLS or WebSocket, for clients that know TCP alone: what they say to the port goes on over that, and
 * what comes back comes back. @returns the port
 */
export async function carriedBroker(
  context: TestContext,
  carrier: Carrier,
  access?: Access,
): Promise<number> {
  const ca = await Authority.make(context)
  const terms = {
    ...(carrier === 'ws' ? {} : { tls: tlsOf(await ca.server()) }),
    ...(carrier === 'tls' ? {} : { webSocket: { path: '/mqtt', origins: [] } }),
  }
  const way = { listener: listenerAt(0, { name: carrier, ...terms }), addresses: ['127.0.0.1'] }
  const world = await brokerWorld(context, { ways: [way], ...(access === undefined ? {} : { access }) })
  const port = portOf(world.broker, carrier)
  const authority = await ca.cert
  const open = (): Duplex => {
    if (carrier === 'tls') return connectTls({ host: '127.0.0.1', port, ca: authority })
    const socket = new WebSocket(`${carrier}://127.0.0.1:${port}/mqtt`, ['mqtt'], { ca: authority })
    return createWebSocketStream(socket)
  }
  const sockets = new Set<Duplex>()
  const server = createServer({ noDelay: true }, (near: Socket) => {
    const far = open()
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.once('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}
