import type { Transport } from '../core/listener.ts'

/** Who is at the other end of a connection, as far as the connection itself tells. */
export interface Peer {
  /** As people write it; of a Unix socket `unix`. */
  readonly address: string
  /** The name of the listener that it came to. */
  readonly listener: string
  /** Whether it comes from this machine. */
  readonly isLocal: boolean
  /** The user that its certificate names; undefined when there is none, or its name does not count. */
  readonly certificateUser: string | undefined
  readonly transport: Transport
}
