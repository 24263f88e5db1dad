import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { Counters } from '../core/counters.ts'
import { errnoOf } from '../core/errors.ts'
import type { HttpPlace } from '../core/http-place.ts'
import { limits } from '../core/limits.ts'
import { networkOf } from '../core/network.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { type MetricsFacts, metricsText } from './metrics.ts'
import { isOwnHost } from './own-host.ts'

/** How long a request may take to come, and a connection may be idle. */
const patienceMs = 5_000
const headerBytesMax = 8 * 1024
const delayResolutionMs = 50
/** Answers about health are good for so long. */
const healthMs = 1_000

/** How long a peer may take to read why it was refused. */
const lingerMs = 2_000

/** By Node's codes. */
const failures: Readonly<Record<string, { readonly status: number; readonly reason: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    reason: `the head of its request is longer than ${headerBytesMax} bytes`,
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, reason: `no whole request came within ${patienceMs / 1_000} s` },
}

/** What is out of order, in words; nothing when all is well. */
export type Health = readonly string[]

export interface HttpServerOptions {
  readonly metrics: () => Omit<MetricsFacts, 'eventLoopDelays'>
  /** Settles within some seconds. */
  readonly health: () => Promise<Health>
  /** What this machine calls itself. */
  readonly hostName: () => string
  readonly counters: Counters
  readonly log: Logger
}

/**
 * Tells `/metrics` and `/health` to whoever can reach it, and nothing else: it reads no body, takes at most
 * `limits.httpConnectionsMax` connections, and changes nothing. Use: `open` once, `close` once.
 */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #server: Server
  readonly #delays: IntervalHistogram
  readonly #repeats = new Repeats()
  #health: { readonly atMs: number; readonly answer: Promise<Health> } | undefined

  constructor(options: HttpServerOptions) {
    this.#options = options
    this.#delays = monitorEventLoopDelay({ resolution: delayResolutionMs })
    const server = createServer({
      maxHeaderSize: headerBytesMax,
      headersTimeout: patienceMs,
      requestTimeout: patienceMs,
      keepAliveTimeout: patienceMs,
      connectionsCheckingInterval: 1_000,
    })
    server.timeout = 2 * patienceMs // of a reader that does not read
    server.on('connection', (socket) => {
      server.maxConnections = limits.httpConnectionsMax
      socket.on('error', () => {})
    })
    server.maxConnections = limits.httpConnectionsMax
    server.on('drop', () => options.counters.add('httpConnectionsMax'))
    server.on('clientError', (error, stream) => this.#failed(error, stream))
    server.on('request', (request, response) => {
      this.#answer(request, response).catch(() => response.destroy())
    })
    this.#server = server
  }

  /** @throws errors of the system, such as `EADDRINUSE` */
  async open({ address, port }: HttpPlace): Promise<void> {
    const listening = async (host: string): Promise<void> => {
      this.#server.listen(port, host)
      await once(this.#server, 'listening')
    }
    await listening(address).catch((error) => {
      // a machine without IPv6
      if (address !== '::' || errnoOf(error) !== 'EAFNOSUPPORT') throw error
      return listening('0.0.0.0')
    })
    this.#delays.enable()
  }

  async close(): Promise<void> {
    this.#delays.disable()
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    const path = url.split('?')[0]
    if (method !== 'GET' && method !== 'HEAD') return say(response, 405, 'only GET is known here\n')
    if (!isOwnHost(request.headers.host, this.#options.hostName())) {
      this.#refused(
        request.socket.remoteAddress ?? 'gone',
        'it calls this machine by a name of somebody else',
      )
      return say(response, 421, 'call it by its address, or by its own name\n')
    }
    if (path === '/metrics') {
      const text = await metricsText({ ...this.#options.metrics(), eventLoopDelays: this.#takeDelays() })
      return say(response, 200, text, 'text/plain; version=0.0.4; charset=utf-8')
    }
    if (path === '/health') {
      const problems = await this.#isWell()
      const status = problems.length === 0 ? 'ok' : 'failing'
      const text = `${JSON.stringify({ status, problems })}\n`
      return say(response, problems.length === 0 ? 200 : 503, text, 'application/json; charset=utf-8')
    }
    say(response, 404, 'known are /metrics and /health\n')
  }

  /** What came is no request, too long, or did not come in time. */
  #failed(error: Error, stream: Duplex): void {
    const code = errnoOf(error) ?? ''
    const { remoteAddress } = stream as Socket
    if (code === 'ECONNRESET' || !stream.writable || remoteAddress === undefined) return void stream.destroy()
    const { status, reason } = failures[code] ?? { status: 400, reason: 'it sends no HTTP request' }
    stream.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    stream.resume()
    setTimeout(() => stream.destroy(), lingerMs).unref()
    this.#refused(remoteAddress, reason)
  }

  #refused(address: string, reason: string): void {
    const { counters, log } = this.#options
    counters.add('http.refused')
    const repeats = this.#repeats.admit(`${networkOf(address)} ${reason}`)
    if (repeats !== undefined) log.warn({ address, reason, ...repeats }, 'HTTP request refused')
  }

  /** Asked once for all who ask at about the same time. */
  #isWell(): Promise<Health> {
    const nowMs = performance.now()
    if (this.#health === undefined || nowMs - this.#health.atMs > healthMs)
      this.#health = { atMs: nowMs, answer: this.#options.health() }
    return this.#health.answer
  }

  #takeDelays(): Record<string, number> {
    const late = (ns: number): number => Math.max(0, ns / 1e9 - delayResolutionMs / 1_000)
    const delays = this.#delays
    const found = {
      '0.5': late(delays.percentile(50)),
      '0.99': late(delays.percentile(99)),
      '1': late(delays.max),
    }
    delays.reset()
    return found
  }
}

function say(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  if (status === 405) response.setHeader('Allow', 'GET, HEAD')
  // who sends a body, or what is not for here, begins anew
  if (status >= 400 && status < 500) response.setHeader('Connection', 'close')
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  })
  response.end(text) // of HEAD Node leaves the body out
}
