import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Counters } from './counters.ts'
import { type DnsMessage, decodeMessage } from './dns-message.ts'
import { limits } from './limits.ts'

/** RFC 6762 §3. */
const group = '224.0.0.251'
export const mdnsPort = 5_353

/** An IPv4 address of this machine, with its network. */
export interface LinkAddress {
  readonly address: string
  readonly netmask: string
}

export interface MulticastSocketOptions {
  readonly link: LinkAddress
  /** 5353 unless told; 0: any, and answers come back to it alone. */
  readonly port?: number
  readonly counters?: Counters
  /** @param bytes as it came */
  readonly onMessage: (message: DnsMessage, from: RemoteInfo, bytes: Buffer) => void
  /** It cannot send, or the system has ended it. */
  readonly onError: (error: Error) => void
}

/**
 * Multicast DNS on one link: what comes from another network is not heard (RFC 6762 §11), nor what is no message, nor
 * more than `mdnsPacketRateMax` packets a second. Port 5353 is shared with whoever shares it as well, such as
 * avahi-daemon. IPv4 alone.
 */
export class MulticastSocket implements Disposable {
  readonly #options: MulticastSocketOptions
  readonly #socket: Socket
  #isClosed = false
  #secondsAt = 0
  #inSecond = 0

  /** @throws what the system says: the port is taken, the address is gone, multicast is forbidden */
  static async open(options: MulticastSocketOptions): Promise<MulticastSocket> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    try {
      socket.bind(options.port ?? mdnsPort, '0.0.0.0')
      await once(socket, 'listening')
      const { address } = options.link
      socket.addMembership(group, address)
      socket.setMulticastInterface(address)
      socket.setMulticastTTL(255)
    } catch (error) {
      socket.close()
      throw error
    }
    return new MulticastSocket(options, socket)
  }

  private constructor(options: MulticastSocketOptions, socket: Socket) {
    this.#options = options
    this.#socket = socket
    socket.unref()
    socket.on('error', (error) => this.#failed(error))
    socket.on('message', (bytes, from) => this.#heard(bytes, from))
  }

  /** To everybody, or to one. Resolves when it is sent, or cannot be, which `onError` is told. */
  send(bytes: Buffer, to: { readonly address: string; readonly port: number } = everybody): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      this.#socket.send(bytes, to.port, to.address, (error) => {
        if (error !== null) this.#failed(error)
        resolve()
      })
    })
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.close()
  }

  #heard(bytes: Buffer, from: RemoteInfo): void {
    if (this.#isClosed || !isOnLink(from.address, this.#options.link) || this.#isTooMany()) return
    const message = decodeMessage(bytes)
    if (message !== undefined) this.#options.onMessage(message, from, bytes)
  }

  #isTooMany(): boolean {
    const second = Math.floor(performance.now() / 1_000)
    if (second !== this.#secondsAt) this.#inSecond = 0
    this.#secondsAt = second
    if (++this.#inSecond <= limits.mdnsPacketRateMax) return false
    this.#options.counters?.add('mdnsPacketRateMax')
    return true
  }

  #failed(error: Error): void {
    if (!this.#isClosed) this.#options.onError(error)
  }
}

const everybody = { address: group, port: mdnsPort }

/** Whether an IPv4 address belongs to a link. */
export function isOnLink(address: string, { address: own, netmask }: LinkAddress): boolean {
  const mask = bitsOf(netmask)
  return (bitsOf(address) & mask) === (bitsOf(own) & mask)
}

function bitsOf(ipv4: string): number {
  return ipv4.split('.').reduce((bits, byte) => (bits << 8) | Number(byte), 0)
}
