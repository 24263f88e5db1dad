import type { LimitName } from '../../core/limits.ts'
import { anyPath, hasTls, type OpenListener, type Transport } from '../../core/listener.ts'

/** Why somebody was not let in before it was a client. */
export interface Turning {
  readonly reason: string
  /** What makes two of them the same, where `reason` has words of the peer's in it. */
  readonly kind?: string
  /** What the owner can do about it. */
  readonly remedy: string
  /** The bound that was reached, if one was. */
  readonly limit?: LimitName
}

/** The type of the first TLS record, RFC 8446 section 5.1. */
const tlsHandshake = 0x16

/** The first byte of CONNECT. */
const connectByte = 0x10

const http = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT) /

/**
 * Who a peer is by its first bytes, where they begin nothing that is spoken there.
 * @param here how the listener is talked to
 * @param open every way in that there is
 */
export function strangerOf(bytes: Uint8Array, here: Transport, open: readonly OpenListener[]): Turning {
  const spoken = languageOf(bytes)
  if (spoken === 'TLS')
    return { reason: `it speaks TLS, and there is no TLS here${yet(open)}`, remedy: tlsRemedy(open) }
  if (spoken === 'HTTP') {
    const other = open.find(({ transport }) => transport === 'ws' || transport === 'wss')
    return {
      reason: 'it speaks HTTP or WebSocket, and there is only MQTT here',
      remedy:
        other === undefined
          ? 'let the client use mqtt:// instead of ws:// or http://'
          : `let the client use ${other.transport}://, port ${other.port}${other.path === anyPath ? '' : `, path ${other.path}`}`,
    }
  }
  if (spoken === 'MQTT') {
    const scheme = here === 'mqtts' ? 'mqtts' : here
    const wanted = here === 'mqtts' ? 'TLS' : here === 'ws' ? 'WebSocket' : 'WebSocket over TLS'
    const plain = open.find(({ transport }) => transport === 'mqtt')
    const elsewhere = plain === undefined ? '' : `; or mqtt:// and port ${plain.port}`
    return {
      reason: `it speaks plain MQTT, and there is only ${wanted} here`,
      remedy: `let the client use ${scheme}://${elsewhere}`,
    }
  }
  return { reason: 'it does not speak MQTT', remedy: 'check what is set to this address and port' }
}

/** What the first bytes of a connection belong to, if they tell. */
function languageOf(bytes: Uint8Array): 'TLS' | 'HTTP' | 'MQTT' | undefined {
  if (bytes[0] === tlsHandshake) return 'TLS'
  if (bytes[0] === connectByte) return 'MQTT'
  return http.test(Buffer.from(bytes.subarray(0, 8)).toString('latin1')) ? 'HTTP' : undefined
}

function yet(open: readonly OpenListener[]): string {
  return open.some(({ transport }) => hasTls(transport)) ? '' : ' yet'
}

function tlsRemedy(open: readonly OpenListener[]): string {
  const other = open.find(({ transport }) => transport === 'mqtts')
  return other === undefined
    ? 'switch TLS off in the client: mqtt:// instead of mqtts://'
    : `let the client use port ${other.port}, which has TLS`
}
