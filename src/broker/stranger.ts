/** What a peer speaks that does not speak MQTT. */
export interface Stranger {
  readonly reason: string
  /** What the owner can do about it. */
  readonly remedy: string
}

/** The type of the first TLS record, RFC 8446 section 5.1. */
const tlsHandshake = 0x16

/** By the first bytes of a connection that do not begin a CONNECT. */
export function strangerOf(bytes: Buffer): Stranger {
  if (bytes[0] === tlsHandshake)
    return {
      reason: 'it speaks TLS, and there is no TLS here yet',
      remedy: 'switch TLS off in the client: mqtt:// instead of mqtts://',
    }
  if (/^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT) /.test(bytes.toString('latin1', 0, 8)))
    return {
      reason: 'it speaks HTTP or WebSocket, and there is only MQTT over TCP here',
      remedy: 'let the client use mqtt:// instead of ws:// or http://',
    }
  return { reason: 'it does not speak MQTT', remedy: 'check what is set to this address and port' }
}
