import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { limits } from '../../core/limits.ts'
import { anyPath, type OpenListener, type Transport, type WebSocketTerms } from '../../core/listener.ts'
import { isNearName } from '../../core/near-name.ts'
import { strangerOf, type Turning } from './stranger.ts'
import { type BrokenWebSocket, WebSocketStream } from './websocket-stream.ts'

/** What becomes of a connection that speaks HTTP, as it should. */
export interface Upgrade {
  /** `isForwarded`: a proxy says that it has it from somebody else. */
  readonly onOpen: (stream: WebSocketStream, isForwarded: boolean) => void
  /** It came to nothing, and is being closed. */
  readonly onFailed: (why: Turning) => void
  /** After `onOpen`: the peer breaks the protocol; the stream ends. */
  readonly onBroken: (error: BrokenWebSocket) => void
}

/** The least that a WebSocket message may have: clients put several packets into one. */
const messageBytesMin = 256 * 1024

/** How long a peer may take to read why it was refused. */
const lingerMs = 2_000

/** MQTT over WebSocket (MQTT 5, chapter 6; RFC 6455) on streams that others have accepted: TCP or TLS. */
export class WebSocketEntrance {
  terms: WebSocketTerms
  readonly #transport: Transport
  readonly #open: () => readonly OpenListener[]
  readonly #http: Server
  readonly #upgrades = new WeakMap<Duplex, Upgrade>()
  #webSockets: WebSocketServer | undefined
  #messageBytesMax = 0

  /** @param open every way in, to tell who came to the wrong one */
  constructor(terms: WebSocketTerms, transport: Transport, open: () => readonly OpenListener[]) {
    this.terms = terms
    this.#transport = transport
    this.#open = open
    // times are counted from the accept, by others
    this.#http = createServer({
      maxHeaderSize: limits.upgradeHeaderBytesMax,
      headersTimeout: 0,
      requestTimeout: 0,
    })
    this.#http.on('upgrade', (request, stream, head) => this.#upgrade(request, stream, head))
    this.#http.on('request', (request) =>
      this.#refuse(request.socket, 426, {
        reason: 'it asks for a page, and there is only MQTT over WebSocket here',
        remedy: `let it use ${this.#transport}://${this.terms.path === anyPath ? '' : ` and the path ${this.terms.path}`}`,
      }),
    )
    this.#http.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, stream) =>
      this.#failed(stream, error),
    )
  }

  enter(stream: Duplex, upgrade: Upgrade): void {
    this.#upgrades.set(stream, upgrade)
    stream.on('error', () => {}) // 'close' follows
    this.#http.emit('connection', stream)
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const upgrade = this.#upgrades.get(stream)
    const refusal = this.#refusalOf(request)
    if (refusal !== undefined) return this.#refuse(stream, refusal.status, refusal)
    this.#serverNow().handleUpgrade(request, stream, head, (socket) => {
      this.#upgrades.delete(stream)
      if (upgrade === undefined) return socket.terminate()
      const isForwarded = 'forwarded' in request.headers || 'x-forwarded-for' in request.headers
      upgrade.onOpen(new WebSocketStream(socket, stream, upgrade.onBroken), isForwarded)
    })
  }

  #refusalOf({ url = '', headers }: IncomingMessage): (Turning & { readonly status: number }) | undefined {
    const { path } = this.terms
    const asked = url.split('?', 1)[0] as string
    if (asked !== path && path !== anyPath)
      return {
        status: 404,
        kind: 'path',
        reason: `it asks for the path ${asked}, and MQTT is at ${path}`,
        remedy: `set the path ${path} in the client, or websocket: { path: ${asked} } here`,
      }
    const { origin } = headers
    if (origin !== undefined && !mayCome(origin, headers.host, this.terms.origins))
      return {
        status: 403,
        kind: 'origin',
        reason: `a page of ${origin} opened it, and that origin is not allowed`,
        remedy: `if that page may: websocket: { origins: ['${origin}'] }`,
      }
    const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim())
    if (!offered.some(isMqtt))
      // [MQTT-6.0.0-3]
      return {
        status: 400,
        reason: 'it does not offer the WebSocket subprotocol mqtt',
        remedy: 'let the client ask for the subprotocol mqtt',
      }
    return undefined
  }

  /** Bounds may change at a reload. */
  #serverNow(): WebSocketServer {
    const messageBytesMax = Math.max(limits.packetBytesMax, messageBytesMin)
    if (this.#webSockets !== undefined && this.#messageBytesMax === messageBytesMax) return this.#webSockets
    this.#messageBytesMax = messageBytesMax
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false, // a zip bomb is small
      autoPong: false, // the stream answers
      maxPayload: messageBytesMax,
      skipUTF8Validation: true, // no text is taken
      handleProtocols: (protocols) => [...protocols].find(isMqtt) ?? false, // [MQTT-6.0.0-4]
    })
    this.#webSockets.on('wsClientError', (error, stream) =>
      this.#refuse(stream, 400, {
        kind: 'upgrade',
        reason: `it asks for no WebSocket that could be: ${error.message}`,
        remedy: 'update the client',
      }),
    )
    return this.#webSockets
  }

  #failed(stream: Duplex, error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }): void {
    if (error.code === 'ECONNRESET' || error.rawPacket === undefined) return void stream.destroy()
    if (error.code === 'HPE_HEADER_OVERFLOW')
      return this.#refuse(stream, 431, {
        reason: `the head of its request is longer than ${limits.upgradeHeaderBytesMax} bytes`,
        remedy: 'send fewer cookies to this address',
        limit: 'upgradeHeaderBytesMax',
      })
    const why = strangerOf(error.rawPacket, this.#transport, this.#open())
    this.#refuse(stream, 400, why)
  }

  #refuse(stream: Duplex, status: number, why: Turning): void {
    const upgrade = this.#upgrades.get(stream)
    if (upgrade === undefined) return void stream.destroy() // it has been answered, and says more
    this.#upgrades.delete(stream)
    const text = `${why.reason}\n`
    if (stream.writable)
      stream.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      )
    stream.resume()
    setTimeout(() => stream.destroy(), lingerMs).unref()
    upgrade.onFailed(why)
  }
}

function isMqtt(protocol: string): boolean {
  return protocol === 'mqtt' || protocol === 'mqttv3.1'
}

/** Browsers send the origin of the page, others none: pages of the same host, and those that are named. */
function mayCome(origin: string, host: string | undefined, allowed: readonly string[]): boolean {
  const plain = origin.toLowerCase()
  if (allowed.some((one) => one === '*' || one.toLowerCase().replace(/\/$/, '') === plain)) return true
  if (host === undefined || !URL.canParse(plain) || !URL.canParse(`http://${host}`)) return false
  const { hostname } = new URL(plain)
  // a page and MQTT of one machine have two ports
  return hostname === new URL(`http://${host}`).hostname && isNear(hostname)
}

/** Whether a page with this host is of the LAN. */
function isNear(hostname: string): boolean {
  return isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0 || isNearName(hostname)
}
