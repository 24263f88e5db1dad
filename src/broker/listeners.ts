import { createServer, type Server, type Socket } from 'node:net'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'

/** An address that could not be listened on. */
export interface ListenFailure {
  readonly address: string
  readonly error: DamselflyError
}

/**
 * The TCP listeners: one for each address, all on one port. `apply` moves to another set of addresses
 * without touching the clients of those that stay.
 */
export class Listeners {
  readonly #servers = new Map<string, { readonly server: Server; readonly sockets: Set<Socket> }>()
  readonly #onSocket: (socket: Socket) => void
  readonly #onError: (error: Error) => void

  constructor(onSocket: (socket: Socket) => void, onError: (error: Error) => void) {
    this.#onSocket = onSocket
    this.#onError = onError
  }

  /** The addresses that are being listened on, in the order in which they were opened. */
  get addresses(): readonly string[] {
    return [...this.#servers.keys()]
  }

  /** The port in use; the one the system chose when it was asked for port 0. */
  get port(): number | undefined {
    for (const { server } of this.#servers.values()) {
      const address = server.address()
      if (address !== null && typeof address === 'object') return address.port
    }
    return undefined
  }

  /**
   * Listens on exactly these addresses. What fails is returned, and tried again at the next call;
   * the others are served. Clients of an address that is gone are disconnected.
   */
  async apply(addresses: readonly string[], port: number): Promise<readonly ListenFailure[]> {
    for (const [address, { server, sockets }] of this.#servers) {
      if (addresses.includes(address)) continue
      this.#servers.delete(address)
      server.close()
      for (const socket of sockets) socket.destroy()
    }
    const failures: ListenFailure[] = []
    for (const address of addresses) {
      if (this.#servers.has(address)) continue
      try {
        await this.#open(address, this.port ?? port)
      } catch (cause) {
        const error = explain(address, port, cause)
        // one remedy serves all
        const isAlso =
          error.code === 'ADDRESS_IN_USE' && failures.some((other) => other.error.code === error.code)
        failures.push({ address, error: isAlso ? alsoTaken(address, port, cause) : error })
      }
    }
    return failures
  }

  async close(): Promise<void> {
    await this.apply([], 0)
  }

  #open(address: string, port: number): Promise<void> {
    const sockets = new Set<Socket>()
    const server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
      (socket) => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
        this.#onSocket(socket)
      },
    )
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: address, port, ipv6Only: false }, () => {
        server.off('error', reject)
        server.on('error', this.#onError) // accept errors such as EMFILE: the client tries again, we go on
        this.#servers.set(address, { server, sockets })
        resolve()
      })
    })
  }
}

function alsoTaken(address: string, port: number, cause: unknown): DamselflyError {
  return new DamselflyError('ADDRESS_IN_USE', `port ${port} on ${address} is taken, too`, { cause })
}

function explain(address: string, port: number, cause: unknown): DamselflyError {
  switch (errnoOf(cause)) {
    case 'EADDRINUSE':
      return new DamselflyError(
        'ADDRESS_IN_USE',
        `port ${port} on ${address} is taken, often by mosquitto (sudo systemctl disable --now mosquitto) or another Damselfly (sudo systemctl stop damselfly): stop it, or set another PORT in .env; "ss -ltnp sport = :${port}" shows who it is`,
        { cause },
      )
    case 'EADDRNOTAVAIL':
      return new DamselflyError('ADDRESS_UNAVAILABLE', `this machine has no address ${address} (yet)`, {
        cause,
      })
    case 'EACCES':
      return new DamselflyError(
        'ADDRESS_UNAVAILABLE',
        `not allowed to listen on port ${port}: ports below 1024 need root; set PORT in .env to 1883`,
        { cause },
      )
    default:
      return new DamselflyError(
        'ADDRESS_UNAVAILABLE',
        `cannot listen on ${address} port ${port}: ${reasonOf(cause)}`,
        { cause },
      )
  }
}
