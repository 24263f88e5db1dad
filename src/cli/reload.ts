import { DamselflyError } from '../core/errors.ts'
import { askOnce } from './ask.ts'
import { exitCodes } from './exit-codes.ts'
import { plain } from './terminal.ts'

/**
 * Has the running daemon read its configuration again, and says how that went, by the exit code, too.
 * @throws DamselflyError `DAEMON_UNREACHABLE`, `CONNECTION_REFUSED`
 */
export async function reload(): Promise<void> {
  const answer = await askOnce({ do: 'reload' })
  if (!('reload' in answer)) throw new DamselflyError('DAEMON_UNREACHABLE', 'nothing was told of the reload')
  const { isOk, reason = 'unknown reason' } = answer.reload
  if (isOk) return console.log('configuration reloaded')
  console.error(`not reloaded, the configuration before it holds: ${plain(reason)}`)
  console.error('every mistake: damselfly check')
  process.exitCode = exitCodes.misconfigured
}
