import { once } from 'node:events'
import { createConnection } from 'node:net'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import { pathProblem } from '../core/socket-file.ts'
import { linesOf } from './lines.ts'
import type { ControlAnswer, ControlRequest, ErrorAnswer } from './protocol.ts'

/** Bytes of one answer; the longest is the list of rules. */
const answerBytesMax = 16 * 1024 * 1024

/**
 * Asks the daemon, and gives its answers one by one: one to `get`, one after the other to `watch`, until the daemon
 * ends the connection. An abort, or leaving the loop, ends it as well, without an error.
 * @throws DamselflyError `DAEMON_UNREACHABLE` when nobody is there, `CONNECTION_REFUSED` when one may not ask,
 *   the daemon refuses, or no socket can have this path
 */
export async function* askDaemon(
  path: string,
  request: ControlRequest,
  signal?: AbortSignal,
): AsyncGenerator<Exclude<ControlAnswer, ErrorAnswer>> {
  const problem = pathProblem(path)
  if (problem !== undefined) throw new DamselflyError('CONNECTION_REFUSED', problem)
  const socket = createConnection(path)
  const end = (): void => void socket.destroy()
  signal?.addEventListener('abort', end, { once: true })
  try {
    if (signal?.aborted) return
    await once(socket, 'connect', signal === undefined ? {} : { signal })
    socket.on('error', () => {}) // a daemon that ends is told by the end of the answers
    socket.write(`${JSON.stringify(request)}\n`)
    for await (const line of linesOf(socket, answerBytesMax)) yield answerOf(line)
  } catch (error) {
    if (signal?.aborted || isReset(error)) return
    throw error instanceof DamselflyError ? error : unreachable(path, error)
  } finally {
    signal?.removeEventListener('abort', end)
    socket.destroy()
  }
}

function answerOf(line: string | undefined): Exclude<ControlAnswer, ErrorAnswer> {
  if (line === undefined) throw new DamselflyError('CONNECTION_REFUSED', 'the daemon sent an endless line')
  const answer = JSON.parse(line) as ControlAnswer
  if ('error' in answer) throw new DamselflyError('CONNECTION_REFUSED', `refused: ${answer.error.message}`)
  return answer
}

/** The daemon has closed the connection while something was under way. */
function isReset(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(errnoOf(error) ?? '')
}

function unreachable(path: string, error: unknown): DamselflyError {
  const errno = errnoOf(error)
  if (errno === 'EACCES' || errno === 'EPERM')
    return new DamselflyError('CONNECTION_REFUSED', `you may not use ${path}`, { cause: error })
  const reason = errno === 'ENOENT' || errno === 'ECONNREFUSED' ? 'nobody is there' : reasonOf(error)
  return new DamselflyError('DAEMON_UNREACHABLE', `${path}: ${reason}`, { cause: error })
}
