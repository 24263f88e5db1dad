import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { pemTexts } from '../../core/der.ts'
import { errnoOf } from '../../core/errors.ts'
import type { ListenerTls } from '../../core/listener.ts'
import { type Trust, trustOf, userOf, whyNotStay } from './certificates.ts'
import type { Turning } from './stranger.ts'

/** What becomes of a connection that was accepted. */
export interface Handshake {
  /** TLS is there, and the client's certificate is in order. `user` is whom it names. */
  readonly onSecure: (socket: TLSSocket, user: string | undefined) => void
  /** It came to nothing; `why` is undefined for a client that just went away. The connection is closed. */
  readonly onFailed: (why: Turning | undefined) => void
}

/** Where a handshake may take longer than anybody waits, for connections are ended by others who count the time. */
const handshakeTimeoutMs = 2 ** 30

/** Nobody would count what comes in another one, of TLS 1.2. */
const onlyOneHandshake = constants.SSL_OP_NO_RENEGOTIATION

/**
 * TLS over connections that others have accepted. New certificates are for those who come from then on; who is there
 * already is asked about with `whyNotStay`.
 */
export class TlsEntrance {
  #trust: Trust
  #server: Server
  /** @NOTE a TLS server does not say which connection a secure one was made of; addresses and ports do. */
  readonly #handshakes = new Map<string, Handshake>()

  /** @throws what OpenSSL says of keys and certificates that do not fit */
  constructor(tls: ListenerTls) {
    this.#trust = trustOf(tls)
    this.#server = this.#serverFor(this.#trust)
  }

  get tls(): ListenerTls {
    return this.#trust.tls
  }

  /** @throws what OpenSSL says; then everything stays as it was */
  apply(tls: ListenerTls): void {
    const trust = trustOf(tls)
    this.#server = this.#serverFor(trust)
    this.#trust = trust
  }

  /** Why a client that came when `before` held may not stay; undefined when it may. */
  whyNotStay(socket: TLSSocket, before: ListenerTls): string | undefined {
    return whyNotStay(socket, before, this.#trust)
  }

  enter(raw: Socket, handshake: Handshake): void {
    const key = keyOf(raw)
    this.#handshakes.set(key, handshake)
    raw.once('close', () => {
      if (this.#handshakes.delete(key)) handshake.onFailed(undefined)
    })
    this.#server.emit('connection', raw)
  }

  #serverFor({ tls }: Trust): Server {
    const isAsking = tls.clientCertificates !== 'off'
    const server = createServer({
      cert: tls.certificate,
      key: tls.key.reveal(),
      minVersion: tls.minVersion,
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: isAsking,
      rejectUnauthorized: false, // we do, and say why
      ...(isAsking && tls.clientAuthorities !== undefined ? { ca: tls.clientAuthorities } : {}),
      ...(isAsking && tls.revocations !== undefined ? { crl: pemTexts(tls.revocations, 'X509 CRL') } : {}),
      // a session that is taken up again would not show its certificate again
      secureOptions: isAsking ? onlyOneHandshake | constants.SSL_OP_NO_TICKET : onlyOneHandshake,
    })
    server.on('secureConnection', (socket) => this.#secure(socket, tls))
    server.on('tlsClientError', (error, socket) => this.#failed(socket, wordsFor(error)))
    return server
  }

  #secure(socket: TLSSocket, asked: ListenerTls): void {
    const handshake = this.#take(socket)
    if (handshake === undefined) return void socket.destroy()
    const why = this.#whyNotEnter(socket, asked)
    if (why === undefined) return handshake.onSecure(socket, userOf(socket, this.tls.userFrom))
    socket.on('error', () => {})
    socket.destroy()
    handshake.onFailed(why)
  }

  #whyNotEnter(socket: TLSSocket, asked: ListenerTls): Turning | undefined {
    if (asked.clientCertificates !== 'off') {
      const has = socket.getPeerX509Certificate() !== undefined
      if (has && !socket.authorized) return certificateWords(String(socket.authorizationError))
      if (!has && asked.clientCertificates === 'required') return noCertificate
    }
    if (asked === this.tls) return undefined
    const reason = this.whyNotStay(socket, asked) // they are others since the handshake began
    return reason === undefined ? undefined : { reason, remedy: 'connect again' }
  }

  #failed(socket: TLSSocket, why: Turning | undefined): void {
    socket.on('error', () => {})
    const handshake = this.#take(socket)
    socket.destroy()
    handshake?.onFailed(why)
  }

