import { createSocket } from 'node:dgram'
import { hostname, networkInterfaces } from 'node:os'

/** Who this machine is on its network. */
export interface LocalAddress {
  readonly host: string
  /** IPv4; empty when there is none. */
  readonly ip: string
}

/** An address of documentation (RFC 5737) that no network has, so it is reached by the default route. */
const elsewhere = '198.51.100.1'

/**
 * This machine's name, and the address from which it reaches other networks: the source address of the default route.
 * Without such a route it is the first IPv4 address that is not loopback. Sends nothing; never rejects.
 */
export async function localAddress(): Promise<LocalAddress> {
  return { host: hostname(), ip: (await sourceAddress()) ?? firstAddress() ?? '' }
}

/** connect(2) of a datagram socket only asks the kernel for the route. */
function sourceAddress(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    const end = (address: string | undefined): void => {
      socket.close()
      resolve(address === '0.0.0.0' ? undefined : address)
    }
    socket.once('error', () => end(undefined))
    socket.connect(9, elsewhere, () => end(socket.address().address))
  })
}

function firstAddress(): string | undefined {
  try {
    const all = Object.values(networkInterfaces()).flatMap((infos = []) => infos)
    return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address
  } catch {
    return undefined // netlink sockets may be forbidden
  }
}
