import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Bridge, BridgeAddress } from '../core/bridge.ts'
import { brokerSocket } from '../core/broker-socket.ts'
import { silent } from './attached/link-failure.ts'
import { socketFailure, stopped } from './bridge-failure.ts'

/**
 * A socket that is connected, over TLS where the address says so. Nothing may be written before, or what TLS has to say
 * becomes a failure to write.
 * @throws an `Error` whose `cause` is a `LinkFailure`
 */
export async function openBridgeSocket(
  bridge: Pick<Bridge, 'tls' | 'bindAddress'>,
  address: BridgeAddress,
  signal: AbortSignal,
  withinMs: number,
): Promise<Socket> {
  const late = AbortSignal.timeout(withinMs)
  let socket: Socket | undefined
  try {
    socket = await brokerSocket(address, undefined, termsOf(bridge))
    socket.on('error', () => {}) // also between this and who listens next
    await once(socket, address.isSecure ? 'secureConnect' : 'connect', {
      signal: AbortSignal.any([signal, late]),
    })
    return socket
  } catch (error) {
    socket?.destroy()
    const failure = signal.aborted ? stopped : late.aborted ? silent : socketFailure(error)
    throw new Error('not connected', { cause: failure })
  }
}

function termsOf({ tls, bindAddress }: Pick<Bridge, 'tls' | 'bindAddress'>) {
  const { authorities, identity, protocol, isHostChecked = true } = tls ?? {}
  return {
    localAddress: bindAddress,
    trusted: authorities,
    identity: identity && { certificate: identity.certificate, key: identity.key.reveal() },
    protocol,
    isHostChecked,
  }
}
