import { chmod } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import {
  anyPath,
  hasTls,
  type Listener,
  type OpenListener,
  transportOf,
  type WayIn,
} from '../core/listener.ts'
import { listenAt } from '../core/socket-file.ts'
import { explainListening, type ListenFailure, tlsFailure } from './listen-failure.ts'
import type { Turning } from './listening/stranger.ts'
import type { TlsEntrance } from './listening/tls.ts'
import type { WebSocketEntrance } from './listening/websocket.ts'
import type { BrokenWebSocket } from './listening/websocket-stream.ts'
import { plainAddress } from './log-fields.ts'
import type { Peer } from './peer.ts'

/** A client's connection, as far as its way in has to do with it. */
export interface Client {
  /** Ends it for the settings let it stay no longer. */
  revoke(reason: string): void
  /** What carries its bytes holds so many that have come in part. */
  holdBelow(bytes: number): void
}

/** One whose connection was accepted, and who has not come through TLS or HTTP yet. */
export interface Arrival {
  readonly address: string
  /** The name of the listener. */
  readonly listener: string
  /** By `performance.now`. */
  readonly sinceMs: number
  /** What has come from it. Nothing tells when there is more: TLS reads below us. */
  readonly bytes: number
  /** Whether TLS is not there yet. */
  readonly isInHandshake: boolean
  end(): void
}

/** Who lets in what comes through the ways. */
export interface Gatekeeper {
  /** Whether there is room for one more; if not, that has been told. */
  hasRoom(address: string, listener: Listener, clients: number): boolean
  isOwnAddress(address: string): boolean
  /** Every way in that is open. */
  readonly open: readonly OpenListener[]
  enter(stream: Duplex, peer: Peer, sinceMs: number): Client
  /** `left` follows, when it has come through or has gone. */
  arrived(arrival: Arrival): void
  left(arrival: Arrival): void
  turnedAway(address: string, listener: string, why: Turning): void
  broken(address: string, listener: string, error: BrokenWebSocket): void
  /** A connection could not be accepted: the client tries again. */
  failed(error: Error): void
}

interface Door {
  readonly server: Server
  readonly close: () => Promise<void>
}

/** Somebody who is connected, or on the way in. */
interface Guest {
  /** Of the door by which it came. */
  readonly address: string
  tls?: TLSSocket
  client?: Client
}

/**
 * One listener: its doors, one for each address, and what its clients come through. `open` and `close` change the doors,
 * `apply` the terms for those who come from then on.
 */
export class Way {
  listener: Listener
  readonly #house: Gatekeeper
  readonly #doors = new Map<string, Door>()
  readonly #guests = new Map<Socket, Guest>()
  #tls: TlsEntrance | undefined
  #webSocket: WebSocketEntrance | undefined

  constructor(listener: Listener, house: Gatekeeper) {
    this.listener = listener
    this.#house = house
  }

