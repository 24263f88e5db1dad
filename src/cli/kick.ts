import { DamselflyError } from '../core/errors.ts'
import { askOnce } from './ask.ts'
import { plain } from './terminal.ts'

/**
 * Disconnects a client; with `forget` its session ends too.
 * @throws DamselflyError `CLIENT_UNKNOWN` when there is nothing to end; `DAEMON_UNREACHABLE`, `CONNECTION_REFUSED`
 */
export async function kick(id: string, { forget = false }: { readonly forget?: boolean }): Promise<void> {
  const answer = await askOnce({ kick: id, forget })
  const outcome = 'kicked' in answer ? answer.outcome : 'unknown'
  const shown = plain(id)
  if (outcome === 'unknown')
    throw new DamselflyError('CLIENT_UNKNOWN', `no client is called ${shown} (damselfly clients lists them)`)
  if (outcome === 'away')
    throw new DamselflyError('CLIENT_UNKNOWN', `${shown} is not connected; --forget ends its session`)
  console.log(outcome === 'forgotten' ? `${shown}: its session has ended` : `${shown}: disconnected`)
}