  #take(socket: Socket): Handshake | undefined {
    const key = keyOf(socket)
    const handshake = this.#handshakes.get(key)
    this.#handshakes.delete(key)
    return handshake
  }
}

function keyOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}

const noCertificate: Turning = {
  reason: 'it has no certificate, and this listener wants one',
  remedy: 'give the client a certificate and its key: damselfly cert client NAME makes them',
}

/** What OpenSSL found wrong with a client's certificate; the names of verify(1). */
function certificateWords(code: string): Turning {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return { reason: 'its certificate has expired', remedy: 'make a new one for it' }
    case 'CERT_NOT_YET_VALID':
      return { reason: 'its certificate is not valid yet', remedy: 'compare the clocks of both machines' }
    case 'CERT_REVOKED':
      return { reason: 'its certificate is revoked', remedy: 'make a new one if it is to come in again' }
    case 'CRL_HAS_EXPIRED':
      return {
        reason: 'the list of revoked certificates has expired, so no certificate can be checked',
        remedy: 'make a new one, and put it where crl: says',
      }
    case 'UNABLE_TO_GET_CRL':
      return {
        reason: 'the list of revoked certificates has nothing of the authority of its certificate',
        remedy: 'put the lists of all authorities between them into the file that crl: names',
      }
    case 'INVALID_PURPOSE':
      return { reason: 'its certificate is not one for clients', remedy: 'make one for clients' }
    default:
      return {
        reason: `its certificate is not one of the authority of this listener (${code})`,
        remedy: 'give the client one that the authority in client_ca: has signed',
      }
  }
}

/** Why a handshake failed, by the codes of Node and OpenSSL; undefined where the client said nothing and went. */
function wordsFor(error: Error): Turning | undefined {
  const code = errnoOf(error) ?? ''
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ERR_TLS_HANDSHAKE_TIMEOUT':
    case 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING':
      return undefined
    case 'ERR_SSL_HTTP_REQUEST':
      return {
        reason: 'it speaks HTTP without TLS, and there is only TLS here',
        remedy: 'let it use TLS: wss:// or mqtts://',
      }
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'ERR_SSL_BAD_RECORD_TYPE':
    case 'ERR_SSL_UNKNOWN_PROTOCOL':
      return {
        reason: 'it does not speak TLS, and there is only TLS here',
        remedy: 'switch TLS on in the client (mqtts://), or let it use a port without TLS',
      }
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
    case 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION':
      return {
        reason: 'it knows no version of TLS that is allowed here',
        remedy: 'update the client; tls: min_version: says what is allowed',
      }
    case 'ERR_SSL_NO_SHARED_CIPHER':
    case 'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM':
      return { reason: 'it knows no cipher that is allowed here', remedy: 'update the client' }
    case 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA':
    case 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE':
    case 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN':
      return {
        reason: 'it does not trust the certificate of this listener',
        remedy:
          'give the client the certificate of the authority (ca.crt), and connect to a name or address that stands in the certificate',
      }
    case 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED':
      return {
        reason: 'it says that the certificate of this listener has expired',
        remedy: 'make a new one, or set the clock of the client',
      }
    default:
      return { reason: `TLS failed (${code || error.name})`, remedy: 'openssl s_client -connect says more' }
  }
}