  get addresses(): readonly string[] {
    return [...this.#doors.keys()]
  }

  /** The port in use; the one the system chose when it was asked for port 0. */
  get port(): number | undefined {
    for (const { server } of this.#doors.values()) {
      const address = server.address()
      if (address !== null && typeof address === 'object') return address.port
    }
    return undefined
  }

  get state(): OpenListener {
    const { name, webSocket } = this.listener
    const { addresses, port } = this
    return {
      name,
      transport: transportOf(this.listener),
      addresses,
      ...(port === undefined ? {} : { port }),
      ...(webSocket === undefined ? {} : { path: webSocket.path === anyPath ? '/' : webSocket.path }),
    }
  }

  /** Whether the listener can become this one with those who are connected by it: same place, same way of talking. */
  canBecome({ where, ...next }: Listener): boolean {
    const now = this.listener
    if (transportOf({ where, ...next }) !== transportOf(now)) return false
    if (where.kind === 'unix') return now.where.kind === 'unix' && now.where.path === where.path
    return now.where.kind === 'tcp' && (now.where.port === where.port || this.port === where.port)
  }

  /**
   * Takes over terms: for those who come from now on, and, where somebody who is there may not stay by them, for that one.
   * @returns what keeps new certificates from being used; then those before it stay
   */
  async apply(next: Listener): Promise<ListenFailure | undefined> {
    const before = this.listener
    try {
      if (next.tls !== undefined) {
        const { TlsEntrance } = await import('./listening/tls.ts')
        if (this.#tls === undefined) this.#tls = new TlsEntrance(next.tls)
        else if (!isSameTls(next, this.#tls)) this.#renew(this.#tls, next)
      }
    } catch (cause) {
      this.listener = { ...next, tls: before.tls }
      return tlsFailure(next.name, cause)
    }
    this.listener = next
    if (next.where.kind === 'unix' && this.#doors.size > 0)
      await chmod(next.where.path, next.where.mode).catch(() => {})
    if (next.webSocket === undefined) return undefined
    const { WebSocketEntrance } = await import('./listening/websocket.ts')
    this.#webSocket ??= new WebSocketEntrance(next.webSocket, transportOf(next), () => this.#house.open)
    this.#webSocket.terms = next.webSocket
    return undefined
  }

  /** Listens on exactly these addresses. What fails is returned; clients of an address that is gone are disconnected. */
  async listen(addresses: WayIn['addresses']): Promise<readonly ListenFailure[]> {
    for (const [address, door] of this.#doors) {
      if (addresses.includes(address)) continue
      this.#doors.delete(address)
      await door.close()
      for (const [socket, guest] of this.#guests) if (guest.address === address) socket.destroy()
    }
    const failures: ListenFailure[] = []
    if (hasTls(transportOf(this.listener)) && this.#tls === undefined) return failures // that was told
    for (const address of addresses) {
      if (this.#doors.has(address)) continue
      try {
        this.#doors.set(address, await this.#open(address))
      } catch (cause) {
        failures.push(explainListening(this.listener, address, cause, failures))
      }
    }
    return failures
  }

  /** Takes nobody any more, and leaves those who are there. */
  async close(): Promise<void> {
    await this.listen([])
  }

  /** Takes nobody any more; resolves when those have gone to whom last words are still on their way. */
  async settle(): Promise<void> {
    for (const { server } of this.#doors.values()) server.close()
    if (this.#tls === undefined && this.#webSocket === undefined) return // theirs have gone
    await Promise.all(
      [...this.#guests.keys()].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
    )
  }

  #renew(entrance: TlsEntrance, { tls }: Listener): void {
    const before = entrance.tls
    if (tls === undefined) return
    entrance.apply(tls)
    for (const { tls: socket, client } of this.#guests.values()) {
      const reason = socket === undefined ? undefined : entrance.whyNotStay(socket, before)
      if (reason !== undefined) client?.revoke(reason)
    }
  }

  async #open(address: string): Promise<Door> {
    const { where } = this.listener
    const server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
      (socket) => this.#accept(socket, address),
    )
    if (where.kind === 'unix') {
      const remove = await listenAt(server, where.path, where.mode, 'choose a shorter one')
      server.on('error', (error) => this.#house.failed(error))
      const close = async (): Promise<void> => {
        server.close()
        await remove()
      }
      return { server, close }
    }
    const port = this.port ?? where.port
    return await new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: address, port, ipv6Only: false }, () => {
        server.off('error', reject)
        server.on('error', (error) => this.#house.failed(error)) // such as EMFILE: the client tries again, we go on
        resolve({ server, close: async () => void server.close() })
      })
    })
  }

  #accept(socket: Socket, door: string): void {
    const isUnix = this.listener.where.kind === 'unix'
    const remote = isUnix ? 'unix' : socket.remoteAddress
    if (remote === undefined) return leave(socket) // it has gone
    const address = plainAddress(remote)
    if (!this.#house.hasRoom(address, this.listener, this.#guests.size)) return leave(socket)
    const guest: Guest = { address: door }
    this.#guests.set(socket, guest)
    socket.once('close', () => this.#guests.delete(socket))
    const peer: Peer = {
      address,
      listener: this.listener.name,
      isLocal: isUnix || this.#house.isOwnAddress(address),
      certificateUser: undefined,
      transport: transportOf(this.listener),
    }
    const sinceMs = performance.now()
    if (this.#tls === undefined && this.#webSocket === undefined) {
      guest.client = this.#house.enter(socket, peer, sinceMs)
      return
    }
    this.#acceptLayered(socket, guest, peer, sinceMs)
  }

  #acceptLayered(socket: Socket, guest: Guest, peer: Peer, sinceMs: number): void {
    const { address, listener } = peer
    const isSecured = this.#tls !== undefined
    const arrival: Arrival = {
      address,
      listener,
      sinceMs,
      get bytes() {
        return socket.bytesRead
      },
      get isInHandshake() {
        return isSecured && guest.tls === undefined
      },
      end: () => socket.destroy(),
    }
    const left = (): void => this.#house.left(arrival)
    socket.on('error', () => {}) // 'close' follows
    socket.once('close', left)
    this.#house.arrived(arrival)
    const turnAway = (why: Turning | undefined): void => {
      if (why !== undefined) this.#house.turnedAway(peer.address, peer.listener, why)
    }
    const enter = (stream: Duplex, as: Peer): Client => {
      socket.off('close', left)
      left()
      guest.client = this.#house.enter(stream, as, sinceMs)
      return guest.client
    }
    const upgrade = (stream: Duplex, as: Peer): void => {
      const webSocket = this.#webSocket
      if (webSocket === undefined) return void enter(stream, as)
      webSocket.enter(stream, {
        onOpen: (opened, isForwarded) => {
          // from whom a proxy has it, we do not know
          const client = enter(opened, isForwarded ? { ...as, isLocal: false } : as)
          opened.onHeld = (bytes) => client.holdBelow(bytes)
        },
        onFailed: turnAway,
        onBroken: (error) => this.#house.broken(peer.address, peer.listener, error),
      })
    }
    if (this.#tls === undefined) return upgrade(socket, peer)
    this.#tls.enter(socket, {
      onSecure: (secure, user) => {
        guest.tls = secure
        upgrade(secure, user === undefined ? peer : { ...peer, certificateUser: user })
      },
      onFailed: turnAway,
    })
  }
}

function leave(socket: Socket): void {
  socket.on('error', () => {})
  socket.destroy()
}

function isSameTls({ tls }: Listener, { tls: now }: TlsEntrance): boolean {
  if (tls === undefined) return false
  const { key, ...rest } = tls
  const { key: keyNow, ...restNow } = now
  return key.equals(keyNow) && JSON.stringify(rest) === JSON.stringify(restNow)
}
